"""Durable bids with all roles running: their rate, one hot auction beside many, more load than the house can take, and
IN_FLIGHT bids that wait for their answers at once.

The crowd comes from this process, on the same cores.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from auction_project.tools.load import crowd
from benchmarks import figures, market, processes
from benchmarks.figures import Figure

AUCTIONS, BIDDERS = 1_000, 2_000
CONNECTIONS, HOT_CONNECTIONS = 256, 64
SECONDS, WARM_UP_SECONDS = 10.0, 2.0
# Times the peak; so many bids can wait that the rate does not fall.
OVERLOAD, OVERLOAD_CONNECTIONS = 2.0, 2_000
IN_FLIGHT = 10_000
RISE = 10**9  # minor units between the phases, so that an earlier phase refuses no bid


class Load:
    """One crowd after another on one house. Each phase bids higher than all earlier ones."""

    def __init__(self, house: processes.House, targets: Sequence[crowd.Target]) -> None:
        self._house = house
        self._targets = targets
        self._bidders = crowd.make_bidders(BIDDERS, now=time.time())
        self._phases = 0

    def run(
        self,
        *,
        auctions: int = AUCTIONS,
        connections: int = CONNECTIONS,
        seconds: float = SECONDS,
        rate: float | None = None,
        most: int | None = None,
        answers: BinaryIO | None = None,
    ) -> crowd.Tally:
        self._phases += 1
        rise = self._phases * RISE
        risen = market.raised(self._targets, rise)
        load = crowd.Crowd(
            self._house.url, risen[:auctions], self._bidders, connections=connections, answers=answers
        )
        return asyncio.run(load.run(seconds=seconds, rate=rate, most=most))


def run() -> list[Figure]:
    with processes.whole() as house:
        load = Load(house, asyncio.run(market.open_targets(house.url, AUCTIONS)))
        load.run(seconds=WARM_UP_SECONDS)
        full = load.run()
        peak = full.accepted / SECONDS
        measured = house.verified([*_rate(full, peak), *_overload(load, peak)])
        measured += house.verified(_hot(load))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "answers.jsonl")
            with path.open("wb") as answers:
                in_flight = _in_flight(load, answers)
            return measured + house.verified(in_flight, answers=path)


def _rate(full: crowd.Tally, peak: float) -> list[Figure]:
    return [
        Figure(name="durable bids/s, all roles running", value=peak, goal=figures.at_least(8000)),
        Figure(
            name="durable bids, all roles running, p99",
            value=1000 * figures.percentile(full.latencies, 99),
            unit="ms",
            goal=figures.at_most(50),
        ),
    ]


def _overload(load: Load, peak: float) -> list[Figure]:
    tally = load.run(connections=OVERLOAD_CONNECTIONS, rate=OVERLOAD * peak)
    return [
        Figure(
            name=f"accepted bids/s at {OVERLOAD:g} times the capacity",
            value=tally.accepted / SECONDS,
            beside="at the capacity",
            reference=peak,
            goal=figures.at_least_of_reference(0.9),
        )
    ]


def _hot(load: Load) -> list[Figure]:
    """The same connections on all auctions, and on one of them."""
    many = load.run(connections=HOT_CONNECTIONS)
    one = load.run(connections=HOT_CONNECTIONS, auctions=1)
    return [
        Figure(
            name="bids/s on one hot auction",
            value=one.accepted / SECONDS,
            beside=f"on {AUCTIONS:,} auctions",
            reference=many.accepted / SECONDS,
            goal=figures.at_least_of_reference(0.8),
        )
    ]


def _in_flight(load: Load, answers: BinaryIO) -> list[Figure]:
    """Each connection sends one bid, all at once. A bid without an answer is sent again and counts as an error."""
    tally = load.run(connections=IN_FLIGHT, seconds=market.WAIT_SECONDS, most=IN_FLIGHT, answers=answers)
    fine = sum(tally.outcomes[outcome] for outcome in ("accepted", "bid_too_low"))
    return [
        Figure(
            name=f"{IN_FLIGHT:,} bids in flight, errors",
            value=sum(tally.outcomes.values()) - fine,
            goal=figures.at_most(0),
            parts={outcome: float(count) for outcome, count in tally.outcomes.items()},
        ),
        Figure(
            name=f"{IN_FLIGHT:,} bids in flight, last answer",
            value=max(tally.latencies),
            unit="s",
        ),
    ]
