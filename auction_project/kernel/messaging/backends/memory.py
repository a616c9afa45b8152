"""Broker in memory, for tests: it keeps the promises of a Broker within one process, and its data end with the process.

Ownership moves as soon as a member joins or leaves, so that a test sees OwnershipLost without waiting for a lease.
`evict` does to a member what an expired lease does. `wipe` empties the transport.
"""

import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from auction_project.kernel.messaging import broker


class _Partition(msgspec.Struct):
    """The records of a partition; `first` is the position of the first one that was not trimmed."""

    records: list[broker.Record] = msgspec.field(default_factory=list)
    first: int = 0

    @property
    def end(self) -> int:
        return self.first + len(self.records)

    def from_position(self, position: int) -> list[broker.Record]:
        return self.records[max(0, position - self.first) :]


_TopicPartition = tuple[str, int]


class MemoryBroker:
    """See the module."""

    durable: ClassVar[bool] = False

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._epochs: set[str] = set()
        self._partitions: defaultdict[_TopicPartition, _Partition] = defaultdict(_Partition)
        self._acknowledged: defaultdict[str, dict[_TopicPartition, int]] = defaultdict(dict)
        self._members: defaultdict[str, list[MemoryConsumer]] = defaultdict(list)

    def prepare(self, topics: Sequence[str]) -> None:
        """Nothing to do: the first message makes a partition."""

    def missing(self, topics: Sequence[str]) -> list[str]:
        return []

    def append(self, messages: Sequence[broker.Message], *, source: str | None = None) -> None:
        broker.refuse_oversize(messages)
        with self._changed:
            if source is not None and source not in self._epochs:
                raise broker.EpochMissing(source=source)
            for message in messages:
                number = zlib.crc32(message.key.encode()) % broker.PARTITIONS
                log = self._partitions[message.topic, number]
                log.records.append(
                    broker.Record(message.topic, message.key, message.value, number, str(log.end))
                )
            self._changed.notify_all()

    def begin_epoch(self, source: str) -> None:
        with self._changed:
            self._epochs.add(source)

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> "MemoryConsumer":
        with self._changed:
            joined = MemoryConsumer(self, group, topics, member)
            self._members[group].append(joined)
            return joined

    def read(self, topic: str, *, after: str | None = None) -> Iterator[broker.Record]:
        first_partition, position = (0, "-1") if after is None else broker.split_place(after)
        with self._changed:
            records = [
                record
                for number in range(first_partition, broker.PARTITIONS)
                for record in self._partitions[topic, number].from_position(
                    int(position) + 1 if number == first_partition else 0
                )
            ]
        yield from records

    def lag(self, group: str, topics: Sequence[str]) -> int:
        with self._changed:
            done = self._acknowledged[group]
            return sum(
                log.end - max(log.first, done.get(topic_partition, 0))
                for topic_partition, log in self._partitions.items()
                if topic_partition[0] in topics
            )

    def ends(self, topics: Sequence[str]) -> broker.Places:
        with self._changed:
            return {
                topic_partition: str(log.end - 1)
                for topic_partition, log in self._partitions.items()
                if topic_partition[0] in topics and log.end
            }

    def has_handled(self, group: str, places: broker.Places) -> bool:
        with self._changed:
            done = self._acknowledged[group]
            return all(done.get(place, 0) > int(position) for place, position in places.items())

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        dropped = 0
        with self._changed:
            for topic_partition, log in self._partitions.items():
                if topic_partition[0] == topic and groups:
                    count = max(
                        0,
                        min(self._acknowledged[group].get(topic_partition, 0) for group in groups)
                        - log.first,
                    )
                    del log.records[:count]
                    log.first += count
                    dropped += count
        return dropped

    def ping(self) -> None:
        """Always returns."""

    def close(self) -> None:
        """Nothing to give back."""

    def wipe(self) -> None:
        """Lose all messages, groups and epochs."""
        with self._changed:
            self._epochs.clear()
            self._partitions.clear()
            self._acknowledged.clear()
            for members in self._members.values():
                for member in members:
                    member.forget()

    def evict(self, member: "MemoryConsumer") -> None:
        """Take a member's partitions away, as if its lease had expired; its next poll joins again."""
        with self._changed:
            self._members[member.group].remove(member)
            self._changed.notify_all()


class MemoryConsumer:
    """One member of a group. Shares the broker's lock."""

    def __init__(self, transport: MemoryBroker, group: str, topics: Sequence[str], member: str) -> None:
        self.group = group
        self._transport = transport
        self._topics = topics
        self._member = member
        self._read_to: dict[_TopicPartition, int] = {}
        self._held_until: dict[_TopicPartition, float] = {}

    def poll(self, timeout_seconds: float) -> list[broker.Record]:
        deadline = time.monotonic() + timeout_seconds
        with self._transport._changed:
            if self not in self._transport._members[self.group]:
                self._transport._members[self.group].append(self)
            while not (records := self._ready()):
                now = time.monotonic()
                wake = min([deadline, *(until for until in self._held_until.values() if until > now)])
                if now >= deadline:
                    return []
                self._transport._changed.wait(wake - now)
            return records

    def acknowledge(self, record: broker.Record) -> None:
        topic_partition = (record.topic, record.partition)
        with self._transport._changed:
            if topic_partition not in self._owned() or topic_partition not in self._read_to:
                self._read_to.pop(topic_partition, None)
                raise broker.OwnershipLost(f"{topic_partition} has another owner")
            done = self._transport._acknowledged[self.group]
            done[topic_partition] = max(done.get(topic_partition, 0), int(record.position) + 1)

    def hold(self, record: broker.Record, seconds: float) -> None:
        self._held_until[record.topic, record.partition] = time.monotonic() + seconds

    def close(self) -> None:
        with self._transport._changed:
            if self in self._transport._members[self.group]:
                self._transport._members[self.group].remove(self)
                self._transport._changed.notify_all()

    def forget(self) -> None:
        """Begin again, after a wipe."""
        self._read_to.clear()
        self._held_until.clear()

    def _owned(self) -> list[_TopicPartition]:
        members = self._transport._members[self.group]
        if self not in members:
            return []
        partitions = [
            (topic, number) for topic in sorted(self._topics) for number in range(broker.PARTITIONS)
        ]
        return [
            topic_partition
            for i, topic_partition in enumerate(partitions)
            if i % len(members) == members.index(self)
        ]

    def _ready(self) -> list[broker.Record]:
        """The records that are not acknowledged, of the partitions that are ours and not held."""
        now, records = time.monotonic(), []
        owned = self._owned()
        self._read_to = {
            topic_partition: end for topic_partition, end in self._read_to.items() if topic_partition in owned
        }
        for topic_partition in owned:
            if self._held_until.get(topic_partition, 0.0) <= now:
                log = self._transport._partitions[topic_partition]
                self._read_to[topic_partition] = log.end
                records += log.from_position(
                    self._transport._acknowledged[self.group].get(topic_partition, 0)
                )
        return records
