"""Checkouts, and the sales that they become.

A checkout keeps the prices and the totals that its buyer accepted. Each payment is a sale of its own, because a declined
buyer may pay again with another card while the units are reserved; a constraint allows one sale that has not failed.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
from django.db import models

from auction_project.kernel import ids
from orders import exceptions, totals
from orders.models.database import CURRENCY_PATTERN

PAY_MARGIN = timedelta(seconds=10)  # a payment that begins in time finds the units still reserved


class CheckoutState(models.TextChoices):
    """RESERVING: inventory has not answered. A checkout that is not paid in time is EXPIRED, which no row says: see `status`."""

    RESERVING = "RESERVING"
    RESERVED = "RESERVED"
    PAYING = "PAYING"
    PAID = "PAID"
    REFUSED = "REFUSED"
    ABANDONED = "ABANDONED"


EXPIRED = "EXPIRED"
RUNNING = (CheckoutState.RESERVING, CheckoutState.RESERVED, CheckoutState.PAYING)
_TRANSITIONS: dict[str, frozenset[str]] = {
    CheckoutState.RESERVING: frozenset(
        {CheckoutState.RESERVED, CheckoutState.REFUSED, CheckoutState.ABANDONED}
    ),
    CheckoutState.RESERVED: frozenset({CheckoutState.PAYING, CheckoutState.ABANDONED}),
    CheckoutState.PAYING: frozenset({CheckoutState.PAID, CheckoutState.RESERVED}),
    CheckoutState.PAID: frozenset(),
    CheckoutState.REFUSED: frozenset(),
    CheckoutState.ABANDONED: frozenset(),
}


class CheckoutLine(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units at `unit_price` each; `price` is the line's total. Minor units. `award_id` and `auction_id`: a lot that the
    buyer has won."""

    product_id: str
    title: str
    quantity: int
    unit_price: int
    auction_id: str = ""
    award_id: str = ""

    @property
    def price(self) -> int:
        return totals.line_total(self.unit_price, self.quantity)


