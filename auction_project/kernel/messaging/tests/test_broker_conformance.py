"""The promises of the Broker protocol, on every transport: memory, Redis Streams, and Kafka (marked `services`).

The tests of crashes need a durable transport, and their members are real processes. The promises of the consumer loop are
in test_consuming.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import transaction

from auction_project.kernel import contracts, errors
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming, dead_letters, outbox, relay
from auction_project.kernel.messaging.backends import kafka, redis_consumer
from auction_project.kernel.messaging.tests import conftest, tables, transports

TOPIC = "lots"
KEYS = [f"key-{i}" for i in range(20)]
TWO_KEYS = ["a", "c"]  # of different partitions, with the hash of each transport


def test_a_topic_that_was_prepared_is_not_missing(broker: brokers.Broker) -> None:
    before = broker.missing([TOPIC, "other"])
    broker.prepare([TOPIC])

    assert before in ([], [TOPIC, "other"])  # a transport whose topics need no making misses none
    assert broker.missing([TOPIC, "other"]) == before[1:]


def test_a_topic_that_was_prepared_can_be_read_at_once(broker: brokers.Broker) -> None:
    for number in range(10):
        topic = f"{TOPIC}-{number}"
        broker.prepare([topic])

        assert list(broker.read(topic)) == []


# --- order, ownership, redelivery --------------------------------------------------------------------------------


def test_messages_of_one_key_come_in_the_order_they_were_sent(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, KEYS, 30))
    consumer = broker.consumer("group", [TOPIC], member="one")

    records = transports.take(consumer, 600)

    assert transports.by_key(records) == {key: [str(n).encode() for n in range(1, 31)] for key in KEYS}
    assert len({record.partition for record in records}) > 3
    assert all(len({r.partition for r in records if r.key == key}) == 1 for key in KEYS)
    consumer.close()


def test_a_record_comes_again_until_it_is_acknowledged(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, ["a"], 3))
    consumer = broker.consumer("group", [TOPIC], member="one")
    first = transports.take(consumer, 3, acknowledge=False)

    consumer.acknowledge(first[1])

    assert consumer.poll(0.1) == [first[2]]
    consumer.acknowledge(first[2])
    assert consumer.poll(0.1) == []
    consumer.close()


def test_what_was_not_acknowledged_comes_to_the_next_member_in_order(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, ["a"], 10))
    consumer = broker.consumer("group", [TOPIC], member="one")
    records = transports.take(consumer, 10, acknowledge=False)
    consumer.acknowledge(records[3])
    consumer.close()

    heir = broker.consumer("group", [TOPIC], member="two")

    assert [record.value for record in transports.take(heir, 6)] == [str(n).encode() for n in range(5, 11)]
    assert heir.poll(0.3) == []
    heir.close()


def test_another_group_sees_everything(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, KEYS, 2))
    first = broker.consumer("first", [TOPIC], member="one")
    transports.take(first, 40)
    first.close()

    second = broker.consumer("second", [TOPIC], member="one")

    assert transports.by_key(transports.take(second, 40)) == {key: [b"1", b"2"] for key in KEYS}
    second.close()


def test_a_held_partition_waits_and_the_others_go_on(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, TWO_KEYS, 2))
    consumer = broker.consumer("group", [TOPIC], member="one")
    records = transports.take(consumer, 4, acknowledge=False)
    held = next(record for record in records if record.key == "a")
    free = [record for record in records if record.partition != held.partition]
    assert len(free) == 2

    until = time.monotonic() + 1.0
    consumer.hold(held, 1.0)
    broker.append(transports.messages(TOPIC, TWO_KEYS, 1, first=3))

    consumer.acknowledge(free[-1])
    assert [(record.key, record.value) for record in transports.take(consumer, 1)] == [("c", b"3")]
    while not (again := consumer.poll(0.2)):
        assert time.monotonic() < until + transports.PATIENCE_SECONDS
    assert time.monotonic() >= until
    assert again[:2] == [record for record in records if record.key == "a"]
    consumer.acknowledge(again[-1])
    rest = 3 - len(again)
    assert [record.value for record in transports.take(consumer, rest)] == [b"3"] * rest
    consumer.close()


def test_members_share_the_partitions_and_a_key_has_one_owner(transport: transports.Transport) -> None:
    one, two = transport.connect(), transport.connect()
    members = [one.consumer("group", [TOPIC], member="one"), two.consumer("group", [TOPIC], member="two")]
    shared = _until_shared(members, one)

    assert not shared[0] & shared[1]
    assert shared[0] | shared[1] == set(KEYS)
    for member in members:
        member.close()
    one.close()
    two.close()


@pytest.mark.parametrize("transport", ["memory", "redis"], indirect=True)
def test_a_member_that_lost_its_partition_cannot_acknowledge(
    transport: transports.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only real time takes a partition from a member of Kafka: see the suspended process below."""
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a"], 2))
    sleeper = broker.consumer("group", [TOPIC], member="sleeper")
    records = transports.take(sleeper, 2, acknowledge=False)

    if transport.name == "memory":
        broker.evict(sleeper)  # type: ignore[attr-defined]
    else:
        client = broker._redis  # type: ignore[attr-defined]
        client.delete(*client.keys(f"{transport.namespace}:events:lease:*"))
        client.delete(f"{transport.namespace}:events:members:group")
    heir = broker.consumer("group", [TOPIC], member="heir")
    assert transports.take(heir, 2, acknowledge=False) == records

    with pytest.raises(brokers.OwnershipLost):
        sleeper.acknowledge(records[0])
    assert broker.lag("group", [TOPIC]) == 2
    heir.close()
    sleeper.close()


