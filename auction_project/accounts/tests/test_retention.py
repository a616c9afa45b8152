"""A session's row goes when the session has ended."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from auction_project.accounts import retention
from auction_project.accounts.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["default"])


def test_an_ended_session_is_deleted_and_one_that_ends_now_is_not() -> None:
    Session.objects.create(session_key="ended", session_data="", expire_date=NOW - timedelta(microseconds=1))
    Session.objects.create(session_key="ends now", session_data="", expire_date=NOW)

    assert retention.prune(NOW) == 1
    assert list(Session.objects.values_list("session_key", flat=True)) == ["ends now"]
