"""The WebSocket stream: one connection carries a user's notifications and the public feeds of the auctions they watch.

Messages: `requests.py` (from the client) and `frames.py` (to it). Without a ticket a client may only watch auctions.
A refused connection is accepted and then closed with a code, because browsers see nothing else; only a flood is refused
earlier (`handshakes`). Messages are answered in order. A client that sends too many, or one that is too large, is closed.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any
from urllib import parse

import redis
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from auction_project.kernel import errors, logs
from auction_project.kernel.http import addresses
from notifications import cursors, frames
from notifications.push import admission, handshakes, hub, requests, sockets, tickets, watched_auctions

MAX_MESSAGES = 240  # within WINDOW_SECONDS; a page that reconnects watches all its auctions at once
WINDOW_SECONDS = 60.0
FRAMES_AT_ONCE = 10  # of a backlog, in one write
WRITE = "gavel.write"  # in the extensions of a scope: the server writes the bytes of a frame at once, or answers False

log = logs.get(__name__)


class UnknownPath(AsyncWebsocketConsumer):
    """There is no stream at this path."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(sockets.UNKNOWN_PATH, sockets.REASONS[sockets.UNKNOWN_PATH])
        self.scope[handshakes.END]()


class Stream(AsyncWebsocketConsumer):
    """One client."""

    _hub: hub.Hub
    _socket: sockets.Socket | None = None
    _pump: asyncio.Task[None] | None = None
    _messages = 0
    _window_began = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One message after the other: Channels would make a task for each, to listen to a channel layer as well."""
        self.scope, self.base_send = scope, send
        try:
            with contextlib.suppress(StopConsumer):
                while True:
                    await self.dispatch(await receive())
        finally:  # also after an error, or the stream would keep its place for ever
            if self._pump is not None:
                self._pump.cancel()
            if self._socket is not None:
                self._hub.disconnect(self._socket)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Straight to the method: Channels would take a thread for each message, to close connections to databases
        that nothing here opens."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self._pump is not None:
            self._pump.cancel()
        if self._socket is not None:
            await self._hub.turns.step()  # a crowd that leaves at once delays no bid
        raise StopConsumer

    async def connect(self) -> None:
        try:
            await self._open()
        finally:
            self.scope[handshakes.END]()

    async def _open(self) -> None:
        self._hub = hub.current()
        await self.accept()
        if not self._is_allowed():
            await self._refuse(sockets.FORBIDDEN_ORIGIN)
            return
        try:
            address = addresses.network_of(addresses.client_address(self.scope))
            write = self.scope.get("extensions", {}).get(WRITE)
            self._socket = self._hub.connect(address=address, transport="websocket", write=write)
            await self._sign_in(self._socket)
        except errors.Unauthenticated:
            await self._refuse(sockets.UNAUTHENTICATED)
        except admission.TooManyStreamsHere:
            await self._refuse(sockets.TOO_MANY_HERE)
        except (redis.RedisError, admission.TooManyStreams) as error:
            log.warning("stream_refused", error=repr(error))
            await self._refuse(sockets.TOO_MANY)
        else:
            self._socket.put(frames.READY)
            self._pump = asyncio.create_task(self._send_all(self._socket))

    async def _refuse(self, code: int) -> None:
        if self._socket is not None:
            self._hub.disconnect(self._socket)
            self._socket = None
        await self.close(code, sockets.REASONS[code])

    def _is_allowed(self) -> bool:
        return requests.is_allowed_origin(
            self._header(b"origin"),
            host=self._header(b"host") or "",
            is_secure=self.scope.get("scheme") == "wss" or settings.PUBLIC_URL.startswith("https:"),
            allowed_hosts=settings.ALLOWED_HOSTS,
            trusted=(settings.PUBLIC_URL, *settings.CSRF_TRUSTED_ORIGINS),
        )

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        socket = self._socket
        if socket is None:
            return
        await self._hub.turns.step()
        if socket.code is not None:
            return
        if text_data is None or len(text_data) > requests.MAX_MESSAGE_CHARACTERS:
            socket.close(sockets.TOO_LARGE)
        elif self._is_too_often():
            socket.close(sockets.POLICY)
        else:
            self._answer(socket, text_data)

    def _answer(self, socket: sockets.Socket, text: str) -> None:
        try:
            message = requests.decode(text)
            match message:
                case requests.Resume():
                    self._resume(socket, message)
                case requests.Watch():
                    self._hub.auctions.watch(socket, message.auction_id, message.after)
                case requests.Unwatch():
                    self._hub.auctions.unwatch(socket, message.auction_id)
                case requests.WatchDesk():
                    self._hub.desk.watch(socket, message.desk_pass)
                case requests.Ping():
                    socket.put(frames.PONG)
        except requests.NotUnderstood as error:
            socket.put(frames.error("message_invalid", str(error)))
        except (errors.Invalid, errors.Forbidden) as error:
            socket.put(frames.error(error.code, error.detail, field=error.field))
        except watched_auctions.TooManyWatched:
            limit = watched_auctions.MAX_WATCHED
            socket.put(frames.error("too_many_auctions", "Stop watching another auction first.", limit=limit))
        except watched_auctions.TooBusy:
            socket.put(frames.error("too_busy", "The server is busy. Send this again shortly."))

    def _resume(self, socket: sockets.Socket, message: requests.Resume) -> None:
        if socket.user_id is None:
            socket.close(sockets.UNAUTHENTICATED)
            return
        self._hub.users.resume(socket, None if message.cursor is None else cursors.parse(message.cursor))

    async def _sign_in(self, socket: sockets.Socket) -> None:
        """Sign in as the holder of the ticket in the address, if it has one.

        Raises errors.Unauthenticated, TooManyStreamsHere, redis.RedisError.
        """
        query = parse.parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if "ticket" not in query:
            return
        holder = await tickets.redeem(self._hub.redis_client, query["ticket"][0])
        if holder is None:
            raise errors.Unauthenticated
        self._hub.sign_in(socket, holder)

    async def _send_all(self, socket: sockets.Socket) -> None:
        """Send what the socket holds until it is closed. A connection that breaks ends by `websocket.disconnect`."""
        try:
            while (entry := await socket.next()) is not None:
                await self._send(socket, entry)
                socket.sent(entry)
        except (OSError, RuntimeError):
            return
        except Exception:  # a stream that sends nothing more must not stay open
            log.exception("stream_failed", user_id=socket.user_id)
            socket.close(sockets.FAILED)
        assert socket.code is not None  # noqa: S101 - next() ends with one
        with contextlib.suppress(OSError, RuntimeError):
            await self.close(socket.code, sockets.REASONS[socket.code])

    async def _send(self, socket: sockets.Socket, entry: Sequence[frames.Frame]) -> None:
        """Send an entry in as few writes as the connection takes; each but the first needs a step."""
        count = 0
        while count < len(entry):
            if count:
                await socket.turns.step()
            if socket.code is not None:
                return
            some = entry[count : count + FRAMES_AT_ONCE]
            if not socket.write_all(some):
                some = some[:1]
                await self.base_send(some[0].message)
            count += len(some)

    def _is_too_often(self) -> bool:
        now = self._hub.clock.now()
        if now - self._window_began > WINDOW_SECONDS:
            self._window_began, self._messages = now, 0
        self._messages += 1
        return self._messages > MAX_MESSAGES

    def _header(self, header: bytes) -> str | None:
        return next(
            (value.decode("latin-1") for name, value in self.scope["headers"] if name == header), None
        )
