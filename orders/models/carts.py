"""Carts: what a user means to buy, one row a line. A cart reserves nothing."""

from datetime import datetime
from typing import ClassVar

from django.db import connections, models

from orders.models.database import CURRENCY_PATTERN, DATABASE

MAX_LINES = 50  # of a cart, and so of a checkout
_LOCK_SPACE = 1  # the locks of a user's sales have 0 (models.risk)


class CartLine(models.Model):
    """`quantity` units of one product. `seen_price`: the price of one unit that the user has accepted, in minor units."""

    user_id = models.CharField(max_length=64)
    product_id = models.CharField(max_length=64)
    quantity = models.PositiveIntegerField()
    seen_price = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    added_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["added_at", "id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user_id", "product_id"], name="orders_cart_line_once_per_product"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0, seen_price__gt=0), name="orders_cart_line_holds_something"
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=CURRENCY_PATTERN), name="orders_cart_line_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"

    # --- mutators

    @staticmethod
    def lock(user_id: str) -> None:
        """Have other changes of this user's cart, and other starts of their checkouts, wait until the transaction ends. The
        rows cannot be locked for that: a cart may be empty."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [user_id, _LOCK_SPACE])

    def put(self) -> None:
        """Store the line, in place of the one of the same product. That keeps its place in the cart."""
        CartLine.objects.bulk_create(
            [self],
            update_conflicts=True,
            unique_fields=["user_id", "product_id"],
            update_fields=["quantity", "seen_price", "currency"],
        )

    @classmethod
    def take_out(cls, user_id: str, quantities: dict[str, int]) -> None:
        """So many units of these products have left the cart; what was added meanwhile stays."""
        lines = cls.objects.filter(user_id=user_id, product_id__in=quantities).order_by("product_id")
        for line in lines.select_for_update():
            left = line.quantity - quantities[line.product_id]
            if left > 0:
                line.quantity = left
                line.save(update_fields=["quantity"], force_update=True)
            else:
                line.delete()

    # --- queries

    @classmethod
    def of(cls, user_id: str) -> "models.QuerySet[CartLine]":
        """The lines of the user's cart, oldest first."""
        return cls.objects.filter(user_id=user_id).order_by("added_at", "id")

    @staticmethod
    def new(
        *, user_id: str, product_id: str, quantity: int, seen_price: int, currency: str, now: datetime
    ) -> "CartLine":
        """A line, to be put."""
        return CartLine(
            user_id=user_id,
            product_id=product_id,
            quantity=quantity,
            seen_price=seen_price,
            currency=currency,
            added_at=now,
        )
