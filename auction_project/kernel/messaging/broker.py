"""The Broker protocol: what every transport promises, and nothing that only one of them can do.

Promises: `append` returns when the messages are durable. Messages of one key stay in order. A group's partition has
one owner at a time; what its owner did not acknowledge comes again, in order, to the next owner. Another group sees
everything. At least once: a consumer must be idempotent (`once`).

A `namespace` keeps two installations apart that share one server: they see nothing of each other.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol

import msgspec

from auction_project.kernel import errors

PARTITIONS = 8
MAX_MESSAGE_BYTES = 512 * 1024
MAX_KEY_BYTES = 2 * 1024
# Holds any message in base64 beside the error; Kafka's own default bound is 1 MiB.
MAX_DEAD_LETTER_BYTES = 960 * 1024
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

    @property
    def place(self) -> str:
        """Where to go on after this record: the `after` of `Broker.read`."""
        return f"{self.partition}@{self.position}"


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

    def prepare(self, topics: Sequence[str]) -> None:
        """Make the topics that do not exist yet, where the transport needs that. Raises errors.Unavailable."""

    def append(self, messages: Sequence[Message], *, source: str | None = None) -> None:
        """Store the messages, in order. With `source`, raise EpochMissing when the transport does not hold that
        source's epoch (even when there is nothing to store). Raises Oversize (nothing is stored), errors.Unavailable (any prefix may be stored)."""

    def begin_epoch(self, source: str) -> None:
        """`source` has published again all that it keeps."""

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> Consumer: ...

    def read(self, topic: str, *, after: str | None = None) -> Iterator[Record]:
        """Replay: every record now in `topic`, each partition's in order; `after` a record's `place` skips that
        partition up to there and all partitions before it. Raises errors.Unavailable."""

    def lag(self, group: str, topics: Sequence[str]) -> int:
        """How many messages `group` has not acknowledged. Raises errors.Unavailable."""

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        """Drop what every one of `groups` has acknowledged; the number dropped (a backend may drop less, or nothing).
        Raises errors.Unavailable."""

    def ping(self) -> None:
        """Raises errors.Unavailable."""

    def wipe(self) -> None:
        """Lose everything of this namespace, as a server that was emptied: for tests. Raises errors.Invalid without
        a namespace."""

    def close(self) -> None: ...


def max_bytes(topic: str) -> int:
    return MAX_DEAD_LETTER_BYTES if topic.endswith(DLQ_SUFFIX) else MAX_MESSAGE_BYTES


def refuse_oversize(messages: Sequence[Message]) -> None:
    """Raises Oversize for the first message that is larger than its topic carries."""
    for message in messages:
        if len(message.key.encode()) > MAX_KEY_BYTES:
            raise Oversize(f"a key of {len(message.key)} characters for {message.topic}", limit=MAX_KEY_BYTES)
        if len(message.value) > max_bytes(message.topic):
            raise Oversize(
                f"{len(message.value)} bytes for {message.topic} {message.key}",
                limit=max_bytes(message.topic),
            )


def refuse_without(namespace: str) -> None:
    """Raises errors.Invalid when `namespace` is empty: what is wiped then is everybody's."""
    if not namespace:
        raise errors.Invalid("Only a namespace can be wiped.", field="namespace")


def split_place(place: str) -> tuple[int, str]:
    """Partition and position of a record's `place`. Raises errors.Invalid."""
    partition, separator, position = place.partition("@")
    if not separator or not partition.isdecimal():
        raise errors.Invalid(
            f"not a place in a topic: {place!r} (it looks like 3@1795251150015-0)", field="after"
        )
    return int(partition), position
