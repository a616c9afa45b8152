"""At most once by key, for what may be asked twice: the effect, its outcome and the key's row are one transaction.

`perform` stores a refusal as well, so a repeat hears the same answer whatever has changed since. `undo` takes the key
of what it undoes: without an effect it leaves a tombstone (VOID), which refuses the effect should it still come.
Two callers with one key come one after the other. The effect must refuse by errors.Refused, and only so.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from auction_project.kernel import errors
from auction_project.kernel.messaging import once
from inventory import models, refusals

Outcome = dict[str, Any]
Asked = dict[str, str | int]
UNDO_SUFFIX = ":undo"


def perform(key: str, effect: Callable[[], Outcome], *, now: datetime) -> Outcome:
    """The outcome of `effect`, stored under `key`. Raises errors.Refused (stored, too), Voided."""
    try:
        with transaction.atomic(using=models.DATABASE):
            row, is_new = once.claim(models.Once, key, now=now)
            if is_new:
                row.finish(once.State.DONE, effect())
    except errors.Refused as refusal:
        row = _store_refusal(key, refusal, now=now)
    return _told(row)


def perform_for(asked: Asked, key: str, effect: Callable[[], Outcome], *, now: datetime) -> Outcome:
    """The outcome of `effect`, once by `key`, which belongs to what was asked under it first. Raises FormReused.

    A refusal is raised and forgotten: then the key is free again.
    """
    with transaction.atomic(using=models.DATABASE):
        row, is_new = once.claim(models.Once, key, now=now)
        if is_new:
            row.finish(once.State.DONE, {"asked": asked, "outcome": effect()})
        elif row.outcome["asked"] != asked:
            raise refusals.FormReused(**row.outcome["asked"])
        return row.outcome["outcome"]


def undo(key: str, effect: Callable[[], Outcome], *, now: datetime) -> Outcome:
    """Run `effect`, which undoes what was done under `key`, once; nothing when nothing was done. Raises what it raises."""
    with transaction.atomic(using=models.DATABASE):
        row, is_new = once.claim(models.Once, key, now=now)
        if is_new:
            row.finish(once.State.VOID)
        if row.state != once.State.DONE:
            return {"undone": False}
        marker, is_first = once.claim(models.Once, key + UNDO_SUFFIX, now=now)
        if is_first:
            marker.finish(once.State.DONE, {"undone": True} | effect())
        return marker.outcome


def _store_refusal(key: str, refusal: errors.Refused, *, now: datetime) -> models.Once:
    """What was refused is rolled back, and its answer stands in its stead; unless another caller has decided meanwhile."""
    with transaction.atomic(using=models.DATABASE):
        row, is_new = once.claim(models.Once, key, now=now)
        if is_new:
            answer = {"code": refusal.code, "detail": refusal.detail, "figures": refusal.figures}
            row.finish(once.State.REFUSED, answer)
    return row


def _told(row: models.Once) -> Outcome:
    """The outcome in `row`. Raises the refusal in it, Voided."""
    if row.state == once.State.VOID:
        raise refusals.Voided
    if row.state == once.State.REFUSED:
        kind = refusals.by_code(row.outcome["code"])
        raise kind(row.outcome["detail"], **row.outcome["figures"])
    return row.outcome
