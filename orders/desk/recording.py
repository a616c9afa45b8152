"""Records what events say of sales, refunds, lots and products, and adds the difference to the sums.

Each event changes one row by what it alone knows, so that the order between topics does not matter, and a repeat changes nothing.
A run is one transaction with one lock, one read and one write for each table; all take their locks in the same order. Once it is
committed, the open pages hear of it.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from django.db import transaction

from auction_project.kernel import contracts, desk_news
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming, transactions
from orders import models
from orders.models import desk

_News = Sequence[tuple[contracts.Envelope, Any]]


def record(run: Sequence[consuming.Received]) -> None:
    """Record the events of a run, which may be of several types (`TYPES`)."""
    of_sales, of_lots, of_refunds, of_products = (
        [(received.envelope, received.event) for received in run if type(received.event) in types]
        for types in (_SALES, _LOTS, _REFUNDS, _PRODUCTS)
    )
    with transaction.atomic(using=models.DATABASE):
        desk.lock_desk(alone=False)
        tally = desk.Tally()
        _record_sales(of_sales, of_lots, tally)
        _record_refunds(of_refunds, tally)
        tally.store()
        _record_products(of_products)
        if of_sales or of_lots or of_refunds:
            transactions.after_commit(desk_news.ring, using=models.DATABASE)


def lines(sold: Iterable[tuple[str, int, int, str]]) -> list[list[str | int]]:
    """The lines of a sale as its row holds them: product, units, amount, and the lot that a checkout paid."""
    stored: list[list[str | int]] = msgspec.to_builtins([desk.Line(*line) for line in sold])
    return stored


def _record_sales(of_sales: _News, of_lots: _News, tally: desk.Tally) -> None:
    """Record what is said of sales, then of lots, with the units that these sales have sold of them."""
    sales = models.DeskSale.locked_or_new(event.sale_id for _, event in of_sales)
    sold = collections.Counter[str]()
    for sale in sales.values():
        sold.subtract(sale.units_of_lots)
    tally.of(sales.values(), -1)
    for envelope, event in of_sales:
        _SALES[type(event)](sales[event.sale_id], envelope, event)
    tally.of(sales.values())
    models.DeskSale.store(sales.values())
    for sale in sales.values():
        sold.update(sale.units_of_lots)
    sold = collections.Counter({auction_id: units for auction_id, units in sold.items() if units})
    lots = models.DeskLot.locked_or_new([*sold, *(event.auction_id for _, event in of_lots)])
    tally.of(lots.values(), -1)
    for envelope, event in of_lots:
        _LOTS[type(event)](lots[event.auction_id], envelope, event)
    for auction_id, more in sold.items():
        lots[auction_id].sold += more
    tally.of(lots.values())
    models.DeskLot.store(lots.values())


def _record_refunds(news: _News, tally: desk.Tally) -> None:
    refunds = models.DeskRefund.locked_or_new(envelope.id for envelope, _ in news)
    tally.of(refunds.values(), -1)
    for envelope, event in news:
        _REFUNDS[type(event)](refunds[envelope.id], envelope, event)
    tally.of(refunds.values())
    models.DeskRefund.store(refunds.values())


def _record_products(news: _News) -> None:
    products = models.DeskProduct.locked_or_new(event.product_id for _, event in news)
    for envelope, event in news:
        _PRODUCTS[type(event)](products[event.product_id], envelope, event)
    models.DeskProduct.store(products.values())


# --- what each event says of a row ------------------------------------------------------------------------------------


def _confirmed_sale(
    sale: models.DeskSale, _envelope: contracts.Envelope, event: events.SaleConfirmed
) -> None:
    sale.auction_id, sale.currency = event.auction_id, event.currency
    sale.lines = lines((line.product_id, line.quantity, line.price, line.auction_id) for line in event.lines)


def _confirmed_order(
    sale: models.DeskSale, envelope: contracts.Envelope, event: events.OrderConfirmed
) -> None:
    sale.auction_id, sale.currency = event.auction_id, event.currency
    sale.amount, sale.confirmed_at = event.amount, envelope.time


def _failed(sale: models.DeskSale, envelope: contracts.Envelope, event: events.BidFailed) -> None:
    sale.auction_id, sale.reason, sale.failed_at = event.auction_id, event.reason, envelope.time


def _refunded(refund: models.DeskRefund, envelope: contracts.Envelope, event: events.PaymentRefunded) -> None:
    refund.currency, refund.amount, refund.at = event.currency, event.amount, envelope.time


def _given_back(refund: models.DeskRefund, envelope: contracts.Envelope, event: events.OrderRefunded) -> None:
    refund.currency, refund.amount, refund.at = event.currency, event.refunded, envelope.time


def _listed(lot: models.DeskLot, envelope: contracts.Envelope, event: events.ListingRequested) -> None:
    lot.quantity, lot.listed_at = event.quantity, envelope.time


def _accepted(lot: models.DeskLot, _envelope: contracts.Envelope, _event: events.LotAccepted) -> None:
    lot.accepted = True


def _ended(lot: models.DeskLot, envelope: contracts.Envelope, _event: events.AuctionEnded) -> None:
    lot.ended_at = envelope.time


def _stock_changed(
    product: models.DeskProduct, _envelope: contracts.Envelope, event: events.StockChanged
) -> None:
    if event.version > product.stock_version:
        product.stock_version, product.on_hand, product.title = event.version, event.on_hand, event.title


def _offer_changed(
    product: models.DeskProduct, _envelope: contracts.Envelope, event: events.OfferChanged
) -> None:
    if event.version > product.offer_version:
        product.offer_version, product.price, product.currency = event.version, event.price, event.currency
        product.owner_id, product.title = event.owner_id, product.title or event.title


def _has_owner(product: models.DeskProduct, _envelope: contracts.Envelope, event: events.LotAccepted) -> None:
    product.owner_id, product.title = event.owner_id, product.title or event.title


_Learn = Mapping[type[events.Event], Callable[[Any, contracts.Envelope, Any], None]]
_SALES: _Learn = {
    events.SaleConfirmed: _confirmed_sale,
    events.OrderConfirmed: _confirmed_order,
    events.BidFailed: _failed,
}
_LOTS: _Learn = {
    events.ListingRequested: _listed,
    events.LotAccepted: _accepted,
    events.AuctionEnded: _ended,
}
_REFUNDS: _Learn = {events.PaymentRefunded: _refunded, events.OrderRefunded: _given_back}
_PRODUCTS: _Learn = {
    events.LotAccepted: _has_owner,
    events.StockChanged: _stock_changed,
    events.OfferChanged: _offer_changed,
}
TYPES = tuple(dict.fromkeys((*_SALES, *_LOTS, *_REFUNDS, *_PRODUCTS)))
