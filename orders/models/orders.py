"""Orders, and the facts of what happens to them."""

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
    def locked(cls, number: str) -> "Order":
        """The order, locked until the transaction ends. Raises OrderNotFound."""
        order = cls.objects.select_for_update().filter(number=number).first()
        if order is None:
            raise exceptions.OrderNotFound(order_number=number)
        return order

    def place(self) -> None:
        """Store this new order. Raises OrderNumberTaken."""
        with database.refuse_taken_number(self.number):
            self.save(force_insert=True)
        self.add_fact(OrderFact.Kind.PLACED, now=self.placed_at)

    def add_fact(self, kind: str, *, now: datetime, detail: str = "") -> None:
        OrderFact.objects.create(order=self, kind=kind, at=now, detail=detail)

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
