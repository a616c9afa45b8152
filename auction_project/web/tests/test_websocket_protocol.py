"""Frames written at once, on a real server: in order with those sent, and only while the connection takes them."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from websockets import frames
from websockets.sync import client

from auction_project.management.commands import web
from auction_project.web import websocket_protocol

ENOUGH_SECONDS = 20.0  # only bounds a test that fails


def _wire(text: str) -> bytes:
    return frames.Frame(frames.Opcode.TEXT, text.encode()).serialize(mask=False)


class _Application:
    """Writes and sends as its client asks, and notes what the writes answered."""

    def __init__(self) -> None:
        self.answers: list[bool] = []
        self.is_over = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        write = scope["extensions"][websocket_protocol.WRITE]
        await receive()
        self.answers.append(write(_wire("too early")))
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            match message["text"]:
                case "mix":
                    for number in range(0, 100, 2):
                        await send({"type": "websocket.send", "text": str(number)})
                        self.answers.append(write(_wire(str(number + 1))))
                case "flood":
                    while write(_wire("x" * 60_000)):
                        pass
                    self.answers.append(False)
                    await send({"type": "websocket.send", "text": "the end"})  # waits until the client reads
                    self.answers.append(write(_wire("after it")))
        self.answers.append(write(_wire("too late")))
        self.is_over.set()


@pytest.fixture
def application() -> _Application:
    return _Application()


@pytest.fixture
def url(application: _Application) -> Iterator[str]:
    found = uvicorn.Server(web.configuration(application, "127.0.0.1", 0))
    thread = threading.Thread(target=found.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not found.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"ws://127.0.0.1:{found.servers[0].sockets[0].getsockname()[1]}/"
    found.should_exit = True
    thread.join(ENOUGH_SECONDS)


def test_what_is_written_and_what_is_sent_come_in_their_order(url: str, application: _Application) -> None:
    with client.connect(url, compression=None) as connection:
        connection.send("mix")

        assert [connection.recv(ENOUGH_SECONDS) for _ in range(100)] == [str(number) for number in range(100)]
    assert application.is_over.wait(ENOUGH_SECONDS)
    assert application.answers == [False, *[True] * 50, False]


def test_a_client_that_does_not_read_is_not_written_to_until_it_reads_again(
    url: str, application: _Application
) -> None:
    with client.connect(url, compression=None, max_queue=1, max_size=None) as connection:
        connection.send("flood")
        heard = [connection.recv(ENOUGH_SECONDS)]
        while heard[-1] != "after it":
            heard.append(connection.recv(ENOUGH_SECONDS))

    assert heard[-2:] == ["the end", "after it"]
    assert set(heard[:-2]) == {"x" * 60_000}
    assert application.is_over.wait(ENOUGH_SECONDS)
    assert application.answers == [False, False, True, False]
