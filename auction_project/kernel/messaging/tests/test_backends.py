"""What only one transport can do wrong: lost answers of Redis, failed deliveries and group protocols of Kafka."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
from confluent_kafka import admin
from django.conf import settings

from auction_project.kernel import errors
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging.backends import delivery, kafka, redis_consumer, redis_streams
from auction_project.kernel.messaging.tests import transports

TOPIC = "lots"

on_redis = pytest.mark.parametrize("transport", ["redis"], indirect=True)
on_kafka = pytest.mark.parametrize(
    "transport", [pytest.param("kafka", marks=pytest.mark.services)], indirect=True
)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- Redis -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        lambda broker: broker.ping(),
        lambda broker: broker.append([brokers.Message(TOPIC, "a", b"1")]),
        lambda broker: broker.begin_epoch("shop"),
        lambda broker: broker.lag("group", [TOPIC]),
        lambda broker: broker.trim(TOPIC, ["group"]),
        lambda broker: list(broker.read(TOPIC)),
        lambda broker: broker.consumer("group", [TOPIC], member="one").poll(0.1),
    ],
)
def test_a_redis_that_does_not_answer_is_unavailable(operation: Callable[[brokers.Broker], object]) -> None:
    broker = redis_streams.RedisStreamsBroker(f"redis://127.0.0.1:{_closed_port()}/0")

    with pytest.raises(errors.Unavailable):
        operation(broker)


@on_redis
@pytest.mark.parametrize("command", ["_read_owned", "_lease", "_acknowledge"])
def test_a_lost_answer_loses_nothing(transport: transports.Transport, command: str) -> None:
    """The server has done it and its answer is lost: the delivered records come again."""
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a", "b", "c"], 3))
    consumer = broker.consumer("group", [TOPIC], member="one")
    real, lost = getattr(consumer, command), []

    def lose_the_first_answer(**arguments: Any) -> Any:
        answer = real(**arguments)
        if not lost:
            lost.append(answer)
            raise redis.TimeoutError("overdue")
        return answer

    setattr(consumer, command, lose_the_first_answer)
    seen: dict[str, list[bytes]] = {"a": [], "b": [], "c": []}
    outages = 0
    for _ in range(30):
        try:
            for record in consumer.poll(0.1):
                if record.value not in seen[record.key]:
                    seen[record.key].append(record.value)
                consumer.acknowledge(record)
        except errors.Unavailable:
            outages += 1

    assert outages == 1
    assert seen == {key: [b"1", b"2", b"3"] for key in "abc"}
    assert broker.lag("group", [TOPIC]) == 0
    consumer.close()
    broker.close()


@on_redis
@pytest.mark.parametrize("refilled", [False, True])
@pytest.mark.parametrize("command", ["xgroup_create", "xautoclaim", "xinfo_groups"])
def test_a_redis_that_is_emptied_while_streams_are_taken_over_costs_nothing_but_a_poll(
    transport: transports.Transport, monkeypatch: pytest.MonkeyPatch, command: str, refilled: bool
) -> None:
    """The server is emptied just before `command`; with `refilled`, a publisher has written to the streams again by then."""
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a", "b", "c"], 3))
    consumer = broker.consumer("group", [TOPIC], member="one")
    real, emptied = getattr(consumer._redis, command), []

    def empty_first(*arguments: Any, **options: Any) -> Any:
        if not emptied:
            emptied.append(True)
            broker.wipe()
            if refilled:
                broker.append(transports.messages(TOPIC, ["a", "b", "c"], 3))
        return real(*arguments, **options)

    monkeypatch.setattr(consumer._redis, command, empty_first)
    records = consumer.poll(0.1)
    if not refilled:
        assert records == []
        broker.append(transports.messages(TOPIC, ["a", "b", "c"], 3))

    assert len(transports.take(consumer, 9)) == 9
    consumer.close()


@on_redis
def test_a_redis_that_is_emptied_while_it_is_trimmed_has_nothing_to_trim(
    transport: transports.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a", "b", "c"], 3))
    consumer = broker.consumer("group", [TOPIC], member="one")
    transports.take(consumer, 9, acknowledge=False)  # pending, so that `trim` reads the oldest
    real = broker._redis.xpending

    def empty_first(*arguments: Any) -> Any:
        broker.wipe()
        return real(*arguments)

    monkeypatch.setattr(broker._redis, "xpending", empty_first)

    assert broker.trim(TOPIC, ["group"]) == 0
    consumer.close()


@on_redis
def test_a_member_without_the_lease_gets_nothing(transport: transports.Transport) -> None:
    """It was suspended between checking its leases and reading. No other member would ever get the records that it took."""
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a"], 1))
    sleeper = broker.consumer("group", [TOPIC], member="sleeper")
    transports.take(sleeper, 1)
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(*client.keys(f"{transport.namespace}:events:lease:*"))
    client.delete(f"{transport.namespace}:events:members:group")
    heir = broker.consumer("group", [TOPIC], member="heir")
    heir.poll(0.1)
    broker.append(transports.messages(TOPIC, ["a"], 3, first=2))

    sleeper._next_rebalance = float("inf")  # type: ignore[attr-defined]
    assert sleeper.poll(0.1) == []

    assert [record.value for record in transports.take(heir, 3)] == [b"2", b"3", b"4"]
    heir.close()
    sleeper.close()
    client.close()
    broker.close()


@on_redis
def test_an_expired_lease_is_taken_over_again_even_by_its_last_owner(
    transport: transports.Transport,
) -> None:
    """It may have had another owner meanwhile, whose pending records this member has never seen."""
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a"], 1))
    sleeper = broker.consumer("group", [TOPIC], member="sleeper")
    transports.take(sleeper, 1, acknowledge=False)
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(*client.keys(f"{transport.namespace}:events:lease:*"))
    client.delete(f"{transport.namespace}:events:members:group")
    heir = broker.consumer("group", [TOPIC], member="heir")
    heir.poll(0.1)
    broker.append(transports.messages(TOPIC, ["a"], 1, first=2))
    (first,) = transports.take(heir, 1)
    transports.take(heir, 1, acknowledge=False)
    heir.close()

    sleeper._next_rebalance = 0.0  # type: ignore[attr-defined]

    assert first.value == b"1"
    assert [record.value for record in transports.take(sleeper, 1)] == [b"2"]
    sleeper.close()
    client.close()
    broker.close()


@on_redis
def test_a_foreign_entry_is_a_record_and_does_not_end_the_consumer(
    transport: transports.Transport,
) -> None:
    broker = transport.connect()
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.xadd(f"{transport.namespace}:events:{TOPIC}:0", {"hello": "world"})
    client.xadd(f"{transport.namespace}:events:{TOPIC}:0", {"k": b"\xff", "v": b"\xfe"})
    consumer = broker.consumer("group", [TOPIC], member="one")

    records = transports.take(consumer, 2)

    assert [(record.key, record.value) for record in records] == [("", b""), ("\\xff", b"\xfe")]
    consumer.close()
    client.close()
    broker.close()


@on_redis
def test_a_large_append_goes_in_several_scripts_and_keeps_its_order(transport: transports.Transport) -> None:
    broker = transport.connect()
    sent = [brokers.Message(TOPIC, "a", str(number).encode() * 10_000) for number in range(1200)]

    broker.append(sent)

    assert [record.value for record in broker.read(TOPIC)] == [message.value for message in sent]
    broker.close()


@on_redis
def test_a_busy_member_keeps_its_leases_while_it_works(
    transport: transports.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledging renews leases, too, so that a member keeps a long batch to its end."""
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a", "b", "c"], 10))
    consumer = broker.consumer("group", [TOPIC], member="one")
    batch: list[brokers.Record] = []
    while len(batch) < 30:
        batch = consumer.poll(0.1)
    client = redis.Redis.from_url(settings.REDIS_URL)
    leases = client.keys(f"{transport.namespace}:events:lease:*")
    for lease in leases:
        client.pexpire(lease, 2500)
    consumer._next_renewal = 0.0  # type: ignore[attr-defined]

    consumer.acknowledge(batch[0])

    assert len(leases) == 8
    renewed = redis_consumer.LEASE_SECONDS * 1000
    assert renewed - 1000 < min(client.pttl(lease) for lease in leases) <= renewed
    consumer.close()
    client.close()
    broker.close()


