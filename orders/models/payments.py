"""Payments: their states, every move between the states, and the facts of what happens to a payment."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import models

from auction_project.kernel import writes
from orders.models import database
from orders.models.orders import Order


class PaymentState(models.TextChoices):
    """STARTED: the capture may have been sent. CANCELLING: the capture is not sent again, and the provider must decide
    it by a cancellation. REFUNDING: the provider must give the money back, because the sale is undone. The other states need
    nothing of the provider. A payment whose order is confirmed stays CAPTURED until refunds have given all of it back."""

    STARTED = "STARTED"
    CANCELLING = "CANCELLING"
    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"


# A state without moves is final.
TRANSITIONS: dict[str, frozenset[str]] = {
    PaymentState.STARTED: frozenset(
        {PaymentState.CAPTURED, PaymentState.DECLINED, PaymentState.CANCELLED, PaymentState.CANCELLING}
    ),
    PaymentState.CANCELLING: frozenset(
        {PaymentState.CAPTURED, PaymentState.DECLINED, PaymentState.CANCELLED}
    ),
    PaymentState.CAPTURED: frozenset({PaymentState.REFUNDING, PaymentState.REFUNDED}),
    PaymentState.REFUNDING: frozenset({PaymentState.REFUNDED}),
    PaymentState.DECLINED: frozenset(),
    PaymentState.CANCELLED: frozenset(),
    PaymentState.REFUNDED: frozenset(),
}
IN_MOTION = (PaymentState.STARTED, PaymentState.CANCELLING, PaymentState.REFUNDING)

_STORE_MOVES = """
    UPDATE orders_payment AS stored
    SET state = moved.state, timeouts = moved.timeouts, detail = moved.detail, changed_at = moved.changed_at
    FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::text[], %s::timestamptz[])
        AS moved (order_number, state, timeouts, detail, changed_at)
    WHERE stored.order_number = moved.order_number
"""


class Payment(models.Model):
    """The intent to take one order's money, and what became of it. The provider knows it by its `key`."""

    order_number = models.CharField(max_length=20, primary_key=True)
    key = models.CharField(max_length=200, unique=True)
    user_id = models.CharField(max_length=64)
    sale_id = models.CharField(max_length=100)
    auction_id = models.CharField(max_length=64)
    title = models.TextField()
    amount = models.BigIntegerField(help_text="in minor units")
    currency = models.CharField(max_length=3)
    token = models.CharField(
        max_length=100, blank=True, help_text="the card's token when the intent was made"
    )
    state = models.CharField(max_length=20, choices=PaymentState.choices)
    timeouts = models.PositiveSmallIntegerField(
        default=0,
        verbose_name="capture timeouts",
        help_text="captures that a healthy provider did not answer",
    )
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-started_at", "order_number"]
        permissions = [("resolve_payment", "Can settle an undecided payment with the provider")]
        indexes = [
            models.Index(fields=["user_id", "-started_at"], name="orders_payment_of_user"),
            models.Index(fields=["-started_at", "order_number"], name="orders_payment_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="orders_payment_amount_positive"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=database.CURRENCY_PATTERN), name="orders_payment_currency"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=sorted(TRANSITIONS)), name="orders_payment_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_number} {self.state}"

    @classmethod
    def locked(cls, order_numbers: Iterable[str]) -> dict[str, "Payment"]:
        """The payments of these orders by number, locked in the order of the numbers until the transaction ends; an order
        without one is left out."""
        rows = cls.objects.filter(order_number__in=set(order_numbers)).order_by("order_number")
        return {payment.order_number: payment for payment in rows.select_for_update()}

    @classmethod
    def start(cls, intents: Sequence["Payment"]) -> None:
        """Store these new intents. Raises OrderNumberTaken."""
        for intent in intents:
            intent.state, intent.changed_at = PaymentState.STARTED, intent.started_at
        with database.refuse_taken_numbers(intent.order_number for intent in intents):
            cls.objects.bulk_create(intents)
        writes.insert(
            PaymentFact, [intent.fact(PaymentState.STARTED, now=intent.started_at) for intent in intents]
        )

    def may_become(self, state: str) -> bool:
        return state in TRANSITIONS[self.state]

    def become(self, state: str, *, now: datetime, detail: str = "") -> "PaymentFact":
        """Move to `state`; the fact of it, to be stored by `PaymentFact.store`. Raises ValueError for a move that is not
        in TRANSITIONS."""
        if not self.may_become(state):
            raise ValueError(f"payment {self.order_number}: {self.state} cannot become {state}")
        self.state, self.changed_at, self.detail = state, now, detail
        return self.fact(state, now=now, detail=detail)

    def count_timeout(self, *, now: datetime) -> "PaymentFact":
        """Count one more capture that a healthy provider did not answer; the fact of it, to be stored by
        `PaymentFact.store`."""
        self.timeouts += 1
        self.changed_at = now
        return self.fact(PaymentFact.Kind.TIMED_OUT, now=now)

    def fact(self, kind: str, *, now: datetime, detail: str = "") -> "PaymentFact":
        """A new fact of this payment, to be stored."""
        return PaymentFact(payment=self, kind=kind, at=now, detail=detail)

    @property
    def is_decided(self) -> bool:
        """Whether the provider has nothing more to do or to decide."""
        return self.state not in IN_MOTION

    @property
    def is_sendable(self) -> bool:
        """Whether the capture may be sent, or sent again."""
        return self.state == PaymentState.STARTED

    def pays(self, order: Order) -> bool:
        """Whether this payment is captured, for the order and its exact amount."""
        figures = (self.order_number, self.amount, self.currency)
        return self.state == PaymentState.CAPTURED and figures == (
            order.number,
            order.amount,
            order.currency,
        )


class PaymentFact(models.Model):
    """One thing that happened to a payment: it reached a state, the provider did not answer a capture (TIMED_OUT), or
    an operator had it settled (RESOLVED; the detail says who and why)."""

    class Kind(models.TextChoices):
        STARTED = "STARTED"
        TIMED_OUT = "TIMED_OUT", "Timed out"
        CANCELLING = "CANCELLING"
        CAPTURED = "CAPTURED"
        DECLINED = "DECLINED"
        CANCELLED = "CANCELLED"
        REFUNDING = "REFUNDING"
        REFUNDED = "REFUNDED"
        RESOLVED = "RESOLVED"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField()
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=~models.Q(kind__in=["TIMED_OUT", "RESOLVED"]),
                name="orders_payment_fact_once_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.kind}"

    @classmethod
    def store(cls, facts: Sequence["PaymentFact"]) -> None:
        """Store these facts, and their payments as they are now. The payments must be locked."""
        moved = {fact.payment.order_number: fact.payment for fact in facts}.values()
        if not moved:
            return
        moves = writes.Write(
            _STORE_MOVES,
            [
                [payment.order_number for payment in moved],
                [str(payment.state) for payment in moved],
                [payment.timeouts for payment in moved],
                [payment.detail for payment in moved],
                [payment.changed_at for payment in moved],
            ],
        )
        writes.write(database.DATABASE, {"moves": moves})
        writes.insert(cls, facts)
