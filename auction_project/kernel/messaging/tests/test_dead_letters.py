"""Dead letters: each is kept once, however often it comes; users with the right see it, and replay it with a reason."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from auction_project.kernel import contracts, errors
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import (
    consuming,
    dead_letters,
    handlers,
    models,
    selectors,
    services,
)
from auction_project.kernel.messaging import transport as transports
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import conftest, tables

NOW = conftest.NOW
TOPIC = "inventory.stock"
DATABASES = ["default"]

pytestmark = pytest.mark.django_db(databases=DATABASES)


class _Unavailable(memory.MemoryBroker):
    def append(self, messages: Any, *, source: str | None = None) -> None:
        raise errors.Unavailable("the transport is unavailable")


def _dead_letter(**changes: Any) -> dead_letters.DeadLetter:
    body = conftest.encoded(conftest.stock_changed("lamp", 1), "e1")
    record = brokers.Record(TOPIC, "lamp", body, 3, "17")
    whole = dead_letters.dead_letter(
        record, group="window", error=ValueError("cannot be"), attempts=5, at=NOW
    )
    return dead_letters.DeadLetter(
        **{name: getattr(whole, name) for name in whole.__struct_fields__} | changes
    )


def _replay(row: models.DeadLetter, transport: brokers.Broker, reason: str = "The bug is mended.") -> None:
    services.replay_dead_letter(
        dead_letter_id=row.pk, by="operator@example.com", reason=reason, now=NOW, transport=transport
    )


def _row() -> models.DeadLetter:
    row: models.DeadLetter = models.DeadLetter.objects.get()
    return row


# --- kept --------------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_kept_with_message_error_and_origin() -> None:
    dead_letter = _dead_letter()

    services.record_dead_letter(dead_letter=dead_letter)

    row = _row()
    assert (row.topic, row.key, row.group, row.partition, row.position) == (TOPIC, "lamp", "window", 3, "17")
    assert (row.event_type, row.event_id, row.status, row.times) == ("StockChanged", "e1", "WAITING", 1)
    assert (row.error, row.attempts, row.first_at, row.last_at) == ("ValueError('cannot be')", 5, NOW, NOW)
    assert bytes(row.value) == dead_letter.value


def test_the_same_dead_letter_twice_is_one_and_a_later_one_counts() -> None:
    later = NOW + timedelta(minutes=1)
    for at in (NOW, NOW, later, later, NOW):
        services.record_dead_letter(dead_letter=_dead_letter(at=at, error=f"at {at:%M}"))
    services.record_dead_letter(dead_letter=_dead_letter(group="other"))

    row = models.DeadLetter.objects.get(group="window")
    assert (row.times, row.first_at, row.last_at, row.error) == (2, NOW, later, "at 01")
    assert models.DeadLetter.objects.count() == 2


def test_a_foreign_message_in_a_dead_letter_topic_is_kept_and_cannot_be_replayed(
    memory_broker: memory.MemoryBroker,
    committed: None,
) -> None:
    memory_broker.append(
        [
            brokers.Message(f"{TOPIC}.dlq", "la\0mp", b"\xffnonsense"),
            brokers.Message(
                f"{TOPIC}.dlq", "lamp", dead_letters.encode(_dead_letter(key="nu\0l", error="\0"))
            ),
        ]
    )
    loop = consuming.ConsumerLoop(handlers.SUBSCRIPTION, memory_broker, member="one")

    loop.step()

    assert memory_broker.lag("dead-letters", [f"{TOPIC}.dlq"]) == 0
    foreign = models.DeadLetter.objects.get(group="")
    assert (foreign.topic, foreign.key, foreign.event_type) == (f"{TOPIC}.dlq", "la\\0mp", "")
    assert bytes(foreign.value) == b"\xffnonsense"
    with pytest.raises(services.NotReplayable):
        _replay(foreign, memory_broker)
    assert models.Replay.objects.count() == 0
    assert models.DeadLetter.objects.get(group="window").key == "nu\\0l"


def test_a_dead_letter_that_cannot_be_kept_waits_and_makes_no_dead_letter_of_its_own(
    memory_broker: memory.MemoryBroker, committed: None, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    monkeypatch.setattr(consuming, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(models.DeadLetter, "come_back", _raise)
    services.record_dead_letter(dead_letter=_dead_letter())
    memory_broker.append([brokers.Message(f"{TOPIC}.dlq", "lamp", dead_letters.encode(_dead_letter()))])
    loop = consuming.ConsumerLoop(handlers.SUBSCRIPTION, memory_broker, member="one")

    for _ in range(20):
        loop.step()

    assert memory_broker.lag("dead-letters", [f"{TOPIC}.dlq"]) == 1
    assert list(memory_broker.read(f"{TOPIC}.dlq.dlq")) == []


def test_the_dead_letters_of_every_topic_are_read() -> None:
    assert handlers.SUBSCRIPTION.topics == tuple(f"{topic}.dlq" for topic in contracts.events.TOPICS)
    assert handlers.SUBSCRIPTION.group == "dead-letters"


def test_waiting_dead_letters_are_listed_oldest_first() -> None:
    for minutes, key in ((2, "b"), (1, "a")):
        services.record_dead_letter(
            dead_letter=_dead_letter(value=key.encode(), key=key, at=NOW + timedelta(minutes=minutes))
        )
    services.record_dead_letter(dead_letter=_dead_letter(topic="sale-confirmed", value=b"s", key="s"))
    models.DeadLetter.objects.filter(key="b").update(status="REPLAYED")

    assert [row.key for row in selectors.list_waiting()] == ["s", "a"]
    assert [row.key for row in selectors.list_waiting(topic="sale-confirmed")] == ["s"]


# --- replayed ----------------------------------------------------------------------------------------------------


def test_a_replay_sends_the_very_bytes_to_topic_and_key_and_is_recorded(
    memory_broker: memory.MemoryBroker,
) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())

    _replay(row, memory_broker, reason="  The bug is mended. ")

    (record,) = memory_broker.read(TOPIC)
    assert (record.key, record.value) == ("lamp", _dead_letter().value)
    assert _row().status == "REPLAYED"
    replay = models.Replay.objects.get()
    assert (replay.by, replay.reason, replay.at, replay.sent_at) == (
        "operator@example.com",
        "The bug is mended.",
        NOW,
        NOW,
    )


def test_a_replay_that_the_transport_does_not_take_is_recorded_as_not_sent() -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())

    with pytest.raises(errors.Unavailable):
        _replay(row, _Unavailable())

    assert _row().status == "WAITING"
    assert models.Replay.objects.get().sent_at is None


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_replay_without_a_fit_reason_is_refused(memory_broker: memory.MemoryBroker, reason: str) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())

    with pytest.raises(errors.Invalid) as refused:
        _replay(row, memory_broker, reason=reason)

    assert refused.value.field == "reason"
    assert models.Replay.objects.count() == 0
    assert list(memory_broker.read(TOPIC)) == []


def test_a_dead_letter_that_comes_back_waits_again(memory_broker: memory.MemoryBroker) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())
    _replay(row, memory_broker)

    services.record_dead_letter(dead_letter=_dead_letter(at=NOW + timedelta(minutes=1)))

    assert (_row().status, _row().times) == ("WAITING", 2)


def test_only_the_group_that_gave_up_applies_a_replay(
    memory_broker: memory.MemoryBroker,
    committed: None,
    short_pauses: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One group fails on a message that another one handles. After the fix, a replay has an effect in the first group only."""
    monkeypatch.setattr(consuming, "POLL_SECONDS", 0.02)
    broken = [True]

    def stumble(_envelope: contracts.Envelope, event: contracts.events.StockChanged) -> None:
        if broken[0]:
            raise ValueError("cannot be")
        tables.Applied.objects.create(key=event.product_id, number=event.version, member="window")

    subscription = consuming.Subscription(
        group="window", inbox=tables.Once, handlers={contracts.events.StockChanged: consuming.each(stumble)}
    )
    loops = [
        consuming.ConsumerLoop(subscription, memory_broker, member="one"),
        consuming.ConsumerLoop(handlers.SUBSCRIPTION, memory_broker, member="one"),
    ]
    memory_broker.append([brokers.Message(TOPIC, "lamp", _dead_letter().value)])
    for _ in range(30):
        for loop in loops:
            loop.step()
    assert tables.Applied.objects.count() == 0

    broken[0] = False
    _replay(_row(), memory_broker)
    _replay(_row(), memory_broker)
    for _ in range(5):
        loops[0].step()

    assert list(tables.Applied.objects.values_list("key", "number")) == [("lamp", 1)]


