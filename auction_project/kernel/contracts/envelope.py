"""The CloudEvents envelope of every event: envelope and event are one JSON document, the value of a message.

Promises: `decode(encode(...))` is the identity. An unknown event type, a missing attribute or a wrong type raises
`Undecodable` with the reason. Unknown *fields* are ignored, because a newer producer may add some.
Source: CloudEvents 1.0.2 (attributes), RFC 3339 (time).
"""

from datetime import datetime
from typing import Annotated

import msgspec

from auction_project.kernel.contracts import events


class Undecodable(ValueError):
    """The message is no event of this contract."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of one message.

    `id` is the same in every repetition of the message. `type` is the name of the event, `source` the app that published
    it, `time` (with a time zone) when it happened there. `subject` is the event's key. `version` orders the events of one
    subject: a consumer of state keeps the highest (0: the event is no state). `correlationid` is the id of the request
    that caused the event, and goes with all that follows from it. `traceparent` (W3C Trace Context) names the span of the event
    if its trace is kept.
    """

    id: str
    type: str
    source: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    subject: str
    version: int
    correlationid: str
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    traceparent: str | None = None


class _Wire(Envelope, frozen=True, kw_only=True):
    data: msgspec.Raw


_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_encoder = msgspec.json.Encoder()
_wire_decoder = msgspec.json.Decoder(_Wire)
_data_decoders: dict[str, msgspec.json.Decoder[events.Event]] = {
    name: msgspec.json.Decoder(event_type) for name, event_type in events.BY_NAME.items()
}


def encode(
    event: events.Event,
    *,
    event_id: str,
    source: str,
    time: datetime,
    version: int,
    correlation_id: str,
    traceparent: str | None = None,
) -> bytes:
    """The message of `event`, as UTF-8 JSON. Its subject is the event's key; `time` must have a time zone."""
    return _encoder.encode(
        _Wire(
            id=event_id,
            type=type(event).__name__,
            source=source,
            time=time,
            subject=event.key(),
            version=version,
            correlationid=correlation_id,
            traceparent=traceparent,
            data=msgspec.Raw(_encoder.encode(event)),
        )
    )


def decode_envelope(message: bytes) -> Envelope:
    """The attributes of `message`, of any event type. Raises Undecodable."""
    return _attributes(_decode_wire(message))


def decode(message: bytes) -> tuple[Envelope, events.Event]:
    """Envelope and event of `message`. Raises Undecodable, also for an event type that this release does not know."""
    wire = _decode_wire(message)
    decoder = _data_decoders.get(wire.type)
    if decoder is None:
        raise Undecodable(f"unknown event type {wire.type!r}")
    try:
        return _attributes(wire), decoder.decode(wire.data)
    except _MALFORMED as error:
        raise Undecodable(f"{wire.type}: {error}") from error


def _attributes(wire: _Wire) -> Envelope:
    return Envelope(**{name: getattr(wire, name) for name in Envelope.__struct_fields__})


def _decode_wire(message: bytes) -> _Wire:
    try:
        return _wire_decoder.decode(message)
    except _MALFORMED as error:
        raise Undecodable(f"envelope: {error}") from error
