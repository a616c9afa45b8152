"""The writer path (decide, chain, group commit) in one process, beside the same store's raw bulk insert (R7) and beside
a commit per bid.
"""

import asyncio
import secrets
import time
from typing import Any

import pymongo
from django.conf import settings

from auction_project.kernel import ids, instants
from auction_project.tools.load import crowd
from benchmarks import figures
from benchmarks.figures import Figure
from bidding import rules, runtime
from bidding.rules import commands, kinds
from bidding.rules.formats import english
from bidding.store import auctions, bid_log
from bidding.verification import invariants

AUCTIONS, SUBMITTERS, BULK = 100, 512, 500
SECONDS = 5.0


def run() -> list[Figure]:
    targets = open_auctions(AUCTIONS)
    together = runtime.call(_submit(targets, SUBMITTERS), seconds=SECONDS * 4)
    alone = runtime.call(_submit(open_auctions(1), 1), seconds=SECONDS * 4)
    raw = _raw(runtime.call(runtime.current().store.bids.read_from(targets[0].auction_id, 3, BULK)))
    broken = [finding.invariant for finding in invariants.check() if finding.violations]
    doubt = f"the log breaks {', '.join(broken)}" if broken else ""  # there are no other stores to verify
    return [
        Figure(
            name="bids/s of the writer path", value=together, beside="raw insert_many of the same documents",
            reference=raw, goal=figures.at_least_of_reference(0.6), doubt=doubt,
        ),
        Figure(
            name="bids/s of the writer path, beside a commit per bid", value=together, beside="a commit per bid",
            reference=alone, goal=figures.at_least_of_reference(10), doubt=doubt,
        ),
    ]  # fmt: skip


def open_auctions(count: int) -> list[crowd.Target]:
    """Auctions brought to OPEN by commands, without the other services."""
    runtime.call(runtime.current().store.prepare())
    return [crowd.Target(_open_auction(instants.now()), "EUR", 10_00) for _ in range(count)]


def _open_auction(now: int) -> str:
    """The id of one that opens at `now` (milliseconds since 1970 UTC)."""
    auction_id = ids.new_id()
    terms = rules.Terms(
        format="english",
        product_id=ids.new_id(),
        as_operator=True,
        currency="EUR",
        start_price=10_00,
        card_required=False,
        starts_at=now,
        ends_at=now + 3_600_000,
        soft_close=rules.SoftClose(window_ms=0),
    )
    document = auctions.AuctionDocument(
        id=auction_id,
        product_id=terms.product_id,
        requested_by="bench",
        format="english",
        currency="EUR",
        starts_at=now,
        ends_at=terms.ends_at,
        created_at=now,
        due_at=now,
    )
    runtime.call(runtime.current().store.auctions.insert(document))
    common: dict[str, Any] = {"auction_id": auction_id, "at": now, "salt": secrets.token_hex(16)}
    runtime.submit(kinds.Request(actor="bench", key="request", terms=terms, **common))
    runtime.submit(
        kinds.Schedule(
            actor=commands.EVENT, key="schedule", title="Bench", text="", thumbnail="", seller_id="bench",
            stock_version=1, **common,
        )
    )  # fmt: skip
    runtime.submit(kinds.Open(actor="bench", key="open", early=True, by_operator=True, **common))
    return auction_id


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
