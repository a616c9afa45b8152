"""At most once by the key of a form: a form of the admin that is sent twice is one change.

This is another idea than a step (`kernel.messaging.steps`): a form's key belongs to the figures that the form held when
it first succeeded; a refused form is corrected and sent again, so its refusal is not stored; and a change made by hand is
never undone, but corrected by another one. Both keep their keys in the table `Once`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from auction_project.kernel.messaging import once
from inventory import models, refusals

Outcome = dict[str, Any]
Form = dict[str, str | int]


def perform(form: Form, key: str, effect: Callable[[], Outcome], *, now: datetime) -> Outcome:
    """The outcome of `effect`, which runs once by `key`, in one transaction.

    A refusal of `effect` is raised and not stored, so that the key is free again. Raises FormReused when `key` belongs to a
    form with other figures, and what `effect` raises.
    """
    with transaction.atomic(using=models.DATABASE):
        row, is_new = once.claim(models.Once, [key], now=now)[key]
        if is_new:
            once.finish(models.Once, [(row, once.State.DONE, {"asked": form, "outcome": effect()})])
        elif row.outcome["asked"] != form:
            raise refusals.FormReused(**row.outcome["asked"])
        return row.outcome["outcome"]
