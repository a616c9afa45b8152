"""Captures, refunds and settlements: the calls to the payment provider, and their order.

No transaction is open during a call to the provider; `payment_transactions` holds the ones before and after it.
"""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from auction_project.kernel import failpoints, logs
from auction_project.kernel.messaging import groups, steps
from orders import capture_calls, models, provider
from orders.services import payment_transactions as transactions
from orders.services.requests import OrderRequest, SaleRequest

AnyRequest = TypeVar("AnyRequest", bound=steps.Request)
Result = TypeVar("Result", bound=msgspec.Struct)

log = logs.get(__name__)


class RefundResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order's money was given back; if not, none was taken."""

    order_number: str
    refunded: bool


def capture_payment(
    requests: Sequence[SaleRequest], *, now: datetime
) -> list[transactions.PaymentResult | Exception]:
    """Take the amounts from the buyers' cards; the payments are CAPTURED then.

    An intent is committed before the provider is called. When the provider does not answer, the outcome is
    errors.Unavailable, and the caller calls again with the same key. After MAX_TIMEOUTS unanswered captures of a
    provider that is healthy, the payment is cancelled at the provider, which decides it.

    Outcomes: PaymentRefused, steps.Voided, OrderNumberTaken, errors.Unavailable, provider.ProviderFault.
    """
    return [_outcome(_capture, request, now) for request in requests]


def _outcome(
    act: Callable[[AnyRequest, datetime], Result], request: AnyRequest, now: datetime
) -> Result | Exception:
    try:
        with request.bound():
            return act(request, now)
    except Exception as error:
        return error


def _capture(request: SaleRequest, now: datetime) -> transactions.PaymentResult:
    card = models.Card.objects.filter(user_id=request.user_id).first()
    intent = models.Payment(
        order_number=request.order_number,
        key=request.key,
        user_id=request.user_id,
        sale_id=request.sale_id,
        auction_id=request.auction_id,
        title=request.title,
        amount=request.amount,
        currency=request.currency,
        token=card.token if card else "",
        started_at=now,
    )
    payment = transactions.open_intent(intent, now=now)
    if payment is not None and payment.state == models.PaymentState.STARTED:
        payment = _send_capture(payment, now=now)
    if payment is not None and payment.state == models.PaymentState.CANCELLING:
        transactions.record(payment, provider.current().cancel(key=request.key), now=now)
    return groups.only(transactions.STEPS.answers([request.key], transactions.PaymentResult))


def _send_capture(payment: models.Payment, *, now: datetime) -> models.Payment:
    """Capture at the provider; the payment, CANCELLING after the last timeout. Raises errors.Unavailable till then."""
    bank = provider.current()
    failpoints.reach("capture_payment.before_call")
    return capture_calls.CALLS.make(
        payment.key,
        functools.partial(
            bank.capture,
            key=payment.key,
            token=payment.token,
            amount=payment.amount,
            currency=payment.currency,
            reference=payment.order_number,
        ),
        functools.partial(_conclude_capture, bank, payment, now=now),
        is_slow=payment.timeouts > 0,
    )


def _conclude_capture(
    bank: provider.PaymentProvider,
    payment: models.Payment,
    outcome: Callable[[], provider.Result],
    *,
    now: datetime,
) -> models.Payment:
    """Write down the provider's answer, or that it gave none. Raises what `outcome` raises while undecided."""
    try:
        result = outcome()
    except provider.NoAnswer:
        if not bank.is_healthy():
            raise
        current = transactions.count_timeout(payment, now=now)
        log.warning("capture_unanswered", order_number=payment.order_number, timeouts=current.timeouts)
        if current.is_sendable:
            raise
        return current
    failpoints.reach("capture_payment.after_effect")
    return transactions.record(payment, result, now=now)


def refund_payment(requests: Sequence[OrderRequest], *, now: datetime) -> list[RefundResult | Exception]:
    """Undo `capture_payment`: give the money back, or make sure that none is ever taken.

    A capture that was not answered is cancelled at the provider first, which decides it. Outcomes: OrderIsConfirmed,
    errors.Unavailable (the caller calls again), provider.ProviderFault.
    """
    return [_outcome(_refund, request, now) for request in requests]


def _refund(request: OrderRequest, now: datetime) -> RefundResult:
    key, order_number = request.key, request.order_number
    payment = transactions.open_undo(key, order_number=order_number, now=now)
    if payment is not None and payment.state == models.PaymentState.CANCELLING:
        transactions.record(payment, provider.current().cancel(key=key), now=now)
        payment = transactions.open_undo(key, order_number=order_number, now=now)
    if payment is not None and payment.state == models.PaymentState.REFUNDING:
        payment = _send_refund(payment, now=now)
    refunded = payment is not None and payment.state == models.PaymentState.REFUNDED
    return RefundResult(order_number=order_number, refunded=refunded)


def _send_refund(payment: models.Payment, *, now: datetime) -> models.Payment:
    provider.current().refund(key=payment.key)
    failpoints.reach("refund_payment.after_effect")
    return transactions.record_refund(payment, now=now)


def resolve_payment(*, order_number: str, actor: str, reason: str, now: datetime) -> str:
    """Settle an undecided payment with the provider now, because an operator asks for it; the payment's state
    afterwards.

    `actor` and `reason` are kept in the payment's facts. Raises OrderNotFound, PaymentDecided, errors.Unavailable,
    provider.ProviderFault.
    """
    payment = transactions.open_resolution(order_number, detail=f"{actor}: {reason}", now=now)
    if payment.state == models.PaymentState.REFUNDING:
        return _send_refund(payment, now=now).state
    return transactions.record(payment, provider.current().cancel(key=payment.key), now=now).state
