"""The shop as its tests use it: offers, a cart, a checkout with its answer, its payment, and the end of its sale."""

from datetime import datetime
from typing import Any

from auction_project.kernel import contracts, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from orders import handlers, models, services
from orders.tests import sales

USER, OTHER = "a" * 32, "b" * 32
LAMP, CHAIR = "1" * 32, "2" * 32
NOW = sales.NOW
ADDRESS = {
    "name": "Ada Example",
    "line1": "Hauptstraße 1",
    "line2": "",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
    "phone": "",
}


def handle(*happened: events.Event) -> None:
    """Handle these events as the consumer does."""
    for event in happened:
        message = contracts.encode(
            event, event_id=ids.new_id(), source="test", time=NOW, version=0, correlation_id="c"
        )
        received = consuming.Received(*contracts.decode(message))
        handlers.SUBSCRIPTION.handlers[type(received.event)]([received])


def offer(product_id: str = LAMP, **changes: Any) -> events.OfferChanged:
    figures: dict[str, Any] = {
        "product_id": product_id,
        "version": 1,
        "owner_id": "house",
        "title": "A lamp" if product_id == LAMP else "A chair",
        "slug": "a-lamp",
        "thumbnail": "",
        "price": 1050,
        "currency": "EUR",
        "max_per_order": 5,
        "published": True,
    }
    return events.OfferChanged(**figures | changes)


def wanted(product_id: str = LAMP, quantity: int = 2, unit_price: int = 1050) -> services.Wanted:
    return services.Wanted(product_id=product_id, quantity=quantity, unit_price=unit_price)


def fill(*lines: services.Wanted, user_id: str = USER) -> None:
    """Have these lines in the cart, whatever the offers say of them now."""
    for line in lines:
        models.CartLine.new(
            user_id=user_id,
            product_id=line.product_id,
            quantity=line.quantity,
            seen_price=line.unit_price,
            currency="EUR",
            now=NOW,
        ).put()


def start(
    *lines: services.Wanted, key: str = "k", user_id: str = USER, now: datetime = NOW
) -> models.Checkout:
    """A checkout of these lines, which are in the cart."""
    lines = lines or (wanted(),)
    fill(*lines, user_id=user_id)
    address_of(user_id)
    return services.start_checkout(user_id=user_id, key=key, lines=lines, currency="EUR", now=now)


def address_of(user_id: str = USER) -> models.Address:
    """The buyer's address, which is put into their book once."""
    return services.add_address(user_id=user_id, key="home", fields=ADDRESS, is_default=True, now=NOW)


def cart(user_id: str = USER) -> dict[str, int]:
    """The units in the cart, by product."""
    return dict(models.CartLine.of(user_id).values_list("product_id", "quantity"))


def reserved(*lines: services.Wanted) -> models.Checkout:
    """A checkout that inventory has reserved, of a buyer with a card."""
    services.set_card(user_id=USER, number=sales.ACCEPTS, now=NOW)
    handle(offer(), offer(CHAIR, price=2000))
    checkout = start(*lines)
    handle(events.CheckoutReserved(checkout_id=checkout.id))
    return checkout


def pay(checkout: models.Checkout, now: datetime = NOW) -> models.CheckoutSale:
    return services.pay_checkout(checkout_id=checkout.id, user_id=USER, now=now)


def settle(sale: models.CheckoutSale) -> None:
    """The saga of the sale has succeeded."""
    handle(
        events.SaleSettled(
            sale_id=sale.sale_id,
            order_number=sale.order_number,
            user_id=USER,
            checkout_id=sale.checkout_id,
        )
    )


def failed(sale: models.CheckoutSale) -> events.BidFailed:
    return events.BidFailed(
        sale_id=sale.sale_id,
        order_number=sale.order_number,
        user_id=USER,
        checkout_id=sale.checkout_id,
        reason="payment_refused",
        detail="The card was declined.",
    )


def state(checkout: models.Checkout) -> str:
    return models.Checkout.objects.get(pk=checkout.pk).state


def published(*kinds: type[events.Event]) -> list[events.Event]:
    rows = models.Outbox.objects.filter(type__in=[kind.__name__ for kind in kinds]).order_by("id")
    return [contracts.decode(bytes(row.body))[1] for row in rows]