def test_replaying_an_overtaken_state_event_changes_nothing(
    memory_broker: memory.MemoryBroker, committed: None
) -> None:
    def mirror(_envelope: contracts.Envelope, event: contracts.events.StockChanged) -> None:
        """Keeps the newest version, as each mirror of a state does."""
        if not tables.Applied.objects.filter(key=event.product_id, number__gte=event.version).exists():
            tables.Applied.objects.update_or_create(
                key=event.product_id, defaults={"number": event.version, "member": "one"}
            )

    subscription = consuming.Subscription(
        group="window", inbox=tables.Once, handlers={contracts.events.StockChanged: consuming.each(mirror)}
    )
    overtaken = services.record_dead_letter(dead_letter=_dead_letter())
    newer = conftest.encoded(conftest.stock_changed("lamp", 2), "e2")
    memory_broker.append([brokers.Message(TOPIC, "lamp", newer)])
    loop = consuming.ConsumerLoop(subscription, memory_broker, member="one")
    loop.step()

    _replay(overtaken, memory_broker)
    loop.step()

    assert (tables.Applied.objects.get().number, memory_broker.lag("window", [TOPIC])) == (2, 0)
    assert tables.Once.objects.get(key="event:e1").state == "DONE"


# --- dismissed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"topic": "sale-confirmed"},
        {"value": b"\xff no event"},
        {"group": ""},
        {"whole_bytes": 9_000_000, "whole_digest": "d" * 64},
    ],
    ids=["an event", "a sale", "undecodable", "foreign", "truncated"],
)
def test_every_dead_letter_can_be_dismissed_and_who_and_why_is_kept(changes: dict[str, Any]) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter(**changes))

    services.dismiss_dead_letter(dead_letter_id=row.pk, by="operator", reason="  A test message. ", now=NOW)

    assert models.DeadLetter.objects.get().status == "DISMISSED"
    dismissal = models.Dismissal.objects.get()
    assert (dismissal.by, dismissal.reason, dismissal.at) == ("operator", "A test message.", NOW)
    assert list(selectors.list_waiting()) == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_dismissal_without_a_fit_reason_is_refused(reason: str) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())

    with pytest.raises(errors.Invalid) as refused:
        services.dismiss_dead_letter(dead_letter_id=row.pk, by="operator", reason=reason, now=NOW)

    assert refused.value.field == "reason"
    assert (_row().status, models.Dismissal.objects.count()) == ("WAITING", 0)


