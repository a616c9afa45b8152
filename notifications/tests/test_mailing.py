"""E-mail: at most one for each notification, readable, to verified addresses; one that cannot go waits for a day at most."""

import re
import smtplib
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
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
from auction_project.kernel import failpoints, instants
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


def send(email: models.Email, *, after: timedelta = timedelta()) -> str:
    """Its state afterwards."""
    mailing.send_emails(correlation_ids={email.pk: "c"}, now=NOW + after)
    return models.Email.objects.get(pk=email.pk).state


def several(user_id: str, count: int, *, now: datetime = NOW) -> list[models.Email]:
    conftest.notify(user_id, n=count, now=now)
    return list(models.Email.objects.filter(notification__user_id=user_id).order_by("pk"))


def ids_of(emails: list[models.Email]) -> dict[int, str]:
    """Their keys, each with a correlation id."""
    return {email.pk: f"request-{email.pk}" for email in emails}


def states_of(emails: list[models.Email]) -> list[str]:
    rows = models.Email.objects.filter(pk__in=[email.pk for email in emails])
    return list(rows.order_by("pk").values_list("state", flat=True))


class Broken(locmem.EmailBackend):
    """A mail server that counts its connections, and fails while it opens, while it sends, or at the messages `refused`."""

    opening: Exception | None = None
    sending: Exception | None = None
    refused: dict[int, Exception] = {}
    opened = sent = 0
    _open = False

    def open(self) -> None:
        if not self._open:
            Broken.opened += 1
            if self.opening:
                raise self.opening
            self._open = True

    def close(self) -> None:
        self._open = False

    def send_messages(self, messages: Any) -> int:
        assert self._open
        Broken.sent += 1
        if error := self.sending or self.refused.get(Broken.sent):
            raise error
        return super().send_messages(messages)


@pytest.fixture
def server(settings: Any) -> type[Broken]:
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    Broken.opening = Broken.sending = None
    Broken.refused, Broken.opened, Broken.sent = {}, 0, 0
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


@pytest.mark.parametrize(("minutes", "state"), [(59, "SENT"), (60, "DROPPED")])
def test_a_call_to_bid_again_is_not_sent_once_the_auction_has_ended(
    user_id: str, minutes: int, state: str
) -> None:
    verify(user_id)
    figures = {"auction_id": "a" * 32, "title": "Lamp", "price": 1250, "minimum": 1300, "currency": "EUR"}
    outbid = figures | {"ends_at": instants.of(NOW + timedelta(hours=1))}
    services.notify([conftest.request(user_id, kind=kinds.of("OUTBID"), data=outbid)], now=NOW)

    assert send(email_of(user_id), after=timedelta(minutes=minutes)) == state
    assert (len(mail.outbox), "ended" in email_of(user_id).reason) == (
        (1, False) if state == "SENT" else (0, True)
    )


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
        models.Email.apply([models.Change(email_of(user_id), models.EmailState.SENT, NOW)])

    assert email_of(user_id).state == "PENDING"


