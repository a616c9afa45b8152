"""Reading the list of dead letters."""

from django.db.models import QuerySet

from auction_project import errors
from auction_project.messaging import models


class NoSuchDeadLetter(errors.NotFound):
    """There is no such dead letter."""


def get_dead_letter(dead_letter_id: int) -> models.DeadLetter:
    """Raises NoSuchDeadLetter."""
    row: models.DeadLetter | None = models.DeadLetter.objects.filter(pk=dead_letter_id).first()
    if row is None:
        raise NoSuchDeadLetter
    return row


def list_waiting(*, topic: str | None = None) -> "QuerySet[models.DeadLetter]":
    """Those that nobody has replayed since they last came in, oldest first."""
    waiting = models.DeadLetter.objects.filter(status=models.DeadLetter.Status.WAITING).order_by(
        "first_at", "pk"
    )
    return waiting.filter(topic=topic) if topic else waiting
