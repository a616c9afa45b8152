"""Events of auctions: lots need stock, lots are over."""

from collections.abc import Sequence
from datetime import UTC, datetime

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from inventory import models, services


def on_listings_requested(run: Sequence[consuming.Received]) -> None:
    listings = [
        services.Listing(
            auction_id=received.event.auction_id,
            product_id=received.event.product_id,
            quantity=received.event.quantity,
            requested_by=received.event.requested_by,
            as_operator=received.event.as_operator,
            allocate=received.event.allocate,
            relists=received.event.relists,
            correlation_id=received.envelope.correlationid,
            span_id=received.span_id,
        )
        for received in run
    ]
    services.reserve_for_lots(listings, now=datetime.now(UTC))


def on_auctions_ended(run: Sequence[consuming.Received]) -> None:
    endings = [
        services.Ending(
            auction_id=received.event.auction_id,
            product_id=received.event.product_id,
            relist_as=received.event.relist_as,
            correlation_id=received.envelope.correlationid,
            span_id=received.span_id,
        )
        for received in run
    ]
    services.release_lots(endings, now=datetime.now(UTC))


SUBSCRIPTION = consuming.Subscription(
    group="inventory",
    inbox=models.Once,
    handlers={
        events.ListingRequested: on_listings_requested,
        events.AuctionEnded: on_auctions_ended,
    },
)
