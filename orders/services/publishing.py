"""The events about orders, each made from the row that it is about."""

from datetime import datetime

from auction_project.kernel import contracts
from auction_project.kernel.messaging import outbox
from orders import models


def publish(
    row: models.Order | models.Payment,
    event_type: type[contracts.events.OrderEvent],
    *,
    now: datetime,
    **details: str,
) -> None:
    """Publish the event of `event_type` about the order of `row`, in the open transaction.

    An order has each type of event at most once, because the event's id is `<order number>:<type>`: a second one raises
    IntegrityError. `details` are the fields that only this type has.
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
    outbox.publish(models.Outbox, event, now=now, event_id=f"{row.order_number}:{event_type.__name__}")
