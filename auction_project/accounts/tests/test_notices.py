"""A security notice is written with its change, mailed after the commit, and tried again until the mail server takes
it.
"""

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa import models as mfa_models
from allauth.mfa.totp.internal import auth
from django.core import mail
from django.core.management import call_command
from django.test import Client

from auction_project import celery
from auction_project.accounts import models, notices, personal, services, tasks
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App
from auction_project.processes import roles

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
NEW_PASSWORD = "a wholly other one"
ACTIVATE, DEACTIVATE = "/accounts/2fa/totp/activate/", "/accounts/2fa/totp/deactivate/"
RECOVERY_CODES = "/accounts/2fa/recovery-codes/generate/"


class MailServer:
    """Takes mails while `is_up`; raises `errors`, one for each of the next mails."""

    is_up = True

    def __init__(self) -> None:
        self.tries = 0
        self.errors: list[Exception] = []

    def send(self, *_: object, **__: object) -> None:
        self.tries += 1
        if not self.is_up:
            raise smtplib.SMTPServerDisconnected
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> MailServer:
    server = MailServer()
    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", server.send)
    return server


def signed_in() -> Client:
    browser = Client(raise_request_exception=False)
    browser.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    return browser


def set_up_second_factor() -> Client:
    browser = signed_in()
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    browser.get(ACTIVATE)
    secret = browser.session["mfa.totp.secret"]
    _, now, _ = auth.yield_hotp_counters_from_time()  # the step before, the present one, the next one
    code = auth.format_hotp_value(auth.hotp_value(secret, now))
    browser.post(ACTIVATE, {"code": code})
    return browser


def change_password() -> None:
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    signed_in().post("/accounts/password/change/", form)


def reset_password() -> None:
    App().post("/_allauth/app/v1/auth/password/request", {"email": "ada@example.org"})
    match = re.search(r"/accounts/password/reset/key/(\S+)/", mail.outbox[-1].body)
    assert match
    App().post("/_allauth/app/v1/auth/password/reset", {"key": match[1], "password": NEW_PASSWORD})


def reset_password_while_signed_in() -> None:
    """In the browser: the link leads to a page whose form sets the password."""
    browser = signed_in()
    browser.post("/accounts/password/reset/", {"email": "ada@example.org"})
    found = re.search(r"/accounts/password/reset/key/\S+/", mail.outbox[-1].body)
    assert found
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    browser.post(browser.get(found[0], follow=True).request["PATH_INFO"], form)
    assert models.User.objects.get(email="ada@example.org").check_password(NEW_PASSWORD)


