"""Orders, and the facts of what happens to them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

from django.db import models

from orders import exceptions
from orders.models import database


class Order(models.Model):
    """What was sold to whom for how much. `amount` is the total, in minor units. The status follows from the facts."""

    number = models.CharField(max_length=20, primary_key=True)
    sale_id = models.CharField(max_length=100, unique=True)
    user_id = models.CharField(max_length=64)
    auction_id = models.CharField(max_length=64)
    product_id = models.CharField(max_length=64)
    quantity = models.PositiveIntegerField()
    title = models.TextField()
    amount = models.BigIntegerField(help_text="total in minor units")
    currency = models.CharField(max_length=3)
    placed_at = models.DateTimeField()

    class Meta:
        ordering = ["-placed_at", "number"]
        indexes = [
            models.Index(fields=["user_id", "-placed_at", "number"], name="orders_order_of_user"),
            models.Index(fields=["-placed_at", "number"], name="orders_order_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="orders_order_amount_positive"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orders_order_quantity_positive"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=database.CURRENCY_PATTERN), name="orders_order_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @classmethod
    def locked(cls, numbers: Collection[str]) -> dict[str, "Order"]:
        """The orders by number, with their facts, locked in the order of the numbers until the transaction ends. Raises
        OrderNotFound."""
        rows = cls.objects.filter(number__in=set(numbers)).order_by("number").select_for_update()
        orders = {order.number: order for order in rows.prefetch_related("facts")}
        for number in numbers:
            if number not in orders:
                raise exceptions.OrderNotFound(order_number=number)
        return orders

    @classmethod
    def place(cls, orders: Sequence["Order"]) -> None:
        """Store these new orders. Raises OrderNumberTaken."""
        with database.refuse_taken_numbers(order.number for order in orders):
            cls.objects.bulk_create(orders)
        OrderFact.objects.bulk_create(
            order.fact(OrderFact.Kind.PLACED, now=order.placed_at) for order in orders
        )

    def fact(self, kind: str, *, now: datetime, detail: str = "") -> "OrderFact":
        """A new fact of this order, to be stored."""
        return OrderFact(order=self, kind=kind, at=now, detail=detail)

    @property
    def order_number(self) -> str:
        """The number by the name that payments and events use."""
        return self.number

    @property
    def status(self) -> str:
        """The kind of the last fact: PLACED, CONFIRMED or CANCELLED."""
        kinds = {fact.kind for fact in self.facts.all()}
        return next((kind for kind in OrderFact.ENDS if kind in kinds), OrderFact.Kind.PLACED).value


class OrderFact(models.Model):
    """One thing that happened to an order."""

    class Kind(models.TextChoices):
        PLACED = "PLACED"
        CONFIRMED = "CONFIRMED"
        CANCELLED = "CANCELLED"

    ENDS: ClassVar = (Kind.CONFIRMED, Kind.CANCELLED)

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField()
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind"], name="orders_fact_once_per_kind"),
            models.UniqueConstraint(
                fields=["order"],
                condition=models.Q(kind__in=["CONFIRMED", "CANCELLED"]),
                name="orders_fact_one_end",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["PLACED", "CONFIRMED", "CANCELLED"]), name="orders_fact_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind}"
