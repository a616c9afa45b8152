"""Deletes devices of accounts that were not seen for DEVICES_KEEP_DAYS, as accounts does with its own. All else in orders is kept for
good."""

from datetime import datetime, timedelta

from django.conf import settings

from auction_project.kernel.messaging import maintenance
from orders import models


def prune_devices(now: datetime) -> int:
    """Delete at most maintenance.FULL_PRUNE rows; the number deleted."""
    before = now - timedelta(days=settings.DEVICES_KEEP_DAYS)
    old = models.Device.objects.filter(last_seen_at__lt=before).order_by("last_seen_at")
    ids = list(old.values_list("pk", flat=True)[: maintenance.FULL_PRUNE])
    deleted, _ = models.Device.objects.filter(pk__in=ids, last_seen_at__lt=before).delete()
    return int(deleted)
