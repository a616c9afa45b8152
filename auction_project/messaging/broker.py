"""The Broker protocol: what every transport promises, and nothing that only one of them can do.

Promises: `append` returns when the messages are durable. Messages of one key stay in order. A group's partition has
one owner at a time; what its owner did not acknowledge comes again, in order, to the next owner. Another group sees
everything. At least once: a consumer must be idempotent (`once`).
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol

import msgspec

from auction_project import errors

MAX_MESSAGE_BYTES = 512 * 1024
DLQ_SUFFIX = ".dlq"


class Oversize(errors.Refused):
    """The message is larger than the transport carries."""


class EpochMissing(errors.DomainError):
    """The transport has lost its data: everything of this source must be published again."""


class OwnershipLost(errors.DomainError):
    """Another member owns the partition by now."""


class Message(msgspec.Struct, frozen=True):
    """What is sent. Messages of one `key` within a `topic` keep their order."""

    topic: str
    key: str
    value: bytes


class Record(msgspec.Struct, frozen=True):
    """What is received: a message at its place. `position` is comparable only by the backend that gave it."""

    topic: str
    key: str
    value: bytes
    partition: int
    position: str


class Consumer(Protocol):
    """One member of a group. Not thread-safe."""

    def poll(self, timeout_seconds: float) -> list[Record]:
        """The next records of the partitions that this member owns and has not put on hold, each partition's in
        order. A record comes until it is acknowledged. Raises errors.Unavailable."""

    def acknowledge(self, record: Record) -> None:
        """`record` and all before it in its partition are dealt with. Raises OwnershipLost, errors.Unavailable."""

    def hold(self, record: Record, seconds: float) -> None:
        """Deliver `record` and what follows it in its partition again, not before `seconds` from now."""

    def close(self) -> None:
        """Give the partitions back."""


class Broker(Protocol):
    """A transport. Thread-safe."""

    durable: ClassVar[bool]

    def append(self, messages: Sequence[Message], *, source: str | None = None) -> None:
        """Store the messages, in order. With `source`, raise EpochMissing when the transport does not hold that
        source's epoch. Raises Oversize, errors.Unavailable; then any prefix may be stored."""

    def begin_epoch(self, source: str) -> None:
        """`source` has published again all that it keeps."""

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> Consumer: ...

    def read(self, topic: str, *, after: str | None = None) -> Iterator[Record]:
        """Replay: every record now in `topic`, each partition's in order; `after` a `partition@position` skips that
        partition up to there and all partitions before it."""

    def lag(self, group: str, topics: Sequence[str]) -> int:
        """How many messages `group` has not acknowledged."""

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        """Drop what every one of `groups` has acknowledged; the number dropped (a backend may do nothing)."""

    def ping(self) -> None:
        """Raises errors.Unavailable."""

    def close(self) -> None: ...


def from_settings() -> Broker:
    """The broker that the settings name: Kafka when KAFKA_BOOTSTRAP_SERVERS is set, else Redis Streams."""
    from django.conf import settings

    if settings.KAFKA_BOOTSTRAP_SERVERS:
        from auction_project.messaging import kafka

        return kafka.KafkaBroker(settings.KAFKA_BOOTSTRAP_SERVERS)
    from auction_project.messaging import redis_streams

    return redis_streams.RedisStreamsBroker(settings.REDIS_URL)