# --- replay, lag, bounds -----------------------------------------------------------------------------------------


def test_a_topic_is_replayed_from_a_place(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, KEYS, 25))

    everything = list(broker.read(TOPIC))
    middle = everything[200]

    assert transports.by_key(everything) == {key: [str(n).encode() for n in range(1, 26)] for key in KEYS}
    assert list(broker.read(TOPIC, after=middle.place)) == everything[201:]
    assert list(broker.read(TOPIC, after=everything[-1].place)) == []
    assert list(broker.read("nothing")) == []


def test_lag_counts_what_is_not_acknowledged(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, TWO_KEYS, 5))
    assert broker.lag("group", [TOPIC, "nothing"]) == 10
    consumer = broker.consumer("group", [TOPIC], member="one")
    records = transports.take(consumer, 10, acknowledge=False)
    assert broker.lag("group", [TOPIC]) == 10

    consumer.acknowledge([record for record in records if record.key == "a"][2])
    consumer.poll(0)

    assert broker.lag("group", [TOPIC]) == 7
    assert broker.lag("other", [TOPIC]) == 10
    consumer.close()


def test_a_group_has_handled_what_it_has_acknowledged_and_nothing_else(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, TWO_KEYS, 5))
    ends = broker.ends([TOPIC, "nothing"])
    consumer = broker.consumer("group", [TOPIC], member="one")
    records = transports.take(consumer, 10, acknowledge=False)
    assert sorted(ends.items()) == sorted(
        {(record.topic, record.partition): record.position for record in records}.items()
    )
    assert not broker.has_handled("group", ends)

    one, other = ([record for record in records if record.key == key] for key in TWO_KEYS)
    consumer.acknowledge(one[-1])
    consumer.acknowledge(other[0])
    consumer.poll(0)
    assert not broker.has_handled("group", ends)

    consumer.acknowledge(other[-1])
    broker.append(transports.messages(TOPIC, TWO_KEYS, 1))
    consumer.poll(0)
    assert broker.has_handled("group", ends)
    assert not broker.has_handled("other", ends)
    assert broker.has_handled("other", {})
    consumer.close()