_FIGURES = {
    "auction_id": "a" * 32,
    "title": "Lamp <\nBcc: x@example.org>",
    "price": 1250,
    "minimum": 1300,
    "amount": 1250,
    "currency": "EUR",
    "order_number": "GV-AAAA-BBBB-CCCC",
    "checkout_id": "c" * 32,
    "slug": "brass-sextant-0c0d0e0f",
    "pay_by_at": 1_772_366_390_250,
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


_REFUND = "If your card was charged, you get a full refund. "
_LOT, _CARD = "The auction: https://gavel.example/auctions/", "Your card: https://gavel.example/account"


@pytest.mark.parametrize(
    ("reason", "detail", "because", "text", "link"),
    [
        (
            "payment_refused",
            "The payment provider did not answer in time.",
            "the payment was declined",
            f"The payment provider did not answer in time.\n\n{_REFUND}If it was declined, put another card on file "
            "before you bid again.",
            _CARD,
        ),
        (
            "risk_refused",
            "",
            "our risk check did not pass",
            f"{_REFUND}Ask us, and we will look at it.",
            _LOT,
        ),
        (
            "risk_refused",
            "We cannot accept this purchase yet. Verify your e-mail address, then try again, or ask us.",
            "our risk check did not pass",
            "We cannot accept this purchase yet. Verify your e-mail address, then try again, or ask us."
            f"\n\n{_REFUND.rstrip()}",
            _LOT,
        ),
        (
            "stock_refused",
            "",
            "the item is no longer in stock",
            f"{_REFUND}You don't need to do anything.",
            _LOT,
        ),
    ],
)
def test_the_email_of_a_cancelled_order_names_the_cause_and_the_next_step(
    user_id: str, reason: str, detail: str, because: str, text: str, link: str, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://gavel.example"
    figures = _FIGURES | {"title": "Lamp", "reason": reason, "detail": detail}
    services.notify([conftest.request(user_id, kind=kinds.of("ORDER_CANCELLED"), data=figures)], now=NOW)

    message = mailing.compose(models.Notification.objects.get(user_id=user_id), "ada@example.org")

    assert message.subject == f"Your order GV-AAAA-BBBB-CCCC for “Lamp” was cancelled: {because}"
    assert message.body.startswith(f"{message.subject}.\n\n{text}\n\n{link}")


@pytest.mark.parametrize(
    ("auction_id", "subject", "link"),
    [
        ("a" * 32, "New lot: “Lamp” at €12.50", f"{_LOT}{'a' * 32}"),
        ("", "New in the shop: “Lamp” for €12.50", "In the shop: https://gavel.example/shop/p/lamp"),
    ],
)
def test_the_email_of_a_new_match_names_the_search_and_leads_to_what_is_new(
    user_id: str, auction_id: str, subject: str, link: str, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://gavel.example"
    figures = {"auction_id": auction_id, "slug": "lamp", "title": "Lamp", "price": 1250, "currency": "EUR"}
    data = figures | {"search": "brass lamp"}
    services.notify([conftest.request(user_id, kind=kinds.of("SEARCH_MATCHED"), data=data)], now=NOW)

    message = mailing.compose(models.Notification.objects.get(user_id=user_id), "ada@example.org")

    assert message.subject == subject
    assert message.body.startswith(f"{subject}.\n\nIt matches your saved search: brass lamp.\n\n{link}")


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


def test_an_email_that_cannot_be_written_costs_the_others_of_its_group_nothing(
    user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(user_id)
    emails = several(user_id, 3)
    compose = mailing.compose

    def fail_once(notification: models.Notification, address: str) -> Any:
        if notification.pk == emails[1].pk:
            raise KeyError("figure")
        return compose(notification, address)

    monkeypatch.setattr(mailing, "compose", fail_once)

    mailing.send_emails(correlation_ids={0: "of no e-mail", **ids_of(emails)}, now=NOW)

    assert states_of(emails) == ["SENT", "PENDING", "SENT"]
    assert mailing.sweep(now=NOW + mailing.PAUSE) == [emails[1].pk]


def test_a_group_goes_over_one_connection_and_in_one_claim_for_ten(
    user_id: str, server: type[Broken], django_assert_num_queries: Any
) -> None:
    verify(user_id)
    emails = several(user_id, 20)

    with django_assert_num_queries(
        2 + 2 * 2, using="notifications"
    ):  # the e-mails, the accounts, two claims and records
        mailing.send_emails(correlation_ids=ids_of(emails), now=NOW)

    assert states_of(emails) == ["SENT"] * 20
    assert server.opened == 1


def test_a_refused_message_costs_the_others_of_its_group_nothing(user_id: str, server: type[Broken]) -> None:
    verify(user_id)
    emails = several(user_id, 3)
    server.refused = {2: smtplib.SMTPDataError(550, b"no")}

    mailing.send_emails(correlation_ids=ids_of(emails), now=NOW)

    assert states_of(emails) == ["SENT", "REFUSED", "SENT"]
    assert server.opened == 2


def test_a_server_that_cannot_be_reached_is_asked_once_a_group(user_id: str, server: type[Broken]) -> None:
    verify(user_id)
    emails = several(user_id, 20)
    server.opening = ConnectionRefusedError()

    mailing.send_emails(correlation_ids=ids_of(emails), now=NOW)

    assert server.opened == 1
    assert states_of(emails) == ["PENDING"] * 20


def test_a_dying_sender_leaves_ten_emails_in_doubt_at_most(
    user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(user_id)
    emails = several(user_id, 20)
    monkeypatch.setattr(failpoints, "_armed", {"send_email.after_effect": "raise"})

    with pytest.raises(failpoints.FailpointReached):
        mailing.send_emails(correlation_ids=ids_of(emails), now=NOW)

    assert states_of(emails) == ["SENDING"] * 10 + ["PENDING"] * 10


def test_an_email_without_an_address_is_not_due_until_the_address_comes(user_id: str) -> None:
    conftest.notify(user_id)
    assert mailing.sweep(now=NOW + mailing.FIRST_SWEEP) == [email_of(user_id).pk]
    assert send(email_of(user_id), after=mailing.FIRST_SWEEP) == "PENDING"

    before = mailing.sweep(now=NOW + mailing.KEEP_TRYING - timedelta(seconds=1))
    verify(user_id)
    after = [mailing.sweep(now=NOW + mailing.FIRST_SWEEP) for _ in range(2)]

    assert before == []
    assert after == [[email_of(user_id).pk], []]


def test_an_address_that_comes_while_its_absence_is_noted_is_not_missed(
    user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conftest.notify(user_id)
    apply = models.Email.apply

    def verify_before(changes: Any) -> Any:
        verify(user_id)
        return apply(changes)

    monkeypatch.setattr(models.Email, "apply", verify_before)
    assert send(email_of(user_id)) == "PENDING"
    monkeypatch.setattr(models.Email, "apply", apply)

    assert mailing.sweep(now=NOW) == [email_of(user_id).pk]


def test_the_tries_are_a_minute_apart_and_later_half_of_the_age(user_id: str, server: type[Broken]) -> None:
    verify(user_id)
    conftest.notify(user_id)
    server.opening = ConnectionRefusedError()
    pauses = []

    for age in (timedelta(), timedelta(minutes=1), timedelta(hours=1), timedelta(hours=10)):
        send(email_of(user_id), after=age)
        pauses.append(email_of(user_id).due_at - NOW - age)

    assert pauses == [timedelta(minutes=1), timedelta(minutes=1), timedelta(minutes=30), timedelta(hours=5)]


def test_what_a_task_does_not_send_in_its_time_is_queued_again(
    user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(user_id)
    emails = several(user_id, 2, now=timezone.now())
    queued: list[dict[int, str]] = []
    monkeypatch.setattr(dispatcher, "send", queued.append)
    monkeypatch.setattr(tasks, "SECONDS", -1.0)

    tasks.send_emails(emails=list(ids_of(emails).items()))

    assert queued == [ids_of(emails)]
    assert (states_of(emails), mail.outbox) == (["PENDING"] * 2, [])


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
