"""What bidding does about the events of other apps. It has no inbox, because the log recognises a repeat by the event's id.

Kinds of events that come mixed share a handler, so that a run is long and its entries go into one bulk.
"""

from collections.abc import Sequence

from auction_project.kernel import instants
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from bidding import services


def on_inventory_news(run: Sequence[consuming.Received]) -> None:
    services.follow_inventory(run, now=instants.now())


def on_cards_changed(run: Sequence[consuming.Received]) -> None:
    services.record_cards([received.event for received in run])


def on_sales_ended(run: Sequence[consuming.Received]) -> None:
    services.end_sales(run, now=instants.now())


def on_auctions_ended(run: Sequence[consuming.Received]) -> None:
    services.relist_auctions(run, now=instants.now())


SUBSCRIPTION = consuming.Subscription(
    group=services.GROUP,
    inbox=None,
    handlers={
        **dict.fromkeys(
            (
                events.LotAccepted,
                events.LotRefused,
                events.LotStockLost,
                events.StockChanged,
                events.StockDepleted,
            ),
            on_inventory_news,
        ),
        events.CardChanged: on_cards_changed,
        **dict.fromkeys((events.SaleSettled, events.BidFailed), on_sales_ended),
        events.AuctionEnded: on_auctions_ended,
    },
)
