"""Sessions of staff: how long they last, and whose they are."""

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from auction_project.accounts import adapter, models, services, staff, token_strategy
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App, ended
from auction_project.kernel import ids

pytestmark = pytest.mark.django_db(databases="__all__")  # the Overview asks all apps
Make = Callable[..., models.User]
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class Clock:
    """The time of log-ins, of the middleware and of the refreshing of tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime.now(NOW.tzinfo)
        for module in (adapter, staff, token_strategy):
            monkeypatch.setattr(module, "timezone", SimpleNamespace(now=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def signed_in(name: str) -> Client:
    browser = Client()
    browser.post("/accounts/login/", {"login": f"{name}@example.org", "password": PASSWORD})
    return browser


def is_in(browser: Client) -> bool:
    return browser.generic("POST", "/api/v1/token").status_code == 200


@pytest.fixture
def olga(make: Make) -> models.User:
    services.sync_group_permissions()
    return make("olga", groups=["auction operator"])


def test_a_session_of_staff_ends_after_an_idle_hour_and_its_end_is_published(
    olga: models.User, clock: Clock
) -> None:
    browser = signed_in("olga")
    session = ids.session_id(browser.cookies["sessionid"].value)

    clock.now += HOUR - MINUTE
    assert browser.get("/admin/").status_code == 200
    clock.now += HOUR - MINUTE
    assert browser.get("/admin/").status_code == 200
    assert ended(olga.id) == []
    clock.now += HOUR

    assert browser.get("/admin/").status_code == 302
    assert not is_in(browser)
    assert ended(olga.id) == [session]


def test_a_session_of_staff_ends_after_eight_hours_though_it_is_used(olga: models.User, clock: Clock) -> None:
    browser = signed_in("olga")

    for _ in range(15):
        clock.now += HOUR / 2
        assert browser.get("/admin/").status_code == 200
    clock.now += HOUR / 2

    assert browser.get("/admin/").status_code == 302
    assert len(ended(olga.id)) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/v1/token"), ("GET", "/admin/services/table/")], ids=["token", "list"]
)
def test_what_a_page_fetches_by_itself_does_not_keep_the_session(
    olga: models.User, clock: Clock, method: str, path: str
) -> None:
    browser = signed_in("olga")

    for _ in range(11):
        clock.now += 5 * MINUTE
        assert browser.generic(method, path).status_code == 200
    clock.now += 5 * MINUTE

    assert not is_in(browser)


def test_a_refresh_does_not_outlast_a_session_of_staff(make: Make, app: App, clock: Clock) -> None:
    olga = make("olga", "operator")
    token = app.log_in("olga")["refresh_token"]

    def refresh() -> tuple[int, Any]:
        return app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": token})

    for _ in range(15):
        clock.now += HOUR / 2
        status, body = refresh()
        assert status == 200
        token = body["data"]["refresh_token"]
    clock.now += HOUR / 2

    assert refresh()[0] == 400
    assert len(ended(olga.id)) == 1


def test_a_bidder_stays_signed_in(make: Make, clock: Clock) -> None:
    ada = make("ada")
    browser = signed_in("ada")

    clock.now += 24 * HOUR

    assert is_in(browser)
    assert ended(ada.id) == []


def test_a_user_who_becomes_staff_after_the_log_in_is_bounded_from_the_first_page_of_the_admin(
    make: Make, clock: Clock
) -> None:
    services.sync_group_permissions()
    ada = make("ada")
    browser = signed_in("ada")
    services.assign_admin_groups(user_id=ada.id, groups=["finance"], reason="x", actor="command", now=NOW)

    assert browser.get("/admin/").status_code == 200
    clock.now += HOUR

    assert browser.get("/admin/").status_code == 302