@pytest.mark.parametrize("open_broker", [redis_streams.RedisStreamsBroker, kafka.KafkaBroker])
def test_without_a_namespace_nothing_is_wiped(open_broker: Callable[[str], brokers.Broker]) -> None:
    """It is refused before any request to a server."""
    port = _closed_port()
    broker = open_broker(
        f"127.0.0.1:{port}" if open_broker is kafka.KafkaBroker else f"redis://127.0.0.1:{port}/0"
    )

    with pytest.raises(errors.Invalid):
        broker.wipe()
    broker.close()


@pytest.mark.parametrize("place", ["", "3", "x@1", "-1@5", "@1"])
def test_a_text_that_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        brokers.split_place(place)

    assert refused.value.field == "after"


# --- Kafka -------------------------------------------------------------------------------------------------------


@on_kafka
def test_a_kafka_that_does_not_answer_is_unavailable(
    transport: transports.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "REQUEST_SECONDS", 0.5)
    broker = kafka.KafkaBroker(f"127.0.0.1:{_closed_port()}", namespace="nowhere")

    with pytest.raises(errors.Unavailable):
        broker.ping()
    with pytest.raises(errors.Unavailable):
        broker.append([brokers.Message(TOPIC, "a", b"1")])
    with pytest.raises(errors.Unavailable):
        broker.consumer("group", [TOPIC], member="one").poll(0.1)
    broker.close()


