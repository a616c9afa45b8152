"""Reads of the list of dead letters."""

from django.db.models import Count, QuerySet

from auction_project.kernel import errors
from auction_project.kernel.messaging import models


class NoSuchDeadLetter(errors.NotFound):
    """There is no such dead letter."""


def get_dead_letter(dead_letter_id: int, *, locked: bool = False) -> models.DeadLetter:
    """The dead letter; with `locked`, until the open transaction ends. Raises NoSuchDeadLetter."""
    rows = models.DeadLetter.objects.select_for_update() if locked else models.DeadLetter.objects.all()
    row: models.DeadLetter | None = rows.filter(pk=dead_letter_id).first()
    if row is None:
        raise NoSuchDeadLetter
    return row


def list_waiting(*, topic: str | None = None) -> "QuerySet[models.DeadLetter]":
    """Dead letters (of `topic`) that were neither replayed nor dismissed since they last came in, oldest first."""
    waiting = models.DeadLetter.objects.filter(status=models.DeadLetter.Status.WAITING).order_by(
        "first_at", "pk"
    )
    return waiting.filter(topic=topic) if topic else waiting


def count_waiting_by_topic() -> dict[str, int]:
    """How many dead letters wait, by the topic that they come from."""
    rows = list_waiting().order_by("topic").values("topic").annotate(waiting=Count("pk"))
    return {row["topic"]: row["waiting"] for row in rows}
