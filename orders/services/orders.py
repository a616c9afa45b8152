"""Orders: each is placed, and then cancelled or confirmed."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from auction_project.kernel import contracts
from auction_project.kernel.messaging import steps
from orders import exceptions, models
from orders.services import publishing
from orders.services.requests import CancelRequest, OrderRequest, SaleRequest

_STEPS = steps.Steps(models.Once)


class OrderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The status of the order after a step: PLACED or CONFIRMED."""

    order_number: str
    status: str


class CancellationResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order was cancelled; if not, it was never placed."""

    order_number: str
    cancelled: bool


def place_order(requests: Sequence[SaleRequest], *, now: datetime) -> list[OrderResult | Exception]:
    """Write the orders; they are PLACED. Outcomes: OrderNumberTaken, steps.Voided."""
    return _STEPS.perform(
        requests, lambda members: [_place(member, now) for member in members], OrderResult, now=now
    )


def cancel_order(requests: Sequence[CancelRequest], *, now: datetime) -> list[CancellationResult | Exception]:
    """Undo `place_order`: cancel the orders by new facts, or make sure that they are never placed.

    Outcomes: OrderIsConfirmed.
    """
    results = _STEPS.undo(
        requests, lambda members: [_cancel(member, now) for member in members], CancellationResult, now=now
    )
    return [
        result or CancellationResult(order_number=request.order_number, cancelled=False)
        for request, result in zip(requests, results, strict=True)
    ]


def confirm_order(requests: Sequence[OrderRequest], *, now: datetime) -> list[OrderResult | Exception]:
    """Make the orders final: they are CONFIRMED, and their money is ours.

    Outcomes: OrderNotFound, OrderIsCancelled, OrderNotPaid, none of which is stored.
    """
    return _STEPS.perform(
        requests, lambda members: [_confirm(member, now) for member in members], OrderResult, now=now
    )


def _place(request: SaleRequest, now: datetime) -> OrderResult:
    order = models.Order(
        number=request.order_number,
        sale_id=request.sale_id,
        user_id=request.user_id,
        auction_id=request.auction_id,
        product_id=request.product_id,
        quantity=request.quantity,
        title=request.title,
        amount=request.amount,
        currency=request.currency,
        placed_at=now,
    )
    with request.bound():
        order.place()
    return OrderResult(order_number=order.number, status=models.OrderFact.Kind.PLACED.value)


def _cancel(request: CancelRequest, now: datetime) -> CancellationResult:
    order = models.Order.locked(request.order_number)
    if order.status == models.OrderFact.Kind.CONFIRMED:
        raise exceptions.OrderIsConfirmed(order_number=order.number)
    order.add_fact(models.OrderFact.Kind.CANCELLED, now=now, detail=request.reason)
    with request.bound():
        publishing.publish(order, contracts.events.OrderCancelled, now=now, reason=request.reason)
    return CancellationResult(order_number=order.number, cancelled=True)


def _confirm(request: OrderRequest, now: datetime) -> OrderResult:
    order = models.Order.locked(request.order_number)
    if order.status == models.OrderFact.Kind.CANCELLED:
        raise exceptions.OrderIsCancelled(order_number=order.number)
    payment = models.Payment.locked(order.number)
    if payment is None or not payment.pays(order):
        raise exceptions.OrderNotPaid(order_number=order.number)
    order.add_fact(models.OrderFact.Kind.CONFIRMED, now=now)
    models.JournalEntry.post(models.JournalEntry.Kind.SALE, payment, now=now)
    with request.bound():
        publishing.publish(order, contracts.events.OrderConfirmed, now=now)
    return OrderResult(order_number=order.number, status=models.OrderFact.Kind.CONFIRMED.value)
