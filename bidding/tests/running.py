"""Auctions in the store of the process's runtime."""

from auction_project.kernel import instants
from bidding import runtime, services
from bidding.catalogue import filling
from bidding.rules import kinds
from bidding.store import auctions
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, OPERATOR, SELLER


def open_auction(auction_id, *, opened=True, starts_in=0, lasts_ms=lots.HOUR, **changes):
    """An auction that opened now and ends in an hour, brought there by the committer; its bidders have cards."""
    now = instants.now()
    for user_id in (ANN, BEN, CID, OPERATOR, SELLER):
        services.record_card(user_id=user_id, usable=True, version=1)
    terms = lots.terms(starts_at=now + starts_in, ends_at=now + starts_in + lasts_ms, **changes)
    document = auctions.AuctionDocument(
        id=auction_id,
        product_id=terms.product_id,
        requested_by=SELLER,
        format=terms.format,
        currency="EUR",
        starts_at=terms.starts_at,
        ends_at=terms.ends_at,
        created_at=now,
        due_at=terms.starts_at,
    )
    runtime.call(runtime.current().store.prepare())
    runtime.call(runtime.current().store.auctions.insert(document))
    common = {"auction_id": auction_id, "at": now, "salt": "s"}
    steps = [
        kinds.Request(**common, actor=SELLER, key="request", terms=terms),
        kinds.Schedule(
            **common,
            actor="event",
            key="e",
            title="Sextant",
            text="",
            thumbnail="",
            seller_id=SELLER,
            stock_version=1,
        ),
        kinds.Open(**common, actor="clock", key="open"),
    ]
    for command in steps[: 3 if opened else 2]:
        runtime.submit(command)
    return auction_id


def fill_catalogue():
    """Put every auction of the store into the catalogue, as the relay does when Redis was emptied."""
    found = runtime.current()

    async def fill():
        await found.catalogue.begin_epoch("test", server="test")
        rest = filling.Filling(found.store, found.catalogue)
        while await rest.step():
            pass
        assert await found.catalogue.mark("test", "complete")

    runtime.call(fill())


def head(auction_id):
    return runtime.look(auction_id).seq