def test_an_oversize_message_is_refused_and_nothing_of_its_batch_is_stored(broker: brokers.Broker) -> None:
    fits = brokers.Message(TOPIC, "a", b"x" * brokers.MAX_MESSAGE_BYTES)
    too_large = brokers.Message(TOPIC, "a", b"x" * (brokers.MAX_MESSAGE_BYTES + 1))

    with pytest.raises(brokers.Oversize) as refused:
        broker.append([fits, too_large])

    assert refused.value.figures == {"limit": 524288}
    assert list(broker.read(TOPIC)) == []


def test_the_largest_message_and_its_dead_letter_are_carried(broker: brokers.Broker) -> None:
    broker.append([brokers.Message(TOPIC, "a", b"\xff" * brokers.MAX_MESSAGE_BYTES)])
    consumer = broker.consumer("group", [TOPIC], member="one")
    (record,) = transports.take(consumer, 1)
    dead_letter = dead_letters.dead_letter(
        record, group="g", error=ValueError("\0" * 9999), attempts=5, at=datetime.now(UTC)
    )

    broker.append([brokers.Message(f"{TOPIC}.dlq", "a", dead_letters.encode(dead_letter))])

    (kept,) = broker.read(f"{TOPIC}.dlq")
    assert dead_letters.decode(kept)[1].value == b"\xff" * brokers.MAX_MESSAGE_BYTES
    consumer.close()


def test_only_what_all_groups_acknowledged_is_trimmed(broker: brokers.Broker) -> None:
    """Delivered records that are not acknowledged stay. A transport may keep more (Kafka keeps all until their retention)."""
    broker.append(transports.messages(TOPIC, ["a"], 500))
    slow = broker.consumer("slow", [TOPIC], member="one")
    transports.take(slow, 192)
    slow.acknowledge(transports.take(slow, 16, acknowledge=False)[2])
    slow.close()
    fast = broker.consumer("fast", [TOPIC], member="one")
    transports.take(fast, 500)
    fast.close()

    assert broker.trim(TOPIC, ["slow", "fast", "never came"]) == 0
    dropped = broker.trim(TOPIC, ["slow", "fast"])

    lag = broker.lag("slow", [TOPIC])
    assert dropped <= 500 - lag
    assert dropped >= 100 or isinstance(broker, kafka.KafkaBroker)
    assert len(list(broker.read(TOPIC))) == 500 - dropped
    heir = broker.consumer("slow", [TOPIC], member="two")
    assert [r.value for r in transports.take(heir, lag)] == [str(n).encode() for n in range(501 - lag, 501)]
    heir.close()


def test_an_idle_consumer_gets_a_message_within_milliseconds(broker: brokers.Broker) -> None:
    consumer = broker.consumer("group", [TOPIC], member="one")
    broker.append(transports.messages(TOPIC, KEYS, 1))
    transports.take(consumer, 20)
    took = []
    for number in range(20):
        sent: list[float] = []
        sender = threading.Timer(0.05, lambda n=number, s=sent: _send(broker, n, s))
        sender.start()
        (record,) = transports.take(consumer, 1)
        took.append(time.monotonic() - sent[0])
        sender.join()
        assert record.value == str(number).encode()

    assert sorted(took)[10] < 0.05, took
    consumer.close()


# --- an emptied transport ----------------------------------------------------------------------------------------


def test_nothing_is_stored_for_a_source_whose_epoch_is_missing(broker: brokers.Broker) -> None:
    message = brokers.Message(TOPIC, "a", b"1")

    with pytest.raises(brokers.EpochMissing) as missing:
        broker.append([message], source="shop")
    assert missing.value.figures == {"source": "shop"}
    assert list(broker.read(TOPIC)) == []

    broker.begin_epoch("shop")
    broker.append([message], source="shop")
    assert [record.value for record in broker.read(TOPIC)] == [b"1"]
    with pytest.raises(brokers.EpochMissing):
        broker.append([message], source="other")


def test_consumers_go_on_by_themselves_when_the_transport_was_emptied(broker: brokers.Broker) -> None:
    broker.append(transports.messages(TOPIC, KEYS, 2))
    consumer = broker.consumer("group", [TOPIC], member="one")
    transports.take(consumer, 40)
    consumer.poll(0)

    broker.wipe()
    _append_patiently(broker, transports.messages(TOPIC, KEYS, 2, first=7))

    taken = transports.by_key(_take_through_outages(consumer, {b"7", b"8"}, 40))
    assert taken == {key: [b"7", b"8"] for key in KEYS}
    consumer.close()


