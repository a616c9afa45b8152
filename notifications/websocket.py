"""The WebSocket stream: one connection carries a user's notifications and the public feeds of the auctions he watches.

Messages: `requests.py` (from the client) and `frames.py` (to it). Without a ticket a client may only watch auctions.
To refuse, the connection is accepted and then closed with a code, since browsers cannot see anything else. What a
client sends is answered in order; a client that sends too much, or what nobody understands, is closed.
"""

import asyncio
import contextlib
from typing import Any
from urllib import parse

import redis
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from auction_project import errors, logs
from notifications import cursors, frames, hub, requests, sockets

MAX_MESSAGES = 240  # within WINDOW_SECONDS; a page that reconnects watches all its auctions at once
WINDOW_SECONDS = 60.0
FRAMES_WITHOUT_PAUSE = 64  # then other sockets have their turn

log = logs.get(__name__)


class UnknownPath(AsyncWebsocketConsumer):
    """There is no stream at this path."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(sockets.UNKNOWN_PATH)


class Stream(AsyncWebsocketConsumer):
    """One client."""

    _hub: hub.Hub
    _socket: sockets.Socket | None = None
    _pump: asyncio.Task[None] | None = None
    _messages = 0
    _window_began = 0.0

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Straight to the method: Channels would take a thread for each message, to close connections to databases
        that nothing here opens."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self._pump is not None:
            self._pump.cancel()
        if self._socket is not None:
            self._hub.disconnect(self._socket)
        raise StopConsumer

    async def connect(self) -> None:
        await self.accept()
        self._hub = hub.current()
        if not requests.is_allowed_origin(self._header(b"origin"), settings.ALLOWED_HOSTS):
            await self.close(sockets.FORBIDDEN_ORIGIN)
            return
        try:
            user_id = await self._user_id()
            self._socket = self._hub.connect(user_id=user_id, transport="websocket")
        except errors.Unauthenticated:
            await self.close(sockets.UNAUTHENTICATED)
        except (redis.RedisError, hub.TooManySockets) as error:
            log.warning("stream_refused", error=repr(error))
            await self.close(sockets.TOO_MANY)
        else:
            self._socket.put(frames.READY)
            self._pump = asyncio.create_task(self._send_all(self._socket))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        socket = self._socket
        if socket is None or socket.code is not None:
            return
        if text_data is None or len(text_data) > requests.MAX_MESSAGE_CHARACTERS:
            socket.close(sockets.TOO_LARGE)
        elif self._is_too_much():
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
                    self._hub.watch(socket, message.auction_id, message.after)
                case requests.Unwatch():
                    self._hub.unwatch(socket, message.auction_id)
                case requests.Ping():
                    socket.put(frames.PONG)
        except requests.NotUnderstood as error:
            socket.put(frames.error("message_invalid", str(error)))
        except errors.Invalid as error:
            socket.put(frames.error(error.code, error.detail, field=error.field))
        except hub.TooManyWatched:
            socket.put(
                frames.error(
                    "too_many_auctions", "Stop watching another auction first.", limit=hub.MAX_WATCHED
                )
            )

    def _resume(self, socket: sockets.Socket, message: requests.Resume) -> None:
        if socket.user_id is None:
            socket.close(sockets.UNAUTHENTICATED)
            return
        self._hub.resume(socket, None if message.cursor is None else cursors.parse(message.cursor))

    async def _user_id(self) -> str | None:
        """Whose ticket the address carries; None without one. Raises errors.Unauthenticated, redis.RedisError."""
        query = parse.parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if "ticket" not in query:
            return None
        user_id = await self._hub.redeem(query["ticket"][0])
        if user_id is None:
            raise errors.Unauthenticated
        return user_id

    async def _send_all(self, socket: sockets.Socket) -> None:
        """Send what the socket holds until it is closed. A connection that breaks ends by `websocket.disconnect`."""
        send = self.base_send
        with contextlib.suppress(OSError, RuntimeError):
            while (entry := await socket.next()) is not None:
                for i, frame in enumerate(entry, start=1):
                    await send(frame.message)
                    if i % FRAMES_WITHOUT_PAUSE == 0:
                        await asyncio.sleep(0)
                    if socket.code is not None:
                        break
                socket.sent(entry)
            await self.close(socket.code)

    def _is_too_much(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._window_began > WINDOW_SECONDS:
            self._window_began, self._messages = now, 0
        self._messages += 1
        return self._messages > MAX_MESSAGES

    def _header(self, wanted: bytes) -> str | None:
        return next(
            (value.decode("latin-1") for name, value in self.scope["headers"] if name == wanted), None
        )
