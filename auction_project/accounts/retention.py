"""Deletes sessions that have ended with their address and browser, looks at personal data after
PERSONAL_DATA_VIEWS_KEEP_DAYS, and devices and networks that were not seen for DEVICES_KEEP_DAYS. Actions on accounts are kept
for good.
"""

from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from auction_project.accounts import models
from auction_project.kernel.messaging import maintenance


def prune_sessions(now: datetime) -> int:
    """Delete a bounded number of ended sessions, because Django and allauth keep their rows; the number deleted."""
    ended = Session.objects.filter(expire_date__lt=now).order_by("expire_date")
    keys = _first_keys(ended)
    with transaction.atomic(using=models.DATABASE):
        UserSession.objects.filter(session_key__in=keys).delete()
        deleted, _ = ended.filter(pk__in=keys).delete()
    return int(deleted)


def prune_personal_data_views(now: datetime) -> int:
    """Delete a bounded number of old looks at personal data; the number deleted."""
    before = now - timedelta(days=settings.PERSONAL_DATA_VIEWS_KEEP_DAYS)
    old = models.PersonalDataView.objects.filter(at__lt=before).order_by("at")
    deleted, _ = old.filter(pk__in=_first_keys(old)).delete()
    return int(deleted)


def prune_sightings(now: datetime) -> int:
    """Delete a bounded number of devices and networks that were last seen too long ago; the number deleted."""
    before = now - timedelta(days=settings.DEVICES_KEEP_DAYS)
    old = models.Sighting.objects.filter(last_seen_at__lt=before).order_by("last_seen_at")
    deleted, _ = old.filter(pk__in=_first_keys(old)).delete()
    return int(deleted)


def _first_keys(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.values_list("pk", flat=True)[: maintenance.FULL_PRUNE])
