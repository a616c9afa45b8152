"""The Broker protocol: what every transport promises, and nothing that only one of them can do.

Promises: `append` returns when the messages are durable. Messages of one key stay in order. A group's partition has one
owner at a time; a record that its owner did not acknowledge comes again, in order, to the next owner. Each group gets
every message. Delivery is at least once, so a consumer must be idempotent (`once`).

A `namespace` keeps two installations apart that share one server: neither sees anything of the other.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    """The transport has lost its data. All messages of this source must be published again."""


class OwnershipLost(errors.DomainError):
    """Another member owns the partition now."""


class Message(msgspec.Struct, frozen=True):
    """A message to send. Messages of one `key` within a `topic` keep their order."""

    topic: str
    key: str
    value: bytes


class Record(msgspec.Struct, frozen=True):
    """A message that was received, with its partition and position. Only the backend that gave a `position` can compare
    it."""

    topic: str
    key: str
    value: bytes
    partition: int
    position: str

    @property
    def place(self) -> str:
        """Partition and position in one text: the `after` of `Broker.read`, to go on behind this record."""
        return f"{self.partition}@{self.position}"


Places = Mapping[tuple[str, int], str]  # (topic, partition) -> the `position` of a record


class Consumer(Protocol):
    """One member of a group. Not thread-safe."""

    def poll(self, timeout_seconds: float) -> list[Record]:
        """The next records of the partitions that this member owns and does not hold, in order per partition. A record
        comes with each poll until it is acknowledged. Raises errors.Unavailable."""

    def acknowledge(self, record: Record) -> None:
        """Note that `record` and all before it in its partition are handled. Raises OwnershipLost, errors.Unavailable."""

    def hold(self, record: Record, seconds: float) -> None:
        """Deliver `record` and those after it in its partition again, `seconds` from now at the earliest."""

    def close(self) -> None:
        """Give the partitions back."""


class Broker(Protocol):
    """A transport. Thread-safe."""

    durable: ClassVar[bool]

    def prepare(self, topics: Sequence[str]) -> None:
        """Create the topics that do not exist yet, if the transport needs that. Raises errors.Unavailable."""

    def missing(self, topics: Sequence[str]) -> list[str]:
        """Those of the topics that `prepare` would create. Raises errors.Unavailable."""

    def append(self, messages: Sequence[Message], *, source: str | None = None) -> None:
        """Store the messages, in order. With `source`, raise EpochMissing when the transport does not hold that source's
        epoch, even when there is nothing to store. Raises Oversize (nothing is stored), errors.Unavailable (any prefix
        may be stored)."""

    def begin_epoch(self, source: str) -> None:
        """Note that `source` has published all that it keeps to this transport."""

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> Consumer:
        """A new member of `group`. `member` is unique in the group."""

    def read(self, topic: str, *, after: str | None = None) -> Iterator[Record]:
        """Every record that is in `topic` now, in order per partition, for replays. `after`, a record's `place`, skips all
        partitions before its own, and its own up to and with that record. Raises errors.Unavailable."""

    def lag(self, group: str, topics: Sequence[str]) -> int:
        """How many messages `group` has not acknowledged. Raises errors.Unavailable."""

    def ends(self, topics: Sequence[str]) -> Places:
        """The last message of each partition that has one. Raises errors.Unavailable."""

    def has_handled(self, group: str, places: Places) -> bool:
        """Whether `group` has acknowledged these messages and all before them; False if the transport was emptied. Raises
        errors.Unavailable."""

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        """Drop messages that every one of `groups` has acknowledged; the number dropped (a backend may drop fewer, or
        none). Raises errors.Unavailable."""

    def ping(self) -> None:
        """Return if the transport answers. Raises errors.Unavailable."""

    def wipe(self) -> None:
        """Lose all data of this namespace, as an emptied server does: for tests. Raises errors.Invalid without a
        namespace."""

    def close(self) -> None:
        """Give connections and threads back."""


def max_bytes(topic: str) -> int:
    """How many bytes a message of `topic` may have."""
    return MAX_DEAD_LETTER_BYTES if topic.endswith(DLQ_SUFFIX) else MAX_MESSAGE_BYTES


def refuse_oversize(messages: Sequence[Message]) -> None:
    """Raise Oversize for the first message that is larger than its topic carries."""
    for message in messages:
        if len(message.key.encode()) > MAX_KEY_BYTES:
            raise Oversize(f"a key of {len(message.key)} characters for {message.topic}", limit=MAX_KEY_BYTES)
        if len(message.value) > max_bytes(message.topic):
            raise Oversize(
                f"{len(message.value)} bytes for {message.topic} {message.key}",
                limit=max_bytes(message.topic),
            )


def refuse_without(namespace: str) -> None:
    """Raise errors.Invalid when `namespace` is empty, because a wipe would then hit other installations."""
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
