"""What goes to a client: one JSON text per message, encoded once however many sockets it is for.

Knows the wire format and nothing of sockets. The structs are the format: the AsyncAPI document of the streams is made
from them.
"""

from typing import Any, Literal

import msgspec
from websockets import frames as websocket_frames

from auction_project.kernel.contracts import events
from notifications import cursors, kinds, models, wording

_encode = msgspec.json.Encoder().encode
NOT_DATA = frozenset({"auction_id", "seq"})


class Frame:
    """One message: `message` is what ASGI sends to a WebSocket, `wire` the WebSocket frame of the same, `sse` the data lines of
    a server-sent event.

    `seq` is 0 for a frame that has no place in a sequence; `scope` is the auction whose sequence it belongs to, or empty for
    the user's own feed. `traceparent` names the span that it is about, if its trace is kept; no client gets it.
    """

    __slots__ = ("_sse", "_wire", "cursor", "message", "scope", "seq", "traceparent")

    def __init__(
        self, text: str, *, seq: int = 0, scope: str = "", cursor: str = "", traceparent: str = ""
    ) -> None:
        self.message = {"type": "websocket.send", "text": text}
        self.seq = seq
        self.scope = scope
        self.cursor = cursor
        self.traceparent = traceparent
        self._sse: bytes | None = None
        self._wire: bytes | None = None

    @property
    def text(self) -> str:
        return self.message["text"]

    @property
    def sse(self) -> bytes:
        if self._sse is None:
            self._sse = b"data: " + self.text.encode() + b"\n\n"
        return self._sse

    @property
    def wire(self) -> bytes:
        if self._wire is None:
            frame = websocket_frames.Frame(websocket_frames.Opcode.TEXT, self.text.encode())
            self._wire = frame.serialize(mask=False)
        return self._wire


def _frame(body: msgspec.Struct, **place: Any) -> Frame:
    return Frame(_encode(body).decode(), **place)


# --- a user's feed -----------------------------------------------------------------------------------------------


class Notification(msgspec.Struct, tag="notification", kw_only=True):
    """One of the user's notifications, as the REST list shows it. `badge` is one or two words for the kind, `mood` how good
    the news is, `link` the path of the page that it is about. `at` is in milliseconds since the epoch."""

    cursor: str
    kind: str
    text: str
    badge: str
    mood: kinds.Mood
    link: str | None
    data: dict[str, Any]
    at: int
    withdrawn: bool


class Resumed(msgspec.Struct, tag="resumed", kw_only=True):
    """Everything up to `cursor` was sent. What follows comes as it happens."""

    cursor: str


class FeedLost(msgspec.Struct, tag="snapshot_required", kw_only=True):
    """The client's cursor is unknown: load the notifications by REST. What is newer than `cursor` follows."""

    scope: Literal["notifications"] = "notifications"
    auction_id: None = None
    cursor: str


def item(notification: models.Notification, epoch: str) -> dict[str, Any]:
    """A notification in public form, as REST and the streams show it."""
    figures = wording.public(notification.data)
    kind = kinds.of(notification.kind)
    return {
        "cursor": str(cursors.Cursor(epoch, notification.seq)),
        "kind": kind.wire_name,
        "text": kind.text_of(figures),
        "badge": kind.badge,
        "mood": kind.mood,
        "link": kind.link_of(figures),
        "data": figures,
        "at": notification.at,
        "withdrawn": notification.withdrawn_at is not None,
    }


def notification(row: models.Notification, epoch: str) -> Frame:
    body = Notification(**item(row, epoch))
    return _frame(body, seq=row.seq, cursor=body.cursor)


def resumed(cursor: cursors.Cursor) -> Frame:
    return _frame(Resumed(cursor=str(cursor)), cursor=str(cursor))


def feed_lost(cursor: cursors.Cursor) -> Frame:
    return _frame(FeedLost(cursor=str(cursor)), cursor=str(cursor))


# --- an auction's public feed ------------------------------------------------------------------------------------


class Auction(msgspec.Struct, tag="auction", kw_only=True):
    """One record of an auction's public log. `event` names its type, `data` holds its figures; amounts are decimal
    strings."""

    auction_id: str
    seq: int
    event: str
    data: dict[str, Any]


class Watching(msgspec.Struct, tag="watching", kw_only=True):
    """Everything up to `seq` was sent, or the client has it. What follows comes as it happens."""

    auction_id: str
    seq: int


class AuctionLost(msgspec.Struct, tag="snapshot_required", kw_only=True):
    """Frames are missing: load the auction by REST, at `seq` or later (null: unknown). What is newer follows."""

    scope: Literal["auction"] = "auction"
    auction_id: str
    seq: int | None


def auction_text(record: events.LogRecord) -> str:
    """The JSON text of one record of the public log."""
    figures = {name: value for name, value in msgspec.to_builtins(record).items() if name not in NOT_DATA}
    body = Auction(
        auction_id=record.auction_id,
        seq=record.seq,
        event=type(record).__name__,
        data=wording.public(figures),
    )
    return _encode(body).decode()


def auction(auction_id: str, seq: int, text: str, *, traceparent: str = "") -> Frame:
    return Frame(text, seq=seq, scope=auction_id, traceparent=traceparent)


def watching(auction_id: str, seq: int) -> Frame:
    return _frame(Watching(auction_id=auction_id, seq=seq), scope=auction_id)


def auction_lost(auction_id: str, seq: int | None) -> Frame:
    return _frame(AuctionLost(auction_id=auction_id, seq=seq), scope=auction_id)


# --- the owner's desk --------------------------------------------------------------------------------------------


class Desk(msgspec.Struct, tag="desk", kw_only=True):
    """The figures of the owner's desk may have changed: fetch them. `live`: whether further changes are announced; if not, fetch
    them now and then until a frame says so again."""

    live: bool


# --- the connection ----------------------------------------------------------------------------------------------


class Ready(msgspec.Struct, tag="ready"):
    """The stream is open. Send what you want to follow."""


class Pong(msgspec.Struct, tag="pong"):
    """The answer to a ping."""


class Error(msgspec.Struct, tag="error", kw_only=True, omit_defaults=True):
    """A message was not understood, or goes beyond a bound. Nothing changed, and the stream goes on."""

    code: str
    detail: str
    field: str | None = None
    auction_id: str | None = None
    limit: int | None = None


class Closing(msgspec.Struct, tag="closing", kw_only=True):
    """Server-sent events only: the server ends this stream. A WebSocket closes with the same code and reason."""

    code: int
    reason: str


READY = _frame(Ready())
PONG = _frame(Pong())
DESK_WATCHED = _frame(Desk(live=True))
DESK_UNWATCHED = _frame(Desk(live=False))


def error(
    code: str,
    detail: str,
    *,
    field: str | None = None,
    auction_id: str | None = None,
    limit: int | None = None,
) -> Frame:
    return _frame(Error(code=code, detail=detail, field=field, auction_id=auction_id, limit=limit))


def closing(code: int, reason: str) -> Frame:
    return _frame(Closing(code=code, reason=reason))


TYPES: tuple[type[msgspec.Struct], ...] = (
    Ready,
    Notification,
    Resumed,
    FeedLost,
    Auction,
    Watching,
    AuctionLost,
    Desk,
    Pong,
    Error,
    Closing,
)