@on_kafka
def test_a_broker_without_the_newer_protocol_is_joined_by_the_classic_one(
    transport: transports.Transport,
) -> None:
    class Unsupported:
        def code(self) -> int:
            return next(iter(kafka._NO_SUCH_PROTOCOL))

        def str(self) -> str:
            return "unsupported"

    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a", "c"], 3))
    consumer = broker.consumer("group", [TOPIC], member="one")
    consumer.poll(0)

    consumer._recover(Unsupported())  # type: ignore[attr-defined]

    assert transports.by_key(transports.take(consumer, 6)) == {key: [b"1", b"2", b"3"] for key in "ac"}
    assert consumer._protocol["group.protocol"] == "classic"  # type: ignore[attr-defined]
    consumer.poll(0)
    assert broker.lag("group", [TOPIC]) == 0
    consumer.close()
    broker.close()


@on_kafka
def test_a_member_sets_the_session_timeout_of_its_group(transport: transports.Transport) -> None:
    broker = transport.connect()
    consumer = broker.consumer("group", [TOPIC], member="one")

    consumer.poll(0)

    assert _session_milliseconds(transport) == "3000"
    consumer.close()
    broker.close()


@on_kafka
def test_where_the_brokers_refuse_the_session_timeout_theirs_holds(
    transport: transports.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "SESSION_SECONDS", 0.001)
    broker = transport.connect()
    broker.append(transports.messages(TOPIC, ["a"], 3))
    consumer = broker.consumer("group", [TOPIC], member="one")

    assert transports.by_key(transports.take(consumer, 3)) == {"a": [b"1", b"2", b"3"]}
    assert _session_milliseconds(transport) not in ("1", "3000")
    consumer.close()
    broker.close()


def _session_milliseconds(transport: transports.Transport) -> str:
    """The session timeout of the group "group"."""
    client = admin.AdminClient({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS})
    group = admin.ConfigResource(admin.ResourceType.GROUP, f"{transport.namespace}.group")
    (config,) = client.describe_configs([group]).values()
    return str(config.result(10)["consumer.session.timeout.ms"].value)


@on_kafka
def test_topics_are_made_once_with_eight_partitions_and_their_bounds(transport: transports.Transport) -> None:
    broker = transport.connect()
    broker.prepare([TOPIC, f"{TOPIC}.dlq"])
    broker.prepare([TOPIC])
    another = transport.connect()
    another.prepare([TOPIC])

    assert broker._partitions_of([TOPIC]) == {TOPIC: list(range(8))}  # type: ignore[attr-defined]
    another.close()
    broker.close()


# --- awaited delivery --------------------------------------------------------------------------------------------


class _Client:
    """A producer client that reports the given outcomes from its poll, as the real one does."""

    def __init__(self, outcomes: list[object]) -> None:
        self._outcomes = outcomes
        self._waiting: list[Callable[[object, object], None]] = []
        self._lock = threading.Lock()
        self.purged = False

    def produce(self, _topic: str, _value: bytes, _key: bytes, *, on_delivery: Any) -> None:
        with self._lock:
            self._waiting.append(on_delivery)

    def poll(self, seconds: float) -> None:
        threading.Event().wait(min(seconds, 0.005))
        with self._lock:
            ready = self._waiting[: len(self._outcomes)]
            del self._waiting[: len(ready)]
            outcomes, self._outcomes = self._outcomes[: len(ready)], self._outcomes[len(ready) :]
        for deliver, outcome in zip(ready, outcomes, strict=True):
            deliver(outcome, None)
        if self.purged:
            raise RuntimeError("no gapless order from here on")

    def purge(self, *, blocking: bool) -> None:
        with self._lock:
            self.purged = True
            self._outcomes = ["purged"] * len(self._waiting)


BATCH = [("lots", b"a", b"1"), ("lots", b"a", b"2"), ("lots", b"a", b"3")]


def test_a_batch_ends_when_all_of_it_is_delivered() -> None:
    client = _Client([None, None, None])
    producer = delivery.Producer(client)

    producer.send(BATCH, 5.0)

    assert client._outcomes == []
    producer.discard()


def test_a_batch_ends_with_its_first_failure() -> None:
    producer = delivery.Producer(_Client([None, "no leader"]))

    with pytest.raises(delivery.Failed, match="no leader"):
        producer.send(BATCH, 5.0)
    producer.discard()


def test_an_overdue_batch_fails_and_the_discard_fails_all_others() -> None:
    client = _Client([])
    producer = delivery.Producer(client)
    failures: list[str] = []

    def other() -> None:
        try:
            producer.send(BATCH, 5.0)
        except delivery.Failed as failed:
            failures.append(str(failed))

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(delivery.Failed, match="3 deliveries are overdue"):
        producer.send(BATCH, 0.1)
    producer.discard()
    thread.join(2)

    assert client.purged
    assert failures == ["purged"]
