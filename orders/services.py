"""What can be done with orders, payments, risk and cards. Each change and its events are one transaction.

What may be asked twice takes a `key` and happens once; a repeat gets the stored answer or the stored refusal. An
undoing takes the key of what it undoes: it takes the effect back once, or sees to it that there never is one.
"""

import functools
from collections.abc import Callable
from datetime import datetime

import msgspec
from django.db import transaction

from auction_project.kernel import contracts, failpoints, logs
from auction_project.kernel.messaging import outbox
from orders import bank_calls, bank_client, card_file, exceptions, models, payments, provider, risk
from orders.payments import PaymentResult

log = logs.get(__name__)


class RefundResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order's money was given back; if not, none was taken."""

    order_number: str
    refunded: bool


class OrderResult(msgspec.Struct, frozen=True, kw_only=True):
    """The status of an order after a step."""

    order_number: str
    status: str


class CancellationResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the order was cancelled; if not, it was never placed."""

    order_number: str
    cancelled: bool


# --- risk --------------------------------------------------------------------------------------------------------


def assess_risk(
    *, key: str, user_id: str, order_number: str, amount: int, currency: str, now: datetime
) -> risk.Assessment:
    """Score the sale and store the score with its reasons, also when it is refused. Raises RiskRefused, steps.Voided."""

    def effect() -> risk.Assessment | exceptions.RiskRefused:
        assessment = risk.assess(_buyer(user_id, now=now), now)
        models.RiskAssessment.objects.create(
            order_number=order_number,
            user_id=user_id,
            amount=amount,
            currency=currency,
            policy=risk.POLICY_VERSION,
            score=assessment.score,
            reasons=assessment.as_reasons(),
            refused=assessment.is_refused,
            at=now,
        )
        return exceptions.RiskRefused() if assessment.is_refused else assessment

    return payments.STEPS.perform(key, effect, risk.Assessment, now=now)


def _buyer(user_id: str, *, now: datetime) -> risk.Buyer:
    """What is known of a buyer, counted as far as the rules look; sales of one buyer one after the other."""
    recent = models.RiskAssessment.count_recent(
        user_id, now=now, window=risk.VELOCITY_WINDOW, most=risk.SALES_COUNTED
    )
    account = models.Account.objects.filter(user_id=user_id).first()
    paid = models.Payment.objects.filter(user_id=user_id, state=models.PaymentState.CAPTURED)
    declined = models.Payment.objects.filter(
        user_id=user_id, state=models.PaymentState.DECLINED, started_at__gt=now - risk.DECLINED_WINDOW
    )
    return risk.Buyer(
        created_at=account.created_at if account else None,
        email_verified=account.email_verified if account else False,
        closed=account.closed if account else False,
        declined=declined[: risk.DECLINED_COUNTED].count(),
        paid=paid[: risk.PAID_COUNTED].count(),
        recent_sales=recent,
    )


def record_account(
    *, user_id: str, version: int, email_verified: bool, closed: bool, created_at: datetime, now: datetime
) -> None:
    """Keep what risk needs of an account, unless something as new is known. A closed account, which never opens again,
    keeps no card."""
    with transaction.atomic(using=models.DATABASE):
        models.Account.keep_newest(
            models.Account(
                user_id=user_id,
                version=version,
                email_verified=email_verified,
                closed=closed,
                created_at=created_at,
            )
        )
        card = models.Card.locked(user_id) if closed else None
        if card is not None and card.is_on_file:
            card_file.remove(user_id, now=now)


# --- payments ----------------------------------------------------------------------------------------------------


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
) -> PaymentResult:
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
    payment = payments.open_intent(intent, now=now)
    if payment is not None and payment.state == models.PaymentState.STARTED:
        payment = _send_capture(payment, now=now)
    if payment is not None and payment.state == models.PaymentState.CANCELLING:
        payments.record(payment, bank_client.from_settings().cancel(key=key), now=now)
    return payments.STEPS.answer(key, PaymentResult)


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
        current = payments.count_timeout(payment, now=now)
        log.warning("capture_unanswered", order_number=payment.order_number, timeouts=current.timeouts)
        if current.is_sendable:
            raise
        return current
    failpoints.reach("capture_payment.after_effect")
    return payments.record(payment, result, now=now)


def refund_payment(*, key: str, order_number: str, now: datetime) -> RefundResult:
    """Undo `capture_payment`: give the money back, or see to it that none is taken.

    An unanswered capture is decided by a cancellation first. Raises OrderIsConfirmed, errors.Unavailable.
    """
    payment = payments.open_undo(key, order_number=order_number, now=now)
    if payment is not None and payment.state == models.PaymentState.CANCELLING:
        payments.record(payment, bank_client.from_settings().cancel(key=key), now=now)
        payment = payments.open_undo(key, order_number=order_number, now=now)
    if payment is not None and payment.state == models.PaymentState.REFUNDING:
        payment = _send_refund(payment, now=now)
    refunded = payment is not None and payment.state == models.PaymentState.REFUNDED
    return RefundResult(order_number=order_number, refunded=refunded)


def _send_refund(payment: models.Payment, *, now: datetime) -> models.Payment:
    bank_client.from_settings().refund(key=payment.key)
    failpoints.reach("refund_payment.after_effect")
    return payments.record_refund(payment, now=now)


def resolve_payment(*, order_number: str, actor: str, reason: str, now: datetime) -> str:
    """Settle an undecided payment with the provider now, for somebody at the desk; the state that it has then.

    Raises OrderNotFound, PaymentDecided, errors.Unavailable.
    """
    payment = payments.open_resolution(order_number, detail=f"{actor}: {reason}", now=now)
    if payment.state == models.PaymentState.REFUNDING:
        return _send_refund(payment, now=now).state
    return payments.record(payment, bank_client.from_settings().cancel(key=payment.key), now=now).state


# --- orders ------------------------------------------------------------------------------------------------------


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
    """Write the order; it is PLACED. Raises OrderNumberTaken, steps.Voided."""

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

    return payments.STEPS.perform(key, effect, OrderResult, now=now)


def cancel_order(*, key: str, order_number: str, reason: str, now: datetime) -> CancellationResult:
    """Undo `place_order` by a new fact, or see to it that the order is never placed. Raises OrderIsConfirmed."""

    def effect() -> CancellationResult:
        order = models.Order.locked(order_number)
        if order.status == models.OrderFact.Kind.CONFIRMED:
            raise exceptions.OrderIsConfirmed(order_number=order_number)
        order.add_fact(models.OrderFact.Kind.CANCELLED, now=now, detail=reason)
        _publish(order, contracts.events.OrderCancelled, now=now, reason=reason)
        return CancellationResult(order_number=order_number, cancelled=True)

    result = payments.STEPS.undo(key, effect, CancellationResult, now=now)
    return result or CancellationResult(order_number=order_number, cancelled=False)


def confirm_order(*, key: str, order_number: str, now: datetime) -> OrderResult:
    """Make the order final: it is CONFIRMED, and its money is ours.

    Raises OrderNotFound, OrderIsCancelled, OrderNotPaid.
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
        _publish(order, contracts.events.OrderConfirmed, now=now)
        return OrderResult(order_number=order_number, status=models.OrderFact.Kind.CONFIRMED.value)

    return payments.STEPS.perform(key, effect, OrderResult, now=now)


def _publish(
    order: models.Order, event_type: type[contracts.events.OrderEvent], *, now: datetime, **more: str
) -> None:
    event = event_type(
        order_number=order.number,
        sale_id=order.sale_id,
        auction_id=order.auction_id,
        user_id=order.user_id,
        amount=order.amount,
        currency=order.currency,
        title=order.title,
        **more,
    )
    outbox.publish(models.Outbox, event, now=now, event_id=f"{order.number}:{event_type.__name__}")


# --- cards -------------------------------------------------------------------------------------------------------


def set_card(*, user_id: str, number: str, now: datetime) -> models.Card:
    """Put a simulated card on file, in place of another. The number is not kept. Raises UnknownTestCard."""
    with transaction.atomic(using=models.DATABASE):
        return card_file.put(user_id, number, now=now)


def remove_card(*, user_id: str, now: datetime) -> None:
    """Remove the card from file. Raises NoCard."""
    with transaction.atomic(using=models.DATABASE):
        card_file.remove(user_id, now=now)
