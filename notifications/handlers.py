"""What events of others do to the feeds: SUBSCRIPTION fills users' feeds, AUCTION_FRAMES the public feeds of auctions.

They are two groups of consumers. A user's feed needs PostgreSQL and an inbox; an auction's frames need Redis alone and
recognise repeats by their seq, so that bids are shown while PostgreSQL is away, and no bid waits behind an e-mail.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from auction_project.kernel import contracts, instants
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from notifications import models, services


def _now() -> datetime:
    return datetime.now(UTC)


def _tell_bidder(envelope: contracts.Envelope, event: events.BidderNotice, kind: models.Kind) -> None:
    data = msgspec.to_builtins(event)
    services.notify(
        user_id=data.pop("user_id"), kind=kind, source=envelope.id, data=data, at=event.at, now=_now()
    )


def on_outbid(envelope: contracts.Envelope, event: events.Outbid) -> None:
    _tell_bidder(envelope, event, models.Kind.OUTBID)


def on_leading(envelope: contracts.Envelope, event: events.Leading) -> None:
    _tell_bidder(envelope, event, models.Kind.LEADING)


def on_won(envelope: contracts.Envelope, event: events.Won) -> None:
    _tell_bidder(envelope, event, models.Kind.WON)


def on_lost(envelope: contracts.Envelope, event: events.Lost) -> None:
    _tell_bidder(envelope, event, models.Kind.LOST)


def on_next_in_line(envelope: contracts.Envelope, event: events.NextInLine) -> None:
    _tell_bidder(envelope, event, models.Kind.NEXT_IN_LINE)


def on_not_sold(envelope: contracts.Envelope, event: events.NotSold) -> None:
    _tell_bidder(envelope, event, models.Kind.NOT_SOLD)


def on_lot_sold(envelope: contracts.Envelope, event: events.LotSold) -> None:
    _tell_bidder(envelope, event, models.Kind.LOT_SOLD)


def on_lot_unsold(envelope: contracts.Envelope, event: events.LotUnsold) -> None:
    _tell_bidder(envelope, event, models.Kind.LOT_UNSOLD)


def on_auction_cancelled(envelope: contracts.Envelope, event: events.AuctionCancelled) -> None:
    _tell_bidder(envelope, event, models.Kind.AUCTION_CANCELLED)


def _tell_buyer(
    envelope: contracts.Envelope, event: events.OrderEvent | events.BidFailed, kind: models.Kind, source: str
) -> None:
    data = msgspec.to_builtins(event)
    at = instants.of(envelope.time)
    services.notify(user_id=data.pop("user_id"), kind=kind, source=source, data=data, at=at, now=_now())


def on_order_confirmed(envelope: contracts.Envelope, event: events.OrderConfirmed) -> None:
    _tell_buyer(envelope, event, models.Kind.ORDER_CONFIRMED, envelope.id)


def on_payment_declined(envelope: contracts.Envelope, event: events.PaymentDeclined) -> None:
    _tell_buyer(envelope, event, models.Kind.PAYMENT_DECLINED, envelope.id)


def on_order_cancelled(envelope: contracts.Envelope, event: events.OrderCancelled) -> None:
    _tell_buyer(envelope, event, models.Kind.ORDER_CANCELLED, _end_of(event))


def on_bid_failed(envelope: contracts.Envelope, event: events.BidFailed) -> None:
    _tell_buyer(envelope, event, models.Kind.ORDER_CANCELLED, _end_of(event))


def _end_of(event: events.OrderCancelled | events.BidFailed) -> str:
    """One source for both: the order's end is told once, whether the order was placed by then or not."""
    return f"order:{event.order_number}:cancelled"


def on_stock_low(envelope: contracts.Envelope, event: events.StockLow) -> None:
    data: dict[str, Any] = msgspec.to_builtins(event)
    at = instants.of(envelope.time)
    services.notify_operators(kind=models.Kind.LOW_STOCK, source=envelope.id, data=data, at=at, now=_now())


def on_account_changed(_envelope: contracts.Envelope, event: events.AccountChanged) -> None:
    services.follow_account(account=event)


def on_session_ended(_envelope: contracts.Envelope, event: events.SessionEnded) -> None:
    services.end_session(user_id=event.user_id, session_id=event.session_id, now=_now())


def on_listing_requested(_envelope: contracts.Envelope, event: events.ListingRequested) -> None:
    services.record_auction(auction_id=event.auction_id)


def on_log_record(_envelope: contracts.Envelope, event: events.LogRecord) -> None:
    services.publish_record(record=event)


SUBSCRIPTION = consuming.Subscription(
    group="notifications",
    inbox=models.Once,
    handlers={
        events.Outbid: on_outbid,
        events.Leading: on_leading,
        events.Won: on_won,
        events.NextInLine: on_next_in_line,
        events.Lost: on_lost,
        events.NotSold: on_not_sold,
        events.LotSold: on_lot_sold,
        events.LotUnsold: on_lot_unsold,
        events.AuctionCancelled: on_auction_cancelled,
        events.OrderConfirmed: on_order_confirmed,
        events.OrderCancelled: on_order_cancelled,
        events.PaymentDeclined: on_payment_declined,
        events.BidFailed: on_bid_failed,
        events.StockLow: on_stock_low,
        events.AccountChanged: on_account_changed,
        events.SessionEnded: on_session_ended,
        events.ListingRequested: on_listing_requested,
    },
)

# AuctionExtended shares its seq with the BidPlaced that carries the new end.
AUCTION_FRAMES = consuming.Subscription(
    group="auction-frames",
    handlers={
        event_type: on_log_record
        for event_type in events.BY_NAME.values()
        if issubclass(event_type, events.LogRecord) and event_type is not events.AuctionExtended
    },
)
