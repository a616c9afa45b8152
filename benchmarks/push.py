"""Bid -> 1,000 sockets: how long until the last of them has a bid's frame, and how long until a crowd that comes back has
what it missed.

Three figures of one run are over every (frame, socket) pair: a bare application that sends the same text to as many
sockets (the floor on this machine); a frame from the consumer's handler through Redis and the hub to the sockets; and a
bid from its request through log, hint and hub. Two are over every client that comes back, from its connection to the last
of the frames that it missed: one client at a time, and all at once. The clients do as little as clients can, in this process.
"""

import asyncio
import base64
import re
import secrets
import time
from collections.abc import Coroutine
from typing import Any, TypeVar, cast
from urllib import parse

import httpx
import msgspec
import uvloop

from auction_project.kernel import ids, instants
from auction_project.kernel.contracts import events
from benchmarks import figures, market, processes
from benchmarks.figures import Figure
from notifications import services

SOCKETS = 1000
FRAMES, FRAMES_PER_SECOND = 100, 5.0
CONNECTING_AT_ONCE = 50
MISSED = 3  # frames
WAIT_SECONDS = 60.0
Result = TypeVar("Result")
_SEQ = re.compile(rb'"seq":(\d+)')
# Whole euros. Each bid is below five times the minimum, so that none must be confirmed.
_START, _STEP = 1_000, 100


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds over all pairs, and the server's CPU per delivered frame in microseconds."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_microseconds: float


