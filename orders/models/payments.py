"""Payments: their states, every move between the states, and the facts of what happens to a payment."""

from collections.abc import Iterable
from datetime import datetime

from django.db import models

from orders.models import database
from orders.models.orders import Order


class PaymentState(models.TextChoices):
    """STARTED: the capture may have been sent. CANCELLING: the capture is not sent again, and the provider must decide
    it by a cancellation. REFUNDING: the provider must give the money back. The other states need nothing of the
    provider."""

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
    PaymentState.CAPTURED: frozenset({PaymentState.REFUNDING}),
    PaymentState.REFUNDING: frozenset({PaymentState.REFUNDED}),
    PaymentState.DECLINED: frozenset(),
    PaymentState.CANCELLED: frozenset(),
    PaymentState.REFUNDED: frozenset(),
}
IN_MOTION = (PaymentState.STARTED, PaymentState.CANCELLING, PaymentState.REFUNDING)


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

    def start(self) -> None:
        """Store this new intent. Raises OrderNumberTaken."""
        self.state, self.changed_at = PaymentState.STARTED, self.started_at
        with database.refuse_taken_numbers([self.order_number]):
            self.save(force_insert=True)
        self.add_fact(PaymentState.STARTED, now=self.started_at)

    def may_become(self, state: str) -> bool:
        return state in TRANSITIONS[self.state]

    def become(self, state: str, *, now: datetime, detail: str = "") -> None:
        """Move to `state` and leave a fact. The row must be locked. Raises ValueError for a move that is not in
        TRANSITIONS."""
        if not self.may_become(state):
            raise ValueError(f"payment {self.order_number}: {self.state} cannot become {state}")
        self.state, self.changed_at, self.detail = state, now, detail
        self.save(update_fields=["state", "changed_at", "detail"])
        self.add_fact(state, now=now, detail=detail)

    def count_timeout(self, *, now: datetime) -> None:
        """Count one more capture that a healthy provider did not answer. The row must be locked."""
        self.timeouts += 1
        self.changed_at = now
        self.save(update_fields=["timeouts", "changed_at"])
        self.add_fact(PaymentFact.Kind.TIMED_OUT, now=now)

    def add_fact(self, kind: str, *, now: datetime, detail: str = "") -> None:
        PaymentFact.objects.create(payment=self, kind=kind, at=now, detail=detail)

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
        TIMED_OUT = "TIMED_OUT"
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
