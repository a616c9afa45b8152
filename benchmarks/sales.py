"""From a sale to its confirmed order, on the whole house with all roles: alone, at once, and without pause.

A sale is confirmed when its saga has ended. The load comes from this process, on the same cores.
"""

import asyncio
import collections
import time

from benchmarks import figures, market, processes, reference
from benchmarks.figures import Figure

BUYERS = 400
STEADY_SECONDS = 20
ALONE, BRISK = 4, 50  # sales/s
LISTINGS = 10
IN_FLIGHT = 400  # sales under way, so that groups can fill and no backlog grows
SUSTAINED_SECONDS, WARM_UP_SECONDS = 60.0, 5.0
POLL_SECONDS = 0.1


def run() -> list[Figure]:
    with processes.whole() as house:
        return asyncio.run(_measure(house))


async def _measure(house: processes.House) -> list[Figure]:
    buyers = await asyncio.to_thread(market.make_buyers, BUYERS)
    async with market.links(house.url) as to:
        listings = [await market.open_listing(to) for _ in range(LISTINGS)]
        await _steady(to, listings[0], buyers, rate=ALONE, seconds=3)
        alone = await _steady(to, listings[0], buyers, rate=ALONE, seconds=STEADY_SECONDS)
        brisk = await _steady(to, listings[0], buyers, rate=BRISK, seconds=STEADY_SECONDS)
        p50, p99 = figures.percentile(alone, 50), figures.percentile(alone, 99)
        steady = [
            Figure(name=f"sale to order at {ALONE}/s, p50", value=p50, unit="s", goal=figures.at_most(0.12)),
            Figure(name=f"sale to order at {ALONE}/s, p99", value=p99, unit="s", goal=figures.at_most(0.3)),
            Figure(
                name=f"sale to order at {BRISK}/s, p99",
                value=figures.percentile(brisk, 99),
                unit="s",
                beside=f"at {ALONE}/s",
                reference=p99,
                goal=figures.at_most(0.3),
            ),
        ]
        measured = await asyncio.to_thread(house.verified, steady)
        sustained = await _sustained(house, to, listings, buyers)
        return measured + await asyncio.to_thread(house.verified, sustained)


async def _steady(
    to: market.Links, listing: str, buyers: list[market.Buyer], *, rate: int, seconds: int
) -> list[float]:
    """Seconds from each answer to the confirmed order."""
    sales = await market.buy_steadily(to, listing, buyers, count=rate * seconds, rate=rate)
    if len(sales) < rate * seconds:
        raise RuntimeError(f"only {len(sales)} of {rate * seconds} purchases were accepted")
    return await asyncio.to_thread(market.wait_for_ends, sales)


async def _sustained(
    house: processes.House, to: market.Links, listings: list[str], buyers: list[market.Buyer]
) -> list[Figure]:
    """IN_FLIGHT buyers who buy again as soon as their last sale has ended."""
    commits = await asyncio.to_thread(reference.commits_per_second)
    ends = _Ends()
    watching = asyncio.create_task(ends.watch())
    selling = [
        asyncio.create_task(
            _buy_without_pause(to, ends, listings[number % LISTINGS], buyers[number::IN_FLIGHT])
        )
        for number in range(IN_FLIGHT)
    ]
    try:
        await asyncio.sleep(WARM_UP_SECONDS)
        with processes.Costs(house) as costs:
            before = ends.count
            await asyncio.sleep(SUSTAINED_SECONDS)
            count = ends.count - before
        for task in (*selling, watching):
            if task.done():
                await task  # none ends by itself, unless it fails
    finally:
        for task in selling:
            task.cancel()
        watching.cancel()
        await asyncio.gather(*selling, watching, return_exceptions=True)
    if not count:
        raise RuntimeError("no sale has ended")
    return [
        Figure(
            name=f"sales/s sustained for {SUSTAINED_SECONDS:g} s",
            value=count / costs.seconds,
            beside=reference.NAME,
            reference=commits,
            goal=figures.at_least(300),
        ),
        costs.each("CPU of a sale, sustained", count),
    ]


async def _buy_without_pause(
    to: market.Links, ends: "_Ends", listing: str, buyers: list[market.Buyer]
) -> None:
    number = 0
    while True:
        number += 1
        sale = await market.buy(to, listing, buyers[number % len(buyers)])
        if sale is None:
            raise RuntimeError("a purchase was refused")
        await ends.wait(sale.sale_id)


class _Ends:
    """Wakes each buyer once the saga of their sale has ended; one query asks for all of them."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: dict[str, asyncio.Event] = collections.defaultdict(asyncio.Event)

    async def wait(self, sale_id: str) -> None:
        await self._waiting[sale_id].wait()

    async def watch(self) -> None:
        while True:
            began = time.monotonic()
            for sale_id in await asyncio.to_thread(market.ends_of, list(self._waiting)):
                self.count += 1
                self._waiting.pop(sale_id).set()
            await asyncio.sleep(max(0.0, began + POLL_SECONDS - time.monotonic()))
