"""The same stream as server-sent events, for clients and networks without WebSockets: GET only, no framework.

`?auctions=ID,ID:SEQ` names the auctions, each with the seq that the client has. The
Authorization header or `?ticket=` signs the client in; without either it may follow auctions only. Each event's data is the very frame of the
WebSocket. Its id is the whole position of the stream, `<cursor>;<seq>,<seq>…;<key>`: the user's cursor or `-`, then the
auctions in the order of the address, then, where a ticket opened the stream, the key to go on with that ticket. So a browser
that connects again by itself, with the last id as Last-Event-ID, misses nothing. A bare cursor is understood, too, also as
`?cursor=`.
"""

import asyncio
import contextlib
from typing import Any
from urllib import parse

import msgspec
import redis

from auction_project.kernel import errors, ids, logs, tokens
from auction_project.kernel.http import addresses, problems
from notifications import cursors, frames
from notifications.push import (
    admission,
    background,
    handshakes,
    hub,
    sockets,
    tickets,
    watched_auctions,
)

PATH = "/api/v1/stream"
HEARTBEAT_SECONDS = 15.0
KEEP_SECONDS = 60.0  # between two times that an open stream lengthens the life of its ticket
RECONNECT_MILLISECONDS = 2000
_MAX_ID_CHARACTERS = 1024
log = logs.get(__name__)


class AuctionsInvalid(errors.Invalid):
    """Auctions are a list of ids with commas, each with ":<seq>" if you have it up to there."""


class TooManyAuctions(errors.Invalid):
    """One stream follows a limited number of auctions."""


class PositionInvalid(errors.Invalid):
    """The position is not one that this stream gave."""


class Position(msgspec.Struct):
    """Where a stream stands: the user's cursor, and per auction the last seq that was sent or that the client has. `key`
    lets the stream go on with the ticket that opened it."""

    cursor: str
    seqs: dict[str, int | None]
    key: str = ""

    def follow(self, frame: frames.Frame) -> None:
        if frame.cursor:
            self.cursor = frame.cursor
        elif frame.seq and frame.scope in self.seqs:
            self.seqs[frame.scope] = frame.seq

    def id_line(self) -> bytes:
        seqs = ",".join("" if seq is None else str(seq) for seq in self.seqs.values())
        key = f";{self.key}" if self.key else ""
        return f"id: {self.cursor or '-'};{seqs}{key}\n".encode()


class _Ticket(msgspec.Struct):
    """The ticket that opened a stream, which may go on with it."""

    text: str
    holder: tickets.Holder
    key: str
    kept_at: float = 0.0


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    """One stream, until either side ends it."""
    push = hub.current()  # kept, because a process that stops forgets it before this stream ends
    socket: sockets.Socket | None = None
    ticket: _Ticket | None = None
    try:
        position = _position(scope)
        address = addresses.network_of(addresses.client_address(scope))
        socket = push.connect(address=address, transport="sse")
        ticket = await _sign_in(scope, push, socket, position)
        _follow(push, socket, position)
        scope[handshakes.END]()
        await _until_either(_gone(push, receive), _stream(push, socket, position, ticket, send))
    except redis.RedisError as error:
        log.warning("stream_refused", error=repr(error))
        await handshakes.refuse(scope, send, errors.Unavailable())
    except errors.DomainError as error:
        await handshakes.refuse(scope, send, error)
    finally:
        if socket is not None:
            push.disconnect(socket)
        if socket is not None and ticket is not None:
            await _leave(push, socket, ticket)


def _follow(push: hub.Hub, socket: sockets.Socket, position: Position) -> None:
    """Follow what the client named. Raises errors.Unavailable."""
    if socket.user_id is not None:
        push.users.resume(socket, cursors.parse(position.cursor) if position.cursor else None)
    try:
        for auction_id, seq in position.seqs.items():
            push.auctions.watch(socket, auction_id, seq)
    except watched_auctions.TooBusy as error:
        raise admission.TooManyStreams from error


def _position(scope: Any) -> Position:
    """Where the client goes on. Raises errors.Invalid."""
    if scope["method"] != "GET":
        raise problems.MethodNotAllowed("A stream is read with GET.")
    query = parse.parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    position = Position("", _auctions(query.get("auctions", [""])[0]))
    sent = _header(scope, b"last-event-id") or query.get("cursor", [""])[0]
    if not sent:
        return position
    cursor, _, rest = sent[:_MAX_ID_CHARACTERS].partition(";")
    seqs, _, position.key = rest.partition(";")
    if cursor not in ("", "-"):
        position.cursor = str(cursors.parse(cursor, field="Last-Event-ID"))
    if seqs:
        _continue(position, seqs.split(","))
    return position


