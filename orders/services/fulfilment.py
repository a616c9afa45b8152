"""What happens to a confirmed order: its parts are shipped and delivered. What `returns` and `refunds` do to one begins here, too.

A part is the lines of one seller. Sellers ship and deliver their part, operators any. Each service is one transaction that locks
the order first, so that a shipment and a cancellation never both happen. A repeat changes nothing. Inventory follows by the events.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from django.db import transaction
from django.db.models import prefetch_related_objects

from auction_project.kernel import contracts, texts
from auction_project.kernel.messaging import outbox
from orders import exceptions, models
from orders.services import publishing

_Fact = models.OrderFact.Kind


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does it: the id of an account. An operator may do it with every order."""

    user_id: str
    is_operator: bool = False


def ship_order(
    *, order_number: str, actor: Actor, carrier: str, tracking_number: str, now: datetime
) -> models.Order:
    """The actor's part is with the carrier; of an operator, all parts that are not shipped yet.

    Raises OrderNotFound, NotForYou, OrderUnderWay, OrderIsCancelled, AlreadyShipped, InvalidText.
    """
    carrier = checked_text("carrier", carrier, models.MAX_CARRIER_CHARACTERS)
    tracking_number = checked_text(
        "tracking_number", tracking_number, models.MAX_CARRIER_CHARACTERS, may_be_empty=True
    )
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = locked(order_number, actor)
        parts = _parts(order, actor)
        check_confirmed(order)
        shipped = {shipment.owner_id: shipment for shipment in order.shipments.all()}
        new = [owner_id for owner_id in parts if owner_id not in shipped]
        if not new:
            same = (carrier, tracking_number)
            if any((shipped[part].carrier, shipped[part].tracking_number) != same for part in parts):
                raise exceptions.AlreadyShipped
            return order
        for owner_id in new:
            _ship(order, owner_id, carrier, tracking_number, actor, now)
        if len(shipped) + len(new) == len(order.owners):
            order.fact(_Fact.SHIPPED, now=now).save()
        _keep_address(order)
    return order


def deliver_order(*, order_number: str, actor: Actor, now: datetime) -> models.Order:
    """The actor's part has reached the buyer; of an operator, all parts that are shipped.

    Raises OrderNotFound, NotForYou, OrderNotShipped.
    """
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = locked(order_number, actor)
        parts = _parts(order, actor)
        shipments = list(order.shipments.select_related("delivery"))
        mine = [shipment for shipment in shipments if shipment.owner_id in parts]
        if not mine:
            raise exceptions.OrderNotShipped
        undelivered = [shipment for shipment in shipments if shipment.delivered_at is None]
        new = [shipment for shipment in mine if shipment in undelivered]
        for shipment in new:
            models.Delivery.objects.create(shipment=shipment, actor=actor.user_id, at=now)
            publishing.publish(
                order,
                contracts.events.OrderDelivered,
                now=now,
                about=shipment.owner_id,
                seller_id=shipment.owner_id,
            )
            publishing.notify_seller(
                order, shipment.owner_id, contracts.events.LinesDelivered, actor=actor.user_id, now=now
            )
        if new and len(undelivered) == len(new) and order.has(_Fact.SHIPPED):
            order.fact(_Fact.DELIVERED, now=now).save()
    return order


def locked(order_number: str, actor: Actor) -> models.Order:
    """The order with its facts, locked until the transaction ends; of one that is nothing to the actor, OrderNotFound."""
    try:
        order = models.Order.locked([order_number])[order_number]
    except exceptions.OrderNotFound:
        raise exceptions.OrderNotFound from None  # without figures, as for the order of another
    prefetch_related_objects([order], "lines")
    if not (actor.is_operator or actor.user_id == order.user_id or actor.user_id in order.owners):
        raise exceptions.OrderNotFound
    return order


def check_confirmed(order: models.Order) -> None:
    """Raises OrderIsCancelled, OrderUnderWay."""
    if order.has(_Fact.CANCELLED):
        raise exceptions.OrderIsCancelled
    if not order.has(_Fact.CONFIRMED):
        raise exceptions.OrderUnderWay


def check_units(order: models.Order, sold: Mapping[str, models.OrderLine], wanted: Mapping[str, int]) -> None:
    """Whether the buyer has so many units of each product. `sold` are the lines by product. Raises OrderNotShipped,
    TooManyReturned."""
    shipped = {shipment.owner_id for shipment in order.shipments.all()}
    for product_id, quantity in wanted.items():
        of_order = sold.get(product_id)
        if of_order is not None and of_order.owner_id not in shipped:
            raise exceptions.OrderNotShipped(product_id=product_id)
        with_buyer = of_order.with_buyer if of_order else 0
        if quantity > with_buyer:
            raise exceptions.TooManyReturned(product_id=product_id, asked=quantity, possible=with_buyer)


def checked_text(field: str, text: str, limit: int, *, may_be_empty: bool = False) -> str:
    """The text in one line, without what cannot be seen. Raises InvalidText."""
    cleaned = texts.line(text)
    if len(cleaned) > limit or not (texts.is_visible(cleaned) or (may_be_empty and not cleaned)):
        raise exceptions.InvalidText(
            f"This needs {0 if may_be_empty else 1} to {limit} characters.", field=field, most=limit
        )
    return cleaned


def _parts(order: models.Order, actor: Actor) -> list[str]:
    """The sellers whose lines the actor ships. Raises NotForYou."""
    parts = order.owners if actor.is_operator else [one for one in order.owners if one == actor.user_id]
    if not parts:
        raise exceptions.NotForYou
    return parts


def _ship(
    order: models.Order, owner_id: str, carrier: str, tracking_number: str, actor: Actor, now: datetime
) -> None:
    models.Shipment.objects.create(
        order=order,
        owner_id=owner_id,
        carrier=carrier,
        tracking_number=tracking_number,
        actor=actor.user_id,
        at=now,
    )
    publishing.publish(
        order,
        contracts.events.OrderShipped,
        now=now,
        about=owner_id,
        seller_id=owner_id,
        carrier=carrier,
        tracking_number=tracking_number,
        lines=tuple(
            contracts.events.Units(product_id=line.product_id, quantity=line.quantity)
            for line in order.lines_of(owner_id)
        ),
    )
    publishing.notify_seller(
        order,
        owner_id,
        contracts.events.LinesShipped,
        actor=actor.user_id,
        now=now,
        carrier=carrier,
        tracking_number=tracking_number,
    )


def _keep_address(order: models.Order) -> None:
    """Keep where the order went. A closed account has no address any more, once its parcels are with their carriers."""
    if models.Account.is_closed(order.user_id):
        models.OrderAddress.forget(order.user_id)
        return
    address = models.OrderAddress.of(order)
    if address is not None:
        models.OrderAddress.keep(order, address)