@pytest.mark.parametrize("transport", ["memory", "redis"], indirect=True)
def test_records_from_before_a_wipe_are_not_acknowledged_in_the_emptied_transport(
    broker: brokers.Broker,
) -> None:
    """An embedded transport may lose its data; nothing deletes the topics of a Kafka with readers."""
    broker.append(transports.messages(TOPIC, KEYS, 2))
    consumer = broker.consumer("group", [TOPIC], member="one")
    in_hand = transports.take(consumer, 40, acknowledge=False)

    broker.wipe()
    broker.append(transports.messages(TOPIC, KEYS, 2, first=7))
    with pytest.raises(brokers.OwnershipLost):
        consumer.acknowledge(in_hand[0])

    taken = transports.by_key(_take_through_outages(consumer, {b"7", b"8"}, 40))
    assert taken == {key: [b"7", b"8"] for key in KEYS}
    consumer.close()


def test_an_emptied_transport_is_filled_from_the_outbox_and_nothing_is_applied_twice(
    transport: transports.Transport, committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "POLL_SECONDS", 0.1)
    broker = transport.connect()
    subscription = _applying("shop-window")
    publisher = relay.OutboxRelay(tables.Outbox, broker)
    loop = consuming.ConsumerLoop(subscription, broker, member="one")
    _publish("lamp", range(1, 6))
    _work_until(publisher, loop, lambda: tables.Applied.objects.count() == 5, "five applied")

    broker.wipe()
    _publish("lamp", range(6, 9))
    _work_until(publisher, loop, lambda: tables.Applied.objects.count() == 8, "eight applied")
    everything = {bytes(body) for body in tables.Outbox.objects.values_list("body", flat=True)}
    assert len(everything) == 8
    _work_until(
        publisher,
        loop,
        lambda: {record.value for record in broker.read("inventory.stock")} == everything,
        "all events in the transport again",
    )
    _work_until(publisher, loop, lambda: broker.lag(subscription.group, ["inventory.stock"]) == 0, "no lag")

    assert _applied("lamp") == list(range(1, 9))
    assert tables.Outbox.objects.filter(published_at__isnull=True).count() == 0
    loop.close()
    publisher.close()
    broker.close()


# --- crashes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transport", ["redis", pytest.param("kafka", marks=pytest.mark.services)], indirect=True
)
def test_order_and_once_hold_when_one_of_three_members_is_killed_and_one_sleeps_through_its_lease(
    transport: transports.Transport, committed: None
) -> None:
    broker = transport.connect()
    assert broker.durable
    stream = _Stream(broker, [f"product-{i}" for i in range(24)])
    members = [transports.MemberProcess(transport, "window", f"member-{i}") for i in range(3)]
    try:
        stream.send_until(lambda: len(_members_at_work()) == 3, "three members at work")

        members[0].signal(signal.SIGKILL)
        members[1].signal(signal.SIGSTOP)
        asleep_until = time.monotonic() + redis_consumer.LEASE_SECONDS + 2
        stream.send_until(lambda: time.monotonic() > asleep_until, "the sleeper's lease ended")
        members[1].signal(signal.SIGCONT)
        stream.send_until(lambda: stream.versions > 40, "more for the sleeper and its heir")
        _wait_for(lambda: tables.Applied.objects.count() >= stream.count, "all events applied")
        time.sleep(1)  # a second application would happen in this time

        assert {product: _applied(product) for product in stream.products} == {
            product: list(range(1, stream.versions + 1)) for product in stream.products
        }
    finally:
        for member in members:
            member.end()
        broker.close()


# --- helpers -----------------------------------------------------------------------------------------------------


