"""The AsyncAPI 3 document of the streams, made from the frames and messages themselves: it cannot say anything else than
they do. `manage.py asyncapi` writes it; the copy in `docs/` is kept current by a test.
"""

import inspect
from typing import Any

import msgspec

from auction_project.kernel.contracts import events
from notifications import frames, handlers, kinds, wording
from notifications.push import admission, requests, sockets, sse, tickets, watched_auctions, websocket

VERSION = "1.0.0"
_SCHEMAS = "#/components/schemas/"
_DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "In units of `currency`."}
_ABOUT = f"""
One stream carries the public feeds of up to {watched_auctions.MAX_WATCHED} auctions and, signed in, the user's own
notifications. A WebSocket also says when the figures of the owner's desk change, to pages that may show them. `POST /api/v1/notifications/ticket` gives a ticket for `?ticket=`: it lives {tickets.TICKET_SECONDS} s and
opens one stream. A stream ends with the session and the account that opened it.

Nothing is left out silently: each feed is a sequence without gaps, and where frames are missing a `snapshot_required` says
so. Reconnect and give the last `seq` of each auction (`watch`) and the last `cursor` (`resume`). The server accepts a stream
before it refuses it, because a browser sees nothing else. Only a flood gets an HTTP answer instead: 429 when one address opens
streams too fast, 503 when the server opens as many at once as it can, both with Retry-After.

Bounds: {websocket.MAX_MESSAGES} messages in {websocket.WINDOW_SECONDS:g} s, {requests.MAX_MESSAGE_CHARACTERS} characters a
message, {sockets.QUEUE_FRAMES} waiting frames, {watched_auctions.MAX_UNKNOWN} auctions that do not exist,
{admission.MAX_STREAMS_PER_USER} streams a user; the site sets how many an address may have,
and how many it may open in a second.
""".strip()
_ABOUT_EVENTS = f"""
The same frames but `desk` as server-sent events, one per event. The id of an event is the position of the whole stream; a browser that
reconnects sends the last one as `Last-Event-ID`, and may go on with its ticket for {tickets.RESUME_SECONDS // 60} minutes.
A comment comes every {sse.HEARTBEAT_SECONDS:g} s of silence. A stream that cannot begin is refused with a problem: 400, 401,
429 or 503. A browser's `EventSource` then closes for good: open another after a pause that grows each time. The last event of
a stream that the server ends is `closing`.
""".strip()


def document() -> dict[str, Any]:
    """The whole document, as JSON values in a stable order."""
    said = (requests.Resume, requests.Watch, requests.Unwatch, requests.WatchDesk, requests.Ping)
    records = sorted(handlers.AUCTION_FRAMES.handlers, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components([*frames.TYPES, *said], ref_template=_SCHEMAS + "{name}")
    for schema in schemas.values():
        if "description" in schema:  # Python 3.13 cleans docstrings, older ones do not
            schema["description"] = inspect.cleandoc(schema["description"])
    schemas["Notification"]["properties"]["kind"]["enum"] = [kind.wire_name for kind in kinds.TABLE.values()]
    schemas["Closing"]["properties"]["code"]["enum"] = list(sockets.REASONS)
    schemas |= {f"{record.__name__}Data": _data(record) for record in records}
    sent = [kind.__name__ for kind in frames.TYPES if kind is not frames.Auction]
    sent += [f"Auction.{record.__name__}" for record in records]
    received = [kind.__name__ for kind in said]
    on_websocket = [name for name in sent if name != frames.Closing.__name__]
    sent.remove(frames.Desk.__name__)  # nothing on a stream of server-sent events asks for it
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Gavel streams", "version": VERSION, "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "websocket": {"host": "localhost:8000", "protocol": "ws"},
            "events": {"host": "localhost:8000", "protocol": "http"},
        },
        "channels": {
            "websocket": _channel(
                "websocket",
                "/ws/v1/stream",
                [*on_websocket, *received],
                f"Each message is one JSON text.\n\n{_closings()}",
                {"ws": {"method": "GET", "query": _query("ticket")}},
            ),
            "events": _channel("events", "/api/v1/stream", sent, _ABOUT_EVENTS, {}),
        },
        "operations": {
            "sendFrames": _operation("send", "websocket", on_websocket),
            "receiveMessages": _operation("receive", "websocket", received),
            "sendEvents": _operation("send", "events", sent)
            | {"bindings": {"http": {"method": "GET", "query": _query("auctions", "ticket", "cursor")}}},
        },
        "components": {
            "schemas": schemas,
            "messages": {kind.__name__: _message(kind) for kind in (*frames.TYPES, *said)}
            | {f"Auction.{record.__name__}": _record_message(record) for record in records},
        },
    }


def _data(record: type[events.LogRecord]) -> dict[str, Any]:
    """The schema of `data` in the frame of a record: its figures, amounts as decimal strings."""
    _, components = msgspec.json.schema_components([record], ref_template=_SCHEMAS + "{name}")
    schema: dict[str, Any] = components[record.__name__]
    figures = {name: about for name, about in schema["properties"].items() if name not in frames.NOT_DATA}
    return {
        "type": "object",
        "properties": {name: _DECIMAL if _is_money(name) else about for name, about in figures.items()},
        "required": [name for name in schema["required"] if name in figures],
    }


def _is_money(name: str) -> bool:
    """Whether the public form of the figure is a decimal string."""
    return isinstance(wording.public({"currency": "EUR", name: 1})[name], str) and name != "currency"


def _channel(
    server: str, address: str, messages: list[str], description: str, bindings: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "address": address,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    return operation | ({"bindings": bindings} if bindings else {})


def _operation(action: str, channel: str, messages: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _closings() -> str:
    rows = "\n".join(f"| {code} | {reason} |" for code, reason in sorted(sockets.REASONS.items()))
    return f"Close codes, each with its reason:\n\n| code | reason |\n|---|---|\n{rows}"


def _query(*names: str) -> dict[str, Any]:
    about = {
        "auctions": "`ID,ID:SEQ`: which auctions to follow, and up to where you have each.",
        "ticket": "Who you are; without it the stream carries public feeds only.",
        "cursor": "Resume after it; `Last-Event-ID` takes precedence.",
    }
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": about[name]} for name in names},
    }


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    summary = (inspect.getdoc(kind) or kind.__name__).replace("\n", " ")
    return {"name": kind.__name__, "summary": summary, "payload": {"$ref": _SCHEMAS + kind.__name__}}


def _record_message(record: type[events.LogRecord]) -> dict[str, Any]:
    name = record.__name__
    narrowed = {
        "type": "object",
        "properties": {"event": {"const": name}, "data": {"$ref": f"{_SCHEMAS}{name}Data"}},
    }
    return {
        "name": f"Auction.{name}",
        "summary": (inspect.getdoc(record) or name).splitlines()[0],
        "payload": {"allOf": [{"$ref": _SCHEMAS + frames.Auction.__name__}, narrowed]},
    }