class Watcher(asyncio.Protocol):
    """One WebSocket client: notes when the frame of each seq came. Frames of a server are not masked."""

    def __init__(self, path: str, first_message: bytes) -> None:
        self.arrived: dict[int, float] = {}
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._path, self._first_message = path, first_message
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not derive from it
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        if not self.open.done():
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._buffer = rest
            self.open.set_result(None)
            if self._first_message:
                self._send(1, self._first_message)
        self._take_frames(now)

    def _take_frames(self, now: float) -> None:
        while len(self._buffer) >= 2:
            opcode, length, start = self._buffer[0] & 15, self._buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(self._buffer[2:4], "big"), 4
            if len(self._buffer) < start + length:
                return
            payload, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
            if opcode == 9:
                self._send(10, payload)
            elif b'"type":"auction"' in payload and (seq := _SEQ.search(payload)):
                self.arrived.setdefault(int(seq[1]), now)

    def _send(self, opcode: int, payload: bytes) -> None:
        assert self._transport is not None
        mask = secrets.token_bytes(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        length = (
            bytes([128 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        )
        self._transport.write(bytes([128 | opcode]) + length + mask + masked)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(url: str, path: str, first_message: bytes, *, sockets: int = SOCKETS) -> list[Watcher]:
    """That many clients, all of them open."""
    address, loop = parse.urlsplit(url), asyncio.get_running_loop()
    watchers: list[Watcher] = []
    while len(watchers) < sockets:
        made = await asyncio.gather(
            *(
                loop.create_connection(
                    lambda: Watcher(path, first_message), address.hostname or "", address.port or 80
                )
                for _ in range(min(CONNECTING_AT_ONCE, sockets - len(watchers)))
            )
        )
        watchers += [watcher for _, watcher in made]
        await asyncio.gather(*(watcher.open for _, watcher in made))
    await asyncio.sleep(1.0)
    return watchers


def _pairs(sent: dict[int, float], watchers: list[Watcher], cpu_seconds: float) -> Spread:
    return _spread(
        [1000 * (one.arrived[seq] - at) for one in watchers for seq, at in sent.items()], cpu_seconds
    )


def _spread(milliseconds: list[float], cpu_seconds: float) -> Spread:
    return Spread(
        p50_ms=figures.percentile(milliseconds, 50),
        p99_ms=figures.percentile(milliseconds, 99),
        worst_ms=max(milliseconds),
        cpu_microseconds=1e6 * cpu_seconds / len(milliseconds),
    )


async def _all_arrived(sent: dict[int, float], watchers: list[Watcher]) -> None:
    """Wait for the frames. Raises TimeoutError when one does not come."""
    deadline = time.monotonic() + WAIT_SECONDS
    while any(sent.keys() - one.arrived.keys() for one in watchers):
        if time.monotonic() > deadline:
            raise TimeoutError("a socket lacks a frame")
        await asyncio.sleep(0.01)


async def _pace(number: int, began: float) -> None:
    await asyncio.sleep(max(0.0, began + number / FRAMES_PER_SECOND - time.monotonic()))


async def _bare(server: processes.Server) -> Spread:
    watchers = await connect(server.url, "/", b"")
    sent: dict[int, float] = {}
    before, began = server.cpu_seconds(), time.monotonic()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        for seq in range(1, FRAMES + 1):
            await _pace(seq, began)
            text = msgspec.json.encode({"type": "auction", "seq": seq, "data": "x" * 350})
            sent[seq] = time.monotonic()
            await http.post("/", content=text)
    await _all_arrived(sent, watchers)
    return _finish(sent, watchers, server.cpu_seconds() - before)


def _finish(sent: dict[int, float], watchers: list[Watcher], cpu_seconds: float) -> Spread:
    spread = _pairs(sent, watchers, cpu_seconds)
    for one in watchers:
        one.close()
    return spread


def watch(auction_id: str, after: int) -> bytes:
    return msgspec.json.encode({"type": "watch", "auction_id": auction_id, "after": after})


def _record(auction_id: str, seq: int) -> events.BidPlaced:
    return events.BidPlaced(
        auction_id=auction_id, seq=seq, at=instants.now(), hash="0" * 64, bidder="Bidder 7", price=1000,
        currency="EUR", minimum=1050, leader="Bidder 7", bids=seq, ends_at=0, reserve_met=True, quantity_left=1,
    )  # fmt: skip


async def _push(server: processes.Server) -> Spread:
    """From the call of the consumer's handler to the sockets."""
    auction_id = ids.new_id()
    await asyncio.to_thread(services.record_auction, auction_id=auction_id)
    watchers = await connect(server.url, "/ws/v1/stream", watch(auction_id, 0))
    sent: dict[int, float] = {}
    before, began = server.cpu_seconds(), time.monotonic()
    for seq in range(1, FRAMES + 1):
        await _pace(seq, began)
        record = _record(auction_id, seq)
        sent[seq] = time.monotonic()
        await asyncio.to_thread(services.publish_records, [(record, "")])
    await _all_arrived(sent, watchers)
    return _finish(sent, watchers, server.cpu_seconds() - before)


async def _come_back(server: processes.Server, *, at_once: int) -> Spread:
    """Clients that missed MISSED frames connect: SOCKETS in all, `at_once` of them at the same moment."""
    auction_id = ids.new_id()
    await asyncio.to_thread(services.record_auction, auction_id=auction_id)
    for seq in range(1, MISSED + 2):
        await asyncio.to_thread(services.publish_records, [(_record(auction_id, seq), "")])
    address, loop = parse.urlsplit(server.url), asyncio.get_running_loop()

    async def connect(watcher: Watcher) -> None:
        await loop.create_connection(lambda: watcher, address.hostname or "", address.port or 80)

    waits: list[float] = []
    before = server.cpu_seconds()
    while len(waits) < SOCKETS:
        began = time.monotonic()
        watchers = [Watcher("/ws/v1/stream", watch(auction_id, 1)) for _ in range(at_once)]
        await asyncio.gather(*map(connect, watchers))
        await _all_arrived({MISSED + 1: began}, watchers)
        waits += (1000 * (watcher.arrived[MISSED + 1] - began) for watcher in watchers)
        for watcher in watchers:
            watcher.close()
    return _spread(waits, server.cpu_seconds() - before)


async def _bids(server: processes.Server) -> Spread:
    """From the request of a bid to the sockets, through every process between."""
    bidders = await asyncio.to_thread(market.make_buyers, 2)
    async with market.links(server.url, 4) as to:
        (target_id,) = await market.open_lots(to, 1, start_price=f"{_START}.00")
        first = (await to.get(f"/api/v1/auctions/{target_id}"))[1]["seq"]
        watchers = await connect(server.url, "/ws/v1/stream", watch(target_id, first))
        sent: dict[int, float] = {}
        before, began = server.cpu_seconds(), time.monotonic()
        for number in range(1, FRAMES + 1):
            await _pace(number, began)
            body = {"amount": f"{_START + number * _STEP}.00", "currency": "EUR"}
            at = time.monotonic()
            status, answer = await market.bid(to, target_id, bidders[number % 2], body)
            if status == 201:
                sent[int(answer["seq"])] = at
    if len(sent) < FRAMES // 2:
        raise RuntimeError(f"only {len(sent)} of {FRAMES} bids were accepted")
    await _all_arrived(sent, watchers)
    return _finish(sent, watchers, server.cpu_seconds() - before)


def run_clients(measurement: Coroutine[Any, Any, Result]) -> Result:
    """Run it in this process, on the leanest loop, because the clients share the cores with the servers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measurement)


def run() -> list[Figure]:
    with processes.serving("-m", "benchmarks.fanout", path="/nothing") as server:
        bare = run_clients(_bare(server))
    with processes.whole() as house:
        push = run_clients(_push(house.web))
        bid = run_clients(_bids(house.web))
        one = run_clients(_come_back(house.web, at_once=1))
        crowd = run_clients(_come_back(house.web, at_once=SOCKETS))
        measured = [
            *_beside(f"frame to {SOCKETS:,} sockets", push, bare, p50=None, p99=None, worst=None),
            *_beside(f"bid to {SOCKETS:,} sockets", bid, bare, p50=10, p99=25, worst=50),
            _milliseconds("a client comes back, p99", one.p99_ms, most=50),
            _milliseconds(f"{SOCKETS:,} clients come back at once, worst", crowd.worst_ms, most=1000),
        ]
        return house.verified(measured)


def _beside(
    name: str, spread: Spread, bare: Spread, *, p50: float | None, p99: float | None, worst: float | None
) -> list[Figure]:
    """A spread beside that of the bare fan-out, with the longest times that are its goals."""
    return [
        _milliseconds(f"{name}, p50", spread.p50_ms, most=p50, bare=bare.p50_ms),
        _milliseconds(f"{name}, p99", spread.p99_ms, most=p99, bare=bare.p99_ms),
        _milliseconds(f"{name}, worst", spread.worst_ms, most=worst, bare=bare.worst_ms),
        Figure(
            name=f"{name}, CPU of the web process a frame",
            value=spread.cpu_microseconds,
            unit="us",
            beside="bare fan-out",
            reference=bare.cpu_microseconds,
        ),
    ]


def _milliseconds(name: str, value: float, *, most: float | None, bare: float | None = None) -> Figure:
    return Figure(
        name=name,
        value=value,
        unit="ms",
        beside="bare fan-out" if bare else "",
        reference=bare,
        goal=figures.at_most(most) if most else None,
    )
