"""One rush beside others: what a bidder or a buyer waits while another product, another buyer or a lost store keeps the
stack busy. Each figure stands beside the same wait on the idle stack.

Three rushes: RUSH sales of one product while another product sells; HANGING buyers whose payments time out while others
pay; and an emptied Redis after ENTRIES bids, which makes the relays publish everything again before anything new.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx
import redis
from django.conf import settings

from auction_project.tools.load import crowd
from benchmarks import processes, sales
from notifications import models as notices

RUSH = 400
HANGING = 15
STOCK = 2_000
IDLE_SALES, OTHERS, OTHERS_PER_SECOND = 10, 20, 2.0
TIMES_OUT = "4000000000004202"  # a test number of the simulated provider
ENTRIES, CROWD, CONNECTIONS = 2_000, 100, 32  # each entry means two notices, about 10 ms of CPU each
PROBES = 10  # pairs of bids; the first one after the rush counts, the others show the idle stack
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.05
_START, _STEP = 1_000, 100  # whole euros: more than an increment, and below what must be confirmed


def run_sales() -> dict[str, float]:
    """Seconds from the answer to the confirmed order, of a product beside the rush."""
    return _on_the_whole_stack(_sales_beside_a_rush)


def run_loss() -> dict[str, float]:
    """Seconds from a bid to the stored notice of the bidder who was outbid by it."""
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
    probe = _Probe(http, await sales.listing(
        url, auction_format="english", quantity=1, start_price=f"{_START}.00"
    ), await asyncio.to_thread(sales.make_buyers, 2))  # fmt: skip
    await probe.outbid()
    lots = [await sales.listing(url, auction_format="english", quantity=1) for _ in range(5)]
    targets = [crowd.Target(lot, "EUR", 10_00) for lot in lots]
    bidders = crowd.make_bidders(CROWD, now=time.time())
    tally = await crowd.Crowd(url, targets, bidders, connections=CONNECTIONS).run(
        seconds=WAIT_SECONDS, most=ENTRIES
    )
    behind = await probe.outbid()  # its notice comes after those of the whole crowd
    idle = [await probe.outbid() for _ in range(PROBES)]

    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.flushall()
    lost = await probe.outbid()
    return {
        "entries before the loss": float(tally.accepted),
        "an outbid, idle, p50": _middle(idle),
        f"an outbid, behind {ENTRIES} bids": behind,
        "an outbid, after FLUSHALL": lost,
    }


class _Probe:
    """Two bidders who outbid each other on a lot of their own."""

    def __init__(self, http: httpx.AsyncClient, auction_id: str, bidders: Sequence[sales.Buyer]) -> None:
        self._http = http
        self._auction_id = auction_id
        self._bidders = bidders
        self._bids = 0

    async def outbid(self) -> float:
        """Bid, and wait until the other bidder's notice is stored. Raises TimeoutError."""
        bidder, other = self._bidders[self._bids % 2], self._bidders[(self._bids + 1) % 2]
        notices_before = await asyncio.to_thread(_count_outbid, other.user_id)
        began = time.monotonic()
        await self._bid(bidder, began)
        while self._bids > 1 and await asyncio.to_thread(_count_outbid, other.user_id) == notices_before:
            if time.monotonic() - began > WAIT_SECONDS:
                raise TimeoutError(f"no notice within {WAIT_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - began

    async def _bid(self, bidder: sales.Buyer, began: float) -> None:
        """Send the bid until it counts."""
        self._bids += 1
        body: dict[str, object] = {"amount": f"{_START + self._bids * _STEP}.00", "currency": "EUR"}
        while await sales.bid(self._http, self._auction_id, bidder, body) is None:
            if time.monotonic() - began > WAIT_SECONDS:
                raise TimeoutError("no bid is accepted")
            await asyncio.sleep(POLL_SECONDS)


def _count_outbid(user_id: str) -> int:
    return notices.Notification.objects.filter(user_id=user_id, kind="OUTBID").count()
