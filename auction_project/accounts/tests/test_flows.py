"""Sign-up, verification, login, logout, a new password: as a program does it, and as a browser does."""

import re
import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.core import mail
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auction_project.accounts import models, services
from auction_project.accounts.tests.conftest import PASSWORD, SITE, App, published
from auction_project.kernel import tokens

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
SIGNUP, LOGIN = "/_allauth/app/v1/auth/signup", "/_allauth/app/v1/auth/login"
VERIFY = "/_allauth/app/v1/auth/email/verify"
EMAIL, COUNTESS = "/_allauth/app/v1/account/email", {"email": "countess@example.org"}
ADA = {"email": "Ada@example.org", "password": PASSWORD}


def link(kind: str) -> str:
    """The path in the newest e-mail that leads on."""
    match = re.search(rf"{SITE}(/accounts/{kind}/\S+)", mail.outbox[-1].body)
    assert match, mail.outbox[-1].body
    return match[1]


def key_in_mail() -> str:
    return link("confirm-email").removeprefix("/accounts/confirm-email/").rstrip("/")


def test_from_sign_up_to_me_as_curl_would(app: App) -> None:
    status, body = app.post(SIGNUP, ADA)
    assert status == 401
    assert {"id": "verify_email", "is_pending": True} in body["data"]["flows"]
    user = models.User.objects.get(email="ada@example.org")
    assert [(version, event.roles, event.email_verified) for version, event in published(user.id)] == [
        (1, (), False)
    ]
    assert app.post(LOGIN, ADA)[0] == 401

    app.post(VERIFY, {"key": key_in_mail()})
    assert [(version, event.roles, event.email_verified) for version, event in published(user.id)][1:] == [
        (2, ("bidder",), True)
    ]

    status, body = app.post(LOGIN, ADA)
    assert status == 200
    status, me = app.get("/api/v1/me", token=body["meta"]["access_token"])

    assert (status, me) == (
        200,
        {
            "sub": user.id,
            "email": "ada@example.org",
            "email_verified": True,
            "roles": ["bidder"],
            "state": "ACTIVE",
            "created_at": int(user.date_joined.timestamp()),
        },
    )
    assert len(user.id) == 32


def test_a_key_verifies_once(app: App) -> None:
    app.post(SIGNUP, ADA)
    key = key_in_mail()

    app.post(VERIFY, {"key": key})
    status, _ = app.post(VERIFY, {"key": key})

    assert status == 400
    assert len(published(models.User.objects.get().id)) == 2


def test_a_forged_key_verifies_nothing(app: App) -> None:
    app.post(SIGNUP, ADA)

    status, _ = app.post(VERIFY, {"key": key_in_mail()[:-1] + "_"})

    assert status == 400
    assert models.User.objects.get().email_verified is False


def test_signing_up_again_does_not_reveal_the_account(app: App, make: Make) -> None:
    ada = make("ada")

    status, body = app.post(SIGNUP, ADA)
    stranger_status, stranger = app.post(SIGNUP, {"email": "bob@example.org", "password": PASSWORD})

    assert (status, body["data"]) == (stranger_status, stranger["data"])
    assert models.User.objects.filter(email="ada@example.org").get().id == ada.id
    assert "already" in mail.outbox[0].body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "ada", "password": PASSWORD}, "email"),
        ({"email": "ada@example.org"}, "password"),
        ({"email": "ada@example.org", "password": "password"}, "password"),
        ({"email": "ada@example.org", "password": "short1"}, "password"),
        ({"email": {"a": 1}, "password": [1]}, "email"),
        ({"email": "ada@example.org\x00", "password": PASSWORD}, "email"),
        ({"email": "ada@example.org", "password": PASSWORD + "\x00"}, "password"),
        ({"email": "a" * 300 + "@example.org", "password": PASSWORD}, "email"),
    ],
)
def test_a_bad_sign_up_names_the_field_and_makes_nothing(app: App, body: Any, field: str) -> None:
    status, answer = app.post(SIGNUP, body)

    assert status == 400
    assert field in {error.get("param") for error in answer["errors"]}
    assert (models.User.objects.count(), models.Outbox.objects.count(), mail.outbox) == (0, 0, [])


def test_an_unavailable_mail_server_is_reported_and_the_next_login_sends_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.message.EmailMessage.send", fail)
        status, _ = app.post(SIGNUP, ADA)
    assert status in (401, 503)
    assert mail.outbox == []


def test_a_new_password_by_mail_ends_the_old_one_and_its_refresh_tokens(app: App, make: Make) -> None:
    make("ada")
    meta = app.log_in("ada")

    assert app.post("/_allauth/app/v1/auth/password/request", {"email": "ada@example.org"})[0] == 200
    key = link("password/reset/key").removeprefix("/accounts/password/reset/key/").rstrip("/")
    app.post("/_allauth/app/v1/auth/password/reset", {"key": key, "password": "a wholly other one"})

    assert app.post(LOGIN, ADA)[0] == 400
    assert app.post(LOGIN, ADA | {"password": "a wholly other one"})[0] == 200
    assert app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": meta["refresh_token"]})[0] == 400
    assert (
        app.post("/_allauth/app/v1/auth/password/reset", {"key": key, "password": "yet another one"})[0]
        == 400
    )


