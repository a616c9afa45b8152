"""The mails about accounts: our own words, what to do, and what to do if it was not you."""

import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account import app_settings
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client

from auction_project.accounts import models
from auction_project.accounts.tests.conftest import PASSWORD, SITE, App

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
AUTH = "/_allauth/app/v1/auth/"
FOOT = f"\n\n-- \nGavel, {SITE}"


def sign_up(app: App, _: models.User) -> None:
    app.post(AUTH + "signup", {"email": "bob@example.org", "password": PASSWORD})


def sign_up_again(app: App, ada: models.User) -> None:
    app.post(AUTH + "signup", {"email": ada.email, "password": PASSWORD})


def ask_for_a_password(app: App, ada: models.User) -> None:
    app.post(AUTH + "password/request", {"email": ada.email})


def ask_for_a_password_without_an_account(app: App, _: models.User) -> None:
    app.post(AUTH + "password/request", {"email": "nobody@example.org"})


def change_the_address(app: App, _: models.User) -> None:
    session = app.log_in("ada")["session_token"]
    app.confirm_it_is_you(session)
    app.post("/_allauth/app/v1/account/email", {"email": "countess@example.org"}, session=session)


@pytest.mark.parametrize(
    ("act", "to", "subject", "link"),
    [
        (sign_up, "bob@example.org", "Confirm your e-mail address", "/accounts/confirm-email/"),
        (sign_up_again, "ada@example.org", "You already have an account", "/accounts/password/reset/"),
        (ask_for_a_password, "ada@example.org", "Choose a new password", "/accounts/password/reset/key/"),
        (
            ask_for_a_password_without_an_account,
            "nobody@example.org",
            "There is no account with this address",
            "/accounts/signup/",
        ),
        (
            change_the_address,
            "countess@example.org",
            "Confirm your e-mail address",
            "/accounts/confirm-email/",
        ),
    ],
)
def test_an_email_says_what_to_do_and_what_if_it_was_not_you(
    app: App, make: Make, act: Callable[[App, models.User], None], to: str, subject: str, link: str
) -> None:
    ada = make("ada")

    act(app, ada)

    [message] = mail.outbox
    paragraphs = message.body.removesuffix(FOOT).split("\n\n")
    assert (message.to, message.subject) == ([to], subject)
    assert message.body.endswith(FOOT)
    assert paragraphs[0].startswith("Someone ")
    assert paragraphs[1].startswith("If it was you, ")
    assert paragraphs[2].startswith(f"{SITE}{link}")
    assert paragraphs[-1].startswith("If it was not you, do nothing")
    assert not any("\n" in paragraph for paragraph in paragraphs)
    assert Client().get(paragraphs[2].removeprefix(SITE)).status_code in (200, 302)


Commit = Callable[..., Any]


def assert_is_notice(message: Any, begins: str) -> None:
    assert message.body.startswith(begins)
    assert "\n\nIf it was you, you don't need to do anything." in message.body
    assert f"If it was not you, choose a new password now: {SITE}/accounts/password/reset/." in message.body
    assert message.body.endswith(FOOT)


def test_a_new_password_is_reported_to_its_owner(
    app: App, make: Make, django_capture_on_commit_callbacks: Commit
) -> None:
    make("ada")
    session = app.log_in("ada")["session_token"]

    with django_capture_on_commit_callbacks(execute=True):
        app.post(
            "/_allauth/app/v1/account/password/change",
            {"current_password": PASSWORD, "new_password": "a wholly other one"},
            session=session,
        )

    [message] = mail.outbox
    assert (message.to, message.subject) == (["ada@example.org"], "Your password was changed")
    assert_is_notice(message, "The password of your Gavel account was changed.")


def test_a_new_address_is_reported_to_the_old_one(
    app: App, make: Make, django_capture_on_commit_callbacks: Commit
) -> None:
    ada = make("ada")
    change_the_address(app, ada)
    key = mail.outbox[0].body.partition("/accounts/confirm-email/")[2].partition("/")[0]
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        app.post(AUTH + "email/verify", {"key": key})

    [message] = mail.outbox
    assert (message.to, message.subject) == (["ada@example.org"], "Your e-mail address was changed")
    assert_is_notice(
        message,
        "The e-mail address of your Gavel account was changed from ada@example.org to countess@example.org.",
    )


def test_a_change_holds_although_its_notice_does_not_leave(
    app: App, make: Make, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Commit
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise smtplib.SMTPServerDisconnected

    ada = make("ada")
    session = app.log_in("ada")["session_token"]
    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", fail)

    with django_capture_on_commit_callbacks(execute=True):
        status, _ = app.post(
            "/_allauth/app/v1/account/password/change",
            {"current_password": PASSWORD, "new_password": "a wholly other one"},
            session=session,
        )

    assert status == 200
    assert models.User.objects.get(pk=ada.pk).check_password("a wholly other one")


@pytest.mark.parametrize("host", ["evil.example", "testserver:81"])
def test_the_host_header_changes_no_link(make: Make, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    make("ada")
    app = App(host=host)

    for act in (sign_up, sign_up_again, ask_for_a_password, ask_for_a_password_without_an_account):
        act(app, models.User.objects.get(email="ada@example.org"))

    assert len(mail.outbox) == 4
    for message in mail.outbox:
        assert host not in message.body
        assert SITE in message.body


def test_the_links_hold_as_long_as_the_emails_say() -> None:
    assert app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS == 3
    assert django_settings.PASSWORD_RESET_TIMEOUT == 3 * 24 * 3600
