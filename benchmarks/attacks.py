"""What a bid costs while a client tries to stop all bids; each attack stands beside the same bids without one.

The attacks come from one address of this machine, need no account, and are bounded in count and time. The stack has the
budgets that it has by default, because they are a part of the answer. An attack runs in a process of its own:
`python -m benchmarks.attacks NAME URL`.
"""

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from urllib import parse

import httpx
import msgspec
from websockets.asyncio import client

from auction_project.kernel import ids
from benchmarks import processes, sales

ATTACK_SECONDS = 12.0
BIDS, BIDS_PER_SECOND = 60, 8.0
BEFORE_SECONDS = 2.0  # that an attack goes on before the first bid
SOCKETS, WATCHED = 2_000, 50
HALF_SENT = 300
HEADER_CONNECTIONS, HEADER_BYTES = 8, 64 * 1024 * 1024
UPLOADS = 64
READERS = 8
_START, _STEP = 1_000, 100  # whole euros; no bid is so high that it must be confirmed


class Figure(msgspec.Struct, frozen=True):
    """Milliseconds from a bid to its answer, over those that were accepted."""

    p50_ms: float
    p99_ms: float
    sent: int
    failed: int


def run() -> dict[str, Figure]:
    """The bids without an attack, and beside each of ATTACKS."""
    with processes.whole(is_limited=True) as running:
        return asyncio.run(_measure(running.url))


async def _measure(url: str) -> dict[str, Figure]:
    bidders = await asyncio.to_thread(sales.make_buyers, 2)
    figures = {"nothing": await _bid_steadily(url, bidders)}
    for name in ATTACKS:
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.attacks", name, url, cwd=processes.ROOT
        )
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            figures[name] = await _bid_steadily(url, bidders)
        finally:
            with contextlib.suppress(ProcessLookupError):
                attack.terminate()
            await attack.wait()
    return figures


async def _bid_steadily(url: str, bidders: list[sales.Buyer]) -> Figure:
    auction_id = await sales.listing(url, auction_format="english", quantity=1, start_price=f"{_START}.00")
    waits: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=10) as http:
        began = time.monotonic()
        for number in range(1, BIDS + 1):
            await asyncio.sleep(max(0.0, began + number / BIDS_PER_SECOND - time.monotonic()))
            body: dict[str, object] = {"amount": f"{_START + number * _STEP}.00", "currency": "EUR"}
            at = time.monotonic()
            with contextlib.suppress(httpx.HTTPError):
                if await sales.bid(http, auction_id, bidders[number % 2], body) is not None:
                    waits.append(1000 * (time.monotonic() - at))
    waits.sort()
    if not waits:
        return Figure(0.0, 0.0, BIDS, BIDS)
    return Figure(waits[len(waits) // 2], waits[int(len(waits) * 0.99)], BIDS, BIDS - len(waits))


# --- the attacks -----------------------------------------------------------------------------------------------------


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
