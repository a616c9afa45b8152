"""Messages that only foreign software writes: too large for the Broker, or dead letters that no consumer wrote.

None of them may hold a partition: each is listed, and the message after it is handled.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming, dead_letters, handlers, models, services
from auction_project.kernel.messaging.backends import memory, redis_streams
from auction_project.kernel.messaging.tests import conftest, transports

NOW = conftest.NOW
TOPIC = "inventory.stock"
KIB = 1024

pytestmark = pytest.mark.usefixtures("committed", "short_pauses")


@pytest.fixture
def streams() -> Iterator[redis_streams.RedisStreamsBroker]:
    opened = transports.open_transport("redis").connect()
    assert isinstance(opened, redis_streams.RedisStreamsBroker)
    yield opened
    opened.wipe()
    opened.close()


def _consume(subscription: consuming.Subscription, broker: brokers.Broker, topic: str) -> None:
    loop = consuming.ConsumerLoop(subscription, broker, member="one")
    for _ in range(20):
        loop.step()
        if broker.lag(subscription.group, [topic]) == 0:
            break
    loop.close()
    assert broker.lag(subscription.group, [topic]) == 0


@pytest.mark.parametrize(
    ("key", "value", "kept_key", "kept_bytes"),
    [
        (b"lamp", b"\xff" * 800 * KIB, "lamp", 64 * KIB),
        (b"k" * 1100 * KIB, b"", "k" * 2 * KIB, 0),
        ("ä".encode() * 600 * KIB + b"\xff", b"x", "ä" * KIB, 1),
        (b"\x01" * 2 * KIB, b"x", "\x01" * 2 * KIB, 1),
    ],
    ids=["a huge value", "a huge key", "a huge key that is no text", "a key that fits"],
)
def test_of_a_message_that_no_topic_takes_the_dead_letter_holds_the_beginning(
    streams: redis_streams.RedisStreamsBroker, key: bytes, value: bytes, kept_key: str, kept_bytes: int
) -> None:
    seen: list[str] = []
    subscription = consuming.Subscription(
        group="window",
        handlers={
            contracts.events.StockChanged: consuming.each(lambda _, event: seen.append(event.product_id))
        },
    )
    stream = streams._stream(TOPIC, redis_streams.partition_of("lamp"))
    streams._redis.xadd(stream, {"k": key, "v": value})
    streams.append(
        [brokers.Message(TOPIC, "lamp", conftest.encoded(conftest.stock_changed("lamp", 1), "e1"))]
    )
    poison = next(iter(streams.read(TOPIC)))

    _consume(subscription, streams, TOPIC)
    _consume(handlers.SUBSCRIPTION, streams, f"{TOPIC}.dlq")

    assert seen == ["lamp"]
    row = models.DeadLetter.objects.get()
    assert (row.topic, row.group, row.partition, row.position) == (
        TOPIC,
        "window",
        poison.partition,
        poison.position,
    )
    assert (row.key, bytes(row.value)) == (kept_key, value[:kept_bytes])
    is_cut = (kept_key, kept_bytes) != (poison.key, len(value))
    assert row.whole_bytes == (len(value) if is_cut else 0)
    parts = (TOPIC.encode(), b"window", poison.key.encode(), value)
    assert row.digest == hashlib.sha256(b"\0".join(parts)).hexdigest()


def test_a_message_of_which_only_the_beginning_was_kept_is_not_replayed(
    memory_broker: memory.MemoryBroker,
) -> None:
    record = brokers.Record(TOPIC, "lamp", b"\xff" * 800 * KIB, 3, "17")
    whole = dead_letters.dead_letter(record, group="window", error=ValueError(), attempts=5, at=NOW)
    cut = msgspec.json.decode(dead_letters.message(whole).value, type=dead_letters.DeadLetter)
    row = services.record_dead_letter(dead_letter=cut)

    with pytest.raises(services.NotReplayable):
        services.replay_dead_letter(
            dead_letter_id=row.pk, by="operator", reason="Again.", now=NOW, transport=memory_broker
        )

    assert (list(memory_broker.read(TOPIC)), models.Replay.objects.count()) == ([], 0)


_DEAD_LETTER: dict[str, Any] = {
    "topic": TOPIC,
    "key": "lamp",
    "group": "window",
    "partition": 3,
    "position": "17",
    "error": "ValueError()",
    "attempts": 5,
    "at": "2026-03-01T12:00:00Z",
    "value": "",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "0001-01-01T00:00:00"},
        {"at": "2026-03-01T12:00:00"},
        {"at": "0001-01-01T00:00:00+23:00"},
        {"at": "9999-12-31T23:59:59-23:00"},
        {"partition": 2**40},
        {"partition": -1},
        {"attempts": 2**31},
        {"topic": "t" * 10_000},
        {"topic": "sale-confirmed"},
        {"whole_bytes": 2**31},
        {"whole_digest": "d" * 65},
        {"value": "no base64"},
    ],
)
def test_a_dead_letter_with_impossible_values_is_listed_as_foreign_and_holds_nothing(
    memory_broker: memory.MemoryBroker, changes: dict[str, Any]
) -> None:
    written = msgspec.json.encode(_DEAD_LETTER | changes)
    for value in (written, msgspec.json.encode(_DEAD_LETTER)):
        memory_broker.append([brokers.Message(f"{TOPIC}.dlq", "lamp", value)])

    _consume(handlers.SUBSCRIPTION, memory_broker, f"{TOPIC}.dlq")

    foreign = models.DeadLetter.objects.get(group="")
    assert (foreign.topic, bytes(foreign.value)) == (f"{TOPIC}.dlq", written)
    assert (foreign.partition, foreign.attempts, foreign.last_at) == (
        next(iter(memory_broker.read(f"{TOPIC}.dlq"))).partition,
        1,
        datetime.fromtimestamp(0, tz=UTC),
    )
    assert models.DeadLetter.objects.get(group="window").position == "17"
