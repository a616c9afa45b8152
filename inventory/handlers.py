"""Events of others: lots and checkouts need stock, and give it back; units leave for customers, and come back; closed accounts
leave no saved search. The stock's own offers put the read cache out of date."""

from collections.abc import Sequence
from datetime import UTC, datetime

from auction_project.kernel import contracts, instants
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from inventory import models, services
from inventory.search import cache


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
            format=received.event.format,
            currency=received.event.currency,
            start_price=received.event.start_price,
            **_origin(received),
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
            **_origin(received),
        )
        for received in run
    ]
    services.release_lots(endings, now=datetime.now(UTC))


def on_checkouts_started(run: Sequence[consuming.Received]) -> None:
    starts = [
        services.Start(
            checkout_id=received.event.checkout_id,
            units=received.event.units,
            expires_at=instants.moment(received.event.expires_at),
            replaces=received.event.replaces,
            **_origin(received),
        )
        for received in run
    ]
    services.reserve_for_checkouts(starts, now=datetime.now(UTC))


def on_checkouts_abandoned(run: Sequence[consuming.Received]) -> None:
    abandonments = [
        services.Abandonment(
            checkout_id=received.event.checkout_id,
            **_origin(received),
        )
        for received in run
    ]
    services.release_checkouts(abandonments, now=datetime.now(UTC))


def on_orders_shipped(run: Sequence[consuming.Received]) -> None:
    shipments = [
        services.Shipment(
            sale_id=received.event.sale_id,
            product_ids=tuple(line.product_id for line in received.event.lines),
            **_origin(received),
        )
        for received in run
    ]
    services.ship_sales(shipments, now=datetime.now(UTC))


def on_orders_cancelled(run: Sequence[consuming.Received]) -> None:
    """A saga that is undone gives its units back itself; a confirmed order has no saga any more."""
    cancellations = [
        services.Cancellation(
            sale_id=received.event.sale_id,
            **_origin(received),
        )
        for received in run
        if received.event.was_confirmed
    ]
    services.cancel_sales(cancellations, now=datetime.now(UTC))


def on_orders_returned(run: Sequence[consuming.Received]) -> None:
    returns = [
        services.Return(
            return_id=received.event.return_id,
            sale_id=received.event.sale_id,
            lines=received.event.lines,
            reason=received.event.reason,
            **_origin(received),
        )
        for received in run
    ]
    services.take_back(returns, now=datetime.now(UTC))


def on_offers_changed(_run: Sequence[consuming.Received]) -> None:
    cache.invalidate()


def on_account_changed(_envelope: contracts.Envelope, event: events.AccountChanged) -> None:
    if event.closed:
        services.delete_searches_of(user_id=event.user_id)


def _origin(received: consuming.Received) -> dict[str, str]:
    """What caused the command, for the events that follow from it."""
    return {"correlation_id": received.envelope.correlationid, "span_id": received.span_id}


SUBSCRIPTION = consuming.Subscription(
    group="inventory",
    inbox=models.Once,
    handlers={
        events.ListingRequested: on_listings_requested,
        events.AuctionEnded: on_auctions_ended,
        events.CheckoutStarted: on_checkouts_started,
        events.CheckoutAbandoned: on_checkouts_abandoned,
        events.OrderShipped: on_orders_shipped,
        events.OrderCancelled: on_orders_cancelled,
        events.OrderReturned: on_orders_returned,
        events.OfferChanged: on_offers_changed,
        events.AccountChanged: consuming.each(on_account_changed),
    },
)
