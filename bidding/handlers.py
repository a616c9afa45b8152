"""What bidding does about the events of other apps. It has no inbox, because the log recognises a repeat by the event's id."""

from auction_project.kernel import instants
from auction_project.kernel.contracts import Envelope, events
from auction_project.kernel.messaging import consuming
from bidding import services


def on_lot_accepted(envelope: Envelope, event: events.LotAccepted) -> None:
    services.schedule_auctions([(envelope, event)], now=instants.now())


def on_lot_refused(envelope: Envelope, event: events.LotRefused) -> None:
    services.refuse_auctions([(envelope, event)], now=instants.now())


def on_stock_depleted(envelope: Envelope, event: events.StockDepleted) -> None:
    services.cancel_depleted_auctions([(envelope, event)], now=instants.now())


def on_stock_changed(_envelope: Envelope, event: events.StockChanged) -> None:
    services.record_stock([event])


def on_lot_stock_lost(envelope: Envelope, event: events.LotStockLost) -> None:
    services.cancel_for_lost_stock([(envelope, event)], now=instants.now())


def on_card_changed(_envelope: Envelope, event: events.CardChanged) -> None:
    services.record_cards([event])


def on_sale_settled(envelope: Envelope, event: events.SaleSettled) -> None:
    services.settle_sales([(envelope, event)], now=instants.now())


def on_bid_failed(envelope: Envelope, event: events.BidFailed) -> None:
    services.fail_sales([(envelope, event)], now=instants.now())


def on_auction_ended(envelope: Envelope, event: events.AuctionEnded) -> None:
    if event.relist_as is not None:
        services.relist_auction(
            event_id=envelope.id, auction_id=event.auction_id, relist_as=event.relist_as, now=instants.now()
        )


SUBSCRIPTION = consuming.Subscription(
    group="bidding",
    inbox=None,
    handlers={
        events.LotAccepted: consuming.each(on_lot_accepted),
        events.LotRefused: consuming.each(on_lot_refused),
        events.LotStockLost: consuming.each(on_lot_stock_lost),
        events.StockChanged: consuming.each(on_stock_changed),
        events.StockDepleted: consuming.each(on_stock_depleted),
        events.CardChanged: consuming.each(on_card_changed),
        events.SaleSettled: consuming.each(on_sale_settled),
        events.BidFailed: consuming.each(on_bid_failed),
        events.AuctionEnded: consuming.each(on_auction_ended),
    },
)
