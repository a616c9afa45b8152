"""The attacks of `attacks`: each comes from one address of this machine, needs no account, and is bounded in count and time.

`python -m benchmarks.attackers NAME URL`, a program of its own.
"""

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Awaitable, Callable
from urllib import parse

import httpx
from websockets.asyncio import client

from auction_project.kernel import ids

ATTACK_SECONDS = 12.0
SOCKETS, WATCHED = 2_000, 50
HALF_SENT = 300
HEADER_CONNECTIONS, HEADER_BYTES = 8, 64 * 1024 * 1024
UPLOADS = 64
READERS = 8


async def _watch_what_does_not_exist(url: str) -> None:
    """Sockets that each watch auctions that do not exist, and then stay silent."""
    address = f"ws{url.removeprefix('http')}/ws/v1/stream"

    async def watch() -> None:
        async with client.connect(address, open_timeout=ATTACK_SECONDS) as socket:
            for _ in range(WATCHED):
                await socket.send(json.dumps({"type": "watch", "auction_id": ids.new_id(), "after": 0}))
            await socket.wait_closed()

    await _at_once(SOCKETS, watch)


async def _send_huge_headers(url: str) -> None:
    async def send() -> None:
        _, writer = await _begin(url, "GET / HTTP/1.1\r\nX-Huge: ")
        for _ in range(HEADER_BYTES // 65_536):
            writer.write(b"a" * 65_536)
            await writer.drain()

    await _repeatedly(HEADER_CONNECTIONS, send)


async def _send_half_requests(url: str) -> None:
    async def send() -> None:
        reader, _ = await _begin(url, "GET / HTTP/1.1\r\nHost: ")
        await reader.read()

    await _repeatedly(HALF_SENT, send)


async def _upload_slowly(url: str) -> None:
    async def upload() -> None:
        _, writer = await _begin(
            url,
            f"POST /api/v1/products HTTP/1.1\r\nHost: {parse.urlsplit(url).netloc}\r\nContent-Length: 9999999\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n",
        )
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.5)

    await _repeatedly(UPLOADS, upload)


async def _read_what_costs(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=10) as http:

        async def read() -> None:
            for path in ("/metrics", "/api/openapi.json", f"/api/v1/auctions?q={ids.new_id()[:8]}"):
                await http.get(path)

        await _repeatedly(READERS, read)


async def _begin(url: str, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(text.encode())
    return reader, writer


async def _at_once(count: int, act: Callable[[], Awaitable[None]]) -> None:
    """Run `act` so often at the same time; what ends or fails is not begun again."""
    await asyncio.gather(*(act() for _ in range(count)), return_exceptions=True)
    await asyncio.sleep(ATTACK_SECONDS)


async def _repeatedly(count: int, act: Callable[[], Awaitable[None]]) -> None:
    """So many that run `act` again and again, also after it fails."""

    async def repeat() -> None:
        for _ in itertools.count():
            with contextlib.suppress(OSError, httpx.HTTPError):
                await act()
            await asyncio.sleep(0)

    await asyncio.gather(*(repeat() for _ in range(count)))


ATTACKS: dict[str, Callable[[str], Awaitable[None]]] = {
    "2,000 sockets that watch 50 unknown auctions each": _watch_what_does_not_exist,
    "headers of 64 MB": _send_huge_headers,
    "300 half-sent requests": _send_half_requests,
    "64 slow anonymous uploads": _upload_slowly,
    "8 clients on metrics, openapi.json and searches": _read_what_costs,
}


async def _attack(name: str, url: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ATTACK_SECONDS):
            await ATTACKS[name](url)


if __name__ == "__main__":
    asyncio.run(_attack(*sys.argv[1:]))
