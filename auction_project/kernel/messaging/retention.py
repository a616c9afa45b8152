"""Deletes replayed and dismissed dead letters, DEAD_LETTERS_KEEP_DAYS after they last came in. A dead letter that waits
for an operator is never deleted.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from auction_project.kernel.messaging import maintenance, models, services


def prune(now: datetime) -> int:
    """Delete at most maintenance.FULL_PRUNE dead letters with their replays and dismissals; the number of dead letters."""
    before = now - timedelta(days=settings.DEAD_LETTERS_KEEP_DAYS)
    closed = models.DeadLetter.objects.exclude(status=models.DeadLetter.Status.WAITING)
    with transaction.atomic(using=services.ALIAS):
        old = closed.filter(last_at__lt=before).select_for_update(skip_locked=True).order_by("pk")
        ids = list(old.values_list("pk", flat=True)[: maintenance.FULL_PRUNE])
        for relation in models.DeadLetter._meta.related_objects:
            relation.related_model.objects.filter(dead_letter__in=ids).delete()
        models.DeadLetter.objects.filter(pk__in=ids).delete()
    return len(ids)
