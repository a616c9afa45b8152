"""Orders: each is placed, and then cancelled or confirmed."""

import time
from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db.models import prefetch_related_objects

from auction_project.kernel import contracts, ids, tracing, writes
from auction_project.kernel.messaging import steps, transactions
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
    return _STEPS.perform(requests, lambda members: _place(members, now), OrderResult, now=now)


def cancel_order(requests: Sequence[CancelRequest], *, now: datetime) -> list[CancellationResult | Exception]:
    """Undo `place_order`: cancel the orders by new facts, or make sure that they are never placed.

    Outcomes: OrderIsConfirmed.
    """
    results = _STEPS.undo(requests, lambda members: _cancel(members, now), CancellationResult, now=now)
    return [
        result or CancellationResult(order_number=request.order_number, cancelled=False)
        for request, result in zip(requests, results, strict=True)
    ]


def confirm_order(requests: Sequence[OrderRequest], *, now: datetime) -> list[OrderResult | Exception]:
    """Make the orders final: they are CONFIRMED, and their money is ours.

    Outcomes: OrderNotFound, OrderIsCancelled, OrderNotPaid, none of which is stored.
    """
    return _STEPS.perform(requests, lambda members: _confirm(members, now), OrderResult, now=now)


def _place(members: Sequence[SaleRequest], now: datetime) -> list[OrderResult]:
    orders = [
        models.Order(
            number=member.order_number,
            sale_id=member.sale_id,
            user_id=member.user_id,
            auction_id=member.auction_id,
            title=member.title,
            shipping=member.shipping,
            amount=member.amount,
            currency=member.currency,
            placed_at=now,
        )
        for member in members
    ]
    lines = [
        models.OrderLine(
            order_id=member.order_number,
            product_id=line.product_id,
            owner_id=line.owner_id,
            title=line.title,
            quantity=line.quantity,
            amount=line.price,
            auction_id=line.auction_id,
        )
        for member in members
        for line in member.lines
    ]
    models.Order.place(orders, lines)
    if tracing.is_on:
        transactions.after_commit(lambda: _trace_placed(members, now), using=models.DATABASE)
    return [
        OrderResult(order_number=order.number, status=models.OrderFact.Kind.PLACED.value) for order in orders
    ]


def _trace_placed(members: Sequence[SaleRequest], now: datetime) -> None:
    for member in members:
        trace_id = tracing.trace_id(member.correlation_id)
        tracing.record(
            "order placed",
            tracing.Context(trace_id, tracing.span_id("order", member.order_number)),
            parent=member.span_id,
            start=now.timestamp(),
            end=time.time(),
            attributes={"gavel.order_number": member.order_number},
        )


def _cancel(members: Sequence[CancelRequest], now: datetime) -> list[CancellationResult]:
    orders = models.Order.locked([member.order_number for member in members])
    for order in orders.values():
        if order.has(models.OrderFact.Kind.CONFIRMED):
            raise exceptions.OrderIsConfirmed(order_number=order.number)
    writes.insert(
        models.OrderFact,
        [
            orders[member.order_number].fact(models.OrderFact.Kind.CANCELLED, now=now, detail=member.reason)
            for member in members
        ],
    )
    for member in members:
        order = orders[member.order_number]
        with member.bound():
            publishing.publish(order, contracts.events.OrderCancelled, now=now, reason=member.reason)
    return [CancellationResult(order_number=member.order_number, cancelled=True) for member in members]


def _confirm(members: Sequence[OrderRequest], now: datetime) -> list[OrderResult]:
    numbers = [member.order_number for member in members]
    orders, payments = models.Order.locked(numbers), models.Payment.locked(numbers)
    for number in numbers:
        if orders[number].has(models.OrderFact.Kind.CANCELLED):
            raise exceptions.OrderIsCancelled(order_number=number)
        if number not in payments or not payments[number].pays(orders[number]):
            raise exceptions.OrderNotPaid(order_number=number)
    writes.insert(
        models.OrderFact,
        [orders[number].fact(models.OrderFact.Kind.CONFIRMED, now=now) for number in numbers],
    )
    models.JournalEntry.post(models.JournalEntry.Kind.SALE, [payments[number] for number in numbers], now=now)
    prefetch_related_objects([order for order in orders.values() if not order.auction_id], "lines")
    for member in members:
        order = orders[member.order_number]
        with member.bound():
            checkout_id = "" if order.auction_id else ids.auction_of_sale(order.sale_id)[0]
            publishing.publish(order, contracts.events.OrderConfirmed, now=now, checkout_id=checkout_id)
            if not order.auction_id:
                publishing.notify_sellers(
                    order, contracts.events.LinesSold, now=now, units=_units_of_shop(order)
                )
    status = models.OrderFact.Kind.CONFIRMED.value
    return [OrderResult(order_number=number, status=status) for number in numbers]


def _units_of_shop(order: models.Order) -> dict[int, int]:
    """The units of each line that is no lot: the seller of a lot reads LotSold."""
    return {line.pk: line.quantity for line in order.lines.all() if not line.auction_id}
