"""The ends of sessions: each is published, and no other session ends with it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions import models as usersession_models
from django.contrib.sessions import models as session_models
from django.test import Client

from auction_project.accounts import models, services, sessions
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App, ended
from auction_project.kernel import ids, tokens

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
SESSIONS, PAGE = "/_allauth/app/v1/auth/sessions", "/accounts/sessions/"
OTHER_PASSWORD = "a wholly other one"


def session_of(meta: dict[str, Any]) -> str:
    return tokens.verify(meta["access_token"]).session


def signed_in_browser() -> Client:
    browser = Client(headers={"User-Agent": "A browser"})
    browser.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    return browser


def session_of_browser(browser: Client) -> str:
    return ids.session_id(browser.cookies["sessionid"].value)


def is_signed_in(browser: Client) -> bool:
    return browser.generic("POST", "/api/v1/token").status_code == 200


def test_signing_out_ends_the_own_session_alone(app: App, make: Make) -> None:
    ada = make("ada")
    first, second, browser = app.log_in("ada"), app.log_in("ada"), signed_in_browser()
    of_browser = session_of_browser(browser)

    app.send("DELETE", "/_allauth/app/v1/auth/session", session=first["session_token"])
    assert ended(ada.id) == [session_of(first)]
    browser.post("/accounts/logout/")
    assert ended(ada.id) == [session_of(first), of_browser]

    assert app.get("/_allauth/app/v1/auth/session", session=second["session_token"])[0] == 200
    assert session_models.Session.objects.filter(pk=first["session_token"]).count() == 0


def test_an_end_and_its_event_stand_or_fall_together(
    app: App, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make("ada")
    key = app.log_in("ada")["session_token"]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(sessions.outbox, "publish", fail)
    with pytest.raises(RuntimeError):
        sessions.end(user_id=ada.id, session_keys=[key], reason="x", now=NOW)

    assert session_models.Session.objects.filter(pk=key).count() == 1
    assert sessions.list_keys(ada.id) == [key]


def test_another_password_ends_all_other_sessions(app: App, make: Make) -> None:
    ada, bob = make("ada"), make("bob")
    other, own, of_bob = app.log_in("ada"), signed_in_browser(), app.log_in("bob")
    before = session_of_browser(own)

    own.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD},
    )

    assert sorted(ended(ada.id)) == sorted([session_of(other), before])
    assert ended(bob.id) == []
    assert is_signed_in(own)
    assert session_of_browser(own) != before
    assert app.get("/_allauth/app/v1/auth/session", session=other["session_token"])[0] == 410
    assert app.get("/_allauth/app/v1/auth/session", session=of_bob["session_token"])[0] == 200


def test_a_superuser_who_sets_a_password_ends_the_sessions(app: App, make: Make) -> None:
    ada, root = make("ada"), Client()
    root.force_login(make("root", superuser=True))
    meta = app.log_in("ada")

    form = {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD, "usable_password": "true"}
    root.post(f"/admin/accounts/user/{ada.id}/password/", form)

    assert models.User.objects.get(pk=ada.pk).check_password(OTHER_PASSWORD)
    assert ended(ada.id) == [session_of(meta)]


@pytest.mark.parametrize("shut", [services.bar_account, services.close_account])
def test_a_suspended_account_loses_its_sessions(app: App, make: Make, shut: Callable[..., Any]) -> None:
    ada = make("ada")
    first, second = app.log_in("ada"), app.log_in("ada")

    shut(user_id=ada.id, reason="x", actor="command", now=NOW)

    assert sorted(ended(ada.id)) == sorted([session_of(first), session_of(second)])
    assert sessions.list_keys(ada.id) == []


def test_a_program_lists_its_sessions_and_ends_one(app: App, make: Make) -> None:
    ada = make("ada")
    other, own = app.log_in("ada"), app.log_in("ada")

    _, listed = app.get(SESSIONS, session=own["session_token"])
    numbers = {row["is_current"]: row["id"] for row in listed["data"]}
    status, left = app.send("DELETE", SESSIONS, {"sessions": [numbers[False]]}, session=own["session_token"])

    assert (status, [row["is_current"] for row in left["data"]]) == (200, [True])
    assert ended(ada.id) == [session_of(other)]


@pytest.mark.parametrize("value", ["1", [[1]], [True], ["1"], [None], {"1": 1}, 1, [1.5], [10**30], [0]])
def test_a_list_of_sessions_that_cannot_be_is_400_and_ends_nothing(app: App, make: Make, value: Any) -> None:
    ada = make("ada")
    own = app.log_in("ada")

    status, problem = app.send("DELETE", SESSIONS, {"sessions": value}, session=own["session_token"])

    assert (status, problem["field"]) == (400, "sessions")
    assert ended(ada.id) == []


def test_a_page_lists_the_sessions_and_ends_one(app: App, make: Make) -> None:
    ada = make("ada")
    other, browser = app.log_in("ada"), signed_in_browser()
    row = usersession_models.UserSession.objects.get(session_key=other["session_token"])

    shown = browser.get(PAGE).content.decode()
    browser.post(PAGE, {"session": row.pk})

    assert ("A browser" in shown, "This device." in shown) == (True, True)
    assert ended(ada.id) == [session_of(other)]
    assert is_signed_in(browser)


def test_a_page_ends_all_others_and_then_itself(app: App, make: Make) -> None:
    ada = make("ada")
    other, browser = app.log_in("ada"), signed_in_browser()
    own = session_of_browser(browser)

    browser.post(PAGE, {"others": "1"})
    assert (ended(ada.id), is_signed_in(browser)) == ([session_of(other)], True)
    row = usersession_models.UserSession.objects.get(user=ada)
    answer = browser.post(PAGE, {"session": row.pk})

    assert answer.headers["Location"] == "/accounts/login/"
    assert own in ended(ada.id)
    assert not is_signed_in(browser)


@pytest.mark.parametrize("number", ["", "x", "0", "9" * 30, "\x00", "-1", "\N{SUPERSCRIPT TWO}"])
def test_a_session_that_is_not_there_ends_nothing(make: Make, number: str) -> None:
    ada = make("ada")
    browser = signed_in_browser()

    assert browser.post(PAGE, {"session": number}).status_code == 302
    assert (ended(ada.id), is_signed_in(browser)) == ([], True)


def test_a_session_of_another_account_is_not_ended(app: App, make: Make) -> None:
    make("ada")
    bob = make("bob")
    of_bob = app.log_in("bob")
    row = usersession_models.UserSession.objects.get(user=bob)
    browser, own = signed_in_browser(), app.log_in("ada")

    browser.post(PAGE, {"session": row.pk})
    status, _ = app.send("DELETE", SESSIONS, {"sessions": [row.pk]}, session=own["session_token"])

    assert (status, ended(bob.id)) == (400, [])
    assert app.get("/_allauth/app/v1/auth/session", session=of_bob["session_token"])[0] == 200


def test_an_account_has_a_bounded_number_of_sessions(app: App, make: Make) -> None:
    ada = make("ada")

    metas = [app.log_in("ada") for _ in range(sessions.MAX_SESSIONS + 2)]

    assert ended(ada.id) == [session_of(meta) for meta in metas[:2]]
    assert sessions.list_keys(ada.id) == [meta["session_token"] for meta in reversed(metas[2:])]


def test_without_a_session_nothing_is_published(make: Make) -> None:
    ada = make("ada")

    sessions.end_all(user_id=ada.id, reason="x", now=NOW + timedelta(days=1))

    assert ended(ada.id) == []


@pytest.mark.parametrize(
    "key", [r'"\000aaaaaaaaa"', "a" * 31, "a" * 10_000, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 32]
)
@pytest.mark.parametrize("path", [PAGE, "/", "/admin/", "/_allauth/browser/v1/auth/session"])
def test_a_cookie_that_holds_no_key_of_a_session_signs_no_user_in(path: str, key: str) -> None:
    answer = Client(raise_request_exception=False).get(path, headers={"Cookie": f"sessionid={key}"})

    assert answer.status_code == Client().get(path).status_code
