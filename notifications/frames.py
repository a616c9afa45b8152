"""What goes to a client: one JSON text per message, encoded once however many sockets it is for.

Knows the wire format and nothing of sockets. `seq` is 0 for a frame that has no place in a sequence; `scope` is the
auction whose sequence it belongs to, or empty for the user's own feed.
"""

from typing import Any

import msgspec

from auction_project.contracts import events
from notifications import cursors, models, wording

_encode = msgspec.json.Encoder().encode
_NOT_DATA = frozenset({"auction_id", "seq"})


class Frame:
    """One message: `message` is what ASGI sends to a WebSocket, `sse` the data lines of a server-sent event."""

    __slots__ = ("_sse", "cursor", "message", "scope", "seq")

    def __init__(self, text: str, *, seq: int = 0, scope: str = "", cursor: str = "") -> None:
        self.message = {"type": "websocket.send", "text": text}
        self.seq = seq
        self.scope = scope
        self.cursor = cursor
        self._sse: bytes | None = None

    @property
    def text(self) -> str:
        return self.message["text"]

    @property
    def sse(self) -> bytes:
        if self._sse is None:
            self._sse = b"data: " + self.text.encode() + b"\n\n"
        return self._sse


def _frame(body: dict[str, Any], **place: Any) -> Frame:
    return Frame(_encode(body).decode(), **place)


# --- a user's feed -----------------------------------------------------------------------------------------------


def item(notification: models.Notification, epoch: str) -> dict[str, Any]:
    """A notification in public form, as REST and the streams show it."""
    figures = wording.public(notification.data)
    kind = models.Kind(notification.kind)
    return {
        "cursor": str(cursors.Cursor(epoch, notification.seq)),
        "kind": kind.lower(),
        "text": wording.headline(kind, figures),
        "data": figures,
        "at": notification.at,
        "withdrawn": notification.withdrawn_at is not None,
    }


def notification(row: models.Notification, epoch: str) -> Frame:
    body = item(row, epoch)
    return _frame({"type": "notification", **body}, seq=row.seq, cursor=body["cursor"])


def resumed(cursor: cursors.Cursor) -> Frame:
    """Everything up to `cursor` was sent; what follows comes as it happens."""
    return _frame({"type": "resumed", "cursor": str(cursor)}, cursor=str(cursor))


def feed_lost(cursor: cursors.Cursor) -> Frame:
    """The client's cursor leads nowhere: load the list by REST. What is newer than `cursor` will be sent."""
    return _frame(
        {"type": "snapshot_required", "scope": "notifications", "auction_id": None, "cursor": str(cursor)},
        cursor=str(cursor),
    )


# --- an auction's public feed ------------------------------------------------------------------------------------


def auction_text(record: events.LogRecord) -> str:
    """The JSON text of one record of the public log."""
    figures = {name: value for name, value in msgspec.to_builtins(record).items() if name not in _NOT_DATA}
    body = {
        "type": "auction",
        "auction_id": record.auction_id,
        "seq": record.seq,
        "event": type(record).__name__,
        "data": wording.public(figures),
    }
    return _encode(body).decode()


def auction(auction_id: str, seq: int, text: str) -> Frame:
    return Frame(text, seq=seq, scope=auction_id)


def watching(auction_id: str, seq: int) -> Frame:
    """Everything up to `seq` was sent or is known to the client; what follows comes as it happens."""
    return _frame({"type": "watching", "auction_id": auction_id, "seq": seq}, scope=auction_id)


def auction_lost(auction_id: str, seq: int | None) -> Frame:
    """Frames are missing: load the auction by REST, at `seq` or later. What is newer than `seq` will be sent."""
    return _frame(
        {"type": "snapshot_required", "scope": "auction", "auction_id": auction_id, "seq": seq},
        scope=auction_id,
    )


# --- the connection ----------------------------------------------------------------------------------------------

READY = _frame({"type": "ready"})
PONG = _frame({"type": "pong"})


def error(code: str, detail: str, **figures: Any) -> Frame:
    """A message of the client was not understood, or goes beyond a bound. Nothing changed."""
    return _frame({"type": "error", "code": code, "detail": detail} | figures)
