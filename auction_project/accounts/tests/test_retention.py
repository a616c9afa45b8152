"""What accounts delete: the rows of ended sessions, and old looks at personal data."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from auction_project.accounts import models, personal, retention
from auction_project.accounts.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["default"])


def test_an_ended_session_is_deleted_and_one_that_ends_now_is_not() -> None:
    Session.objects.create(session_key="ended", session_data="", expire_date=NOW - timedelta(microseconds=1))
    Session.objects.create(session_key="ends now", session_data="", expire_date=NOW)

    assert retention.prune_sessions(NOW) == 1
    assert list(Session.objects.values_list("session_key", flat=True)) == ["ends now"]


def test_the_address_and_the_browser_of_a_session_are_deleted_with_it(make: Any) -> None:
    user = make("ada")
    for key, age in (("ended", timedelta(seconds=1)), ("live", timedelta(seconds=-1))):
        Session.objects.create(session_key=key, session_data="", expire_date=NOW - age)
        UserSession.objects.create(user=user, session_key=key, ip="192.0.2.7", user_agent="a browser")

    retention.prune_sessions(NOW)

    assert list(UserSession.objects.values_list("session_key", flat=True)) == ["live"]


def test_a_look_at_personal_data_is_deleted_after_its_days(settings: Any) -> None:
    settings.PERSONAL_DATA_VIEWS_KEEP_DAYS = 30
    for page, age in (("old", timedelta(days=30, microseconds=1)), ("young", timedelta(days=30))):
        personal.record_look(actor="a" * 32, page=page, now=NOW - age)

    assert retention.prune_personal_data_views(NOW) == 1
    assert list(models.PersonalDataView.objects.values_list("page", flat=True)) == ["young"]
