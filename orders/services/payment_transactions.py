"""The transactions of a payment: each writes state, fact, ledger, event and the step's answer together, or nothing.

Between them `payments` calls the provider. Two workers may do the same at once, so each transaction locks the step and
then the payment, and records only what the payment may still become.
"""

from datetime import datetime

import msgspec
import prometheus_client
from django.db import transaction

from auction_project.kernel import contracts
from auction_project.kernel.messaging import steps
from orders import exceptions, models, provider
from orders.services import cards, publishing

MAX_TIMEOUTS = 3
NO_CARD = "There is no card on file."
STEPS = steps.Steps(models.Once, [exceptions.PaymentRefused])

_State = models.PaymentState
_DECIDED = prometheus_client.Counter("gavel_payments", "Payments by what became of them", ["state"])


class PaymentResult(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the order's payment after a capture (CAPTURED) or after its undoing (REFUNDED)."""

    order_number: str
    state: str


def open_intent(intent: models.Payment, *, now: datetime) -> models.Payment | None:
    """Store the intent before anything is sent; the stored payment, or None when the step is decided already.

    A payment without a card is declined at once. Raises OrderNumberTaken.
    """
    with transaction.atomic(using=models.DATABASE):
        step = STEPS.begin([intent.key], now=now)[intent.key]
        if not step.is_open:
            return None
        payment = None if step.is_new else _find_locked(intent.order_number)
        if payment is not None:
            if payment.key != intent.key:
                raise exceptions.OrderNumberTaken(order_number=intent.order_number)
            return payment
        intent.start()
        if not intent.token:
            _refuse(step, intent, _State.DECLINED, NO_CARD, now=now)
            return None
        return intent


def record(payment: models.Payment, result: provider.Result, *, now: datetime) -> models.Payment:
    """Write down a definite answer of the provider, once; the payment afterwards.

    When the step was undone meanwhile, the answer binds the payment but not the step, which stays void. A card that the
    provider declines is suspended.
    """
    state = _State(result.status.name)
    with transaction.atomic(using=models.DATABASE):
        step = STEPS.lock([payment.key])[payment.key]
        current = _locked(payment)
        if not current.may_become(state):
            return current
        if state is _State.CAPTURED:
            current.become(state, now=now)
            models.JournalEntry.post(models.JournalEntry.Kind.CAPTURE, [current], now=now)
            publishing.publish(current, contracts.events.PaymentCaptured, now=now)
            if step.is_open:
                STEPS.decide([(step, _result(current))])
        else:
            detail = result.reason or current.detail or f"The payment was {state.value.lower()}."
            _refuse(step, current, state, detail, now=now)
        if state is _State.DECLINED:
            cards.suspend(current.user_id, token=current.token, now=now)
    _DECIDED.labels(state.value).inc()
    return current


def count_timeout(payment: models.Payment, *, now: datetime) -> models.Payment:
    """Count one unanswered capture; the payment afterwards. After MAX_TIMEOUTS it is CANCELLING and not sent again."""
    with transaction.atomic(using=models.DATABASE):
        STEPS.lock([payment.key])
        current = _locked(payment)
        if current.state == _State.STARTED:
            current.count_timeout(now=now)
            if current.timeouts >= MAX_TIMEOUTS:
                current.become(
                    _State.CANCELLING, now=now, detail="The payment provider did not answer in time."
                )
        return current


def open_resolution(order_number: str, *, detail: str, now: datetime) -> models.Payment:
    """Begin to settle an undecided payment. CANCELLING: the provider must decide it. REFUNDING: the money must go back.

    `detail` says who settles it and why. Raises OrderNotFound, PaymentDecided.
    """
    with transaction.atomic(using=models.DATABASE):
        payment = _find_locked(order_number)
        if payment is None:
            raise exceptions.OrderNotFound(order_number=order_number)
        if payment.is_decided:
            raise exceptions.PaymentDecided(state=payment.state)
        payment.add_fact(models.PaymentFact.Kind.RESOLVED, now=now, detail=detail)
        if payment.state == _State.STARTED:
            payment.become(_State.CANCELLING, now=now, detail="The payment was settled by our staff.")
        return payment


def open_undo(key: str, *, order_number: str, now: datetime) -> models.Payment | None:
    """Begin to undo the step `key`, which is void from now on; the step's payment, or None if none was begun.

    CANCELLING: the provider must decide the payment by a cancellation. REFUNDING: the money must go back. In any other
    state there is nothing more to do. Raises OrderIsConfirmed.
    """
    with transaction.atomic(using=models.DATABASE):
        step = STEPS.begin([key], now=now)[key]
        payment = _find_locked(order_number)
        if payment is not None and payment.key == key:
            if models.OrderFact.objects.filter(
                order=order_number, kind=models.OrderFact.Kind.CONFIRMED
            ).exists():
                raise exceptions.OrderIsConfirmed(order_number=order_number)
            if payment.state == _State.STARTED:
                payment.become(_State.CANCELLING, now=now, detail="The sale is undone.")
            elif payment.state == _State.CAPTURED:
                STEPS.begin([steps.undo_key(key)], now=now)
                payment.become(_State.REFUNDING, now=now)
        if step.is_open:
            STEPS.decide([(step, None)])
        return payment if payment is not None and payment.key == key else None


def record_refund(payment: models.Payment, *, now: datetime) -> models.Payment:
    """Write down that the provider gave the money back, once; the payment afterwards."""
    with transaction.atomic(using=models.DATABASE):
        STEPS.lock([payment.key])
        current = _locked(payment)
        if not current.may_become(_State.REFUNDED):
            return current
        undo_key = steps.undo_key(payment.key)
        undoing = STEPS.lock([undo_key])[undo_key]
        current.become(_State.REFUNDED, now=now)
        models.JournalEntry.post(models.JournalEntry.Kind.REFUND, [current], now=now)
        publishing.publish(current, contracts.events.PaymentRefunded, now=now)
        STEPS.decide([(undoing, _result(current))])
    _DECIDED.labels(current.state).inc()
    return current


def _result(payment: models.Payment) -> PaymentResult:
    return PaymentResult(order_number=payment.order_number, state=str(payment.state))


def _refuse(step: steps.Step, payment: models.Payment, state: str, detail: str, *, now: datetime) -> None:
    payment.become(state, now=now, detail=detail)
    if step.is_open:
        publishing.publish(payment, contracts.events.PaymentDeclined, now=now, reason=detail)
        STEPS.decide([(step, exceptions.PaymentRefused(detail))])


def _locked(payment: models.Payment) -> models.Payment:
    current = _find_locked(payment.order_number)
    if current is None:
        raise ValueError(f"payment {payment.order_number} has no row")
    return current


def _find_locked(order_number: str) -> models.Payment | None:
    return models.Payment.locked([order_number]).get(order_number)