def _continue(position: Position, seqs: list[str]) -> None:
    if len(seqs) != len(position.seqs) or not all(map(_is_seq_or_empty, seqs)):
        raise PositionInvalid(field="Last-Event-ID")
    for auction_id, seq in zip(position.seqs, seqs, strict=True):
        if seq:
            position.seqs[auction_id] = int(seq)


def _is_seq_or_empty(text: str) -> bool:
    return text == "" or (text.isdecimal() and len(text) < 13)


def _auctions(text: str) -> dict[str, int | None]:
    seqs: dict[str, int | None] = {}
    for part in filter(None, text.split(",")):
        auction_id, _, seq = part.partition(":")
        if not (ids.is_id(auction_id) and _is_seq_or_empty(seq)):
            raise AuctionsInvalid(field="auctions")
        seqs[auction_id] = int(seq) if seq else None
    if len(seqs) > watched_auctions.MAX_WATCHED:
        raise TooManyAuctions(field="auctions", limit=watched_auctions.MAX_WATCHED)
    return seqs


async def _sign_in(scope: Any, push: hub.Hub, socket: sockets.Socket, position: Position) -> _Ticket | None:
    """Sign in with the access token or ticket, if there is one. Returns the ticket, with which the stream may go on.

    Raises tokens.InvalidToken, errors.Unauthenticated, TooManyStreamsHere, redis.RedisError.
    """
    query = parse.parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    header = _header(scope, b"authorization")
    shown_key, position.key = position.key, ""
    if header:
        claims = tokens.from_header(header)
        push.sign_in(socket, tickets.Holder(claims.sub, claims.session))
        return None
    if "ticket" not in query:
        return None
    text = query["ticket"][0]
    holder = await tickets.resume(push.redis_client, text, shown_key) if shown_key else None
    key = shown_key if holder else tickets.new_stream_key()
    holder = holder or await tickets.redeem(push.redis_client, text)
    if holder is None:
        raise errors.Unauthenticated("The ticket is used up or too old. Ask for another.")
    push.sign_in(socket, holder)
    ticket = _Ticket(text, holder, key)
    await _keep(push, ticket)
    position.key = key
    return ticket


async def _keep(push: hub.Hub, ticket: _Ticket) -> None:
    """Raises redis.RedisError."""
    ticket.kept_at = push.clock.now()
    await tickets.keep(push.redis_client, ticket.text, ticket.holder, ticket.key)


async def _leave(push: hub.Hub, socket: sockets.Socket, ticket: _Ticket) -> None:
    """Begin the time in which the stream may go on. Without Redis it began at most KEEP_SECONDS ago."""
    with contextlib.suppress(redis.RedisError):
        if socket.code in sockets.FINAL:
            await tickets.forget(push.redis_client, ticket.text)
        else:
            await _keep(push, ticket)


async def _gone(push: hub.Hub, receive: Any) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await push.turns.step()


async def _stream(
    push: hub.Hub, socket: sockets.Socket, position: Position, ticket: _Ticket | None, send: Any
) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _chunk(send, f"retry: {RECONNECT_MILLISECONDS}\n".encode() + position.id_line() + frames.READY.sse)
    while True:
        if ticket is not None and push.clock.now() - ticket.kept_at > KEEP_SECONDS:
            with contextlib.suppress(redis.RedisError):
                await _keep(push, ticket)
        try:
            async with push.clock.timeout(HEARTBEAT_SECONDS):
                entry = await socket.next()
        except TimeoutError:
            await _chunk(send, b": here\n\n")
            continue
        if entry is None:
            break
        for i, frame in enumerate(entry):
            if i:
                await socket.turns.step()
            position.follow(frame)
            await _chunk(send, position.id_line() + frame.sse)
        socket.sent(entry)
    if socket.code is not None:
        await _chunk(send, frames.closing(socket.code, sockets.REASONS[socket.code]).sse)
    await send({"type": "http.response.body", "body": b""})


async def _chunk(send: Any, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_either(first: Any, second: Any) -> None:
    """Wait until one of them has ended, and cancel the other. Raises their errors, but none of a client that has gone."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        failures = await background.cancel(*tasks)
    for error in failures:
        if not isinstance(error, OSError):
            raise error


def _header(scope: Any, header: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == header), "")


application = handshakes.Front(_serve)
