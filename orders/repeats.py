"""What is asked twice happens once: a step by its key, its undoing by `<key>:undo`, and the stored answer of both.

A step that was refused stays refused. An undoing that comes before its step leaves the tombstone VOID, which refuses
the step whenever it comes. All functions but `answer` need the transaction of the effect.
"""

from datetime import datetime
from typing import Any

from auction_project.kernel import errors
from auction_project.kernel.messaging import once
from orders import exceptions, models

UNDO_SUFFIX = ":undo"


def claim(key: str, *, now: datetime) -> tuple[models.Once, bool]:
    """The row of a step, locked, and whether it is new. It is STARTED while its effect is still to be decided."""
    return once.claim(models.Once, key, now=now)


def lock(key: str) -> models.Once:
    """The row of a step that was claimed before, locked."""
    return models.Once.objects.select_for_update().get(pk=key)


def refuse(row: models.Once, refusal: errors.Refused) -> None:
    """Store the refusal; `answer` raises it after the commit."""
    row.finish(once.State.REFUSED, {"code": refusal.code, "detail": refusal.detail})


def answer(key: str, decided: models.Once | None = None) -> dict[str, Any]:
    """The stored outcome of a step. Raises its refusal, Voided when it was undone (before it came, too), and Unavailable
    while it is not decided. `decided` is the row where this very call has made it: nobody can have undone that."""
    rows = {key: decided} if decided else models.Once.objects.in_bulk([key, key + UNDO_SUFFIX])
    row = rows[key]
    if row.state == once.State.REFUSED:
        raise exceptions.REFUSALS[row.outcome["code"]](row.outcome["detail"])
    if row.state == once.State.VOID or key + UNDO_SUFFIX in rows:
        raise exceptions.Voided
    if row.state == once.State.STARTED:
        raise errors.Unavailable("This is not decided yet.")
    return row.outcome


def claim_undo(key: str, *, now: datetime) -> models.Once | None:
    """The marker under which the effect of `key` is undone, locked; None where there is no effect, nor ever will be."""
    row, is_new = once.claim(models.Once, key, now=now)
    if is_new:
        row.finish(once.State.VOID)
    if row.state != once.State.DONE:
        return None
    marker, _ = once.claim(models.Once, key + UNDO_SUFFIX, now=now)
    return marker