class Checkout(models.Model):
    """What a buyer is about to pay: lines, shipping and the total, in minor units of one currency. A buyer has one at a time.

    `key` is the Idempotency-Key of its request, and `asked` what was requested under it. `shortages`: why inventory refused.
    `failure`: what the buyer reads of the last payment that failed. `address`: a copy of the one in the buyer's book.
    """

    id = models.CharField(primary_key=True, max_length=32)
    user_id = models.CharField(max_length=64)
    key = models.CharField(max_length=128)
    asked = models.JSONField()
    state = models.CharField(max_length=10, choices=CheckoutState.choices, default=CheckoutState.RESERVING)
    lines = models.JSONField()
    shipping = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    address = models.JSONField(null=True)
    shortages = models.JSONField(default=list)
    failure = models.TextField(blank=True)
    started_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-started_at", "id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["user_id", "-started_at"], name="orders_checkout_of_user")]
        constraints = [
            models.UniqueConstraint(fields=["user_id", "key"], name="orders_checkout_once"),
            models.UniqueConstraint(
                fields=["user_id"],
                condition=models.Q(state__in=["RESERVING", "RESERVED", "PAYING"]),
                name="orders_checkout_one_running",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=CheckoutState.values), name="orders_checkout_state"
            ),
            models.CheckConstraint(condition=models.Q(shipping__gte=0), name="orders_checkout_shipping"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=CURRENCY_PATTERN), name="orders_checkout_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.id

    # --- mutators

    @classmethod
    def locked(cls, checkout_id: str, *, user_id: str | None = None) -> "Checkout":
        """The checkout, locked until the transaction ends; with `user_id`, only that buyer's. Raises CheckoutNotFound."""
        rows = cls.objects.select_for_update().filter(pk=checkout_id)
        checkout = (rows.filter(user_id=user_id) if user_id is not None else rows).first()
        if checkout is None:
            raise exceptions.CheckoutNotFound
        return checkout

    @classmethod
    def running_locked(cls, user_id: str) -> "Checkout | None":
        """The buyer's checkout that is under way, locked until the transaction ends. It may have expired."""
        return cls.objects.select_for_update().filter(user_id=user_id, state__in=RUNNING).first()

    def can_become(self, state: CheckoutState) -> bool:
        return state in _TRANSITIONS[self.state]

    def become(self, state: CheckoutState, *, now: datetime, **changed: Any) -> None:
        """Go to `state`, and store the other fields that change with it. Raises WrongCheckoutState."""
        if not self.can_become(state):
            raise exceptions.WrongCheckoutState(state=self.status(now))
        self.state, self.changed_at = state, now
        for name, value in changed.items():
            setattr(self, name, value)
        self.save(update_fields=["state", "changed_at", *changed], force_update=True)

    # --- queries

    @property
    def sold(self) -> tuple[CheckoutLine, ...]:
        """What is bought, line by line."""
        return msgspec.convert(self.lines, tuple[CheckoutLine, ...])

    @property
    def award_ids(self) -> list[str]:
        """The awards that it pays."""
        return [line.award_id for line in self.sold if line.award_id]

    @property
    def total(self) -> int:
        return sum(line.price for line in self.sold) + self.shipping

    @property
    def pay_by(self) -> datetime:
        """The moment until which a payment may begin."""
        return self.expires_at - PAY_MARGIN

    def status(self, now: datetime) -> str:
        """The state, or EXPIRED for a checkout whose time is over before it was paid. It stays so when it is abandoned later."""
        if self.state == CheckoutState.ABANDONED:
            return EXPIRED if self.changed_at >= self.pay_by else self.state
        waits = self.state in (CheckoutState.RESERVING, CheckoutState.RESERVED)
        return EXPIRED if waits and now >= self.pay_by else self.state

    @classmethod
    def has_status(cls, status: str, now: datetime) -> models.Q:
        """`status` as a condition of queries."""
        waits = models.Q(state__in=[CheckoutState.RESERVING, CheckoutState.RESERVED])
        is_late = waits & models.Q(expires_at__lte=now + PAY_MARGIN)
        was_late = models.Q(
            state=CheckoutState.ABANDONED, changed_at__gte=models.F("expires_at") - PAY_MARGIN
        )
        if status == EXPIRED:
            return is_late | was_late
        return models.Q(state=status) & ~is_late & ~was_late

    @property
    def title(self) -> str:
        """The order in a few words: "A brass sextant and 2 more"."""
        first, *others = self.sold
        return f"{first.title} and {len(others)} more" if others else first.title


class CheckoutSale(models.Model):
    """One payment of a checkout: a sale that a saga settles. `outcome` is empty while it does."""

    class Outcome(models.TextChoices):
        SETTLED = "SETTLED"
        FAILED = "FAILED"

    sale_id = models.CharField(max_length=100, primary_key=True)
    checkout = models.ForeignKey(Checkout, on_delete=models.PROTECT, related_name="sales")
    attempt = models.PositiveIntegerField()
    price = models.BigIntegerField(help_text="total in minor units")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True, default="")
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["at", "sale_id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["checkout", "attempt"], name="orders_checkout_attempt_once"),
            models.UniqueConstraint(
                fields=["checkout"],
                condition=~models.Q(outcome="FAILED"),
                name="orders_checkout_pays_once",
            ),
            models.CheckConstraint(
                condition=models.Q(outcome="", ended_at__isnull=True)
                | models.Q(outcome__in=["SETTLED", "FAILED"], ended_at__isnull=False),
                name="orders_checkout_sale_outcome",
            ),
        ]

    def __str__(self) -> str:
        return self.sale_id

    @classmethod
    def next_of(cls, checkout: Checkout, *, now: datetime) -> "CheckoutSale":
        """Store the next sale of this checkout, which is locked. Raises IntegrityError while another one has not failed."""
        attempt = checkout.sales.count() + 1
        return cls.objects.create(
            sale_id=ids.sale_id(checkout.id, attempt),
            checkout=checkout,
            attempt=attempt,
            price=checkout.total,
            at=now,
        )

    @property
    def order_number(self) -> str:
        return ids.order_number(self.sale_id)

    def end(self, outcome: str, *, now: datetime) -> None:
        """The saga has ended."""
        self.outcome, self.ended_at = outcome, now
        self.save(update_fields=["outcome", "ended_at"], force_update=True)
