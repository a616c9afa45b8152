"""Deletes browser and program sessions that have ended: Django keeps their rows until told otherwise."""

from datetime import datetime

from django.contrib.sessions.models import Session

from auction_project.kernel.messaging import maintenance


def prune(now: datetime) -> int:
    """Delete a bounded number of ended sessions; the number deleted."""
    ended = Session.objects.filter(expire_date__lt=now).order_by("expire_date")
    keys = list(ended.values_list("pk", flat=True)[: maintenance.FULL_PRUNE])
    deleted, _ = Session.objects.filter(pk__in=keys, expire_date__lt=now).delete()
    return int(deleted)
