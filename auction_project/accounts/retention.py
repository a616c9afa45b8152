"""Deletes sessions that have ended, and looks at personal data after PERSONAL_DATA_VIEWS_KEEP_DAYS. Actions on accounts
are kept for good.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from auction_project.accounts import models
from auction_project.kernel.messaging import maintenance


def prune_sessions(now: datetime) -> int:
    """Delete a bounded number of ended sessions, because Django keeps their rows; the number deleted."""
    return _prune(Session.objects.filter(expire_date__lt=now).order_by("expire_date"))


def prune_personal_data_views(now: datetime) -> int:
    """Delete a bounded number of old looks at personal data; the number deleted."""
    before = now - timedelta(days=settings.PERSONAL_DATA_VIEWS_KEEP_DAYS)
    return _prune(models.PersonalDataView.objects.filter(at__lt=before).order_by("at"))


def _prune(old: QuerySet[Any]) -> int:
    keys = list(old.values_list("pk", flat=True)[: maintenance.FULL_PRUNE])
    deleted, _ = old.filter(pk__in=keys).delete()
    return int(deleted)
