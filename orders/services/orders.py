"""Orders: each is placed, and then cancelled or confirmed."""

from datetime import datetime

import msgspec

from auction_project.kernel import contracts
from auction_project.kernel.messaging import steps
from orders import exceptions, models
from orders.services import publishing

_STEPS = steps.Steps(models.Once)


class OrderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The status of the order after a step: PLACED or CONFIRMED."""

    order_number: str
    status: str


class CancellationResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order was cancelled; if not, it was never placed."""

    order_number: str
    cancelled: bool


def place_order(
    *,
    key: str,
    user_id: str,
    order_number: str,
    sale_id: str,
    auction_id: str,
    product_id: str,
    quantity: int,
    title: str,
    amount: int,
    currency: str,
    now: datetime,
) -> OrderResult:
    """Write the order of `quantity` units for `amount` in all (minor units of `currency`, an ISO 4217 code); it is
    PLACED.

    Raises OrderNumberTaken, steps.Voided.
    """

    def effect() -> OrderResult:
        order = models.Order(
            number=order_number,
            sale_id=sale_id,
            user_id=user_id,
            auction_id=auction_id,
            product_id=product_id,
            quantity=quantity,
            title=title,
            amount=amount,
            currency=currency,
            placed_at=now,
        )
        order.place()
        return OrderResult(order_number=order_number, status=models.OrderFact.Kind.PLACED.value)

    return _STEPS.perform(key, effect, OrderResult, now=now)


def cancel_order(*, key: str, order_number: str, reason: str, now: datetime) -> CancellationResult:
    """Undo `place_order`: cancel the order by a new fact, or make sure that it is never placed.

    `reason` is what the buyer reads. Raises OrderIsConfirmed.
    """

    def effect() -> CancellationResult:
        order = models.Order.locked(order_number)
        if order.status == models.OrderFact.Kind.CONFIRMED:
            raise exceptions.OrderIsConfirmed(order_number=order_number)
        order.add_fact(models.OrderFact.Kind.CANCELLED, now=now, detail=reason)
        publishing.publish(order, contracts.events.OrderCancelled, now=now, reason=reason)
        return CancellationResult(order_number=order_number, cancelled=True)

    result = _STEPS.undo(key, effect, CancellationResult, now=now)
    return result or CancellationResult(order_number=order_number, cancelled=False)


def confirm_order(*, key: str, order_number: str, now: datetime) -> OrderResult:
    """Make the order final: it is CONFIRMED, and its money is ours.

    Raises OrderNotFound, OrderIsCancelled, OrderNotPaid, none of which is stored.
    """

    def effect() -> OrderResult:
        order = models.Order.locked(order_number)
        if order.status == models.OrderFact.Kind.CANCELLED:
            raise exceptions.OrderIsCancelled(order_number=order_number)
        payment = models.Payment.locked(order_number)
        if payment is None or not payment.pays(order):
            raise exceptions.OrderNotPaid(order_number=order_number)
        order.add_fact(models.OrderFact.Kind.CONFIRMED, now=now)
        models.JournalEntry.post(models.JournalEntry.Kind.SALE, payment, now=now)
        publishing.publish(order, contracts.events.OrderConfirmed, now=now)
        return OrderResult(order_number=order_number, status=models.OrderFact.Kind.CONFIRMED.value)

    return _STEPS.perform(key, effect, OrderResult, now=now)
