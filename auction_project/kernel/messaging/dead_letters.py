"""The message about a message: what stands in `<topic>.dlq`. The poison message as it came, the error, the origin.

Of a message that is larger than its dead-letter topic carries (it never came through `Broker.append`), the beginning.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker

MAX_ERROR_CHARACTERS = 2000
BEGINNING_BYTES = 64 * 1024
FIRST_YEAR, LAST_YEAR = 1970, 9998  # beyond them a time zone may take a time out of the calendar

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]  # what the list can keep


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """`group` gave up on the message at `partition` and `position` of `topic` after `attempts`.

    `whole_bytes` is 0, or the length of the message of which only the beginning is here; `whole_digest` then names it.
    """

    topic: str
    key: str
    group: str
    partition: _Count
    position: str
    error: str
    attempts: _Count
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    value: bytes
    whole_bytes: _Count = 0
    whole_digest: Annotated[str, msgspec.Meta(max_length=64)] = ""

    @property
    def digest(self) -> str:
        """The same for every time that this group gives up on this very message."""
        if self.whole_digest:
            return self.whole_digest
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


def message(found: Letter) -> broker.Message:
    """What to append about `found`. Where no topic takes that, its key and value are cut to their beginnings."""
    whole = broker.Message(topic_of(found.topic), found.key, encode(found))
    try:
        broker.refuse_oversize([whole])
    except broker.Oversize:
        cut = _beginning(found)
        return broker.Message(whole.topic, cut.key, encode(cut))
    return whole


def decode(record: broker.Record) -> tuple[contracts.Envelope, Any]:
    """The letter in `record`, for a Subscription. What somebody else wrote there is a dead letter of its own.

    Nothing here is ever given up on, so whatever comes is made fit for the list.
    """
    try:
        found = msgspec.json.decode(record.value, type=Letter)
        if topic_of(found.topic) != record.topic:
            raise ValueError(f"it stands in {record.topic} and speaks of {found.topic}")
        if not FIRST_YEAR <= found.at.year <= LAST_YEAR:
            raise ValueError(f"it was written in the year {found.at.year}")
    except Exception as error:
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


def _beginning(found: Letter) -> Letter:
    return msgspec.structs.replace(
        found,
        key=found.key.encode()[: broker.MAX_KEY_BYTES].decode(errors="ignore"),
        value=found.value[:BEGINNING_BYTES],
        whole_bytes=len(found.value),
        whole_digest=found.digest,
    )
