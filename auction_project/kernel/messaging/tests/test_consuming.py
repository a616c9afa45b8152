"""The consumer loop and its failure policy, on the memory transport; `once` and effects in a real database."""

from collections.abc import Callable, Sequence
from typing import Any

import django.db
import prometheus_client
import pytest
import redis
from django.db import connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import contracts, errors
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming, dead_letters, failure, once
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import conftest, tables

TOPIC = "inventory.stock"
Apply = Callable[[contracts.events.StockChanged], None]


pytestmark = pytest.mark.usefixtures("committed")  # each step closes old database connections


class SoldOut(errors.Refused):
    """Nothing is left."""


class _RefusingDeadLetters(memory.MemoryBroker):
    """Takes no dead letters."""

    def append(self, messages: Any, *, source: str | None = None) -> None:
        if any(message.topic.endswith(".dlq") for message in messages):
            raise errors.Unavailable("the dead-letter topic is unavailable")
        super().append(messages, source=source)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, short_pauses: None) -> None:
    monkeypatch.setattr(consuming, "POLL_SECONDS", 0.05)


def _send(broker: brokers.Broker, product: str, version: int, event_id: str | None = None) -> None:
    event = conftest.stock_changed(product, version)
    body = conftest.encoded(event, event_id or f"{product}:{version}")
    broker.append([brokers.Message(TOPIC, product, body)])


def _loop(
    broker: brokers.Broker, apply: Apply, *, inbox: type[once.OnceRow] | None = None, group: str = "window"
) -> consuming.ConsumerLoop:
    subscription = consuming.Subscription(
        group=group,
        inbox=inbox,
        handlers={contracts.events.StockChanged: consuming.each(lambda _envelope, event: apply(event))},
    )
    return consuming.ConsumerLoop(subscription, broker, member="one")


def _work(
    loop: consuming.ConsumerLoop, broker: brokers.Broker, steps: int = 60, group: str = "window"
) -> None:
    for _ in range(steps):
        loop.step()
        if broker.lag(group, [TOPIC]) == 0:
            return


def _dead_letters(broker: brokers.Broker) -> list[dead_letters.DeadLetter]:
    return [dead_letters.decode(record)[1] for record in broker.read(f"{TOPIC}.dlq")]


