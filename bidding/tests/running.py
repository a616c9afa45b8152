"""Auctions in the store of the process's runtime."""

from auction_project.kernel import contracts, instants
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from bidding import runtime, services
from bidding.catalogue import filling
from bidding.rules import kinds
from bidding.store import auctions
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, OPERATOR, SELLER, T0


def open_auction(auction_id, *, opened=True, starts_in=0, lasts_ms=lots.HOUR, seller_id=SELLER, **changes):
    """An auction that opened now and ends in an hour, brought there by the committer; its bidders have cards."""
    now = instants.now()
    services.record_cards(
        [
            events.CardChanged(user_id=user_id, usable=True, version=1)
            for user_id in (ANN, BEN, CID, OPERATOR, SELLER)
        ]
    )
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
            seller_id=seller_id,
            stock_version=1,
        ),
        kinds.Open(**common, actor="clock", key="open"),
    ]
    for command in steps[: 3 if opened else 2]:
        runtime.submit(command)
    return auction_id


def received(event, *, event_id):
    """The event as a handler gets it."""
    body = contracts.encode(
        event, event_id=event_id, source="test", time=instants.moment(T0), version=1, correlation_id="c"
    )
    return consuming.Received(*contracts.decode(body))


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