def test_a_new_address_is_published_when_it_is_verified(app: App, make: Make) -> None:
    ada = make("ada", "seller")
    services.revoke_role(user_id=ada.id, role="bidder", reason="x", actor="command", now=ada.date_joined)
    session = app.log_in("ada")["session_token"]

    refused, problem = app.post(EMAIL, COUNTESS, session=session)
    assert (refused, problem["code"], mail.outbox) == (401, "password_needed", [])
    app.confirm_it_is_you(session)
    assert app.post(EMAIL, COUNTESS, session=session)[0] == 200
    assert published(ada.id)[-1][1].email == "ada@example.org"
    app.post(VERIFY, {"key": key_in_mail()}, session=session)

    version, event = published(ada.id)[-1]
    assert (version, event.email, event.roles) == (3, "countess@example.org", ("seller",))
    assert app.post(LOGIN, ADA)[0] == 400
    assert app.post(LOGIN, ADA | {"email": "countess@example.org"})[0] == 200


def test_a_browser_signs_up_verifies_logs_in_fetches_a_token_and_logs_out() -> None:
    browser = Client()
    form = {"email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}

    assert browser.post("/accounts/signup/", form).headers["Location"] == "/accounts/confirm-email/"
    assert browser.get(link("confirm-email")).status_code == 200
    assert models.User.objects.get().email_verified is False
    Client().post(link("confirm-email"))
    assert models.User.objects.get().roles == ("bidder",)
    entered = browser.post("/accounts/login/", {"login": "ADA@example.org", "password": PASSWORD})
    assert (entered.status_code, entered.headers["Location"]) == (302, "/")

    token = browser.generic("POST", "/api/v1/token").json()
    assert token["expires_in"] == 300
    assert tokens.verify(token["access"]).sub == models.User.objects.get().id

    browser.post("/accounts/logout/")
    assert browser.generic("POST", "/api/v1/token").status_code == 401


def test_confirming_the_address_signs_in_and_leads_back_to_the_lot() -> None:
    browser, lot = Client(), f"/auctions/{'a' * 32}"
    form = {"email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD, "next": lot}
    browser.post("/accounts/signup/", form)

    answer = browser.post(link("confirm-email"))

    assert (answer.status_code, answer.headers["Location"]) == (302, lot)
    assert browser.generic("POST", "/api/v1/token").status_code == 200


def test_confirming_the_address_elsewhere_does_not_sign_in() -> None:
    form = {"email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    Client().post("/accounts/signup/", form)
    stranger = Client()

    stranger.post(link("confirm-email"))

    assert models.User.objects.get().email_verified is True
    assert stranger.generic("POST", "/api/v1/token").status_code == 401


def test_a_page_changes_no_address_without_the_password(make: Make) -> None:
    ada = make("ada")
    browser = Client()
    browser.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})

    redirected = browser.post("/accounts/email/", COUNTESS | {"action_add": ""})
    assert redirected.headers["Location"].startswith("/accounts/reauthenticate/")
    assert (mail.outbox, ada.emailaddress_set.count()) == ([], 1)
    browser.post(redirected.headers["Location"], {"password": PASSWORD})

    assert mail.outbox[-1].to == ["countess@example.org"]


def test_a_known_address_does_the_work_of_a_new_one(
    app: App, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what is done, not by the clock: passwords are hashed and rows written for both, and one mail goes out."""
    make("ada")
    hashed: list[str] = []
    make_password = hashers.make_password
    monkeypatch.setattr(
        "django.contrib.auth.base_user.make_password",
        lambda password, *more: hashed.append("x") or make_password(password, *more),
    )
    work = []
    for email in ("ada@example.org", "bob@example.org"):
        before = (models.User.objects.count(), models.Outbox.objects.count())
        with CaptureQueriesContext(connections["default"]) as queries:
            app.post(SIGNUP, {"email": email, "password": PASSWORD})
        inserts = sorted(
            query["sql"].split()[2] for query in queries if query["sql"].startswith("INSERT INTO")
        )
        work.append((len(hashed), inserts, len(mail.outbox)))
        rows = (models.User.objects.count() - before[0], models.Outbox.objects.count() - before[1])
        assert rows == ((0, 0) if email.startswith("ada") else (1, 1))
        hashed.clear()
        mail.outbox.clear()

    known, new = work
    assert known == new


def test_a_browser_with_a_barred_account_is_shown_out(make: Make) -> None:
    ada = make("ada")
    browser = Client()
    browser.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    assert browser.generic("POST", "/api/v1/token").status_code == 200

    services.bar_account(user_id=ada.id, reason="x", actor="command", now=ada.date_joined)

    assert browser.generic("POST", "/api/v1/token").status_code == 401
    again = browser.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    assert again.headers["Location"] == "/accounts/inactive/"