def set_password_in_the_admin(form: dict[str, str] | None = None) -> None:
    browser = Client()
    browser.force_login(
        services.create_account(
            email="root@example.org", password=None, superuser=True, actor="command", now=NOW
        )
    )
    ada = models.User.objects.get(email="ada@example.org")
    form = form or {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert browser.post(f"/admin/accounts/user/{ada.pk}/password/", form).status_code == 302


def disable_password_in_the_admin() -> None:
    set_password_in_the_admin({"usable_password": "false", "unset-password": "1"})
    assert not models.User.objects.get(email="ada@example.org").has_usable_password()


def set_password_by_command() -> None:
    call_command("create_account", "--email", "ada@example.org", "--password", NEW_PASSWORD, "--superuser")
    assert models.User.objects.get(email="ada@example.org").check_password(NEW_PASSWORD)


def remove_address() -> None:
    app = App()
    session = app.log_in("ada")["session_token"]
    app.confirm_it_is_you(session)
    app.post("/_allauth/app/v1/account/email", {"email": "other@example.org"}, session=session)
    app.send("DELETE", "/_allauth/app/v1/account/email", {"email": "other@example.org"}, session=session)


def turn_second_factor_off() -> None:
    set_up_second_factor().post(DEACTIVATE)


def make_recovery_codes() -> None:
    set_up_second_factor().post(RECOVERY_CODES)


@pytest.mark.parametrize(
    ("change", "templates"),
    [
        (change_password, ["account/email/password_changed"]),
        (reset_password, ["account/email/password_reset"]),
        (reset_password_while_signed_in, ["account/email/password_reset"]),
        (set_up_second_factor, ["mfa/email/totp_activated"]),
        (turn_second_factor_off, ["mfa/email/totp_activated", "mfa/email/totp_deactivated"]),
        (make_recovery_codes, ["mfa/email/totp_activated", "mfa/email/recovery_codes_generated"]),
    ],
)
def test_a_notice_is_written_before_the_change_commits(
    make: Make, change: Callable[[], object], templates: list[str]
) -> None:
    make("ada")

    change()  # the test's own transaction goes on, so that nothing has committed

    rows = models.Notice.objects.values_list("template", "email", "context")
    assert list(rows) == [(template, "ada@example.org", {"ip": "127.0.0.1"}) for template in templates]


@pytest.mark.parametrize(
    "change", [set_password_in_the_admin, disable_password_in_the_admin, set_password_by_command]
)
def test_a_password_that_a_colleague_sets_is_reported_to_its_owner_and_ends_the_sessions(
    make: Make, change: Callable[[], object], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    make("ada")
    browser = signed_in()
    assert browser.get("/account").status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        change()

    [message] = mail.outbox
    assert (message.to, message.subject) == (
        ["ada@example.org"],
        "Your password was changed by the auction house",
    )
    assert message.body.startswith("The auction house changed the password of your Gavel account, on ")
    assert "127.0.0.1" not in message.body  # the address of a colleague
    assert browser.get("/account").status_code == 302


def test_a_command_that_repeats_a_password_sends_no_notice(make: Make) -> None:
    make("ada")

    make("ada", superuser=True)

    assert models.Notice.objects.count() == 0


def test_an_address_that_is_removed_is_reported(
    make: Make, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    make("ada")

    with django_capture_on_commit_callbacks(execute=True):
        remove_address()

    message = mail.outbox[-1]
    assert (message.to, message.subject) == (
        ["ada@example.org"],
        "An e-mail address was removed from your account",
    )
    assert "The e-mail address other@example.org was removed from your Gavel account." in message.body


def test_no_change_commits_without_its_notice(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = make("ada")
    monkeypatch.setattr(notices, "write", lambda **_: 1 / 0)

    change_password()
    set_up_second_factor()
    remove_address()
    with pytest.raises(ZeroDivisionError):
        set_password_by_command()

    assert ada.emailaddress_set.filter(email="other@example.org").exists()
    assert models.User.objects.get(pk=ada.pk).check_password(PASSWORD)
    assert mfa_models.Authenticator.objects.count() == 0


def write(user: models.User) -> models.Notice:
    notices.write(user=user, template=notices.PASSWORD_CHANGED, ip="192.0.2.7", now=NOW)
    return models.Notice.objects.get()


def test_a_notice_leaves_after_the_commit_and_its_row_goes(
    make: Make, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    ada = make("ada")

    with django_capture_on_commit_callbacks(execute=True):
        write(ada)

    [message] = mail.outbox
    assert (message.to, message.subject) == (["ada@example.org"], "Your password was changed")
    assert "on 21 November 2026, 12:00 UTC, from the address 192.0.2.7." in message.body
    assert models.Notice.objects.count() == 0


def test_the_sweep_sends_what_the_mail_server_did_not_take(make: Make, mail_server: MailServer) -> None:
    notice = write(make("ada"))
    mail_server.is_up = False
    assert notices.send(notice_id=notice.pk, now=NOW) is False

    notices.sweep(clock=lambda: NOW + timedelta(seconds=59))
    assert mail_server.tries == 1
    mail_server.is_up = True
    notices.sweep(clock=lambda: NOW + timedelta(seconds=60))

    assert (mail_server.tries, models.Notice.objects.count()) == (2, 0)


def test_the_tries_follow_at_doubling_distances_until_the_notice_is_dropped(
    make: Make, mail_server: MailServer
) -> None:
    notice = write(make("ada"))
    mail_server.is_up = False
    tried: list[int] = []
    # A try that is due is made by the next sweep, so that one too many is seen at these minutes, too.
    around = {2**power + off for power in range(13) for off in (-1, 0, 1)}
    last = 3 * 24 * 60

    for minute in sorted({*range(70), *around, *range(last - 2, last + 3), 4 * 24 * 60}):
        tries = mail_server.tries
        notices.sweep(clock=lambda minute=minute: NOW + timedelta(minutes=minute))
        tried += [minute] * (mail_server.tries - tries)

    assert tried == [0, *(2**power for power in range(13)), 3 * 24 * 60]
    assert not models.Notice.objects.filter(pk=notice.pk).exists()


def test_two_senders_send_one_notice_once(
    make: Make, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = write(make("ada"))
    take = mail_server.send

    def take_while_another_sends(*_: object, **__: object) -> None:
        notices.send(notice_id=notice.pk, now=NOW)
        take()

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", take_while_another_sends)

    assert notices.send(notice_id=notice.pk, now=NOW) is True
    assert mail_server.tries == 1


def test_a_mail_server_that_takes_nothing_ends_the_sweep(make: Make, mail_server: MailServer) -> None:
    write(make("ada"))
    notices.write(user=make("bob"), template=notices.PASSWORD_CHANGED, ip="", now=NOW)
    mail_server.is_up = False

    notices.sweep(clock=lambda: NOW)

    assert mail_server.tries == 1


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"ada@example.org": (550, b"no such mailbox")}),
        smtplib.SMTPDataError(554, b"spam"),
        LookupError("a bug"),
    ],
)
def test_a_notice_that_is_refused_or_fails_stays_and_holds_up_no_other(
    make: Make, mail_server: MailServer, error: Exception
) -> None:
    refused = write(make("ada"))
    notices.write(user=make("bob"), template=notices.PASSWORD_CHANGED, ip="", now=NOW)
    mail_server.errors = [error]

    notices.sweep(clock=lambda: NOW)

    assert mail_server.tries == 2
    assert [notice.pk for notice in models.Notice.objects.all()] == [refused.pk]


def test_a_notice_that_always_fails_is_dropped_in_the_end(make: Make, mail_server: MailServer) -> None:
    write(make("ada"))
    mail_server.errors = [LookupError("a bug")]

    notices.sweep(clock=lambda: NOW + notices.KEEP_TRYING)

    assert models.Notice.objects.count() == 0


def test_a_sweep_ends_after_its_time_however_much_is_due(make: Make, mail_server: MailServer) -> None:
    ada = make("ada")
    for _ in range(5):
        notices.write(user=ada, template=notices.PASSWORD_CHANGED, ip="", now=NOW)
    times = iter(NOW + timedelta(seconds=8 * n) for n in range(10))

    notices.sweep(clock=lambda: next(times))

    assert (mail_server.tries, models.Notice.objects.count()) == (1, 4)


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_a_failure_after_the_commit_leaves_the_change_and_its_answer(
    make: Make, mail_server: MailServer
) -> None:
    """A notice is sent after the commit: if it fails, the password has changed all the same, and its owner stays signed in."""
    make("ada")
    mail_server.errors = [LookupError("a bug")]
    browser = signed_in()
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    answer = browser.post("/accounts/password/change/", form)

    assert answer.status_code == 302
    assert browser.get("/account").status_code == 200


def test_an_erasure_takes_the_notices_that_wait(make: Make) -> None:
    ada = make("ada")
    write(ada)

    personal.erase(user_id=ada.id, reason="x", actor=ada.id, now=NOW)

    assert models.Notice.objects.count() == 0


def test_the_beat_sends_the_sweep_to_the_workers_that_send_mail() -> None:
    entry = celery.app.conf.beat_schedule["security-notices"]

    assert entry["task"] == tasks.sweep_notices.name
    assert entry["options"]["queue"] in roles.BY_NAME["mail"].queues
    assert "postgres:default" not in roles.BY_NAME["mail"].needs  # e-mails go on without the accounts
