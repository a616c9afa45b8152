"""Dead letters: the messages of `<topic>.dlq`. Each holds a message that a group gave up on, the error and the origin.

Of a message that is larger than its dead-letter topic carries, it holds the beginning. Such a message did not come
through `Broker.append`.
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
FIRST_YEAR, LAST_YEAR = 1970, 9998  # outside of them a time zone may move a time out of the calendar

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]  # fits a column of the list


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`group` gave up on the message at `partition` and `position` of `topic` after `attempts`.

    `value` is the message. Where it holds only the beginning, `whole_bytes` is the length of the message and
    `whole_digest` its digest; else they are 0 and empty.
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
        """Identifies the message and the group: SHA-256 in hex, the same each time that the group gives up on it."""
        if self.whole_digest:
            return self.whole_digest
        parts = (self.topic.encode(), self.group.encode(), self.key.encode(), self.value)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def dead_letter(
    record: broker.Record, *, group: str, error: BaseException, attempts: int, at: datetime
) -> DeadLetter:
    """The dead letter of `record`. Its error has no NUL, because PostgreSQL refuses one in a text."""
    return DeadLetter(
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
    """The dead-letter topic of `topic`."""
    return topic + broker.DLQ_SUFFIX


def topics_of(topics: Iterable[str]) -> tuple[str, ...]:
    """The dead-letter topics of `topics`."""
    return tuple(topic_of(topic) for topic in topics)


def encode(letter: DeadLetter) -> bytes:
    """The JSON document in the topic."""
    return msgspec.json.encode(letter)


def message(letter: DeadLetter) -> broker.Message:
    """The message to append for `letter`. If it is too large for its topic, its key and value are cut to their
    beginnings."""
    whole = broker.Message(topic_of(letter.topic), letter.key, encode(letter))
    try:
        broker.refuse_oversize([whole])
    except broker.Oversize:
        cut = _beginning(letter)
        return broker.Message(whole.topic, cut.key, encode(cut))
    return whole


def decode(record: broker.Record) -> tuple[contracts.Envelope, Any]:
    """Envelope and dead letter in `record`, for a Subscription. A record that is no dead letter becomes one.

    No record of a dead-letter topic is ever given up on, so each must fit the list.
    """
    try:
        letter = msgspec.json.decode(record.value, type=DeadLetter)
        if topic_of(letter.topic) != record.topic:
            raise ValueError(f"it is in {record.topic} and names {letter.topic}")
        if not FIRST_YEAR <= letter.at.year <= LAST_YEAR:
            raise ValueError(f"it was written in the year {letter.at.year}")
    except Exception as error:
        letter = dead_letter(record, group="", error=error, attempts=1, at=datetime.fromtimestamp(0, tz=UTC))
    envelope = contracts.Envelope(
        id=f"{letter.digest}:{letter.at.timestamp()}",
        type=DeadLetter.__name__,
        source=letter.group,
        time=letter.at,
        subject=letter.key,
        version=0,
        correlationid=letter.digest[:32],
    )
    return envelope, letter


def _beginning(letter: DeadLetter) -> DeadLetter:
    return msgspec.structs.replace(
        letter,
        key=letter.key.encode()[: broker.MAX_KEY_BYTES].decode(errors="ignore"),
        value=letter.value[:BEGINNING_BYTES],
        whole_bytes=len(letter.value),
        whole_digest=letter.digest,
    )
