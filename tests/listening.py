"""Clients of the two streams, like a page or a program. Each collects its messages in a thread of its own."""

import contextlib
import json
import socket
import threading
from typing import Any

import httpx
from websockets.sync import client

from tests.house import House, Person


class Messages:
    """The messages so far. `of(...)` selects those with the given fields."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def add(self, text: str) -> None:
        self._messages.append(json.loads(text))

    def of(self, **fields: Any) -> list[dict[str, Any]]:
        return [
            message
            for message in list(self._messages)
            if all(message.get(name) == value for name, value in fields.items())
        ]


class WebSocketClient:
    """A socket of `person`, admitted by a ticket: new notifications, and the auction's public feed from its start."""

    def __init__(self, house: House, person: Person, auction_id: str) -> None:
        self.messages = Messages()
        ticket = person.post("/api/v1/notifications/ticket", {}).json()["ticket"]
        self._address = house.url.replace("http://", "ws://", 1) + f"/ws/v1/stream?ticket={ticket}"
        self._auction_id = auction_id
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        house.wait_until(
            lambda: self.messages.of(type="resumed") and self.messages.of(type="watching"),
            "the socket to subscribe",
        )

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _collect(self) -> None:
        with client.connect(self._address, open_timeout=30) as connection:
            connection.send(json.dumps({"type": "resume", "cursor": None}))
            connection.send(json.dumps({"type": "watch", "auction_id": self._auction_id, "after": 0}))
            while not self._stopped.is_set():
                try:
                    self.messages.add(str(connection.recv(timeout=0.2)))
                except TimeoutError:
                    continue


class EventStreamClient:
    """The same over Server-Sent Events, admitted by an access token."""

    def __init__(self, house: House, person: Person, auction_id: str) -> None:
        self.messages = Messages()
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=None))
        self._url = f"{house.url}/api/v1/stream?auctions={auction_id}:0"
        self._headers = person.headers
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        house.wait_until(
            lambda: self.messages.of(type="resumed") and self.messages.of(type="watching"),
            "the stream to subscribe",
        )

    def close(self) -> None:
        """Close the connection, like a user who leaves the page. The thread reads the end of the stream."""
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
