"""Refunds of confirmed orders, whole or in part. The provider knows each by its `provider_key`, and makes it once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models, transaction
from django.db.models.functions import Coalesce

from orders.models.database import DATABASE
from orders.models.fulfilment import MAX_REASON_CHARACTERS
from orders.models.payments import Payment


class RefundState(models.TextChoices):
    """PENDING: the provider must give the money back, and is asked until it has. A refund never fails for good."""

    PENDING = "PENDING"
    DONE = "DONE"


class Refund(models.Model):
    """`amount` minor units of a captured payment go back to the buyer, because of `reason`, by order of `actor`.

    A trigger keeps the figures, and the sum of a payment's refunds within its amount. `key` is the Idempotency-Key of the request;
    `asked` the amount in it, None for all that was left. `tries` counts the calls of the provider, `detail` is the last one's error.
    """

    id = models.CharField(primary_key=True, max_length=32)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    key = models.CharField(max_length=128)
    asked = models.BigIntegerField(null=True)
    amount = models.BigIntegerField(help_text="in minor units")
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS)
    actor = models.CharField("by", max_length=64)
    state = models.CharField(max_length=10, choices=RefundState.choices, default=RefundState.PENDING)
    tries = models.PositiveIntegerField(default=0)
    detail = models.TextField(blank=True)
    correlation_id = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["due_at"], name="orders_refund_due", condition=models.Q(state="PENDING"))
        ]
        constraints = [
            models.UniqueConstraint(fields=["payment", "key"], name="orders_refund_once"),
            models.CheckConstraint(
                condition=models.Q(amount__gt=0) & ~models.Q(reason=""), name="orders_refund_says_what"
            ),
            models.CheckConstraint(
                condition=models.Q(state="PENDING", due_at__isnull=False, done_at__isnull=True)
                | models.Q(state="DONE", due_at__isnull=True, done_at__isnull=False),
                name="orders_refund_state",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.amount} {self.state}"

    # --- mutators

    @classmethod
    def claim_due(cls, *, now: datetime, lease: timedelta, most: int) -> "list[Refund]":
        """The pending refunds that are due, the longest due first, with their payments; they are due again after `lease`.
        Callers at the same time share the rows."""
        with transaction.atomic(using=DATABASE):
            due = cls.objects.filter(state=RefundState.PENDING, due_at__lte=now).order_by("due_at", "id")
            refunds = list(
                due.select_related("payment").select_for_update(skip_locked=True, of=("self",))[:most]
            )
            cls.objects.filter(pk__in=[refund.pk for refund in refunds]).update(
                due_at=now + lease, tries=models.F("tries") + 1
            )
        for refund in refunds:
            refund.tries += 1
        return refunds

    def put_off(self, *, until: datetime, detail: str) -> None:
        """The provider did not make it: ask again at `until`."""
        pending = type(self).objects.filter(pk=self.pk, state=RefundState.PENDING)
        pending.update(due_at=until, detail=detail)

    def become_done(self, *, now: datetime) -> None:
        """The money is back."""
        self.state, self.due_at, self.done_at, self.detail = RefundState.DONE, None, now, ""
        self.save(update_fields=["state", "due_at", "done_at", "detail"], force_update=True)

    # --- queries

    @property
    def provider_key(self) -> str:
        """Under which the provider makes it once."""
        return f"refund:{self.id}"

    @classmethod
    def total(cls, payment: Payment, *states: RefundState) -> int:
        """The minor units of the payment's refunds in these states."""
        rows = cls.objects.filter(payment=payment, state__in=states)
        return int(rows.aggregate(total=Coalesce(models.Sum("amount"), 0))["total"])

    @classmethod
    def refundable(cls, payment: Payment) -> int:
        """What may still be given back of a captured payment, which is locked."""
        return payment.amount - cls.total(payment, RefundState.PENDING, RefundState.DONE)

    @classmethod
    def of_orders(cls, numbers: Sequence[str]) -> "models.QuerySet[Refund]":
        """The refunds of these orders, oldest first."""
        return cls.objects.filter(payment__in=numbers).order_by("created_at", "id")
