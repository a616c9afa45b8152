"""What a buyer may ask to return now, and until when. Reads an order with its shipments and returns; never writes."""

from datetime import datetime, timedelta

import msgspec
from django.conf import settings

from orders import models


class Returnable(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a line may be asked for until that instant."""

    line: models.OrderLine
    quantity: int
    until: datetime


def until(shipment: models.Shipment) -> datetime:
    """The last instant to ask for a return of the shipment: RETURN_DAYS after it arrived, or was shipped where that is not known."""
    return (shipment.delivered_at or shipment.at) + timedelta(days=settings.RETURN_DAYS)


def may_ask(shipment: models.Shipment, *, now: datetime) -> bool:
    """Whether it is still time."""
    return settings.RETURN_DAYS > 0 and now <= until(shipment)


def lines(order: models.Order, *, now: datetime) -> list[Returnable]:
    """The lines of which the order's buyer may ask to return units. A part with a running request has none."""
    running = {request.owner_id for request in order.return_requests.all() if request.is_running}
    ends = {
        shipment.owner_id: until(shipment)
        for shipment in order.shipments.all()
        if shipment.owner_id not in running and may_ask(shipment, now=now)
    }
    return [
        Returnable(line=line, quantity=line.with_buyer, until=ends[line.owner_id])
        for line in order.lines.all()
        if line.owner_id in ends and line.with_buyer
    ]
