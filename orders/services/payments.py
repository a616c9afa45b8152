"""Takes money and gives it back: what is asked of the payment provider, and in which order.

No transaction is open while the provider is asked: `payment_transactions` has those before and after.
"""

import functools
from collections.abc import Callable
from datetime import datetime

import msgspec

from auction_project.kernel import failpoints, logs
from orders import bank_calls, bank_client, models, provider
from orders.services import payment_transactions as transactions

log = logs.get(__name__)


class RefundResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order's money was given back; if not, none was taken."""

    order_number: str
    refunded: bool


def capture_payment(
    *,
    key: str,
    user_id: str,
    order_number: str,
    sale_id: str,
    auction_id: str,
    title: str,
    amount: int,
    currency: str,
    now: datetime,
) -> transactions.PaymentResult:
    """Take the money from the buyer's card; the payment, CAPTURED.

    The intent is committed before the provider is called, and no transaction is open meanwhile. Without an answer it
    raises errors.Unavailable: ask again. The third silence of a healthy provider has the capture cancelled there, which
    decides it. Raises PaymentRefused, steps.Voided, OrderNumberTaken, errors.Unavailable.
    """
    card = models.Card.objects.filter(user_id=user_id).first()
    intent = models.Payment(
        order_number=order_number,
        key=key,
        user_id=user_id,
        sale_id=sale_id,
        auction_id=auction_id,
        title=title,
        amount=amount,
        currency=currency,
        token=card.token if card else "",
        started_at=now,
    )
    payment = transactions.open_intent(intent, now=now)
    if payment is not None and payment.state == models.PaymentState.STARTED:
        payment = _send_capture(payment, now=now)
    if payment is not None and payment.state == models.PaymentState.CANCELLING:
        transactions.record(payment, bank_client.from_settings().cancel(key=key), now=now)
    return transactions.STEPS.answer(key, transactions.PaymentResult)


def _send_capture(payment: models.Payment, *, now: datetime) -> models.Payment:
    """Ask the provider; the payment, CANCELLING after the last silence. Raises errors.Unavailable while undecided."""
    bank = bank_client.from_settings()
    failpoints.reach("capture_payment.before_call")
    return bank_calls.CALLS.make(
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
        was_silent=payment.timeouts > 0,
    )


def _conclude_capture(
    bank: provider.PaymentProvider,
    payment: models.Payment,
    answer: Callable[[], provider.Result],
    *,
    now: datetime,
) -> models.Payment:
    """Write down the provider's answer, or its silence. Raises what `answer` raises while the capture may be sent."""
    try:
        result = answer()
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


def refund_payment(*, key: str, order_number: str, now: datetime) -> RefundResult:
    """Undo `capture_payment`: give the money back, or see to it that none is taken.

    An unanswered capture is decided by a cancellation first. Raises OrderIsConfirmed, errors.Unavailable.
    """
    payment = transactions.open_undo(key, order_number=order_number, now=now)
    if payment is not None and payment.state == models.PaymentState.CANCELLING:
        transactions.record(payment, bank_client.from_settings().cancel(key=key), now=now)
        payment = transactions.open_undo(key, order_number=order_number, now=now)
    if payment is not None and payment.state == models.PaymentState.REFUNDING:
        payment = _send_refund(payment, now=now)
    refunded = payment is not None and payment.state == models.PaymentState.REFUNDED
    return RefundResult(order_number=order_number, refunded=refunded)


def _send_refund(payment: models.Payment, *, now: datetime) -> models.Payment:
    bank_client.from_settings().refund(key=payment.key)
    failpoints.reach("refund_payment.after_effect")
    return transactions.record_refund(payment, now=now)


def resolve_payment(*, order_number: str, actor: str, reason: str, now: datetime) -> str:
    """Settle an undecided payment with the provider now, for somebody at the desk; the state that it has then.

    Raises OrderNotFound, PaymentDecided, errors.Unavailable.
    """
    payment = transactions.open_resolution(order_number, detail=f"{actor}: {reason}", now=now)
    if payment.state == models.PaymentState.REFUNDING:
        return _send_refund(payment, now=now).state
    return transactions.record(payment, bank_client.from_settings().cancel(key=payment.key), now=now).state
