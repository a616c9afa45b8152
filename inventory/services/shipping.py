"""Committed units leave for customers, and come back: shipments, cancellations before them, and returns.

Orders decides, in events; here the ledger follows. Each effect happens once: a shipped or cancelled sale stays so, and a
return is known by its id. A sale's reservations are shipped product by product, because each seller ships their own.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from auction_project.kernel import logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import once
from inventory import books, ledger, models, refusals
from inventory.services import sale_books, transactions

SYSTEM = "system"


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """All units of these products of a sale are with the carrier."""

    sale_id: str
    product_ids: tuple[str, ...]
    correlation_id: str
    span_id: str = ""


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """A sale whose confirmed order was cancelled before it was shipped."""

    sale_id: str
    correlation_id: str
    span_id: str = ""


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a shipped sale that came back; those that are damaged are set aside."""

    return_id: str
    sale_id: str
    lines: tuple[events.ReturnedUnits, ...]
    reason: str
    correlation_id: str
    span_id: str = ""


def ship_sales(shipments: Sequence[Shipment], *, now: datetime) -> None:
    """The units leave the stock. A repeat changes nothing. Raises NotReserved, and WrongState for a cancelled sale."""
    with transactions.of_the_consumer(), sale_books.opened([one.sale_id for one in shipments]) as stock:
        for shipment in shipments:
            with logs.bound(correlation_id=shipment.correlation_id, span_id=shipment.span_id):
                for product_id in shipment.product_ids:
                    _ship(stock, _reservation(stock, shipment.sale_id, product_id), now)


def cancel_sales(cancellations: Sequence[Cancellation], *, now: datetime) -> None:
    """The units are available again. A repeat changes nothing. Raises NotReserved, and WrongState for a shipped sale."""
    sale_ids = [one.sale_id for one in cancellations]
    with transactions.of_the_consumer(), sale_books.opened(sale_ids, with_sources=True) as stock:
        for cancellation in cancellations:
            with logs.bound(correlation_id=cancellation.correlation_id, span_id=cancellation.span_id):
                sales = stock.sales(cancellation.sale_id)
                if not sales:
                    raise refusals.NotReserved(sale_id=cancellation.sale_id)
                for sale in sales:
                    _cancel(stock, sale, now)


def take_back(returns: Sequence[Return], *, now: datetime) -> None:
    """The units come back to the warehouses that they left. A repeat changes nothing. Raises NotReserved, NotShipped."""
    with transactions.of_the_consumer(), sale_books.opened([one.sale_id for one in returns]) as stock:
        keys = {_once(one) for one in returns}
        new = once.record(models.Once, sorted(keys), once.State.DONE, now=now)
        for one in returns:
            if _once(one) in new:
                with logs.bound(correlation_id=one.correlation_id, span_id=one.span_id):
                    _take_back(stock, one, now)


def _once(one: Return) -> str:
    return f"return:{one.return_id}"


def _ship(stock: books.Books, sale: models.Reservation, now: datetime) -> None:
    if sale.state == models.ReservationState.SHIPPED:
        return
    sale.become(models.ReservationState.SHIPPED, now=now)
    legs = ledger.legs(sale.units, ledger.committed_in, ledger.CUSTOMER)
    stock.post(stock.product_of(sale), legs, _cause(models.MoveKind.SHIP, f"sale:{sale.holder}", now))


def _cancel(stock: books.Books, sale: models.Reservation, now: datetime) -> None:
    if sale.state == models.ReservationState.CANCELLED:
        return
    sale.become(models.ReservationState.CANCELLED, now=now)
    product = stock.product_of(sale)
    source = stock.source(auction_id=sale.auction_id, checkout_id=sale.checkout_id, product=product)
    if source is not None:  # its lot runs: it has sold these units, and does not get them back
        source.sell_fewer(sum(holding.from_lot for holding in sale.held.values()), now=now)
    legs = ledger.legs(sale.give_up_units(), ledger.committed_in, ledger.available_in)
    stock.post(product, legs, _cause(models.MoveKind.RESTOCK, f"sale:{sale.holder}", now))


def _take_back(stock: books.Books, one: Return, now: datetime) -> None:
    for line in one.lines:
        sale = _reservation(stock, one.sale_id, line.product_id)
        place_in = ledger.set_aside_in if line.damaged else ledger.available_in
        legs = ledger.legs(sale.take_back(line.quantity, now=now), ledger.CUSTOMER, place_in)
        cause = _cause(models.MoveKind.RETURN, f"return:{one.return_id}", now, reason=one.reason)
        stock.post(stock.product_of(sale), legs, cause)


def _reservation(stock: books.Books, sale_id: str, product_id: str) -> models.Reservation:
    """The sale's reservation of the product. Raises NotReserved."""
    for sale in stock.sales(sale_id):
        if sale.product_id == product_id:
            return sale
    raise refusals.NotReserved(sale_id=sale_id, product_id=product_id)


def _cause(kind: models.MoveKind, reference: str, now: datetime, *, reason: str = "") -> ledger.Cause:
    return ledger.Cause(kind=kind, reference=reference, actor=SYSTEM, now=now, reason=reason[:200])
