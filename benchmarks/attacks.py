"""What a bid costs while a client tries to stop all bids; each attack stands beside the same bids without one.

The stack has the budgets that it has by default, because they are a part of the answer. Each of `attackers` runs in a
process of its own.
"""

import asyncio
import contextlib
import sys
import time

from benchmarks import attackers, figures, market, processes
from benchmarks.figures import Figure

BIDS, BIDS_PER_SECOND = 60, 8.0
ANSWER_SECONDS = 10.0
BEFORE_SECONDS = 2.0  # that an attack goes on before the first bid
_START, _STEP = 1_000, 100  # whole euros; no bid is so high that it must be confirmed


def run() -> list[Figure]:
    """The bids without an attack, and beside each attack."""
    with processes.whole(is_limited=True) as house:
        return house.verified(asyncio.run(_measure(house.url)))


async def _measure(url: str) -> list[Figure]:
    bidders = await asyncio.to_thread(market.make_buyers, 2)
    alone = await _bid_steadily(url, bidders)
    measured = []
    for name in attackers.ATTACKS:
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.attackers", name, url, cwd=processes.ROOT
        )
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            beside = await _bid_steadily(url, bidders)
            if attack.returncode is not None:
                raise RuntimeError(f"the attack ended before the bids: {name}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                attack.terminate()
            await attack.wait()
        measured += _figures(name, beside, alone)
    return measured


def _figures(attack: str, beside: list[float], alone: list[float]) -> list[Figure]:
    """From the milliseconds of the bids that were accepted."""
    failed = Figure(
        name=f"failed bids beside {attack}",
        value=BIDS - len(beside),
        unit=f"of {BIDS}",
        goal=figures.at_most(0),
    )
    if not beside:
        return [failed]
    p99 = Figure(
        name=f"bids beside {attack}, p99",
        value=figures.percentile(beside, 99),
        unit="ms",
        beside="without",
        reference=figures.percentile(alone, 99),
    )
    return [failed, p99]


async def _bid_steadily(url: str, bidders: list[market.Buyer]) -> list[float]:
    """Milliseconds from each bid to its answer, of those that were accepted."""
    waits: list[float] = []
    async with market.links(url, 4) as to:
        (auction_id,) = await market.open_lots(to, 1, start_price=f"{_START}.00")
        began = time.monotonic()
        for number in range(1, BIDS + 1):
            await asyncio.sleep(max(0.0, began + number / BIDS_PER_SECOND - time.monotonic()))
            body = {"amount": f"{_START + number * _STEP}.00", "currency": "EUR"}
            at = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    status, _ = await market.bid(to, auction_id, bidders[number % 2], body)
                    if status == 201:
                        waits.append(1000 * (time.monotonic() - at))
    return waits
