"""The message about a message: what stands in `<topic>.dlq`. The poison message as it came, the error, the origin."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from auction_project import contracts
from auction_project.messaging import broker

MAX_ERROR_CHARACTERS = 2000


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """`group` gave up on the message at `partition` and `position` of `topic` after `attempts`."""

    topic: str
    key: str
    group: str
    partition: int
    position: str
    error: str
    attempts: int
    at: datetime
    value: bytes

    @property
    def digest(self) -> str:
        """The same for every time that this group gives up on this very message."""
        parts = (self.topic.encode(), self.group.encode(), self.key.encode(), self.value)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def letter(record: broker.Record, *, group: str, error: BaseException, attempts: int, at: datetime) -> Letter:
    """What to write about `record`. PostgreSQL keeps no NUL in a text, so none stands in it."""
    return Letter(
        topic=record.topic,
        key=record.key,
        group=group,
        partition=record.partition,
        position=record.position,
        error=repr(error).replace("\0", "\\0")[:MAX_ERROR_CHARACTERS],
        attempts=attempts,
        at=at,
        value=record.value,
    )


def topic_of(topic: str) -> str:
    """Where the dead letters of `topic` go."""
    return topic + broker.DLQ_SUFFIX


def topics_of(topics: Iterable[str]) -> tuple[str, ...]:
    return tuple(topic_of(topic) for topic in topics)


def encode(found: Letter) -> bytes:
    return msgspec.json.encode(found)


def decode(record: broker.Record) -> tuple[contracts.Envelope, Any]:
    """The letter in `record`, for a Subscription. What somebody else wrote there is a dead letter of its own."""
    try:
        found = msgspec.json.decode(record.value, type=Letter)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        found = letter(record, group="", error=error, attempts=1, at=datetime.fromtimestamp(0, tz=UTC))
    envelope = contracts.Envelope(
        id=f"{found.digest}:{found.at.timestamp()}",
        type=Letter.__name__,
        source=found.group,
        time=found.at,
        subject=found.key,
        version=0,
        correlationid=found.digest[:32],
    )
    return envelope, found
