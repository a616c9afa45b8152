"""The same stream as server-sent events, for clients and networks without WebSockets: GET only, no framework.

`?auctions=ID,ID:SEQ` names the auctions, each with the seq that the client has; who the client is comes from the
Authorization header or `?ticket=`, and without either he may follow auctions only. Each event's data is the very frame
of the WebSocket. Its id is the whole position of the stream, `<cursor>;<seq>,<seq>…` (the user's cursor or `-`, then
the auctions in the order of the address), so that a browser that connects again by itself misses nothing: it sends the
last one as Last-Event-ID. A bare cursor is understood, too, also as `?cursor=`.
"""

import asyncio
from typing import Any
from urllib import parse

import msgspec
import redis

from auction_project import api, errors, logs, tokens
from notifications import background, cursors, frames, hub, requests, sockets

PATH = "/api/v1/stream"
HEARTBEAT_SECONDS = 15.0
RECONNECT_MILLISECONDS = 2000
_MAX_ID_CHARACTERS = 1024
_REFUSAL_HEADERS = {
    401: [(b"www-authenticate", b"Bearer")],
    405: [(b"allow", b"GET")],
    503: [(b"retry-after", b"1")],
}

log = logs.get(__name__)


class MethodNotAllowed(errors.Invalid):
    """A stream is read with GET."""

    http_status = 405


class AuctionsInvalid(errors.Invalid):
    """Auctions are a list of ids with commas, each with ":<seq>" if you have it up to there."""


class TooManyAuctions(errors.Invalid):
    """One stream follows a limited number of auctions."""


class PositionInvalid(errors.Invalid):
    """The position is none that this stream gave."""


class Position(msgspec.Struct):
    """Where a stream stands: the user's cursor, and per auction the last seq that was sent or that the client has."""

    cursor: str
    seqs: dict[str, int | None]

    def follow(self, frame: frames.Frame) -> None:
        if frame.cursor:
            self.cursor = frame.cursor
        elif frame.seq and frame.scope in self.seqs:
            self.seqs[frame.scope] = frame.seq

    def id_line(self) -> bytes:
        seqs = ",".join("" if seq is None else str(seq) for seq in self.seqs.values())
        return f"id: {self.cursor or '-'};{seqs}\n".encode()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """One stream, until either side ends it."""
    push = hub.current()  # a process that stops may have let go of it before this stream ends
    try:
        position = _position(scope)
        socket = await _connect(scope, push)
    except errors.DomainError as error:
        await _refuse(send, error)
        return
    try:
        if socket.user_id is not None:
            push.resume(socket, cursors.parse(position.cursor) if position.cursor else None)
        for auction_id, seq in position.seqs.items():
            push.watch(socket, auction_id, seq)
        await _until_either(_gone(receive), _stream(socket, position, send))
    finally:
        push.disconnect(socket)


def _position(scope: Any) -> Position:
    """Where the client wants to go on. Raises errors.Invalid."""
    if scope["method"] != "GET":
        raise MethodNotAllowed
    query = parse.parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    position = Position("", _auctions(query.get("auctions", [""])[0]))
    sent = _header(scope, b"last-event-id") or query.get("cursor", [""])[0]
    if not sent:
        return position
    cursor, _, seqs = sent[:_MAX_ID_CHARACTERS].partition(";")
    if cursor not in ("", "-"):
        position.cursor = str(cursors.parse(cursor, field="Last-Event-ID"))
    if seqs:
        _continue(position, seqs.split(","))
    return position


def _continue(position: Position, seqs: list[str]) -> None:
    if len(seqs) != len(position.seqs) or not all(
        seq == "" or (seq.isdecimal() and len(seq) < 13) for seq in seqs
    ):
        raise PositionInvalid(field="Last-Event-ID")
    for auction_id, seq in zip(position.seqs, seqs, strict=True):
        if seq:
            position.seqs[auction_id] = int(seq)


def _auctions(text: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for part in filter(None, text.split(",")):
        auction_id, _, seq = part.partition(":")
        if not requests.is_auction_id(auction_id) or not (seq == "" or (seq.isdecimal() and len(seq) < 13)):
            raise AuctionsInvalid(field="auctions")
        found[auction_id] = int(seq) if seq else None
    if len(found) > hub.MAX_WATCHED:
        raise TooManyAuctions(field="auctions", limit=hub.MAX_WATCHED)
    return found


async def _connect(scope: Any, push: hub.Hub) -> sockets.Socket:
    """Raises tokens.InvalidToken, errors.Unauthenticated, errors.Unavailable."""
    query = parse.parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    header = _header(scope, b"authorization")
    try:
        user_id = None
        if header:
            user_id = tokens.from_header(header).sub
        elif "ticket" in query:
            user_id = await push.redeem(query["ticket"][0])
            if user_id is None:
                raise errors.Unauthenticated("The ticket is used up or too old. Ask for another.")
        return push.connect(user_id=user_id, transport="sse")
    except (redis.RedisError, hub.TooManySockets) as error:
        log.warning("stream_refused", error=repr(error))
        raise errors.Unavailable from error


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(socket: sockets.Socket, position: Position, send: Any) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _chunk(send, f"retry: {RECONNECT_MILLISECONDS}\n".encode() + frames.READY.sse)
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                entry = await socket.next()
        except TimeoutError:
            await _chunk(send, b": here\n\n")
            continue
        if entry is None:
            break
        for frame in entry:
            position.follow(frame)
            await _chunk(send, position.id_line() + frame.sse)
        socket.sent(entry)
    await send({"type": "http.response.body", "body": b""})


async def _chunk(send: Any, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_either(first: Any, second: Any) -> None:
    """Until one of them has ended; then the other is cancelled."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await background.cancel(*tasks)


async def _refuse(send: Any, error: errors.DomainError) -> None:
    status, problem = api.problem(error)
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", api.CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *_REFUSAL_HEADERS.get(status, ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Any, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