def test_a_dead_letter_is_dismissed_once_until_it_comes_back() -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())
    services.dismiss_dead_letter(dead_letter_id=row.pk, by="operator", reason="First.", now=NOW)

    with pytest.raises(services.AlreadyDismissed):
        services.dismiss_dead_letter(dead_letter_id=row.pk, by="another", reason="Second.", now=NOW)

    assert list(models.Dismissal.objects.values_list("reason", flat=True)) == ["First."]
    services.record_dead_letter(dead_letter=_dead_letter(at=NOW + timedelta(minutes=1)))
    assert (_row().status, _row().times) == ("WAITING", 2)
    services.dismiss_dead_letter(dead_letter_id=row.pk, by="another", reason="Second.", now=NOW)
    assert _row().status == "DISMISSED"


def test_an_operator_of_the_longest_e_mail_address_replays_and_dismisses(
    memory_broker: memory.MemoryBroker,
) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())
    ann = f"{'a' * 242}@example.org"

    services.replay_dead_letter(
        dead_letter_id=row.pk, by=ann, reason="The bug is mended.", now=NOW, transport=memory_broker
    )
    services.dismiss_dead_letter(dead_letter_id=row.pk, by=ann, reason="Known.", now=NOW)

    assert [models.Replay.objects.get().by, models.Dismissal.objects.get().by] == [ann, ann]


def test_an_unknown_dead_letter_cannot_be_dismissed() -> None:
    with pytest.raises(selectors.NoSuchDeadLetter):
        services.dismiss_dead_letter(dead_letter_id=77, by="operator", reason="Gone.", now=NOW)


# --- the admin ---------------------------------------------------------------------------------------------------


@pytest.fixture
def admin_broker(monkeypatch: pytest.MonkeyPatch) -> memory.MemoryBroker:
    one = memory.MemoryBroker()
    monkeypatch.setattr(transports, "from_settings", lambda: one)
    return one


def _signed_in(*permissions: str, email: str = "clerk@example.com") -> Client:
    user = get_user_model().objects.create_user(email=email, password="x", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="messaging", codename__in=permissions)
    )
    client = Client()
    client.force_login(user)
    return client


def _paths(row: models.DeadLetter) -> tuple[str, str, str]:
    return (
        reverse("admin:messaging_deadletter_changelist"),
        reverse("admin:messaging_deadletter_change", args=[row.pk]),
        reverse("admin:messaging_deadletter_replay", args=[row.pk]),
    )


