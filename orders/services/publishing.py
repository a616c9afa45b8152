"""The events about orders, each made from the row that it is about, and the notices to their sellers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from auction_project.kernel import contracts, ids
from auction_project.kernel.messaging import outbox
from orders import models


def publish(
    row: models.Order | models.Payment,
    event_type: type[contracts.events.OrderEvent],
    *,
    now: datetime,
    about: str = "",
    **details: Any,
) -> None:
    """Publish the event of `event_type` about the order of `row`, in the open transaction.

    An order has each type of event at most once, because the event's id is `<order number>:<type>`: a second one raises
    IntegrityError. With `about`, the id of a shipment's seller, a refund or a return, it has one for each of these. `details`
    are the fields that only this type has.
    """
    event = event_type(
        order_number=row.order_number,
        sale_id=row.sale_id,
        auction_id=row.auction_id,
        user_id=row.user_id,
        amount=row.amount,
        currency=row.currency,
        title=row.title,
        **details,
    )
    event_id = ":".join(part for part in (row.order_number, event_type.__name__, about) if part)
    outbox.publish(models.Outbox, event, now=now, event_id=event_id)


def notify_sellers(
    order: models.Order,
    event_type: type[contracts.events.SellerNotice],
    *,
    now: datetime,
    units: dict[int, int] | None = None,
    of_house: type[contracts.events.SellerNotice] | None = None,
    about: str = "",
    **details: Any,
) -> None:
    """Publish the event of `event_type` to each seller of lines of the order, in the open transaction.

    With `units` (by line), only about so many of each line. For the house, and a seller who is not known, there is the event
    `of_house`, or none.
    """
    for owner_id in order.owners:
        lines = [line for line in order.lines_of(owner_id) if units is None or line.pk in units]
        of_seller = event_type if ids.is_id(owner_id) else of_house
        if lines and of_seller is not None:
            _notify(order, of_seller, lines, units, now=now, about=about, **details)


def notify_seller(
    order: models.Order,
    owner_id: str,
    event_type: type[contracts.events.SellerNotice],
    *,
    actor: str,
    now: datetime,
    **details: Any,
) -> None:
    """Publish what `actor` did with the lines of one seller to that seller, in the open transaction. The actor knows it, and gets none."""
    if ids.is_id(owner_id) and owner_id != actor:
        _notify(order, event_type, order.lines_of(owner_id), None, now=now, about="", **details)


def _notify(
    order: models.Order,
    event_type: type[contracts.events.SellerNotice],
    lines: Sequence[models.OrderLine],
    units: dict[int, int] | None,
    *,
    now: datetime,
    about: str,
    **details: Any,
) -> None:
    first, *others = lines
    numbers = {line.pk: line.quantity if units is None else units[line.pk] for line in lines}
    event = event_type(
        order_number=order.number,
        sale_id=order.sale_id,
        user_id=first.owner_id,
        title=f"{first.title} and {len(others)} more" if others else first.title,
        quantity=sum(numbers.values()),
        amount=sum(line.amount * numbers[line.pk] // line.quantity for line in lines),
        currency=order.currency,
        **details,
    )
    parts = (order.number, event_type.__name__, first.owner_id, about)
    outbox.publish(models.Outbox, event, now=now, event_id=":".join(part for part in parts if part))
