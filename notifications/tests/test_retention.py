"""The row of an e-mail that has ended stays for its days; notifications and e-mails that wait stay for good."""

from datetime import timedelta
from typing import Any

import pytest

from notifications import models, retention
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])
MOMENT = timedelta(microseconds=1)


def test_an_email_that_has_ended_is_deleted_after_its_days_and_the_others_stay(settings: Any) -> None:
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
