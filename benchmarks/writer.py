"""The writer path (decide, chain, group commit) in one process, beside the same store's raw bulk insert (R7) and beside
a commit per bid.
"""

import asyncio
import secrets
import time
from typing import Any

import pymongo

from auction_project.kernel import ids, instants
from auction_project.tools.load import crowd
from benchmarks import bids
from bidding import rules, runtime
from bidding.rules import commands
from bidding.rules.formats import english
from bidding.store import bid_log

AUCTIONS, SUBMITTERS, BULK = 100, 512, 500
SECONDS = 5.0


def run() -> dict[str, float]:
    """Bids per second on the writer path, documents per second raw, and bids per second one by one."""
    targets = bids.open_auctions(AUCTIONS)
    together = runtime.call(_submit(targets, SUBMITTERS), seconds=SECONDS * 4)
    alone = runtime.call(_submit(bids.open_auctions(1), 1), seconds=SECONDS * 4)
    raw = _raw(runtime.call(runtime.current().store.bids.read_from(targets[0].auction_id, 3, BULK)))
    return {"writer path": together, "one bid a commit": alone, "R7 raw insert_many": raw}


async def _submit(targets: list[crowd.Target], submitters: int) -> float:
    """Accepted bids per second with `submitters` at once. Raises RuntimeError when the rules refuse a bid."""
    writer = runtime.current().committer
    amounts = {target.auction_id: target.start for target in targets}
    end = time.monotonic() + SECONDS
    accepted = 0

    async def submitter(number: int) -> None:
        nonlocal accepted
        target = targets[number % len(targets)]
        while time.monotonic() < end:
            amounts[target.auction_id] += crowd.RISE
            outcome = await writer.submit(
                commands.PlaceBid(
                    auction_id=target.auction_id,
                    actor=f"bidder-{number}",
                    key=ids.new_id(),
                    at=instants.now(),
                    salt=secrets.token_hex(16),
                    amount=amounts[target.auction_id],
                    has_card=True,
                    currency="EUR",
                    confirmed=english.FAR_ABOVE_MINIMUM,  # as the first bids are
                )
            )
            if isinstance(outcome, rules.Refusal):
                raise RuntimeError(f"a bid was refused, so there is no speed to measure: {outcome}")
            accepted += 1

    began = time.monotonic()
    await asyncio.gather(*(submitter(number) for number in range(submitters)))
    return accepted / (time.monotonic() - began)


def _raw(entries: list[rules.Entry]) -> float:
    """Documents per second of bulks of the same documents, with the same write concern, in a collection of their
    own."""
    from django.conf import settings

    shapes = [bid_log.document_of(entry, "raw:1") for entry in entries]
    client: pymongo.MongoClient[Any]
    with pymongo.MongoClient(settings.MONGODB_URL, w="majority", journal=True) as client:
        collection: Any = client[settings.MONGODB_DATABASE][f"bench_{ids.new_id()[:8]}"]
        collection.create_index("idem", unique=True)
        collection.create_index("batch")
        collection.create_index("actor")
        count, began = 0, time.monotonic()
        while time.monotonic() - began < SECONDS:
            fresh = [{**shape, "_id": ids.new_id(), "idem": ids.new_id()} for shape in shapes]
            collection.insert_many(fresh, ordered=True)
            count += len(fresh)
        rate = count / (time.monotonic() - began)
        collection.drop()
    return rate
