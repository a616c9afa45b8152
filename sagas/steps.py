"""Which service does each call: the one file of the sagas that knows another app. One function and one row a call.

A service takes the requests of a group and returns one outcome for each, in order: an outcome is an error when the part
of this sale is not done. The saga reads no result, because all that later steps need is in the sale.

A step and its compensation share the key `saga:<id>:<step>`. By it a participant recognises a repeat, undoes what was
done, and leaves the tombstone that a late step meets.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from auction_project.kernel import tracing
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import steps
from inventory import services as inventory
from orders import services as orders
from sagas import engine, models, traces


class Service(Protocol):
    """Does one step for a group of sales, or undoes it. Raises when the outcome is the same for all: an outage."""

    def __call__(self, requests: Sequence[Any], *, now: datetime) -> Sequence[object]: ...


class Participant(NamedTuple):
    """A service, and how its request for a sale is made from the saga and the key of the step."""

    service: Service
    request: Callable[[models.Saga, str], steps.Request]


def _stock_to_reserve(sale: models.Saga, key: str) -> steps.Request:
    return inventory.ReserveRequest(
        key=key,
        correlation_id=sale.correlation_id,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        checkout_id=sale.checkout_id,
        units=tuple(events.Units(product_id=line.product_id, quantity=line.quantity) for line in sale.sold),
        lots={line.product_id: line.auction_id for line in sale.sold if line.auction_id},
    )


def _reserved_stock(sale: models.Saga, key: str) -> steps.Request:
    return inventory.SaleRequest(key=key, correlation_id=sale.correlation_id, sale_id=sale.sale_id)


def _sale(sale: models.Saga, key: str) -> steps.Request:
    return orders.SaleRequest(
        key=key,
        correlation_id=sale.correlation_id,
        user_id=sale.user_id,
        order_number=sale.order_number,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        lines=sale.sold,
        shipping=sale.shipping,
        title=sale.title,
        amount=sale.price,
        currency=sale.currency,
    )


def _order(sale: models.Saga, key: str) -> steps.Request:
    return orders.OrderRequest(key=key, correlation_id=sale.correlation_id, order_number=sale.order_number)


def _order_to_cancel(sale: models.Saga, key: str) -> steps.Request:
    return orders.CancelRequest(
        key=key,
        correlation_id=sale.correlation_id,
        order_number=sale.order_number,
        reason=sale.failure_reason,
    )


PARTICIPANTS: Mapping[str, Participant] = {
    "reserve_stock": Participant(inventory.reserve, _stock_to_reserve),
    "release_stock": Participant(inventory.release, _reserved_stock),
    "assess_risk": Participant(orders.assess_risk, _sale),
    "capture_payment": Participant(orders.capture_payment, _sale),
    "refund_payment": Participant(orders.refund_payment, _order),
    "place_order": Participant(orders.place_order, _sale),
    "cancel_order": Participant(orders.cancel_order, _order_to_cancel),
    "commit_stock": Participant(inventory.commit, _reserved_stock),
    "restock": Participant(inventory.restock, _reserved_stock),
    "confirm_order": Participant(orders.confirm_order, _order),
}


def call(leg: engine.Leg, sales: Sequence[models.Saga], *, now: datetime) -> list[Exception | None]:
    """Call the participant for a group, under the keys of the step; its error for each sale, None where it is done.

    Raises what concerns all of them.
    """
    service, request = PARTICIPANTS[leg.name]
    requests = [request(sale, f"saga:{sale.sale_id}:{leg.step}") for sale in sales]
    if tracing.is_on:
        spans = (traces.attempt_span(sale.sale_id, leg.name, sale.tries) for sale in sales)
        requests = [
            msgspec.structs.replace(one, span_id=span) for one, span in zip(requests, spans, strict=True)
        ]
    outcomes = service(requests, now=now)
    return [outcome if isinstance(outcome, Exception) else None for outcome in outcomes]
