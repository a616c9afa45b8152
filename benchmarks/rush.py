"""One rush beside others: what a bidder or a buyer waits while another product, another buyer or a lost store keeps the
stack busy. Each figure stands beside the same wait on the idle stack.

Three rushes: RUSH sales of one product while another product sells; HANGING buyers whose payments time out while others
pay; and an emptied Redis after ENTRIES bids.
"""

import asyncio
import collections
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx
import msgspec
import redis
import websockets
from django.conf import settings
from websockets.typing import Origin

from auction_project.tools.load import crowd
from benchmarks import processes, sales

RUSH = 400
HANGING = 15
STOCK = 2_000
IDLE_SALES, OTHERS, OTHERS_PER_SECOND = 10, 20, 2.0
TIMES_OUT = "4000000000004202"  # a test number of the simulated provider
ENTRIES, CROWD, CONNECTIONS = 20_000, 100, 32  # most entries mean two notices
PROBES = 10  # bids on the idle stack
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.05
_START, _STEP = 1_000, 100  # whole euros: more than an increment, and below what must be confirmed


def run_sales() -> dict[str, float]:
    """Seconds from the answer to the confirmed order, of a product beside the rush."""
    return _on_the_whole_stack(_sales_beside_a_rush)


def run_loss() -> dict[str, float]:
    """Seconds from a bid until the socket of the bidder who was outbid by it has the notice, and the bid's frame."""
    return _on_the_whole_stack(_outbid_after_a_lost_store)


def _on_the_whole_stack(
    measure: Callable[[httpx.AsyncClient, str], Awaitable[dict[str, float]]],
) -> dict[str, float]:
    async def measure_there(url: str) -> dict[str, float]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as http:
            return await measure(http, url)

    with processes.whole() as running:
        return asyncio.run(measure_there(running.url))