def test_the_admin_lists_and_shows_and_edits_nothing() -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())
    client = _signed_in("view_deadletter", "view_replay")
    listed, shown, replayed = _paths(row)

    assert "cannot be" in client.get(listed).content.decode()
    page = client.get(shown).content.decode()
    assert "&quot;product_id&quot;: &quot;lamp&quot;" in page
    assert client.get(f"{listed}add/").status_code == 403
    assert client.post(f"{shown[: -len('change/')]}delete/", {"post": "yes"}).status_code == 403
    client.post(shown, {"status": "REPLAYED"})
    submitted = {"_form_submitted": "True", "reason": "Because."}
    assert client.post(replayed, submitted).status_code == 403
    assert _row().status == "WAITING"
    assert models.Replay.objects.count() == 0


def test_the_admin_is_closed_to_others() -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())

    for path in _paths(row):
        assert Client().get(path).status_code == 302
    client = _signed_in()
    assert client.get(_paths(row)[0]).status_code == 403
    assert client.get(_paths(row)[1]).status_code in (302, 403)


def test_an_operator_replays_with_a_reason(admin_broker: memory.MemoryBroker) -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter())
    client = _signed_in("view_deadletter", "view_replay", "replay_deadletter")
    replayed = _paths(row)[2]

    client.post(replayed, {"_form_submitted": "True", "reason": ""})
    assert list(admin_broker.read(TOPIC)) == []
    client.post(replayed, {"_form_submitted": "True", "reason": "The bug is mended."})

    (record,) = admin_broker.read(TOPIC)
    assert record.value == _dead_letter().value
    replay = models.Replay.objects.get()
    assert (replay.by, replay.reason) == ("clerk@example.com", "The bug is mended.")
    assert replay.sent_at is not None
    assert "The bug is mended." in client.get(_paths(row)[1]).content.decode()


def _raise(*_args: object, **_options: object) -> None:
    raise ValueError("cannot be kept")


def test_an_operator_dismisses_with_a_reason_and_others_do_not() -> None:
    row = services.record_dead_letter(dead_letter=_dead_letter(value=b"no event"))
    dismissed = reverse("admin:messaging_deadletter_dismiss", args=[row.pk])
    submitted = {"_form_submitted": "True", "reason": "A test message."}

    viewer = _signed_in("view_deadletter")
    assert viewer.post(dismissed, submitted).status_code == 403
    assert _row().status == "WAITING"
    operator = _signed_in(
        "view_deadletter", "view_dismissal", "replay_deadletter", email="operator@example.com"
    )
    operator.post(dismissed, {"_form_submitted": "True", "reason": ""})
    assert _row().status == "WAITING"
    answer = operator.post(dismissed, submitted)

    assert answer.headers["HX-Redirect"] == _paths(row)[1]
    assert _row().status == "DISMISSED"
    page = operator.get(_paths(row)[1]).content.decode()
    assert "A test message." in page
    assert "operator@example.com" in page


def test_the_admin_offers_only_what_is_possible() -> None:
    whole = services.record_dead_letter(dead_letter=_dead_letter())
    foreign = services.record_dead_letter(dead_letter=_dead_letter(group="", key="foreign"))
    client = _signed_in("view_deadletter", "replay_deadletter")

    def offered(row: models.DeadLetter) -> list[str]:
        page = client.get(_paths(row)[1]).content.decode()
        path = f"/admin/messaging/deadletter/{row.pk}/"
        return [action for action in ("replay", "dismiss") if f"{path}{action}/" in page]

    assert offered(whole) == ["replay", "dismiss"]
    assert offered(foreign) == ["dismiss"]
    services.dismiss_dead_letter(dead_letter_id=whole.pk, by="operator", reason="Known.", now=NOW)
    assert offered(whole) == ["replay"]


def test_an_empty_list_says_that_all_is_well() -> None:
    page = (
        _signed_in("view_deadletter").get(reverse("admin:messaging_deadletter_changelist")).content.decode()
    )

    assert "No dead letters. Every message was handled." in page


@pytest.mark.parametrize("action", ["replay", "dismiss"])
def test_a_path_without_a_dead_letter_changes_nothing(admin_broker: memory.MemoryBroker, action: str) -> None:
    client = _signed_in("view_deadletter", "replay_deadletter")

    answer = client.post(
        f"/admin/messaging/deadletter/x/{action}/", {"_form_submitted": "True", "reason": "Because."}
    )

    assert answer.status_code == 200
    assert models.Dismissal.objects.count() + models.Replay.objects.count() == 0
