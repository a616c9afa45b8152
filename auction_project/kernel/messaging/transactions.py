"""The only way to do something after a commit: `after_commit(function, using=…)`. A lint forbids the others.

Why: `task.delay_on_commit` and a bare `transaction.on_commit` look at the database `default`. Inside a transaction on
any other database they therefore act at once, before the commit.
"""

from collections.abc import Callable

from django.db import transaction


class NoTransaction(RuntimeError):
    """after_commit was called outside a transaction on the named database."""


def after_commit(function: Callable[[], object], *, using: str) -> None:
    """Run `function` once the transaction on `using` has committed, and never if it rolls back.

    Best effort: the process may die between the commit and the call, so something durable must find the work again.
    Errors of `function` are logged. Raises NoTransaction.
    """
    if not transaction.get_connection(using).in_atomic_block:
        raise NoTransaction(f"after_commit needs a transaction on {using!r}")
    # Django logs an error by the function's name, which a partial has not.
    transaction.on_commit(lambda: function(), using=using, robust=True)