def _metric(name: str, **labels: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(name, labels) or 0.0


# --- once --------------------------------------------------------------------------------------------------------


def test_every_event_delivered_twice_is_applied_once(
    memory_broker: memory.MemoryBroker, committed: None
) -> None:
    for version in (1, 2, 3):
        _send(memory_broker, "lamp", version)
        _send(memory_broker, "lamp", version)

    _work(_loop(memory_broker, _write_effect, inbox=tables.Once), memory_broker)

    assert list(tables.Applied.objects.order_by("id").values_list("number", flat=True)) == [1, 2, 3]
    assert set(tables.Once.objects.values_list("key", "state")) == {
        ("event:lamp:1", "DONE"),
        ("event:lamp:2", "DONE"),
        ("event:lamp:3", "DONE"),
    }
    assert _dead_letters(memory_broker) == []


def test_effect_and_once_row_are_one_transaction(memory_broker: memory.MemoryBroker, committed: None) -> None:
    calls = []

    def fail_after_the_effect(event: contracts.events.StockChanged) -> None:
        calls.append(event.version)
        _write_effect(event)
        if len(calls) == 1:
            raise ValueError("a bug that passes")

    _send(memory_broker, "lamp", 1)
    loop = _loop(memory_broker, fail_after_the_effect, inbox=tables.Once)
    loop.step()

    assert (tables.Applied.objects.count(), tables.Once.objects.count()) == (0, 0)
    _work(loop, memory_broker)
    assert calls == [1, 1]
    assert (tables.Applied.objects.count(), tables.Once.objects.count()) == (1, 1)


def test_a_refusal_is_rolled_back_and_stored_and_its_handler_is_not_called_again(
    memory_broker: memory.MemoryBroker, committed: None
) -> None:
    calls = []

    def refuse(event: contracts.events.StockChanged) -> None:
        calls.append(event.version)
        _write_effect(event)
        raise SoldOut

    loop = _loop(memory_broker, refuse, inbox=tables.Once)
    for _ in range(2):
        _send(memory_broker, "lamp", 1)
        _work(loop, memory_broker)

    assert calls == [1]
    assert tables.Applied.objects.count() == 0
    row = tables.Once.objects.get()
    assert (row.state, row.outcome) == ("REFUSED", {"code": "sold_out", "detail": "Nothing is left."})
    assert _dead_letters(memory_broker) == []


def test_events_without_a_handler_are_skipped(memory_broker: memory.MemoryBroker) -> None:
    event = contracts.events.LotRefused(auction_id="a", product_id="lamp", reason="no such product")
    memory_broker.append([brokers.Message(TOPIC, "lamp", conftest.encoded(event, "e1"))])
    _send(memory_broker, "lamp", 1)
    seen = []

    _work(_loop(memory_broker, lambda event: seen.append(event.version)), memory_broker)

    assert seen == [1]


# --- poison ------------------------------------------------------------------------------------------------------


def test_poison_goes_to_the_dead_letters_after_five_attempts_and_blocks_nothing(
    memory_broker: memory.MemoryBroker,
) -> None:
    attempts: list[int] = []
    before = _metric("gavel_messages_dead_lettered_total", topic=TOPIC, group="window")

    def stumble(event: contracts.events.StockChanged) -> None:
        _write_effect(event)
        if (event.product_id, event.version) == ("lamp", 2):
            attempts.append(event.version)
            raise ValueError("cannot be")

    for version in (1, 2, 3):
        _send(memory_broker, "lamp", version)
        _send(memory_broker, "vase", version)
    poison = list(memory_broker.read(TOPIC))
    _work(_loop(memory_broker, stumble, inbox=tables.Once), memory_broker)

    in_the_group, alone = 1, 5
    assert len(attempts) == in_the_group + alone
    effects = list(tables.Applied.objects.order_by("id").values_list("key", "number"))
    assert [version for product, version in effects if product == "lamp"] == [1, 3]
    assert [version for product, version in effects if product == "vase"] == [1, 2, 3]
    assert effects[-1] == ("lamp", 3)
    (dead_letter,) = _dead_letters(memory_broker)
    origin = next(r for r in poison if b'"version":2' in r.value and r.key == "lamp")
    assert (
        dead_letter.topic,
        dead_letter.key,
        dead_letter.group,
        dead_letter.partition,
        dead_letter.position,
    ) == (
        TOPIC,
        "lamp",
        "window",
        origin.partition,
        origin.position,
    )
    assert (dead_letter.error, dead_letter.attempts, dead_letter.value) == (
        "ValueError('cannot be')",
        5,
        origin.value,
    )
    assert memory_broker.lag("window", [TOPIC]) == 0
    assert _metric("gavel_messages_dead_lettered_total", topic=TOPIC, group="window") == before + 1


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"type":"StockChanged"}', b"null", b'{"a":"\xed\xa0\x80"}'],
)
def test_what_cannot_be_decoded_is_a_dead_letter_at_once(
    memory_broker: memory.MemoryBroker, value: bytes
) -> None:
    memory_broker.append([brokers.Message(TOPIC, "lamp", value)])
    _send(memory_broker, "lamp", 1)
    seen = []
    loop = _loop(memory_broker, lambda event: seen.append(event.version))

    loop.step()

    assert seen == [1]
    (dead_letter,) = _dead_letters(memory_broker)
    assert dead_letter.value == value
    assert dead_letter.error.startswith("Undecodable(")


def test_when_the_dead_letter_cannot_be_written_the_consumer_stops_and_nothing_is_dropped() -> None:
    broker = _RefusingDeadLetters()
    broker.append([brokers.Message(TOPIC, "lamp", b"poison")])
    _send(broker, "lamp", 1)
    seen: list[int] = []
    loop = _loop(broker, lambda event: seen.append(event.version))

    with pytest.raises(consuming.DeadLetterFailed):
        loop.step()

    loop.close()
    assert seen == []
    assert broker.lag("window", [TOPIC]) == 2
    assert failure.classify(consuming.DeadLetterFailed()) is failure.Fate.FAULT


