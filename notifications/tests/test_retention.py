"""The record of an e-mail is kept for its days; its notification, and what is still to be sent, for good."""

from datetime import timedelta
from typing import Any

import pytest

from notifications import models, retention
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])
MOMENT = timedelta(microseconds=1)


def test_an_e_mail_that_is_over_goes_after_its_days_and_the_others_stay(settings: Any) -> None:
    settings.EMAILS_KEEP_DAYS = 30
    oldest_kept = conftest.NOW - timedelta(days=30)
    rows = [(state, at) for state in models.EmailState for at in (oldest_kept, oldest_kept - MOMENT)]
    for number, (state, at) in enumerate(rows):
        notification = models.Notification.objects.create(
            user_id="ada",
            seq=number + 1,
            kind="LOST",
            source=str(number),
            data={},
            at=0,
            created_at=at,
        )
        models.Email.objects.create(notification=notification, state=state, due_at=at, created_at=at)

    assert retention.prune(conftest.NOW) == 4

    left = set(models.Email.objects.values_list("state", "created_at"))
    assert left == set(rows) - {
        (state, oldest_kept - MOMENT) for state in ("SENT", "REFUSED", "UNKNOWN", "DROPPED")
    }
    assert models.Notification.objects.count() == len(rows)
