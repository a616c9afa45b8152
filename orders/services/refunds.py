"""Refunds of confirmed orders, and the cancellation that is a refund of all before anything is shipped.

    refund_order, cancel_paid_order   the refund is PENDING: what it gives back is taken from what may be given back
    send_refunds                      the provider is asked, with no transaction open, until it has made it
    record                            DONE: the journal, the event, and the payment when all is back

Each is one transaction, which locks the order and then its payment. A process may die on any line: a request comes again under its
key, and a refund stays due until it is recorded; the provider makes it once for its key.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from auction_project.kernel import contracts, errors, failpoints, ids, logs
from auction_project.kernel.messaging import failure, outbox, transactions
from orders import capture_calls, exceptions, metrics, models, provider
from orders.services import fulfilment, publishing

MAX_SENT = 50  # refunds of one call of `send_refunds`
LEASE = timedelta(seconds=60)  # a refund whose sender died is due again after this
CANCELLATION_KEY = "cancellation"

log = logs.get(__name__)


def refund_order(
    *,
    order_number: str,
    key: str,
    amount: int | None,
    reason: str,
    actor: fulfilment.Actor,
    now: datetime,
) -> models.Refund:
    """Give `amount` (minor units) of the order's money back, or all that is left, unless there is a refund under `key`.

    Only operators do. Raises OrderNotFound, NotForYou, OrderIsCancelled, OrderUnderWay, NothingToRefund, RefundTooLarge, InvalidText,
    and KeyReused for a key of another refund.
    """
    reason = fulfilment.checked_text("reason", reason, models.MAX_REASON_CHARACTERS)
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = fulfilment.locked(order_number, actor)
        if not actor.is_operator:
            raise exceptions.NotForYou
        payment = models.Payment.locked([order_number]).get(order_number)
        present = models.Refund.objects.filter(payment=order_number, key=key).first()
        if present is not None:
            if (present.asked, present.reason) != (amount, reason):
                raise errors.KeyReused
            return present
        fulfilment.check_confirmed(order)
        if payment is None:
            raise exceptions.NothingToRefund
        return _open(payment, key, amount, reason, actor, now)


def cancel_paid_order(
    *, order_number: str, reason: str, actor: fulfilment.Actor, now: datetime
) -> models.Order:
    """Cancel a confirmed order of which nothing is shipped: all money goes back, and its units are free again. A repeat changes
    nothing.

    Buyers cancel their own, operators any. Raises OrderNotFound, NotForYou, OrderUnderWay, OrderIsShipped, InvalidText.
    """
    reason = fulfilment.checked_text("reason", reason, models.MAX_REASON_CHARACTERS)
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = fulfilment.locked(order_number, actor)
        if not (actor.is_operator or actor.user_id == order.user_id):
            raise exceptions.NotForYou
        if order.has(models.OrderFact.Kind.CANCELLED):
            return order
        fulfilment.check_confirmed(order)
        if order.shipments.exists():
            raise exceptions.OrderIsShipped
        payment = models.Payment.locked([order_number])[order_number]
        if models.Refund.refundable(payment):
            _open(payment, CANCELLATION_KEY, None, reason, actor, now)
        order.fact(models.OrderFact.Kind.CANCELLED, now=now, detail=reason).save()
        publishing.publish(order, contracts.events.OrderCancelled, now=now, reason=reason, was_confirmed=True)
        publishing.notify_sellers(order, contracts.events.LinesCancelled, now=now, reason=reason)
    return order


def send_refunds(*, now: datetime) -> int:
    """Have the provider make the refunds that are due, at most MAX_SENT at a time; how many it was asked for.

    One that it did not make is due again after a pause that grows. Raises what is an outage of the database.
    """
    refunds = {
        refund.provider_key: refund for refund in models.Refund.claim_due(now=now, lease=LEASE, most=MAX_SENT)
    }
    if not refunds:
        return 0
    bank = provider.current()
    answers = capture_calls.current().settle(
        refunds,
        lambda key: bank.refund_part(
            key=refunds[key].payment.key, refund_key=key, amount=refunds[key].amount
        ),
    )
    failpoints.reach("refund_order.after_effect")
    _conclude(refunds, answers, now)
    return len(refunds)


def _open(
    payment: models.Payment,
    key: str,
    amount: int | None,
    reason: str,
    actor: fulfilment.Actor,
    now: datetime,
) -> models.Refund:
    """A new refund, which is due. The payment is locked. Raises NothingToRefund, RefundTooLarge."""
    left = models.Refund.refundable(payment) if payment.state == models.PaymentState.CAPTURED else 0
    if left == 0:
        raise exceptions.NothingToRefund
    if amount is not None and amount > left:
        raise exceptions.RefundTooLarge(refundable=left, currency=payment.currency)
    return models.Refund.objects.create(
        id=ids.new_id(),
        payment=payment,
        key=key,
        asked=amount,
        amount=left if amount is None else amount,
        reason=reason,
        actor=actor.user_id,
        correlation_id=logs.correlation_id(),
        created_at=now,
        due_at=now,
    )


def _conclude(
    refunds: Mapping[str, models.Refund], answers: Mapping[str, Exception | None], now: datetime
) -> None:
    for key, answer in answers.items():
        refund = refunds[key]
        with logs.bound(correlation_id=refund.correlation_id):
            if answer is None:
                _record(refund, now)
                continue
            is_outage = failure.classify(answer) is failure.Fate.OUTAGE
            report = log.warning if is_outage else log.error
            report("refund_not_made", order_number=refund.payment_id, tries=refund.tries, error=repr(answer))
            metrics.refunds.labels("failed").inc()
            pause = timedelta(seconds=failure.pause_seconds(refund.tries))
            refund.put_off(until=now + pause, detail=str(answer))


def _record(sent: models.Refund, now: datetime) -> None:
    """The provider has made the refund: write that down, once."""
    with transaction.atomic(using=models.DATABASE), outbox.gathered(models.DATABASE):
        order = models.Order.locked([sent.payment_id])[sent.payment_id]
        payment = models.Payment.locked([sent.payment_id])[sent.payment_id]
        refund = models.Refund.objects.select_related("payment").get(pk=sent.pk)
        if refund.state == models.RefundState.DONE:
            return
        refund.become_done(now=now)
        models.JournalEntry.post_refund(refund, now=now)
        total = models.Refund.total(payment, models.RefundState.DONE)
        if total == payment.amount:
            fact = payment.become(models.PaymentState.REFUNDED, now=now, detail=refund.reason)
            models.PaymentFact.store([fact])
            order.fact(models.OrderFact.Kind.REFUNDED, now=now, detail=refund.reason).save()
        publishing.publish(
            order,
            contracts.events.OrderRefunded,
            now=now,
            about=refund.id,
            refund_id=refund.id,
            refunded=refund.amount,
            refunded_total=total,
            reason=refund.reason,
        )
        transactions.after_commit(metrics.refunds.labels("done").inc, using=models.DATABASE)