def test_a_dead_letter_of_an_alarming_subscription_is_logged_as_critical(
    memory_broker: memory.MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(consuming.log, "critical", lambda event, **data: logged.append((event, data)))
    memory_broker.append([brokers.Message("sale-confirmed", "sale-1", b"poison")])
    subscription = consuming.Subscription(
        group="sagas",
        alarming=True,
        handlers={contracts.events.SaleConfirmed: consuming.each(lambda _envelope, _event: None)},
    )

    consuming.ConsumerLoop(subscription, memory_broker, member="one").step()

    ((event, data),) = logged
    assert (event, data["alert"], data["topic"], data["key"]) == (
        "dead_letter",
        True,
        "sale-confirmed",
        "sale-1",
    )
    assert _metric("gavel_messages_dead_lettered_total", topic="sale-confirmed", group="sagas") == 1


def test_a_dead_letter_of_any_other_subscription_is_logged_as_an_error(
    memory_broker: memory.MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(consuming.log, "error", lambda event, **data: logged.append((event, data)))
    memory_broker.append([brokers.Message(TOPIC, "lamp", b"poison")])

    _loop(memory_broker, lambda _event: None).step()

    assert [(event, data["alert"]) for event, data in logged] == [("dead_letter", False)]


# --- groups -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [1, 50])
def test_the_records_of_a_poll_are_one_transaction_with_one_statement_for_their_once_rows(
    memory_broker: memory.MemoryBroker, events: int
) -> None:
    runs: list[list[int]] = []

    def take(run: Sequence[consuming.Received]) -> None:
        runs.append([received.event.version for received in run])

    for version in range(events):
        _send(memory_broker, "lamp", version)
        _send(memory_broker, "lamp", version)  # each comes twice
    subscription = consuming.Subscription(
        group="window", inbox=tables.Once, handlers={contracts.events.StockChanged: take}
    )
    with CaptureQueriesContext(connections["default"]) as queries:
        consuming.ConsumerLoop(subscription, memory_broker, member="one").step()

    assert runs == [list(range(events))]
    assert [query["sql"].split()[0] for query in queries] == ["BEGIN", "INSERT", "COMMIT"]
    assert memory_broker.lag("window", [TOPIC]) == 0


def test_an_event_that_does_not_concern_the_group_is_acknowledged_and_costs_no_statement(
    memory_broker: memory.MemoryBroker,
) -> None:
    runs: list[list[int]] = []
    for version in range(4):
        _send(memory_broker, "lamp", version)
    subscription = consuming.Subscription(
        group="window",
        inbox=tables.Once,
        concerns=lambda event: event.version == 2,
        handlers={contracts.events.StockChanged: lambda run: runs.append([one.event.version for one in run])},
    )

    consuming.ConsumerLoop(subscription, memory_broker, member="one").step()

    assert runs == [[2]]
    assert tables.Once.objects.count() == 1
    assert memory_broker.lag("window", [TOPIC]) == 0


def test_a_run_ends_where_another_handler_begins(memory_broker: memory.MemoryBroker) -> None:
    runs: list[tuple[str, int]] = []
    lot_refused = contracts.events.LotRefused(auction_id="a", product_id="lamp", reason="no such product")
    for version in (1, 2):
        _send(memory_broker, "lamp", version)
    memory_broker.append([brokers.Message(TOPIC, "lamp", conftest.encoded(lot_refused, "e1"))])
    _send(memory_broker, "lamp", 3)
    subscription = consuming.Subscription(
        group="window",
        handlers={
            contracts.events.StockChanged: lambda run: runs.append(("stock", len(run))),
            contracts.events.LotRefused: lambda run: runs.append(("lots", len(run))),
        },
    )

    _work(consuming.ConsumerLoop(subscription, memory_broker, member="one"), memory_broker)

    assert runs == [("stock", 2), ("lots", 1), ("stock", 1)]


def test_a_group_has_at_most_a_hundred_members(memory_broker: memory.MemoryBroker) -> None:
    runs: list[int] = []
    for version in range(250):
        _send(memory_broker, "lamp", version)
    subscription = consuming.Subscription(
        group="window", handlers={contracts.events.StockChanged: lambda run: runs.append(len(run))}
    )

    _work(consuming.ConsumerLoop(subscription, memory_broker, member="one"), memory_broker)

    assert sum(runs) == 250
    assert max(runs) <= 100


# --- outages -----------------------------------------------------------------------------------------------------


def test_an_outage_uses_no_attempt_and_keeps_the_order(memory_broker: memory.MemoryBroker) -> None:
    outages = iter(range(7))

    def apply(event: contracts.events.StockChanged) -> None:
        if event.version == 2 and next(outages, None) is not None:
            raise django.db.OperationalError("the database is unavailable")
        _write_effect(event)

    for version in (1, 2, 3):
        _send(memory_broker, "lamp", version)
    _work(_loop(memory_broker, apply, inbox=tables.Once), memory_broker, steps=400)

    assert _applied() == [1, 2, 3]
    assert _dead_letters(memory_broker) == []


@pytest.mark.parametrize(("error", "applied"), [(errors.Unavailable(), [1]), (ValueError(), [])], ids=repr)
def test_a_record_is_tried_again_soon_after_an_outage_and_later_after_a_fault(
    memory_broker: memory.MemoryBroker,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    applied: list[int],
) -> None:
    monkeypatch.setattr(failure, "FIRST_PAUSE_SECONDS", 15.0)
    monkeypatch.setattr(consuming, "OUTAGE_PAUSE_SECONDS", 0.01)
    failures = iter([error])

    def apply(event: contracts.events.StockChanged) -> None:
        if (failed := next(failures, None)) is not None:
            raise failed
        _write_effect(event)

    _send(memory_broker, "lamp", 1)
    _work(_loop(memory_broker, apply, inbox=tables.Once), memory_broker, steps=5)

    assert _applied() == applied


def test_a_step_ends_with_its_first_outage_and_the_next_one_goes_on_elsewhere(
    memory_broker: memory.MemoryBroker,
) -> None:
    tried: list[str] = []

    def apply(event: contracts.events.StockChanged) -> None:
        tried.append(event.product_id)
        raise errors.Unavailable

    _send(memory_broker, "lamp", 1)
    _send(memory_broker, "vase", 1)
    loop = _loop(memory_broker, apply)

    loop.step()
    assert len(tried) == 1
    loop.step()
    assert len(set(tried)) == 2


def test_pauses_double_and_stay_below_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure, "FIRST_PAUSE_SECONDS", 0.2)

    for tries, longest in ((1, 0.2), (2, 0.4), (3, 0.8), (7, 12.8), (8, 15.0), (10_000, 15.0)):
        pauses = {failure.pause_seconds(tries) for _ in range(50)}
        assert longest * 0.75 <= min(pauses) < max(pauses) <= longest


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (errors.Unavailable(), failure.Fate.OUTAGE),
        (django.db.OperationalError(), failure.Fate.OUTAGE),
        (django.db.InterfaceError(), failure.Fate.OUTAGE),
        (ConnectionResetError(), failure.Fate.OUTAGE),
        (TimeoutError(), failure.Fate.OUTAGE),
        (redis.exceptions.ReadOnlyError(), failure.Fate.OUTAGE),
        (redis.exceptions.OutOfMemoryError(), failure.Fate.OUTAGE),
        (redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"), failure.Fate.OUTAGE),
        (redis.ResponseError("WRONGTYPE Operation against a key"), failure.Fate.FAULT),
        (SoldOut(), failure.Fate.REFUSED),
        (errors.NotFound(), failure.Fate.REFUSED),
        (django.db.IntegrityError(), failure.Fate.FAULT),
        (ValueError(), failure.Fate.FAULT),
        (contracts.Undecodable(), failure.Fate.FAULT),
    ],
)
def test_the_kind_of_an_error_decides_its_fate(error: Exception, fate: failure.Fate) -> None:
    assert failure.classify(error) is fate


