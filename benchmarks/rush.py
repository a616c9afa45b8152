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

import msgspec
import redis
import websockets
from django.conf import settings
from websockets.typing import Origin

from auction_project.tools.load import crowd
from benchmarks import figures, market, processes
from benchmarks.figures import Figure

RUSH = 400
HANGING = 15
IDLE_SALES, OTHERS, OTHERS_PER_SECOND = 10, 20, 2.0
TIMES_OUT = "4000000000004202"  # a test number of the simulated provider
ENTRIES, CROWD, CONNECTIONS = 20_000, 100, 32  # most entries mean two notices
PROBES = 10  # bids on the idle stack, and one after the other on a stack that gets old entries again
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.05
_START, _STEP = 1_000, 100  # whole euros: more than an increment, and below what must be confirmed


def run_sales() -> list[Figure]:
    """Seconds from the answer to the confirmed order, of a product beside the rush."""
    return _on_the_whole_stack(_sales_beside_a_rush)


def run_loss() -> list[Figure]:
    """Seconds from a bid until the socket of the bidder who was outbid by it has the notice, and the bid's frame."""
    return _on_the_whole_stack(_outbid_after_a_lost_store)


def _on_the_whole_stack(measure: Callable[[market.Links, str], Awaitable[list[Figure]]]) -> list[Figure]:
    async def measure_there(url: str) -> list[Figure]:
        async with market.links(url) as to:
            return await measure(to, url)

    with processes.whole() as house:
        return house.verified(asyncio.run(measure_there(house.url)))


async def _sales_beside_a_rush(to: market.Links, _url: str) -> list[Figure]:
    buyers = await asyncio.to_thread(market.make_buyers, RUSH)
    others = await asyncio.to_thread(market.make_buyers, OTHERS)
    hanging = await asyncio.to_thread(market.make_buyers, HANGING, card=TIMES_OUT)
    crowded, other = await market.open_listing(to), await market.open_listing(to)

    idle = await _ends(await _buy_steadily(to, other, others[:IDLE_SALES]))

    began = time.time()
    rushed = [
        sale for sale in await asyncio.gather(*(market.buy(to, crowded, each) for each in buyers)) if sale
    ]
    beside = await _ends(await _buy_steadily(to, other, others))
    ends = await _ends(rushed)
    rush_seconds = max(end + sale.answered - began for end, sale in zip(ends, rushed, strict=True))

    slow = await asyncio.gather(*(market.buy(to, crowded, buyer) for buyer in hanging))
    good = await _ends(await _buy_steadily(to, other, others))
    await _ends([sale for sale in slow if sale])
    alone = figures.percentile(idle, 50)
    return [
        _seconds(f"a sale of another product, p50, behind {RUSH}", figures.percentile(beside, 50), alone),
        _seconds(f"a sale of another product, worst, behind {RUSH}", max(beside), alone),
        _seconds(f"all of {RUSH} sales at once", rush_seconds, alone),
        _seconds(f"a good card, p50, beside {HANGING} that time out", figures.percentile(good, 50), alone),
        _seconds(f"a good card, worst, beside {HANGING} that time out", max(good), alone),
    ]


def _seconds(name: str, value: float, alone: float) -> Figure:
    return Figure(name=name, value=value, unit="s", beside="alone, p50", reference=alone)


async def _buy_steadily(to: market.Links, listing: str, buyers: Sequence[market.Buyer]) -> list[market.Sale]:
    return await market.buy_steadily(to, listing, buyers, count=len(buyers), rate=OTHERS_PER_SECOND)


async def _ends(sales: Sequence[market.Sale]) -> list[float]:
    return await asyncio.to_thread(market.wait_for_ends, sales)


async def _outbid_after_a_lost_store(to: market.Links, url: str) -> list[Figure]:
    bidders = await asyncio.to_thread(market.make_buyers, 2)
    (auction_id,) = await market.open_lots(to, 1, start_price=f"{_START}.00")
    targets = await market.open_targets(url, 5)
    async with (
        _following(to, url, bidders[0], auction_id) as first,
        _following(to, url, bidders[1], auction_id) as second,
    ):
        probe = _Probe(to, auction_id, bidders, [first, second])
        await probe.begin()
        crowded = crowd.Crowd(
            url, targets, crowd.make_bidders(CROWD, now=time.time()), connections=CONNECTIONS
        )
        await crowded.run(seconds=WAIT_SECONDS, most=ENTRIES)
        behind, _ = await probe.outbid()  # its notice comes after those of the whole crowd
        idle = [await probe.outbid() for _ in range(PROBES)]

        for store in (settings.REDIS_URL, settings.CELERY_BROKER_URL):
            with redis.Redis.from_url(store) as server:
                server.flushdb()
        lost_notice, lost_frame = await probe.outbid()
        later = [await probe.outbid() for _ in range(PROBES)]
    notice, frame = (figures.percentile(times, 50) for times in zip(*idle, strict=True))
    return [
        _seconds(f"notice of an outbid, behind {ENTRIES:,} bids", behind, notice),
        _seconds("notice of an outbid, after Redis was emptied", lost_notice, notice),
        _seconds("frame of this bid, after Redis was emptied", lost_frame, frame),
        _seconds(
            f"notice of an outbid, worst of {PROBES} after that", max(times[0] for times in later), notice
        ),
    ]


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
    to: market.Links, url: str, bidder: market.Buyer, auction_id: str
) -> AsyncIterator[_Came]:
    """Follow the bidder's notifications and the auction over one WebSocket."""
    _, answer = await to.post("/api/v1/notifications/ticket", bidder.authorization, {})
    address = f"{url.replace('http', 'ws', 1)}/ws/v1/stream?ticket={answer['ticket']}"
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
        to: market.Links,
        auction_id: str,
        bidders: Sequence[market.Buyer],
        sockets: Sequence[_Came],
    ) -> None:
        self._to = to
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
        body = {"amount": f"{_START + self._bids * _STEP}.00", "currency": "EUR"}
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            status, answer = await market.bid(self._to, self._auction_id, bidder, body)
            if status == 201:
                return int(answer["seq"])
            if time.monotonic() > deadline:
                raise TimeoutError("no bid is accepted")
            await asyncio.sleep(POLL_SECONDS)
