"""What happens to the order of `sales.confirmed_sale`, and what its events carry."""

from typing import Any

from auction_project.kernel.contracts import events
from orders import models, services
from orders.tests import sales

OPERATOR = sales.operator()
SELLER = services.Actor(user_id=sales.SELLER)
STRANGER = services.Actor(user_id="c" * 32)
LAMP, CHAIR = sales.LAMP, sales.CHAIR


def buyer(sale: sales.Sale) -> services.Actor:
    return services.Actor(user_id=sale.user_id)


def ship(
    sale: sales.Sale, actor: services.Actor = OPERATOR, carrier: str = "Post", number: str = "P1"
) -> models.Order:
    return services.ship_order(
        order_number=sale.order_number,
        actor=actor,
        carrier=carrier,
        tracking_number=number,
        now=sales.NOW,
    )


def deliver(sale: sales.Sale, actor: services.Actor = OPERATOR) -> models.Order:
    return services.deliver_order(order_number=sale.order_number, actor=actor, now=sales.NOW)


def bring_back(
    sale: sales.Sale,
    *lines: services.ReturnedLine,
    key: str = "k",
    actor: services.Actor = OPERATOR,
    reason: str = "It is scratched.",
) -> models.Return:
    return services.return_units(
        order_number=sale.order_number, key=key, lines=lines, reason=reason, actor=actor, now=sales.NOW
    )


def back(product_id: str = LAMP, quantity: int = 1, *, damaged: bool = False) -> services.ReturnedLine:
    return services.ReturnedLine(product_id=product_id, quantity=quantity, damaged=damaged)


def status(sale: sales.Sale) -> str:
    return models.Order.objects.get(pk=sale.order_number).status


def parts(sale: sales.Sale) -> list[tuple[str, bool]]:
    """(seller, is delivered) of each shipment."""
    shipments = models.Shipment.objects.filter(order=sale.order_number).order_by("owner_id")
    return [(shipment.owner_id, shipment.delivered_at is not None) for shipment in shipments]


def published(*kinds: type[events.Event]) -> list[events.Event]:
    return [event for _, event in sales.published() if isinstance(event, kinds)]


def of_order(sale: sales.Sale) -> dict[str, Any]:
    """What every event of this order carries."""
    return {
        "order_number": sale.order_number,
        "sale_id": sale.sale_id,
        "auction_id": "",
        "user_id": sale.user_id,
        "amount": 12550,
        "currency": "EUR",
        "title": "A lamp",
    }


def to_seller(sale: sales.Sale) -> dict[str, Any]:
    """What every notice to SELLER of this order carries."""
    return {
        "order_number": sale.order_number,
        "sale_id": sale.sale_id,
        "user_id": sales.SELLER,
        "title": "A chair",
        "currency": "EUR",
    }
