"""Clients of the two streams, as a page or a program would be: each collects what it is sent in a thread of its own."""

import contextlib
import json
import socket
import threading
from typing import Any

import httpx
from websockets.sync import client

from tests.house import House, Person


class Messages:
    """What came so far. `of(...)` picks by the fields given."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def add(self, text: str) -> None:
        self._messages.append(json.loads(text))

    def of(self, **fields: Any) -> list[dict[str, Any]]:
        return [
            m for m in list(self._messages) if all(m.get(name) == value for name, value in fields.items())
        ]


class WebSocketClient:
    """A socket of `person`, let in by a ticket: his notifications from now on, and the auction's public feed."""

    def __init__(self, house: House, person: Person, auction_id: str) -> None:
        self.messages = Messages()
        ticket = person.post("/api/v1/notifications/ticket", {}).json()["ticket"]
        self._address = house.url.replace("http://", "ws://", 1) + f"/ws/v1/stream?ticket={ticket}"
        self._auction_id = auction_id
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        house.wait_until(
            lambda: self.messages.of(type="resumed") and self.messages.of(type="watching"), "the socket"
        )

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _collect(self) -> None:
        with client.connect(self._address, open_timeout=30) as connection:
            connection.send(json.dumps({"type": "resume", "cursor": None}))
            connection.send(json.dumps({"type": "watch", "auction_id": self._auction_id, "after": 0}))
            while not self._over.is_set():
                try:
                    self.messages.add(str(connection.recv(timeout=0.2)))
                except TimeoutError:
                    continue


class EventStreamClient:
    """The same by server-sent events, let in by an access token."""

    def __init__(self, house: House, person: Person, auction_id: str) -> None:
        self.messages = Messages()
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=None))
        self._url = f"{house.url}/api/v1/stream?auctions={auction_id}:0"
        self._headers = person.headers
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        house.wait_until(
            lambda: self.messages.of(type="resumed") and self.messages.of(type="watching"), "the stream"
        )

    def close(self) -> None:
        """As when somebody leaves the page: the thread reads the end of the stream."""
        assert self._socket is not None
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _collect(self) -> None:
        with (
            contextlib.suppress(httpx.TransportError),
            self._client,
            self._client.stream("GET", self._url, headers=self._headers) as answer,
        ):
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.messages.add(line.removeprefix("data: "))
