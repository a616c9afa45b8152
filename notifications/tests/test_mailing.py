"""E-mail: at most one for each notification, readable, to verified addresses; one that cannot go waits for a day at most."""

import re
import smtplib
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import signals
from celery.contrib.testing import worker
from django.core import mail
from django.core.mail.backends import locmem
from django.db import connections
from django.urls import resolve
from django.utils import timezone

from auction_project import celery
from auction_project.kernel import failpoints
from auction_project.kernel.contracts import events
from auction_project.kernel.tests import conditions
from auction_project.processes import celery_hooks
from notifications import kinds, models, services, tasks
from notifications.mail import dispatcher, mailing
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)

NOW = conftest.NOW
real_send = dispatcher.send


def verify(user_id: str, *, version: int = 1, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "email": "ada@example.org",
        "email_verified": True,
        "roles": ("bidder",),
        "closed": False,
    }
    services.follow_account(
        account=events.AccountChanged(user_id=user_id, version=version, created_at=0, **fields | changes)
    )


def email_of(user_id: str) -> models.Email:
    return models.Email.objects.get(notification__user_id=user_id)


def send(email: models.Email, *, after: timedelta = timedelta()) -> models.EmailState:
    return mailing.send_email(email_id=email.pk, now=NOW + after)


class Broken(locmem.EmailBackend):
    """A mail server that fails while it opens or while it sends."""

    opening: Exception | None = None
    sending: Exception | None = None

    def open(self) -> None:
        if self.opening:
            raise self.opening

    def send_messages(self, messages: Any) -> int:
        if self.sending:
            raise self.sending
        return super().send_messages(messages)


@pytest.fixture
def server(settings: Any) -> type[Broken]:
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    Broken.opening = Broken.sending = None
    return Broken


def test_an_email_goes_once_however_often_it_is_sent(user_id: str) -> None:
    verify(user_id)
    conftest.notify(user_id)

    states = [send(email_of(user_id)) for _ in range(3)]

    assert states == ["SENT"] * 3
    (message,) = mail.outbox
    assert message.to == ["ada@example.org"]
    assert message.subject == "“Lamp” went to another bidder for €12.50"


