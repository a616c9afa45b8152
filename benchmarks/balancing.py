"""Bids on one hot auction through the gateway, with several writers: all of them sent to one process by a hash of the auction, as
the gateway does, beside each sent to any process at random.

Both balance the same processes in turn; only a line of the gateway's configuration differs.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from auction_project.processes import gateway, roles
from auction_project.tools.load import crowd
from benchmarks import market, processes
from benchmarks.figures import Figure

WRITERS = (4, 2)
BIDDERS, CONNECTIONS = 500, 64
SECONDS, WARM_UP_SECONDS = 8.0, 1.0
BY_HASH, AT_RANDOM = "by hash", "at random"
_HASH = "    balance hash var(txn.auction)\n    hash-type consistent\n"
_RANDOM = "    balance random(1)\n"
_RISE = 10**8  # minor units between the phases, so that an earlier phase refuses no bid
_BULKS, _CONFLICTS = "gavel_bid_log_bulks_total", "gavel_bid_log_conflicts_total"

# What follows the log does not run beside the load, so that the writers have its share of the cores.
_BEHIND = tuple(role.name for role in roles.ROLES if role.name not in ("web", "gateway"))


def run() -> list[Figure]:
    others = tuple(pool for pool in roles.POOLS if pool != "bids")
    rises = iter(range(0, 10**10, _RISE))
    pools, copies = {"bids": ("bids",), "others": others}, {"bids": max(WRITERS)}
    with tempfile.TemporaryDirectory() as directory, processes.whole(pools=pools, copies=copies) as house:
        at_random_file = _at_random(Path(directory))
        targets = asyncio.run(market.open_targets(house.url, 1))
        bidders = crowd.make_bidders(BIDDERS, now=time.time())
        measured = []
        for writers in WRITERS:
            house.scale("bids", writers)
            with house.without("others", *_BEHIND):
                by_hash = _load(house, targets, bidders, rises)
                with house.gateway_with("--configuration", str(at_random_file)):
                    at_random = _load(house, targets, bidders, rises)
            measured += [
                Figure(
                    name=f"{figure} on one hot auction, {writers} writers, {BY_HASH}",
                    value=by_hash[figure],
                    beside=AT_RANDOM,
                    reference=at_random[figure],
                )
                for figure in by_hash
            ]
        return house.verified(measured)


def _at_random(directory: Path) -> Path:
    """The gateway's configuration, but for how it balances bids."""
    text = (gateway.DIRECTORY / "haproxy.cfg").read_text()
    assert text.count(_HASH) == 1
    path = directory / "haproxy.cfg"
    path.write_text(text.replace(_HASH, _RANDOM))
    return path


def _load(
    house: processes.House,
    targets: list[crowd.Target],
    bidders: list[crowd.Bidder],
    rises: Iterator[int],
) -> dict[str, float]:
    """Accepted bids a second, and of the bulk inserts of all writers the share that met an entry of another writer."""
    for seconds in (WARM_UP_SECONDS, SECONDS):
        before = house.counted("bids", (_BULKS, _CONFLICTS))
        risen = market.raised(targets, next(rises))
        load = crowd.Crowd(house.url, risen, bidders, connections=CONNECTIONS)
        tally = asyncio.run(load.run(seconds=seconds))
    after = house.counted("bids", (_BULKS, _CONFLICTS))
    counted = {name: after[name] - before[name] for name in before}
    return {"bids/s": tally.accepted / SECONDS, "conflicts per bulk": counted[_CONFLICTS] / counted[_BULKS]}