async def _sales_beside_a_rush(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    buyers = await asyncio.to_thread(sales.make_buyers, RUSH)
    others = await asyncio.to_thread(sales.make_buyers, OTHERS)
    hanging = await asyncio.to_thread(sales.make_buyers, HANGING, card=TIMES_OUT)
    crowded = await sales.listing(url, auction_format="buy_now", quantity=STOCK)
    other = await sales.listing(url, auction_format="buy_now", quantity=STOCK)

    idle = await _ends(await _buy_steadily(http, other, others[:IDLE_SALES]))

    began = time.time()
    rush = await asyncio.gather(*(sales.buy(http, crowded, buyer) for buyer in buyers))
    beside = await _ends(await _buy_steadily(http, other, others))
    rush_ends = [sale for sale in rush if sale]
    rush_seconds = max(
        end + at - began for end, (_, at) in zip(await _ends(rush_ends), rush_ends, strict=True)
    )

    slow = await asyncio.gather(*(sales.buy(http, crowded, buyer) for buyer in hanging))
    good = await _ends(await _buy_steadily(http, other, others))
    await _ends([sale for sale in slow if sale])
    return {
        "a sale alone, p50": _middle(idle),
        f"a sale of another product, p50, behind {RUSH}": _middle(beside),
        f"a sale of another product, worst, behind {RUSH}": max(beside),
        f"the {RUSH} sales": rush_seconds,
        f"a good card, p50, beside {HANGING} that hang": _middle(good),
        f"a good card, worst, beside {HANGING} that hang": max(good),
    }


async def _buy_steadily(
    http: httpx.AsyncClient, auction_id: str, buyers: Sequence[sales.Buyer]
) -> list[tuple[str, float]]:
    began, bought = time.monotonic(), []
    for number, buyer in enumerate(buyers):
        await asyncio.sleep(max(0.0, began + number / OTHERS_PER_SECOND - time.monotonic()))
        bought.append(await sales.buy(http, auction_id, buyer))
    return [sale for sale in bought if sale]


async def _ends(bought: list[tuple[str, float]]) -> list[float]:
    return await asyncio.to_thread(sales.wait_for_ends, bought)


def _middle(figures: Sequence[float]) -> float:
    return sorted(figures)[len(figures) // 2]


async def _outbid_after_a_lost_store(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    auction_id = await sales.listing(url, auction_format="english", quantity=1, start_price=f"{_START}.00")
    lots = [await sales.listing(url, auction_format="english", quantity=1) for _ in range(5)]
    bidders = await asyncio.to_thread(sales.make_buyers, 2)
    async with contextlib.AsyncExitStack() as open_sockets:
        sockets = [
            await open_sockets.enter_async_context(_following(http, url, bidder, auction_id))
            for bidder in bidders
        ]
        probe = _Probe(http, auction_id, bidders, sockets)
        await probe.begin()
        tally = await crowd.Crowd(
            url,
            [crowd.Target(lot, "EUR", 10_00) for lot in lots],
            crowd.make_bidders(CROWD, now=time.time()),
            connections=CONNECTIONS,
        ).run(seconds=WAIT_SECONDS, most=ENTRIES)
        behind = await probe.outbid()  # its notice comes after those of the whole crowd
        idle = [await probe.outbid() for _ in range(PROBES)]

        with redis.Redis.from_url(settings.REDIS_URL) as server:
            server.flushall()
        lost = await probe.outbid()
    return {
        "entries before the loss": float(tally.accepted),
        "an outbid, idle, p50": _middle([notice for notice, _ in idle]),
        "its frame, idle, p50": _middle([frame for _, frame in idle]),
        f"an outbid, behind {ENTRIES} bids": behind[0],
        "an outbid, after FLUSHALL": lost[0],
        "its frame, after FLUSHALL": lost[1],
    }


class _Came:
    """When each message first came over a bidder's socket, by its type and the seq of the entry that it is about."""

    def __init__(self) -> None:
        self._times: collections.defaultdict[tuple[str, int], asyncio.Future[float]] = (
            collections.defaultdict(asyncio.get_running_loop().create_future)
        )

    def end(self) -> None:
        """The socket has closed: nothing more comes."""
        for waited_for in self._times.values():
            if not waited_for.done():
                waited_for.set_exception(ConnectionError("the socket has closed"))

    def note(self, text: str | bytes) -> None:
        message = msgspec.json.decode(text)
        about = message["data"] if message["type"] == "notification" else message
        came = self._times[message["type"], about.get("seq", 0)]
        if not came.done():
            came.set_result(time.monotonic())

    async def at(self, kind: str, seq: int = 0) -> float:
        """Wait until it has come. Raises TimeoutError."""
        return await asyncio.wait_for(self._times[kind, seq], WAIT_SECONDS)


@contextlib.asynccontextmanager
async def _following(
    http: httpx.AsyncClient, url: str, bidder: sales.Buyer, auction_id: str
) -> AsyncIterator[_Came]:
    """Follow the bidder's notifications and the auction over one WebSocket."""
    headers = {"Authorization": bidder.authorization}
    ticket = (await http.post("/api/v1/notifications/ticket", headers=headers)).json()["ticket"]
    address = f"{url.replace('http', 'ws', 1)}/ws/v1/stream?ticket={ticket}"
    came = _Came()

    async def listen() -> None:
        try:
            async for text in socket:
                came.note(text)
        finally:
            came.end()

    async with websockets.connect(address, origin=Origin(url)) as socket:
        await socket.send('{"type": "resume", "cursor": null}')
        await socket.send(f'{{"type": "watch", "auction_id": "{auction_id}", "after": 0}}')
        listening = asyncio.create_task(listen())
        await came.at("resumed")
        try:
            yield came
        finally:
            listening.cancel()


class _Probe:
    """Two bidders who outbid each other on a lot of their own."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        auction_id: str,
        bidders: Sequence[sales.Buyer],
        sockets: Sequence[_Came],
    ) -> None:
        self._http = http
        self._auction_id = auction_id
        self._bidders = bidders
        self._sockets = sockets
        self._bids = 0

    async def begin(self) -> None:
        """The first bid, which outbids no bidder."""
        await self._bid()

    async def outbid(self) -> tuple[float, float]:
        """Bid. Seconds until the other bidder's socket has the notice, and until it has the bid's frame. Raises
        TimeoutError."""
        came = self._sockets[(self._bids + 1) % 2]
        began = time.monotonic()
        seq = await self._bid()
        notice = await came.at("notification", seq)
        frame = await came.at("auction", seq)
        return notice - began, frame - began

    async def _bid(self) -> int:
        """Send the bid until it counts; its seq. Raises TimeoutError."""
        bidder = self._bidders[self._bids % 2]
        self._bids += 1
        body: dict[str, object] = {"amount": f"{_START + self._bids * _STEP}.00", "currency": "EUR"}
        deadline = time.monotonic() + WAIT_SECONDS
        while (answer := await sales.bid(self._http, self._auction_id, bidder, body)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("no bid is accepted")
            await asyncio.sleep(POLL_SECONDS)
        return int(str(answer["seq"]))