def test_concurrent_senders_send_one_email(user_id: str) -> None:
    verify(user_id)
    conftest.notify(user_id)
    email = email_of(user_id)
    ready = threading.Barrier(8)

    def send_when_ready() -> None:
        ready.wait()
        send(email)
        connections.close_all()

    senders = [threading.Thread(target=send_when_ready) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert len(mail.outbox) == 1
    assert email_of(user_id).state == "SENT"


@pytest.mark.parametrize("account", [None, {"email_verified": False}], ids=["unknown", "unverified"])
def test_an_email_waits_until_the_address_is_verified(user_id: str, account: dict[str, Any] | None) -> None:
    if account:
        verify(user_id, **account)
    conftest.notify(user_id)

    before = send(email_of(user_id))
    assert (before, mail.outbox) == ("PENDING", [])

    verify(user_id, version=2)
    assert send(email_of(user_id), after=timedelta(minutes=5)) == "SENT"


def test_a_closed_account_gets_no_email_and_old_news_is_dropped(user_id: str) -> None:
    verify(user_id, closed=True)
    conftest.notify(user_id)

    states = [send(email_of(user_id), after=after) for after in (timedelta(), mailing.KEEP_TRYING)]

    assert states == ["PENDING", "DROPPED"]
    assert mail.outbox == []
    assert email_of(user_id).reason == "no verified address"


def test_an_unavailable_server_is_tried_again(user_id: str, server: type[Broken]) -> None:
    verify(user_id)
    conftest.notify(user_id)

    server.opening = ConnectionRefusedError()
    assert send(email_of(user_id)) == "PENDING"
    assert mailing.sweep(now=NOW + timedelta(seconds=59)) == []
    assert mailing.sweep(now=NOW + mailing.PAUSE) == [email_of(user_id).pk]
    server.opening = None
    assert send(email_of(user_id), after=mailing.PAUSE) == "SENT"

    assert len(mail.outbox) == 1


def test_an_email_is_dropped_with_its_reason_when_the_server_stays_unavailable(
    user_id: str, server: type[Broken]
) -> None:
    verify(user_id)
    conftest.notify(user_id)
    server.opening = ConnectionRefusedError("no server")
    send(email_of(user_id))

    assert send(email_of(user_id), after=mailing.KEEP_TRYING) == "DROPPED"
    assert "no server" in email_of(user_id).reason


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (smtplib.SMTPRecipientsRefused({}), "REFUSED"),
        (smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"no")}), "REFUSED"),
        (smtplib.SMTPDataError(550, b"no"), "REFUSED"),
        (smtplib.SMTPServerDisconnected("gone"), "UNKNOWN"),
        (TimeoutError(), "UNKNOWN"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_after_the_server_has_the_email_it_is_not_sent_again(
    user_id: str, server: type[Broken], error: Exception, state: str
) -> None:
    verify(user_id)
    conftest.notify(user_id)
    server.sending = error

    assert send(email_of(user_id)) == state
    server.sending = None

    assert mailing.sweep(now=NOW + timedelta(days=2)) == []
    assert send(email_of(user_id), after=mailing.PAUSE) == state
    assert mail.outbox == []


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPDataError(451, b"try again"),
        smtplib.SMTPResponseException(421, b"closing"),
        smtplib.SMTPRecipientsRefused({"a@example.org": (450, b"mailbox busy")}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_server_that_asks_to_try_later_is_tried_again(
    user_id: str, server: type[Broken], error: Exception
) -> None:
    verify(user_id)
    conftest.notify(user_id)
    server.sending = error
    assert send(email_of(user_id)) == "PENDING"

    server.sending = None

    assert send(email_of(user_id), after=mailing.PAUSE) == "SENT"
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(("place", "sent"), [("send_email.after_claim", 0), ("send_email.after_effect", 1)])
def test_a_sender_that_dies_leaves_an_email_that_is_never_sent_again(
    user_id: str, monkeypatch: pytest.MonkeyPatch, place: str, sent: int
) -> None:
    verify(user_id)
    conftest.notify(user_id)
    email = email_of(user_id)

    with monkeypatch.context() as patch:
        patch.setattr(failpoints, "_armed", {place: "raise"})
        with pytest.raises(failpoints.FailpointReached):
            send(email)
    assert email_of(user_id).state == "SENDING"
    assert mailing.sweep(now=NOW + mailing.SENDING_TAKES - timedelta(seconds=1)) == []
    assert email_of(user_id).state == "SENDING"
    assert mailing.sweep(now=NOW + mailing.SENDING_TAKES) == []

    assert email_of(user_id).state == "UNKNOWN"
    assert send(email) == "UNKNOWN"
    assert len(mail.outbox) == sent


def test_the_sweep_finds_an_email_that_was_not_dispatched_once_a_pause(user_id: str) -> None:
    verify(user_id)
    conftest.notify(user_id)
    email = email_of(user_id)

    at_once = mailing.sweep(now=NOW)
    swept = [mailing.sweep(now=NOW + mailing.FIRST_SWEEP) for _ in range(2)]

    assert at_once == []
    assert swept == [[email.pk], []]


def test_an_email_moves_only_as_the_table_of_transitions_says(user_id: str) -> None:
    conftest.notify(user_id)

    with pytest.raises(ValueError, match="never goes"):
        models.Email.move(email_of(user_id).pk, models.EmailState.PENDING, models.EmailState.SENT)

    assert email_of(user_id).state == "PENDING"


_FIGURES = {
    "auction_id": "a" * 32,
    "title": "Lamp <\nBcc: x@example.org>",
    "price": 1250,
    "minimum": 1300,
    "amount": 1250,
    "currency": "EUR",
    "order_number": "GV-AAAA-BBBB-CCCC",
    "reason": "payment_refused",
    "threshold": 3,
    "available": 2,
    "on_hand": 4,
    "reserved": 1,
}


@pytest.mark.parametrize("kind", sorted(kinds.TABLE))
def test_every_kind_makes_a_readable_email(user_id: str, kind: str, settings: Any) -> None:
    settings.PUBLIC_URL = "https://gavel.example/"
    services.notify([conftest.request(user_id, kind=kinds.of(kind), data=_FIGURES)], now=NOW)
    notification = models.Notification.objects.get(user_id=user_id)

    message = mailing.compose(notification, "ada@example.org")

    text = message.message().as_string()
    assert "\n" not in message.subject
    assert len(re.findall(r"^Bcc", text, re.MULTILINE)) == 0
    assert "&lt;" not in message.body
    links = re.findall(r"https://gavel\.example(/\S*)", message.body)
    assert len(links) == 2
    assert all(resolve(link) for link in links), "resolve raises where there is no such page"
    assert not re.search(r"\{\{|\}\}|None|\bpayment_refused\b", message.body + message.subject)
    assert message.extra_headers["Message-ID"] == f"<notification-{notification.pk}@gavel.example>"


@pytest.mark.parametrize("kind", sorted(kinds.TABLE))
def test_a_notification_that_lacks_figures_can_still_be_shown(user_id: str, kind: str) -> None:
    services.notify([conftest.request(user_id, kind=kinds.of(kind), data={})], now=NOW)

    assert mailing.compose(models.Notification.objects.get(user_id=user_id), "ada@example.org").subject


@pytest.fixture
def email_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real worker in a thread, on a queue of its own. It does not wait for servers that these tests do not use."""
    monkeypatch.setattr(dispatcher, "send", real_send)
    monkeypatch.setattr(dispatcher, "QUEUE", f"email-{conftest.new_id()}")
    signals.worker_init.disconnect(celery_hooks.start_worker)
    try:
        with worker.start_worker(
            celery.app, queues=[dispatcher.QUEUE], pool="solo", perform_ping_check=False
        ):
            yield
    finally:
        signals.worker_init.connect(celery_hooks.start_worker)


def test_a_real_worker_sends_what_was_committed(user_id: str, email_worker: None) -> None:
    verify(user_id)

    conftest.notify(user_id, now=timezone.now())
    conditions.until(lambda: email_of(user_id).state == "SENT")

    assert [message.to for message in mail.outbox] == [["ada@example.org"]]


def test_a_group_of_emails_is_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[tuple[int, str]]] = []
    monkeypatch.setattr(celery.app, "send_task", lambda _name, kwargs, queue: sent.append(kwargs["emails"]))

    real_send({number: f"request-{number}" for number in range(101)})

    assert [len(group) for group in sent] == [100, 1]
    assert sent[1] == [(100, "request-100")]


def test_an_email_that_fails_costs_the_others_of_its_task_nothing(user_id: str) -> None:
    verify(user_id)
    conftest.notify(user_id, now=timezone.now())
    email = email_of(user_id)

    with pytest.raises(ExceptionGroup) as raised:
        tasks.send_emails(emails=[(0, "c"), (email.pk, "d")])

    assert [type(error) for error in raised.value.exceptions] == [models.Email.DoesNotExist]
    assert email_of(user_id).state == "SENT"


def test_what_a_task_does_not_send_in_its_time_is_queued_again(
    user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[dict[int, str]] = []
    monkeypatch.setattr(dispatcher, "send", queued.append)
    monkeypatch.setattr(tasks, "SECONDS", -1.0)

    tasks.send_emails(emails=[(1, "c"), (2, "d")])

    assert queued == [{1: "c", 2: "d"}]


def test_the_task_of_the_sweep_sends_what_is_due(user_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conftest.notify(user_id, now=timezone.now() - mailing.FIRST_SWEEP)
    sent: list[int] = []
    monkeypatch.setattr(dispatcher, "send", lambda correlation_ids: sent.extend(correlation_ids))

    tasks.sweep_emails()

    assert sent == [email_of(user_id).pk]


def test_an_unavailable_broker_costs_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(
        celery.app, "send_task", lambda *_, **__: (_ for _ in ()).throw(ConnectionRefusedError())
    )

    dispatcher.send({1: "c", 2: "d"})