def _until_shared(members: list[brokers.Consumer], broker: brokers.Broker) -> list[set[str]]:
    """Send rounds until both members have got some keys of one round; the keys of each."""
    deadline = time.monotonic() + transports.PATIENCE_SECONDS
    round_number = 0
    while time.monotonic() < deadline:
        round_number += 1
        broker.append([brokers.Message(TOPIC, key, str(round_number).encode()) for key in KEYS])
        shared: list[set[str]] = [set() for _ in members]
        end = time.monotonic() + 2
        while sum(map(len, shared)) < len(KEYS) and time.monotonic() < end:
            for member, keys in zip(members, shared, strict=True):
                for record in member.poll(0.05):
                    member.acknowledge(record)
                    if record.value == str(round_number).encode():
                        keys.add(record.key)
        if all(shared) and sum(map(len, shared)) == len(KEYS):
            return shared
    pytest.fail("the members never shared the partitions")


def _send(broker: brokers.Broker, number: int, sent: list[float]) -> None:
    sent.append(time.monotonic())
    broker.append([brokers.Message(TOPIC, "a", str(number).encode())])


def _append_patiently(broker: brokers.Broker, messages: list[brokers.Message]) -> None:
    deadline = time.monotonic() + transports.PATIENCE_SECONDS
    while True:
        try:
            broker.append(messages)
            return
        except errors.Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _take_through_outages(consumer: brokers.Consumer, values: set[bytes], count: int) -> list[brokers.Record]:
    """The first `count` different records with one of `values`."""
    taken: dict[tuple[str, int, str, bytes], brokers.Record] = {}
    deadline = time.monotonic() + transports.PATIENCE_SECONDS
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} records came"
        try:
            for record in consumer.poll(0.2):
                if record.value in values:
                    taken[record.topic, record.partition, record.position, record.value] = record
                consumer.acknowledge(record)
        except (errors.Unavailable, brokers.OwnershipLost):
            time.sleep(0.1)
    return list(taken.values())


def _on_stock_changed(_envelope: contracts.Envelope, event: contracts.events.StockChanged) -> None:
    tables.Applied.objects.create(key=event.product_id, number=event.version, member="one")


def _applying(group: str) -> consuming.Subscription:
    return consuming.Subscription(
        group=group,
        inbox=tables.Once,
        handlers={contracts.events.StockChanged: consuming.each(_on_stock_changed)},
    )


def _publish(product: str, versions: range) -> None:
    for version in versions:
        with transaction.atomic(using="default"):
            outbox.publish(tables.Outbox, conftest.stock_changed(product, version), now=datetime.now(UTC))


def _applied(product: str) -> list[int]:
    rows = tables.Applied.objects.filter(key=product).order_by("id")
    return list(rows.values_list("number", flat=True))


def _work_until(
    publisher: relay.OutboxRelay, loop: consuming.ConsumerLoop, done: Callable[[], bool], what: str
) -> None:
    """Step both until `done`, through outages."""

    def attempt(step: Callable[[], bool]) -> bool:
        with contextlib.suppress(errors.Unavailable):
            return step()
        return False

    def work_and_look() -> bool:
        attempt(publisher.step)
        attempt(loop.step)
        return attempt(done)

    _wait_for(work_and_look, what)


class _Stream:
    """Versions 1, 2, 3 … of every product, two a second."""

    def __init__(self, broker: brokers.Broker, products: list[str]) -> None:
        self._broker = broker
        self.products = products
        self.versions = 0

    @property
    def count(self) -> int:
        return self.versions * len(self.products)

    def send_until(self, condition: Callable[[], bool], what: str) -> None:
        _wait_for(lambda: condition() or self._send(), what)

    def _send(self) -> bool:
        self.versions += 1
        self._broker.append([self._message(product) for product in self.products])
        time.sleep(0.5)  # the pace of the stream
        return False

    def _message(self, product: str) -> brokers.Message:
        event = conftest.stock_changed(product, self.versions)
        return brokers.Message(event.TOPIC, product, conftest.encoded(event, f"{product}:{self.versions}"))


def _members_at_work() -> set[str]:
    return set(tables.Applied.objects.values_list("member", flat=True))


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 2 * transports.PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.05)
