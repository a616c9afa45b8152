"""Events of auctions: a lot needs stock, a lot is over."""

from datetime import UTC, datetime

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from inventory import models, services


def on_listing_requested(_envelope: contracts.Envelope, event: events.ListingRequested) -> None:
    services.reserve_for_lot(
        auction_id=event.auction_id,
        product_id=event.product_id,
        quantity=event.quantity,
        requested_by=event.requested_by,
        as_operator=event.as_operator,
        allocate=event.allocate,
        relists=event.relists,
        now=datetime.now(UTC),
    )


def on_auction_ended(_envelope: contracts.Envelope, event: events.AuctionEnded) -> None:
    services.release_lot(auction_id=event.auction_id, relist_as=event.relist_as, now=datetime.now(UTC))


SUBSCRIPTION = consuming.Subscription(
    group="inventory",
    inbox=models.Once,
    handlers={
        events.ListingRequested: consuming.each(on_listing_requested),
        events.AuctionEnded: consuming.each(on_auction_ended),
    },
)
