"""Events as the desk gets them, and what its tables say afterwards."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from auction_project.kernel import contracts, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from orders import models
from orders.desk import handlers

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def event(happened: events.Event, *, at: datetime = NOON, event_id: str = "") -> consuming.Received:
    """The event as a consumer gets it."""
    message = contracts.encode(
        happened,
        event_id=event_id or f"{happened.key()}:{type(happened).__name__}",
        source="test",
        time=at,
        version=getattr(happened, "version", 0),
        correlation_id="c",
    )
    return consuming.Received(*contracts.decode(message))


def hear(run: Sequence[consuming.Received]) -> None:
    """Handle the events as one run."""
    handlers.SUBSCRIPTION.handlers[type(run[0].event)](run)


def sale(
    *, amount: int = 10_00, currency: str = "EUR", lines: Sequence[tuple[str, int, int]] = (), **changes: Any
) -> events.SaleConfirmed:
    """A sale of an auction; `lines` are (product, quantity, price), one unit of "p" without any."""
    auction_id = changes.pop("auction_id", ids.new_id())
    sale_id = changes.pop("sale_id", ids.sale_id(auction_id or ids.new_id(), 7))
    return events.SaleConfirmed(
        sale_id=sale_id,
        order_number=ids.order_number(sale_id),
        user_id="u" * 32,
        auction_id=auction_id,
        price=amount,
        currency=currency,
        lines=tuple(
            events.SaleLine(product_id=product, quantity=quantity, price=price, title=f"The {product}")
            for product, quantity, price in lines or [("p", 1, amount)]
        ),
        **changes,
    )


def confirmed(of: events.SaleConfirmed) -> events.OrderConfirmed:
    return events.OrderConfirmed(**_order(of))


def refunded(of: events.SaleConfirmed) -> events.PaymentRefunded:
    return events.PaymentRefunded(**_order(of))


def failed(of: events.SaleConfirmed, reason: Any = "payment_refused") -> events.BidFailed:
    names = ("sale_id", "order_number", "user_id", "auction_id", "checkout_id")
    return events.BidFailed(**{name: getattr(of, name) for name in names}, reason=reason)


def listed(auction_id: str, *, quantity: int = 1, product_id: str = "p") -> events.ListingRequested:
    return events.ListingRequested(
        auction_id=auction_id,
        product_id=product_id,
        quantity=quantity,
        format="english",
        allocate="on_listing",
        requested_by="u" * 32,
        as_operator=False,
    )


def accepted(auction_id: str, *, product_id: str = "p", owner_id: str = "house") -> events.LotAccepted:
    return events.LotAccepted(
        auction_id=auction_id,
        product_id=product_id,
        owner_id=owner_id,
        title=f"The {product_id}",
        text="",
        thumbnail="",
        version=1,
    )


def ended(auction_id: str) -> events.AuctionEnded:
    return events.AuctionEnded(auction_id=auction_id, product_id="p", seq=9)


def stock(product_id: str, on_hand: int, *, version: int = 1) -> events.StockChanged:
    return events.StockChanged(
        product_id=product_id,
        version=version,
        title=f"The {product_id}",
        on_hand=on_hand,
        available=on_hand,
        reserved=0,
        committed=0,
    )


def offer(product_id: str, price: int, *, version: int = 1, **changes: Any) -> events.OfferChanged:
    given: dict[str, Any] = {
        "owner_id": "house",
        "title": f"The {product_id}",
        "slug": product_id,
        "thumbnail": "",
        "currency": "EUR",
        "max_per_order": 5,
        "published": True,
    }
    return events.OfferChanged(product_id=product_id, version=version, price=price, **given | changes)


def hours() -> dict[tuple[str, int, str, str, str], tuple[int, int, int]]:
    """(day, hour, measure, subject, currency) -> (count, amount, units), of the rows that are not 0."""
    rows = models.DeskHour.objects.order_by("pk")
    return {
        (row.day.isoformat(), row.hour, row.measure, row.subject, row.currency): figures
        for row in rows
        if any(figures := (row.count, row.amount, row.units))
    }


def products() -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """(day, product, currency) -> (orders, amount, units), of the rows that are not 0."""
    rows = models.DeskProductDay.objects.order_by("pk")
    return {
        (row.day.isoformat(), row.product_id, row.currency): figures
        for row in rows
        if any(figures := (row.count, row.amount, row.units))
    }


def _order(of: events.SaleConfirmed) -> dict[str, Any]:
    return {
        "order_number": of.order_number,
        "sale_id": of.sale_id,
        "auction_id": of.auction_id,
        "user_id": of.user_id,
        "amount": of.price,
        "currency": of.currency,
    }
