"""Lots from their request to OPEN, and from their end to CLOSED: a few, and MANY at once, with all roles.

The instants are those that the log holds: a lot's request is the first request of the run, the rest are entries.
"""

import asyncio
import time

import msgspec

from auction_project.kernel import instants
from benchmarks import figures, market, processes, reference
from benchmarks.figures import Figure
from bidding import runtime
from bidding.rules import log

LOTS = 2_000
FEW, FEW_SECONDS = 300, 15.0  # lots, which end one after the other
MANY, MANY_SECONDS = 10_000, 1.0  # lots, which end within so many seconds
QUIET_SECONDS = 10.0  # between the opening of the last lot and the first end
SLOWER = 1.5  # many lots may take so much longer than the rate of LOTS says
WAIT_SECONDS = 600.0
READ = 500


class Closes(msgspec.Struct, frozen=True):
    """How many milliseconds after its end each lot was closed; seconds from the first end to the last close."""

    lags: list[int]
    seconds: float
    doubt: str


def run() -> list[Figure]:
    with processes.whole() as house:
        return asyncio.run(_measure(house))


async def _measure(house: processes.House) -> list[Figure]:
    async with market.links(house.url, market.REQUESTS_AT_ONCE) as to:
        product_ids = await asyncio.to_thread(market.shelve_for, LOTS)
        commits = await asyncio.to_thread(reference.commits_per_second)
        with processes.Costs(house) as costs:
            began = instants.now()
            lots = await market.request_lots(to, product_ids, [{}] * LOTS)
            opened = await _times(lots, "opened")
        per_second = 1000 * LOTS / (max(opened) - began)
        opening = await asyncio.to_thread(
            house.verified,
            [
                Figure(
                    name="lots/s from the request to OPEN",
                    value=per_second,
                    beside=reference.NAME,
                    reference=commits,
                    goal=figures.at_least(300),
                ),
                costs.each("CPU of a lot, from the request to OPEN", LOTS),
            ],
        )
        few = await _close(to, FEW, FEW_SECONDS, per_second)
        many = await _close(to, MANY, MANY_SECONDS, per_second)
    closing = [
        Figure(
            name="close lag, p99",
            value=figures.percentile(few.lags, 99),
            unit="ms",
            goal=figures.at_most(100),
        ),
        Figure(
            name=f"{MANY:,} closes due in {MANY_SECONDS:g} s, until the last",
            value=many.seconds,
            unit="s",
            goal=figures.at_most(5),
        ),
    ]
    verified = await asyncio.to_thread(house.verified, closing)
    late = few.doubt or many.doubt
    return opening + [msgspec.structs.replace(each, doubt=each.doubt or late) for each in verified]


async def _close(to: market.Links, count: int, seconds: float, per_second: float) -> Closes:
    """So many new lots end one after the other within `seconds`."""
    product_ids = await asyncio.to_thread(market.shelve_for, count)
    first = instants.now() + int(1000 * (QUIET_SECONDS + SLOWER * count / per_second))
    ends = [first + int(1000 * seconds * number / count) for number in range(count)]
    terms = [{"ends_at": end, "soft_close": {"window_ms": 0}, "relistings_left": 0} for end in ends]
    lots = await market.request_lots(to, product_ids, terms)
    opened = await _times(lots, "opened")
    late = sum(at > first for at in opened)
    await asyncio.sleep(max(0.0, (max(ends) - instants.now()) / 1000))
    closed = await _times(lots, "closed")
    return Closes(
        lags=[at - end for end, at in zip(ends, closed, strict=True)],
        seconds=(max(closed) - first) / 1000,
        doubt=f"{late} lots opened after the first end" if late else "",
    )


async def _times(auction_ids: list[str], kind: str) -> list[int]:
    """When each of the lots got its entry of this kind, in milliseconds since 1970 UTC. Raises TimeoutError."""
    times: dict[str, int] = {}
    deadline = time.monotonic() + WAIT_SECONDS
    while len(times) < len(auction_ids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(auction_ids) - len(times)} lots are not {kind}")
        waiting = [auction_id for auction_id in auction_ids if auction_id not in times][:READ]
        for entry in await asyncio.to_thread(_read, waiting):
            if entry.kind == kind:
                times[entry.auction_id] = entry.at
        if not all(auction_id in times for auction_id in waiting):
            await asyncio.sleep(0.25)
    return [times[auction_id] for auction_id in auction_ids]


def _read(auction_ids: list[str]) -> list[log.Entry]:
    """The first entries of these lots: requested, scheduled, opened, closed."""
    keys = [(auction_id, seq) for auction_id in auction_ids for seq in (1, 2, 3, 4)]
    return list(runtime.call(runtime.current().store.bids.read(keys), seconds=30).values())
