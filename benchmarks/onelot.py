"""BIDDERS bidders with one bid each on one lot: how long each waits for the answer, and how soon they have notice that others
outbid them.

Each bid goes over a connection of its own at its own moment, whether or not earlier ones are answered.
"""

import asyncio
import collections
import time

import msgspec

from auction_project.kernel import instants
from benchmarks import figures, market, processes, reference
from benchmarks.figures import Figure
from notifications import models as notices

BIDDERS = 1_000
RUSH_SECONDS, NOTICE_SECONDS = 0.5, 1.2  # in which all bids are sent
CALM_BIDS, CALM_SECONDS = 100, 10.0
BACKLOG_ROUNDS = 4  # bids of each bidder, whose notices wait for a consumer
_START, _STEP = 1_000, 100  # whole euros: more than an increment, and below what must be confirmed


class Rush(msgspec.Struct):
    """Bids that were sent; instants in seconds since 1970 UTC."""

    began: float
    milliseconds: list[float]
    # By status; 0: no answer.
    lost: collections.Counter[str] = msgspec.field(default_factory=collections.Counter)
    answered: float = 0.0  # the last of them


def run() -> list[Figure]:
    with processes.whole() as house:
        bidders = market.make_buyers(BIDDERS)
        lots = asyncio.run(_open_lots(house))
        calm = asyncio.run(_bid(house, lots[0], bidders[:CALM_BIDS], CALM_SECONDS))
        rush = asyncio.run(_bid(house, lots[1], bidders, RUSH_SECONDS))
        answers = [
            Figure(
                name=f"{BIDDERS:,} bidders on one lot within {RUSH_SECONDS:g} s, p99",
                value=figures.percentile(rush.milliseconds, 99),
                unit="ms",
                beside=f"{CALM_BIDS} in {CALM_SECONDS:g} s",
                reference=figures.percentile(calm.milliseconds, 99),
                goal=figures.at_most(50),
            ),
            Figure(
                name=f"{BIDDERS:,} bidders on one lot, failed bids",
                value=rush.lost.total(),
                goal=figures.at_most(0),
                parts={status: float(count) for status, count in rush.lost.items()},
            ),
        ]
        return [
            *house.verified(answers),
            *_last_notice(house, lots[2], bidders),
            *_backlog(house, lots[3], bidders),
        ]


async def _open_lots(house: processes.House) -> list[str]:
    async with market.links(house.url, 4) as to:
        return await market.open_lots(to, 4, start_price=f"{_START}.00")


def _last_notice(house: processes.House, lot: str, bidders: list[market.Buyer]) -> list[Figure]:
    rush = asyncio.run(_bid(house, lot, bidders, NOTICE_SECONDS))
    doubt = house.doubt()  # it has settled, so all notices are stored
    stored = _notices_since(rush.began)
    return [
        Figure(
            name=f"last notice after {BIDDERS:,} bids on one lot in {NOTICE_SECONDS:g} s",
            value=max(stored) - rush.answered,
            unit="s",
            goal=figures.at_most(2),
            doubt=doubt,
        )
    ]


def _backlog(house: processes.House, lot: str, bidders: list[market.Buyer]) -> list[Figure]:
    """All notices wait before the first one is stored, so that the load does not bound their rate."""
    with house.without("consume"):
        rush = asyncio.run(_bid(house, lot, bidders * BACKLOG_ROUNDS, NOTICE_SECONDS * BACKLOG_ROUNDS))
    doubt = house.doubt()
    stored = _notices_since(rush.began)
    return [
        Figure(
            name="notifications/s, of a backlog",
            value=len(stored) / (max(stored) - min(stored)),
            beside=reference.NAME,
            reference=reference.commits_per_second(),
            goal=figures.at_least(2000),
            doubt=doubt,
        )
    ]


def _notices_since(began: float) -> list[float]:
    """When each notice of an outbid was stored, in seconds since 1970 UTC."""
    since = notices.Notification.objects.filter(
        kind="OUTBID", created_at__gte=instants.moment(int(1000 * began))
    )
    return [moment.timestamp() for moment in since.order_by("pk").values_list("created_at", flat=True)]


async def _bid(house: processes.House, lot: str, bidders: list[market.Buyer], seconds: float) -> Rush:
    """Each of the bidders bids once on the lot, within so many seconds."""
    async with market.links(house.url, min(BIDDERS, len(bidders))) as to:
        rush, began = Rush(time.time(), []), time.monotonic()

        async def bid(number: int, bidder: market.Buyer) -> None:
            due = began + seconds * number / len(bidders)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            body = {"amount": f"{_START + number * _STEP}.00", "currency": "EUR"}
            status, _ = await market.bid(to, lot, bidder, body)
            rush.milliseconds.append(1000 * (time.monotonic() - due))
            if status not in (201, 409):  # neither a yes nor a rule's no
                rush.lost[f"status {status}"] += 1
            rush.answered = time.time()

        await asyncio.gather(*(bid(number, bidder) for number, bidder in enumerate(bidders)))
    return rush
