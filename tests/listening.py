"""Clients of the two streams, as a page or a program would be: each collects what it is sent in a thread of its own."""

import json
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
        with client.connect(self._address, open_timeout=30) as socket:
            socket.send(json.dumps({"type": "resume", "cursor": None}))
            socket.send(json.dumps({"type": "watch", "auction_id": self._auction_id, "after": 0}))
            while not self._over.is_set():
                try:
                    self.messages.add(str(socket.recv(timeout=0.2)))
                except TimeoutError:
                    continue


class EventStreamClient:
    """The same by server-sent events, let in by an access token."""

    def __init__(self, house: House, person: Person, auction_id: str) -> None:
        self.messages = Messages()
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=None))
        self._url = f"{house.url}/api/v1/stream?auctions={auction_id}:0"
        self._headers = person.headers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        house.wait_until(
            lambda: self.messages.of(type="resumed") and self.messages.of(type="watching"), "the stream"
        )

    def close(self) -> None:
        """The next heartbeat ends the thread at the latest."""
        self._over.set()
        self._thread.join()

    def _collect(self) -> None:
        with self._client, self._client.stream("GET", self._url, headers=self._headers) as answer:
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                if self._over.is_set():
                    return
                if line.startswith("data: "):
                    self.messages.add(line.removeprefix("data: "))
