"""What a bid costs while a client tries to stop all bids; each attack stands beside the same bids without one.

The stack has the budgets that it has by default, because they are a part of the answer. Each of `attackers` runs in a
process of its own.
"""

import asyncio
import contextlib
import sys
import time

import httpx
import msgspec

from benchmarks import attackers, processes, sales

BIDS, BIDS_PER_SECOND = 60, 8.0
BEFORE_SECONDS = 2.0  # that an attack goes on before the first bid
_START, _STEP = 1_000, 100  # whole euros; no bid is so high that it must be confirmed


class Figure(msgspec.Struct, frozen=True):
    """Milliseconds from a bid to its answer, over those that were accepted."""

    p50_ms: float
    p99_ms: float
    sent: int
    failed: int


def run() -> dict[str, Figure]:
    """The bids without an attack, and beside each attack."""
    with processes.whole(is_limited=True) as running:
        return asyncio.run(_measure(running.url))


async def _measure(url: str) -> dict[str, Figure]:
    bidders = await asyncio.to_thread(sales.make_buyers, 2)
    figures = {"nothing": await _bid_steadily(url, bidders)}
    for name in attackers.ATTACKS:
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.attackers", name, url, cwd=processes.ROOT
        )
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            figures[name] = await _bid_steadily(url, bidders)
            if attack.returncode is not None:
                raise RuntimeError(f"the attack ended before the bids: {name}")
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
