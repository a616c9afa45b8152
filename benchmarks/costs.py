"""What a bid costs each process of the house until the notices that it causes are stored, and the bytes that a bid and a sale leave in
the stores. The simulation of capacity (benchmarks/capacity.py) computes with these figures.
"""

import asyncio
import time

import bson
from django.db import connections

from auction_project.kernel import databases
from auction_project.tools.load import crowd
from benchmarks import market, processes
from benchmarks.figures import Figure
from bidding import runtime
from bidding.store import bid_log
from notifications import models as notices

POOLS = {"bids": ("bids",), "others": ("push", "site", "stock", "orders")}
AUCTIONS, BIDDERS, CONNECTIONS = 100, 500, 64
SECONDS, WARM_UP_SECONDS = 4.0, 1.0
SALES, SALES_PER_SECOND = 200, 20.0
SAMPLE = 500  # entries whose size is read
QUIET_SECONDS = 3.0  # without a new notice: what follows a load has ended
BID_COST, ENTRY_BYTES, BID_ROWS, SALE_ROWS = (
    "CPU of a bid until its notices are stored",
    "bytes of a bid in the log",
    "bytes that a bid leaves in PostgreSQL",
    "bytes that a sale leaves in PostgreSQL",
)
# Tables whose rows are deleted after a week; all others stay.
_FOR_A_WEEK = "%outbox%"
_SIZE = """SELECT coalesce(sum(pg_total_relation_size(oid)) FILTER (WHERE (relname LIKE %s) = %s), 0)
           FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


def run() -> list[Figure]:
    with processes.whole(pools=POOLS) as house:
        targets = asyncio.run(market.open_targets(house.url, AUCTIONS))
        bidders = crowd.make_bidders(BIDDERS, now=time.time())
        _bid(house, targets, bidders, WARM_UP_SECONDS)
        before = _bytes()
        with processes.Costs(house) as costs:
            bids = _bid(house, market.raised(targets, 10**9), bidders, SECONDS)
        figures = [
            costs.each(BID_COST, bids),
            _entry_bytes(targets[0].auction_id),
            _left(BID_ROWS, before, bids),
        ]
        before = _bytes()
        sales = asyncio.run(_sell(house))
        _wait_until_quiet()
        return house.verified([*figures, _left(SALE_ROWS, before, sales)])


def _bid(
    house: processes.House, targets: list[crowd.Target], bidders: list[crowd.Bidder], seconds: float
) -> int:
    """Bid as fast as the house takes it, and wait until all notices are stored; how many bids were accepted."""
    load = crowd.Crowd(house.url, targets, bidders, connections=CONNECTIONS)
    tally = asyncio.run(load.run(seconds=seconds))
    _wait_until_quiet()
    return tally.accepted


def _wait_until_quiet() -> None:
    count, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        if (now := notices.Notification.objects.count()) != count:
            count, since = now, time.monotonic()
        time.sleep(0.1)


async def _sell(house: processes.House) -> int:
    buyers = await asyncio.to_thread(market.make_buyers, SALES)
    async with market.links(house.url) as to:
        listing = await market.open_listing(to)
        sales = await market.buy_steadily(to, listing, buyers, count=SALES, rate=SALES_PER_SECOND)
    await asyncio.to_thread(market.wait_for_ends, sales)
    return len(sales)


def _entry_bytes(auction_id: str) -> Figure:
    """BSON without indexes, and before the store compresses it."""
    entries = runtime.call(runtime.current().store.bids.read_from(auction_id, 3, SAMPLE))
    sizes = [len(bson.encode(bid_log.document_of(entry, "0" * 40))) for entry in entries]
    return Figure(name=ENTRY_BYTES, value=sum(sizes) / len(sizes), unit="B")


def _bytes() -> dict[str, int]:
    """Of the tables of all databases with their indexes: what stays, and what is deleted after a week."""
    sizes = {}
    for part, is_for_a_week in (("for good", False), ("for a week", True)):
        sizes[part] = 0
        for alias in databases.ALIASES:
            with connections[alias].cursor() as cursor:
                cursor.execute(_SIZE, [_FOR_A_WEEK, is_for_a_week])
                sizes[part] += int(cursor.fetchone()[0])
    return sizes


def _left(name: str, before: dict[str, int], count: int) -> Figure:
    parts = {part: (size - before[part]) / count for part, size in _bytes().items()}
    return Figure(name=name, value=sum(parts.values()), unit="B", parts=parts)
