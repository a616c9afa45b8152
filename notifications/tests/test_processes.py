"""Two real web processes and hundreds of sockets: each socket gets everything once and in order, across a kill."""

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio import client as websockets

from auction_project.web import http_protocol
from notifications.push import bridge, tickets
from notifications.tests import conftest, servers

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)

SOCKETS_EACH = 120
FRAMES = 30
WAIT_SECONDS = 30.0


class Watcher:
    """A client that keeps what it got, and goes on from there when it connects again."""

    def __init__(self, auction_id: str) -> None:
        self._auction_id = auction_id
        self.seqs: list[int] = []
        self.problems: list[Any] = []

    @contextlib.asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[None]:
        """Listens in the background while connected; at first until it is confirmed that it watches."""
        async with websockets.connect(url, compression=None, open_timeout=WAIT_SECONDS) as connection:
            after = self.seqs[-1] if self.seqs else 0
            await connection.send(
                msgspec.json.encode(
                    {"type": "watch", "auction_id": self._auction_id, "after": after}
                ).decode()
            )
            confirmed = asyncio.Event()
            listening = asyncio.create_task(self._listen(connection, confirmed))
            await asyncio.wait_for(confirmed.wait(), WAIT_SECONDS)
            try:
                yield
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, connection: websockets.ClientConnection, confirmed: asyncio.Event) -> None:
        async for text in connection:
            body = msgspec.json.decode(text)
            if body["type"] == "auction":
                self.seqs.append(body["seq"])
            elif body["type"] == "watching":
                confirmed.set()
            elif body["type"] != "ready":
                self.problems.append(body)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.seqs) < count:  # noqa: ASYNC110 - another task fills it
                await asyncio.sleep(0.05)


async def publish(auction_id: str, first: int, last: int) -> None:
    await bridge.call(conftest.publish, auction_id, *range(first, last + 1))


async def connect_all(stack: contextlib.AsyncExitStack, watchers: list[Watcher], url: str) -> None:
    for i in range(0, len(watchers), 40):
        await asyncio.gather(*(stack.enter_async_context(one.connected(url)) for one in watchers[i : i + 40]))


async def test_hundreds_of_sockets_of_two_processes_get_every_frame_once_across_a_kill(
    auction_id: str,
) -> None:
    watchers = [Watcher(auction_id) for _ in range(2 * SOCKETS_EACH)]
    staying, moving = watchers[:SOCKETS_EACH], watchers[SOCKETS_EACH:]
    await publish(auction_id, 1, 1)
    loop = asyncio.get_running_loop()
    with servers.serving(2) as (first, second):
        async with contextlib.AsyncExitStack() as stack, contextlib.AsyncExitStack() as dying:
            await connect_all(stack, staying, first.url)
            await connect_all(dying, moving, second.url)
            await publish(auction_id, 2, FRAMES)
            await asyncio.gather(*(one.has(FRAMES) for one in watchers))

            await loop.run_in_executor(None, second.kill)
            await publish(auction_id, FRAMES + 1, 2 * FRAMES)
            await connect_all(stack, moving, first.url)
            await publish(auction_id, 2 * FRAMES + 1, 3 * FRAMES)
            await asyncio.gather(*(one.has(3 * FRAMES) for one in watchers))

    assert {tuple(one.seqs) for one in watchers} == {tuple(range(1, 3 * FRAMES + 1))}
    assert [one.problems for one in watchers if one.problems] == []


async def test_a_user_at_two_processes_gets_the_feed_at_both_and_resumes_at_either(user_id: str) -> None:
    async def hear(url: str, cursor: str | None, count: int) -> list[str]:
        ticket = await bridge.call(tickets.issue, tickets.Holder(user_id))
        async with websockets.connect(f"{url}?ticket={ticket}", compression=None) as connection:
            await connection.send(msgspec.json.encode({"type": "resume", "cursor": cursor}).decode())
            cursors: list[str] = []
            while len(cursors) < count:
                body = msgspec.json.decode(await asyncio.wait_for(connection.recv(), WAIT_SECONDS))
                if body["type"] == "resumed":
                    resumed.release()
                elif body["type"] == "notification":
                    cursors.append(body["cursor"])
            return cursors

    resumed = asyncio.Semaphore(0)
    with servers.serving(2) as (first, second):
        both = [asyncio.create_task(hear(server.url, None, 3)) for server in (first, second)]
        for _ in both:
            await asyncio.wait_for(resumed.acquire(), WAIT_SECONDS)
        await bridge.call(conftest.notify, user_id, n=3)
        at_first, at_second = await asyncio.gather(*both)
        again = await hear(second.url, at_first[0], 2)

    assert at_first == at_second
    assert [cursor.partition(":")[2] for cursor in at_first] == ["1", "2", "3"]
    assert again == at_first[1:]


async def test_a_stop_asks_every_socket_to_connect_again(auction_id: str) -> None:
    with servers.serving(1) as (server,):
        async with websockets.connect(server.url, compression=None) as connection:
            code = await asyncio.get_running_loop().run_in_executor(None, server.stop)
            await asyncio.wait_for(connection.wait_closed(), WAIT_SECONDS)

            assert connection.close_code == 1012
    assert code in (0, -15)


def test_the_web_role_raises_its_limit_of_open_files_when_it_starts() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))  # what a shell often has
    try:
        with servers.serving(1, servers.WebRole) as (server,):
            raised = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert raised == (min(hard, http_protocol.MAX_DESCRIPTORS), hard)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_of_the_web_role_ends_open_streams_and_waits_for_none(number: int) -> None:
    with servers.serving(1, servers.WebRole) as (server,):
        streams = [server.stream() for _ in range(3)]

        began = time.monotonic()
        code = server.stop(number)
        took = time.monotonic() - began

        ends = [stream.makefile("rb").read() for stream in streams]
        for stream in streams:
            stream.close()
    assert code == 0
    assert took < 4.0  # uvicorn would wait 10 s for answers that never end
    assert [end.endswith(b"0\r\n\r\n") for end in ends] == [True] * 3
