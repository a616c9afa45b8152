"""Clients for the tests of the streams: a WebSocket and an SSE stream as bare ASGI, and a proxy before Redis that can be
cut. (Channels' own communicator, which is the same asgiref class, cannot be imported without another server.)"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib import parse

import msgspec
from asgiref.testing import ApplicationCommunicator

from notifications.push import bridge, hub, routing, sockets, sse, tickets
from notifications.tests import conftest, documented

WAIT_SECONDS = 5.0


class Client:
    """A WebSocket client."""

    def __init__(self, communicator: ApplicationCommunicator) -> None:
        self._communicator = communicator

    async def say(self, **message: Any) -> None:
        await self.say_text(msgspec.json.encode(message).decode())

    async def say_text(self, text: str) -> None:
        await self._communicator.send_input({"type": "websocket.receive", "text": text})

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        message = await self._communicator.receive_output(timeout=WAIT_SECONDS)
        assert message["type"] == "websocket.send", message
        body = msgspec.json.decode(message["text"])
        documented.check(body, channel="websocket")
        return body

    async def hear_until(self, kind: str) -> list[dict[str, Any]]:
        """What comes up to and with the next message of `kind`."""
        received = [await self.hear()]
        while received[-1]["type"] != kind:
            received.append(await self.hear())
        return received

    async def hears_nothing(self, seconds: float = 0.4) -> bool:
        return await self._communicator.receive_nothing(timeout=seconds)

    async def closed(self) -> int:
        """The code that the server closes with; what it sends before is dropped."""
        while True:
            message = await self._communicator.receive_output(timeout=WAIT_SECONDS)
            if message["type"] == "websocket.close":
                code = int(message["code"])
                assert message["reason"] == sockets.REASONS[code]
                return code


@contextlib.asynccontextmanager
async def websocket(
    user_id: str | None = None,
    *,
    ticket: str | None = None,
    session: str = "",
    path: str = "/ws/v1/stream",
    headers: list[tuple[bytes, bytes]] | None = None,
    address: str = "127.0.0.1",
    scheme: str = "ws",
    ready: bool = True,
) -> AsyncIterator[Client]:
    """A connected client, signed in as `user_id`; with `ready`, it has been greeted."""
    if user_id is not None:
        ticket = await bridge.call(tickets.issue, tickets.Holder(user_id, session))
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": parse.urlencode({} if ticket is None else {"ticket": ticket}).encode(),
        "scheme": scheme,
        "headers": [(b"host", b"localhost:8000"), *(headers or [])],
        "client": (address, 40_000),
        "subprotocols": [],
    }
    communicator = ApplicationCommunicator(routing.application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    accepted = await communicator.receive_output(timeout=WAIT_SECONDS)
    assert accepted["type"] == "websocket.accept", "a refusal must be an accepted connection that is closed"
    client = Client(communicator)
    if ready:
        assert await client.hear() == {"type": "ready"}
    try:
        yield client
    finally:
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait(timeout=WAIT_SECONDS)


class Events:
    """An SSE stream: its status, headers, and the events that come."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.comments = 0
        self._body = b""
        self._arrived: asyncio.Queue[tuple[str, dict[str, Any]] | None] = asyncio.Queue()

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self._body += message["body"]
        if self.status == 200:
            *whole, self._body = self._body.split(b"\n\n")
            for block in whole:
                self._parse(block.decode())
        if not message.get("more_body"):
            self._arrived.put_nowait(None)

    def _parse(self, block: str) -> None:
        self.comments += block.startswith(":")
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            self._arrived.put_nowait((fields.get("id", ""), msgspec.json.decode(fields["data"])))

    async def hear(self) -> tuple[str, dict[str, Any]]:
        """The next event: its id and its data."""
        async with asyncio.timeout(WAIT_SECONDS):
            arrived = await self._arrived.get()
        assert arrived is not None, "the stream has ended"
        documented.check(arrived[1], channel="events")
        return arrived

    async def ended(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while await self._arrived.get() is not None:
                pass

    @property
    def problem(self) -> dict[str, Any]:
        return msgspec.json.decode(self._body)


@contextlib.asynccontextmanager
async def server_sent_events(
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    method: str = "GET",
    address: str = "127.0.0.1",
) -> AsyncIterator[Events]:
    """A stream that has begun, or was refused."""
    scope = {
        "type": "http",
        "method": method,
        "path": sse.PATH,
        "query_string": parse.urlencode(query or {}).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": (address, 40_000),
    }
    gone = asyncio.Event()
    events = Events()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    running = asyncio.create_task(sse.application(scope, receive, events.send))
    await until(lambda: events.status != 0)
    try:
        yield events
    finally:
        gone.set()
        await asyncio.wait_for(running, WAIT_SECONDS)


async def until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait for `condition`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.01)


async def notify(user_id: str, n: int = 1) -> None:
    await bridge.call(conftest.notify, user_id, n=n)


async def publish(auction_id: str, *seqs: int) -> None:
    await bridge.call(conftest.publish, auction_id, *seqs)


def seqs(received: list[dict[str, Any]]) -> list[int]:
    """The seqs of the notifications and frames among the messages."""
    return [
        body["seq"] if body["type"] == "auction" else int(body["cursor"].partition(":")[2])
        for body in received
        if body["type"] in ("auction", "notification")
    ]


async def in_touch(running: hub.Hub, *auction_ids: str) -> None:
    """Wait until the hub is subscribed to these auctions and every subscriber has all frames."""
    feeds = [running.auctions.feeds[auction_id] for auction_id in auction_ids]
    await until(lambda: all(feed.is_heard and not feed.due for feed in feeds))


class Proxy:
    """Stands before Redis: `cut()` breaks what is connected and refuses what comes, until `mend()`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """The port that it listens on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._copy(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
