"""What people are written about their accounts: the house's own words, what to do, and what if it was not you."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account import app_settings
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client

from auction_project.accounts import models
from auction_project.accounts.tests.conftest import PASSWORD, App

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
AUTH = "/_allauth/app/v1/auth/"
FOOT = "\n\n-- \nGavel, testserver"


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
    app.post("/_allauth/app/v1/account/email", {"email": "countess@example.org"}, session=session)


@pytest.mark.parametrize(
    ("act", "to", "subject", "link"),
    [
        (sign_up, "bob@example.org", "Verify your e-mail address", "/accounts/confirm-email/"),
        (sign_up_again, "ada@example.org", "You have an account already", "/accounts/password/reset/"),
        (ask_for_a_password, "ada@example.org", "Set a new password", "/accounts/password/reset/key/"),
        (
            ask_for_a_password_without_an_account,
            "nobody@example.org",
            "There is no account with this address",
            "/accounts/signup/",
        ),
        (
            change_the_address,
            "countess@example.org",
            "Verify your e-mail address",
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
    assert paragraphs[0].startswith("Somebody ")
    assert paragraphs[1].startswith("If it was you, ")
    assert paragraphs[2].startswith(f"http://testserver{link}")
    assert paragraphs[-1].startswith("If it was not you, do nothing")
    assert not any("\n" in paragraph for paragraph in paragraphs)
    assert Client().get(paragraphs[2].removeprefix("http://testserver")).status_code in (200, 302)


def test_a_change_is_told_with_what_to_do_if_it_was_not_you(app: App, make: Make, settings: Any) -> None:
    """allauth's notices, for a site that turns them on: the frame around them is the house's."""
    settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
    make("ada")
    session = app.log_in("ada")["session_token"]

    app.post(
        "/_allauth/app/v1/account/password/change",
        {"current_password": PASSWORD, "new_password": "a wholly other one"},
        session=session,
    )

    [message] = mail.outbox
    assert message.body.startswith(
        "Your password has been changed.\n\nIf it was you, there is nothing to do."
    )
    assert "If it was not you, set a new password at once" in message.body
    assert message.body.endswith(FOOT)


def test_the_links_hold_as_long_as_the_emails_say() -> None:
    assert app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS == 3
    assert django_settings.PASSWORD_RESET_TIMEOUT == 3 * 24 * 3600
