"""Awards: lots that a buyer has won on terms to pay later. Each is a sale of the bid log, which waits here for its payment."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

from django.db import models

from orders.models.checkouts import PAY_MARGIN, Checkout, CheckoutLine
from orders.models.database import CURRENCY_PATTERN


class AwardState(models.TextChoices):
    """DUE: the buyer is to pay. PAYING: the sale of a checkout pays it. LAPSED: it was not paid in time. The last two are final."""

    DUE = "DUE"
    PAYING = "PAYING"
    PAID = "PAID"
    LAPSED = "LAPSED"


_FROM: dict[AwardState, AwardState] = {
    AwardState.PAYING: AwardState.DUE,
    AwardState.PAID: AwardState.PAYING,
    AwardState.DUE: AwardState.PAYING,
    AwardState.LAPSED: AwardState.DUE,
}


class Award(models.Model):
    """`quantity` units for `price` in all, in minor units of `currency`. `sale_id` is the lot's sale; `checkout` pays it, or has
    paid it."""

    sale_id = models.CharField(max_length=100, primary_key=True)
    auction_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    order_number = models.CharField(max_length=40)
    product_id = models.CharField(max_length=64)
    owner_id = models.CharField(max_length=64, blank=True)
    title = models.TextField()
    quantity = models.PositiveIntegerField()
    price = models.BigIntegerField(help_text="total in minor units")
    currency = models.CharField(max_length=3)
    awarded_at = models.DateTimeField()
    due_at = models.DateTimeField()
    state = models.CharField(max_length=6, choices=AwardState.choices, default=AwardState.DUE)
    changed_at = models.DateTimeField()
    checkout = models.ForeignKey(Checkout, on_delete=models.PROTECT, null=True, related_name="awards")

    class Meta:
        ordering: ClassVar = ["due_at", "sale_id"]
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["user_id", "-awarded_at"], name="orders_award_of_user"),
            models.Index(
                fields=["due_at"], condition=models.Q(state="DUE"), name="orders_award_waits_for_payment"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0, price__gt=0), name="orders_award_sells_something"
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=CURRENCY_PATTERN), name="orders_award_currency"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["DUE", "LAPSED"], checkout__isnull=True)
                | models.Q(state__in=["PAYING", "PAID"], checkout__isnull=False),
                name="orders_award_payer",
            ),
        ]

    def __str__(self) -> str:
        return self.sale_id

    # --- mutators

    @classmethod
    def locked(cls, sale_ids: Collection[str]) -> "list[Award]":
        """These awards in the order of their ids, locked until the transaction ends."""
        return list(cls.objects.select_for_update().filter(pk__in=sale_ids).order_by("pk"))

    @classmethod
    def lapsing_locked(cls, *, now: datetime, most: int) -> "list[Award]":
        """At most so many awards that were not paid in time, locked; those that another transaction has locked are left out."""
        late = cls.objects.filter(state=AwardState.DUE, due_at__lte=now).order_by("pk")
        return list(late.select_for_update(skip_locked=True)[:most])

    @classmethod
    def become(
        cls, awards: "Sequence[Award]", state: AwardState, *, now: datetime, checkout: Checkout | None = None
    ) -> None:
        """These awards, which are locked, go to `state`; `checkout` pays them, or has paid them."""
        for award in awards:
            if award.state != _FROM[state]:
                raise ValueError(f"award {award.pk} is {award.state}, it cannot become {state}")
            award.state, award.changed_at, award.checkout = state, now, checkout
        cls.objects.bulk_update(awards, ["state", "changed_at", "checkout"])

    # --- queries

    @classmethod
    def due_to(cls, user_id: str, *, now: datetime) -> "models.QuerySet[Award]":
        """What the user has to pay and still can, the most urgent first."""
        return cls.objects.filter(user_id=user_id, state=AwardState.DUE, due_at__gt=now + PAY_MARGIN)

    @property
    def pay_by(self) -> datetime:
        """The moment until which a payment may begin."""
        return self.due_at - PAY_MARGIN

    @property
    def line(self) -> CheckoutLine:
        """It as a line of a checkout."""
        unit_price, rest = divmod(self.price, self.quantity)
        if rest:
            raise ValueError(f"award {self.pk}: {self.price} is no price of {self.quantity} equal units")
        return CheckoutLine(
            product_id=self.product_id,
            title=self.title,
            quantity=self.quantity,
            unit_price=unit_price,
            auction_id=self.auction_id,
            award_id=self.sale_id,
        )
