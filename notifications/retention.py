"""Deletes the rows of e-mails that have ended, EMAILS_KEEP_DAYS after they were created.

E-mails that wait or are being sent stay, and so do feeds and notifications.
"""

from datetime import datetime, timedelta

from django.conf import settings

from auction_project.kernel.messaging import maintenance
from notifications import models

_ENDED = [state for state in models.EmailState if not models.TRANSITIONS[state]]


def prune(now: datetime) -> int:
    """Delete at most maintenance.FULL_PRUNE rows; the number deleted."""
    before = now - timedelta(days=settings.EMAILS_KEEP_DAYS)
    old = models.Email.objects.filter(state__in=_ENDED, created_at__lt=before).order_by("pk")
    ids = list(old.values_list("pk", flat=True)[: maintenance.FULL_PRUNE])
    deleted, _ = models.Email.objects.filter(pk__in=ids, state__in=_ENDED).delete()
    return int(deleted)
