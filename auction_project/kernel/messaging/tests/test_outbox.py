"""The outbox, its relay and `once`, on a real PostgreSQL."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import contracts, errors, failpoints
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import maintenance, once, outbox, relay, transactions
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import conftest, sessions, tables

NOW = conftest.NOW
OpenRelay = Callable[..., relay.OutboxRelay]
TOPIC = "inventory.stock"

pytestmark = pytest.mark.usefixtures("committed")


class _Abandoned(Exception):
    """Ends a transaction without its commit."""


class _LosingAnswers(memory.MemoryBroker):
    """Stores a batch, and loses the connection before it answers."""

    def append(self, messages: object, *, source: str | None = None) -> None:
        super().append(messages, source=source)  # type: ignore[arg-type]
        raise ConnectionError("lost on the way back")


def _publish(product: str, version: int, now: datetime = NOW) -> str:
    with transaction.atomic(using="default"):
        return outbox.publish(
            tables.Outbox, conftest.stock_changed(product, version), now=now, version=version
        )


def _values(broker: brokers.Broker) -> list[int]:
    events = [contracts.decode(record.value)[1] for record in broker.read(TOPIC)]
    return [event.version for event in events if isinstance(event, contracts.events.StockChanged)]


@pytest.fixture
def open_relay() -> Iterator[OpenRelay]:
    """Makes relays whose sessions end with the test."""
    made: list[relay.OutboxRelay] = []

    def open_one(broker: brokers.Broker, *, epoch: bool = True) -> relay.OutboxRelay:
        made.append(relay.OutboxRelay(tables.Outbox, broker))
        if epoch:
            broker.begin_epoch(made[-1].source)
        return made[-1]

    yield open_one
    for one in made:
        one.close()


# --- outbox ------------------------------------------------------------------------------------------------------


def test_change_and_event_are_both_written_or_neither() -> None:
    with contextlib.suppress(_Abandoned), transaction.atomic(using="default"):
        tables.Applied.objects.create(key="lamp", number=1, member="one")
        outbox.publish(tables.Outbox, conftest.stock_changed("lamp", 1), now=NOW)
        raise _Abandoned

    assert (tables.Applied.objects.count(), tables.Outbox.objects.count()) == (0, 0)


def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        outbox.publish(tables.Outbox, conftest.stock_changed("lamp", 1), now=NOW)

    assert tables.Outbox.objects.count() == 0


def test_a_row_holds_the_whole_message() -> None:
    event_id = _publish("lamp", 7)

    row = tables.Outbox.objects.get()
    envelope, event = contracts.decode(bytes(row.body))
    assert (row.event_id, row.topic, row.key, row.type) == (event_id, TOPIC, "lamp", "StockChanged")
    assert (envelope.id, envelope.version, envelope.source, envelope.time) == (event_id, 7, "msgtest", NOW)
    assert event == conftest.stock_changed("lamp", 7)


def test_an_event_that_no_transport_takes_is_refused_with_its_change() -> None:
    huge = contracts.events.LotAccepted(
        auction_id="a", product_id="p", owner_id="o", title="t", text="x" * 600_000, thumbnail="", version=1
    )

    def change() -> None:
        with transaction.atomic(using="default"):
            tables.Applied.objects.create(key="lamp", number=1, member="one")
            outbox.publish(tables.Outbox, huge, now=NOW)

    with pytest.raises(brokers.Oversize):
        change()
    assert (tables.Applied.objects.count(), tables.Outbox.objects.count()) == (0, 0)


def test_after_commit_runs_after_the_commit_of_its_database_only() -> None:
    done: list[str] = []
    with pytest.raises(transactions.NoTransaction):
        transactions.after_commit(lambda: done.append("outside"), using="default")
    with transaction.atomic(using="default"):
        transactions.after_commit(lambda: done.append("committed"), using="default")
        assert done == []
    with contextlib.suppress(_Abandoned), transaction.atomic(using="default"):
        transactions.after_commit(lambda: done.append("rolled back"), using="default")
        raise _Abandoned

    assert done == ["committed"]


# --- relay -------------------------------------------------------------------------------------------------------


def test_rows_are_published_in_order_and_marked(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay
) -> None:
    for version in range(1, 8):
        _publish("lamp", version)
    publisher = open_relay(memory_broker)

    assert publisher.step() is True

    assert _values(memory_broker) == [1, 2, 3, 4, 5, 6, 7]
    assert tables.Outbox.objects.filter(published_at__isnull=True).count() == 0
    publisher.step()
    assert len(_values(memory_broker)) == 7


def test_what_waits_in_an_outbox_is_counted_with_the_age_of_its_oldest(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay
) -> None:
    _publish("p", 1)
    _publish("p", 2, NOW + timedelta(seconds=10))
    later = NOW + timedelta(seconds=30)
    assert (outbox.count_waiting(tables.Outbox), outbox.oldest_seconds(tables.Outbox, now=later)) == (2, 30.0)

    open_relay(memory_broker).step()

    assert (outbox.count_waiting(tables.Outbox), outbox.oldest_seconds(tables.Outbox, now=later)) == (0, 0.0)


def test_a_relay_says_how_many_rows_wait(open_relay: OpenRelay, memory_broker: memory.MemoryBroker) -> None:
    relay_of_outbox = open_relay(memory_broker)
    for version in (1, 2, 3):
        _publish("lamp", version)

    relay_of_outbox.step()
    found = relay_of_outbox.unpublished
    relay_of_outbox.step()

    assert (found, relay_of_outbox.unpublished) == (3, 0)


def test_an_unanswered_batch_stays_unmarked_and_goes_again(open_relay: OpenRelay) -> None:
    broker = _LosingAnswers()
    _publish("lamp", 1)
    publisher = open_relay(broker)

    with pytest.raises(ConnectionError):
        publisher.step()

    assert tables.Outbox.objects.filter(published_at__isnull=True).count() == 1
    with pytest.raises(ConnectionError):
        publisher.step()
    assert _values(broker) == [1, 1]


def test_a_relay_that_dies_between_publishing_and_marking_repeats(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish("lamp", 1)
    monkeypatch.setattr(failpoints, "_armed", {"relay.before_mark": "raise"})
    publisher = open_relay(memory_broker)
    with pytest.raises(failpoints.FailpointReached):
        publisher.step()
    publisher.close()

    monkeypatch.setattr(failpoints, "_armed", {})
    heir = open_relay(memory_broker)
    heir.step()

    first, second = memory_broker.read(TOPIC)
    assert first.value == second.value
    assert tables.Outbox.objects.filter(published_at__isnull=True).count() == 0


def test_one_relay_works_at_a_time_and_the_next_takes_over(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay
) -> None:
    _publish("lamp", 1)
    first, second = open_relay(memory_broker), open_relay(memory_broker)
    first.step()
    _publish("lamp", 2)

    assert second.step() is False
    assert _values(memory_broker) == [1]

    first.close()
    _step_until_it_leads(second)
    assert _values(memory_broker) == [1, 2]


def test_a_relay_whose_session_is_cut_is_no_leader_any_more(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay
) -> None:
    first, second = open_relay(memory_broker), open_relay(memory_broker)
    first.step()
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
            "WHERE locktype = 'advisory' AND granted AND objid = %s AND datname = current_database()",
            [relay._LOCK_ID],
        )
        assert cursor.rowcount == 1
    _publish("lamp", 1)

    _step_until_it_leads(second)
    _publish("lamp", 2)
    with pytest.raises(errors.Unavailable, match="database default"):
        first.step()
    assert first.step() is False
    assert _values(memory_broker) == [1]


def test_a_commit_ends_the_wait_of_an_idle_relay(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit comes after the relay has looked for rows. Its notification ends the wait, and not the time-out."""
    monkeypatch.setattr(relay, "EPOCH_CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(relay, "WAIT_SECONDS", 30.0)
    publisher = open_relay(memory_broker)
    publisher.step()  # from here on the relay is idle
    session = publisher._session.connection
    look, notifications, looks = session.notifies, [], 0

    def look_and_commit(*, timeout: float) -> Iterator[psycopg.Notify]:
        nonlocal looks
        looks += 1
        for notification in look(timeout=timeout):
            notifications.append(notification.channel)
            yield notification
        if looks == 1:  # nothing was there, so that the relay waits now
            _publish("lamp", 1)

    monkeypatch.setattr(session, "notifies", look_and_commit)
    publisher.step()
    publisher.step()

    assert (looks, notifications) == (2, [outbox.WAKE_CHANNEL])
    assert _values(memory_broker) == [1]


def test_an_emptied_transport_gets_all_kept_rows_before_anything_new(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay
) -> None:
    today = datetime.now(UTC)
    for version, age in ((1, 8), (2, 6), (3, 1)):
        _publish("lamp", version, now=today - timedelta(days=9))
        tables.Outbox.objects.filter(published_at__isnull=True).update(
            published_at=today - timedelta(days=age)
        )
    _publish("lamp", 4)
    publisher = open_relay(memory_broker, epoch=False)

    for _ in range(6):
        publisher.step()

    assert _values(memory_broker) == [2, 3, 4]
    memory_broker.append([], source="msgtest")  # the epoch has begun


def test_an_idle_relay_notices_that_the_transport_was_emptied(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that were published and not consumed must not wait for the next change."""
    monkeypatch.setattr(relay, "EPOCH_CHECK_SECONDS", 0.0)
    _publish("lamp", 1)
    publisher = open_relay(memory_broker)
    publisher.step()

    memory_broker.wipe()
    for _ in range(4):
        publisher.step()

    assert _values(memory_broker) == [1]


def test_a_transport_emptied_again_during_the_refill_is_refilled_from_the_start(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "BATCH_ROWS", 2)
    for version in range(1, 7):
        _publish("lamp", version)
    publisher = open_relay(memory_broker)
    for _ in range(3):
        publisher.step()
    assert _values(memory_broker) == [1, 2, 3, 4, 5, 6]
    memory_broker.wipe()
    _publish("lamp", 7)
    publisher.step()
    publisher.step()
    assert _values(memory_broker) == [1, 2]

    memory_broker.wipe()
    for _ in range(8):
        publisher.step()

    assert _values(memory_broker) == [1, 2, 3, 4, 5, 6, 7]


def test_a_relay_that_leads_again_begins_its_refill_from_the_start(
    memory_broker: memory.MemoryBroker, open_relay: OpenRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transport may have been emptied once more while another relay led and began to refill it."""
    monkeypatch.setattr(relay, "BATCH_ROWS", 2)
    monkeypatch.setattr(relay, "EPOCH_CHECK_SECONDS", 0.0)
    for version in range(1, 7):
        _publish("lamp", version)
    first, second = open_relay(memory_broker), open_relay(memory_broker)
    for _ in range(3):
        first.step()
    memory_broker.wipe()
    for _ in range(3):
        first.step()
    assert _values(memory_broker) == [1, 2, 3, 4]
    first.close()

    memory_broker.wipe()
    _step_until_it_leads(second)
    second.step()
    assert _values(memory_broker) == [1, 2]
    second.close()
    _step_until_it_leads(first)
    for _ in range(6):
        first.step()

    assert sorted(set(_values(memory_broker))) == [1, 2, 3, 4, 5, 6]


def test_only_published_rows_past_their_days_are_deleted(memory_broker: memory.MemoryBroker) -> None:
    today = datetime.now(UTC)
    for version, created, published in ((1, 8, 8), (2, 8, 6), (3, 6, 6), (4, 8, None)):
        _publish("lamp", version, now=today - timedelta(days=created))
        if published:
            newest = tables.Outbox.objects.order_by("-id").first()
            tables.Outbox.objects.filter(pk=newest.pk).update(published_at=today - timedelta(days=published))
    for key, days in (("event:old", 9), ("event:young", 7), ("saga:old:reserve_stock", 99)):
        tables.Once.objects.create(key=key, state="DONE", created_at=today - timedelta(days=days))

    maintenance.Maintenance(
        memory_broker, groups={TOPIC: []}, outboxes=[tables.Outbox], inboxes=[tables.Once]
    ).step()

    kept = [
        contracts.decode_envelope(bytes(body)).version
        for (body,) in tables.Outbox.objects.values_list("body")
    ]
    assert sorted(kept) == [2, 3, 4]
    assert set(tables.Once.objects.values_list("key", flat=True)) == {"event:young", "saga:old:reserve_stock"}


# --- once --------------------------------------------------------------------------------------------------------


def test_a_key_is_claimed_once_and_its_outcome_is_kept() -> None:
    with transaction.atomic(using="default"):
        row, is_new = _claim("saga:1:reserve")
        assert (row.state, is_new) == ("STARTED", True)
        once.finish(tables.Once, [(row, once.State.DONE, {"units": 2})])

    with transaction.atomic(using="default"):
        again, is_new = _claim("saga:1:reserve")
    assert (again.state, again.outcome, again.created_at, is_new) == ("DONE", {"units": 2}, NOW, False)


def test_an_outcome_is_final() -> None:
    with transaction.atomic(using="default"):
        row, _ = _claim("k")
        once.finish(tables.Once, [(row, once.State.VOID, {})])

    late = tables.Once.objects.get()
    with pytest.raises(once.AlreadyFinished):
        once.finish(tables.Once, [(late, once.State.DONE, {"units": 2})])

    assert tables.Once.objects.get().state == "VOID"


def test_a_claim_outside_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        _claim("k")

    assert tables.Once.objects.count() == 0


def test_two_callers_with_one_key_come_one_after_the_other() -> None:
    inside = threading.Event()
    order: list[str] = []

    def second() -> None:
        inside.wait(5)
        with transaction.atomic(using="default"):
            _, is_new = _claim("k")
            order.append(f"second, new: {is_new}")
        connections["default"].close()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic(using="default"):
        row, _ = _claim("k")
        inside.set()
        sessions.wait_for_blocked("default")
        order.append("first")
        once.finish(tables.Once, [(row, once.State.DONE, {})])
    thread.join(5)

    assert order == ["first", "second, new: False"]


def test_a_key_that_was_rolled_back_is_free_again() -> None:
    with contextlib.suppress(_Abandoned), transaction.atomic(using="default"):
        _claim("k")
        raise _Abandoned

    with transaction.atomic(using="default"):
        assert _claim("k").is_new


@pytest.mark.parametrize("members", [1, 50])
def test_a_group_of_keys_is_claimed_in_two_statements_and_finished_in_one(members: int) -> None:
    keys = [f"k{number}" for number in range(members)]
    with transaction.atomic(using="default"):
        once.claim(tables.Once, keys[::2], now=NOW)

    with transaction.atomic(using="default"):
        with CaptureQueriesContext(connections["default"]) as claiming:
            claims = once.claim(tables.Once, keys, now=NOW)
        with CaptureQueriesContext(connections["default"]) as finishing:
            once.finish(
                tables.Once,
                [(claims[key].row, once.State.DONE, {"number": number}) for number, key in enumerate(keys)],
            )

    assert (len(claiming), len(finishing)) == (2, 1)
    assert [claims[key].is_new for key in keys] == [number % 2 == 1 for number in range(members)]
    assert {row.key: (row.state, row.outcome) for row in tables.Once.objects.all()} == {
        key: ("DONE", {"number": number}) for number, key in enumerate(keys)
    }


def test_when_one_of_a_group_has_an_outcome_none_is_finished() -> None:
    with transaction.atomic(using="default"):
        claims = once.claim(tables.Once, ["a", "b"], now=NOW)
        once.finish(tables.Once, [(claims["b"].row, once.State.VOID, {})])
        with pytest.raises(once.AlreadyFinished):
            once.finish(tables.Once, [(claim.row, once.State.DONE, {}) for claim in claims.values()])

    assert dict(tables.Once.objects.values_list("key", "state")) == {"a": "STARTED", "b": "VOID"}


def test_what_ended_is_recorded_for_the_new_keys_of_a_group_only() -> None:
    with transaction.atomic(using="default"):
        assert once.record(tables.Once, ["a", "b"], once.State.DONE, now=NOW) == {"a", "b"}

    with transaction.atomic(using="default"):
        assert once.record(tables.Once, ["b", "c"], once.State.REFUSED, {"code": "no"}, now=NOW) == {"c"}

    assert {row.key: (row.state, row.outcome) for row in tables.Once.objects.all()} == {
        "a": ("DONE", {}),
        "b": ("DONE", {}),
        "c": ("REFUSED", {"code": "no"}),
    }


def test_groups_with_common_keys_in_opposite_order_do_not_block_each_other() -> None:
    keys = [f"k{number}" for number in range(20)]

    def claim(ordered: list[str]) -> int:
        with transaction.atomic(using="default"):
            return sum(claim.is_new for claim in once.claim(tables.Once, ordered, now=NOW).values())

    for _ in range(5):
        tables.Once.objects.all().delete()
        new = sessions.at_once("default", lambda: claim(keys), lambda: claim(keys[::-1]))

        assert sorted(new) == [0, 20]


# --- helpers -----------------------------------------------------------------------------------------------------


def _claim(key: str) -> once.Claim:
    return once.claim(tables.Once, [key], now=NOW)[key]


def _step_until_it_leads(publisher: relay.OutboxRelay) -> None:
    """The server gives a lock back a moment after its session has ended."""
    deadline = time.monotonic() + 5
    while not publisher.step():
        assert time.monotonic() < deadline
        time.sleep(0.01)
