"""A lean HTTP/1.1 client on keep-alive connections: the load generator must cost less than what it loads."""

import asyncio
import ipaddress
import socket
import urllib.parse
from typing import Any

import httptools


class NotLoopback(ValueError):
    """Load goes to this machine only."""


class ConnectionLost(ConnectionError):
    """The server closed the connection before it answered."""


def loopback_address(url: str) -> tuple[str, int]:
    """(host, port) of `url`. Raises NotLoopback."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    for entry in socket.getaddrinfo(host, None):
        if not ipaddress.ip_address(entry[4][0]).is_loopback:
            raise NotLoopback(f"{url} is not an address of this machine")
    return host, parts.port or 80


class Connection(asyncio.Protocol):
    """One request at a time. `retry_after`: the seconds that the last answer asked for, -1 without the header."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser: Any = None
        self._body: list[bytes] = []
        self.retry_after = -1.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionLost())

    def data_received(self, data: bytes) -> None:
        if (
            self._parser is not None
        ):  # before a request: the gateway says 408 to a connection that stays idle, and closes it
            self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = float(value)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result((self._parser.get_status_code(), b"".join(self._body)))
        if not self._parser.should_keep_alive():
            self.close()  # a request after `Connection: close` gets no answer

    def send(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Status and body to come. Raises ConnectionLost at once when the connection is gone."""
        if self._transport is None:
            raise ConnectionLost
        self._waiter = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = []
        self.retry_after = -1.0
        self._transport.write(request)
        return self._waiter

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


async def connect(host: str, port: int) -> Connection:
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return protocol


def post(path: str, host: str, headers: str, body: bytes) -> bytes:
    """The bytes of a POST of JSON; `headers` are lines that end with CRLF."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body