def test_a_lost_partition_is_left_to_its_new_owner(memory_broker: memory.MemoryBroker) -> None:
    seen: list[int] = []
    loop = _loop(memory_broker, lambda event: _lose(loop, seen, event))
    for version in (1, 2):
        _send(memory_broker, "lamp", version)

    loop.step()

    assert seen == [1, 2]
    assert memory_broker.lag("window", [TOPIC]) == 2
    loop.close()


def test_lag_is_measured(memory_broker: memory.MemoryBroker) -> None:
    for version in (1, 2, 3):
        _send(memory_broker, "lamp", version)

    _loop(memory_broker, lambda _event: None, group="lagging").step()

    assert _metric("gavel_consumer_lag", group="lagging") == 3
    assert _metric("gavel_messages_consumed_total", topic=TOPIC, group="lagging") == 3


def _write_effect(event: contracts.events.StockChanged) -> None:
    tables.Applied.objects.create(key=event.product_id, number=event.version, member="one")


def _applied() -> list[int]:
    return list(tables.Applied.objects.order_by("id").values_list("number", flat=True))


def _lose(loop: consuming.ConsumerLoop, seen: list[int], event: contracts.events.StockChanged) -> None:
    """A handler that takes longer than its lease."""
    seen.append(event.version)
    if event.version == 1:
        member = loop._consumer
        member._transport.evict(member)  # type: ignore[attr-defined]
