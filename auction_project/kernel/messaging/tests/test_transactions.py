"""What runs after a commit."""

import functools

import pytest
from django.db import transaction

from auction_project.kernel.messaging import transactions


def fail(log: list[str]) -> None:
    log.append("failed")
    raise LookupError("a bug")


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_an_error_after_the_commit_is_logged_and_stops_no_other_even_of_a_partial() -> None:
    log: list[str] = []

    with transaction.atomic(using="orders"):
        transactions.after_commit(functools.partial(fail, log), using="orders")
        transactions.after_commit(lambda: log.append("ran"), using="orders")

    assert log == ["failed", "ran"]
