"""Orders with their lines, and the facts of what happens to them: each kind once, and none twice."""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import models

from auction_project.kernel import writes
from orders import exceptions, status
from orders.models import database


class Order(models.Model):
    """What was sold to whom for how much. `amount` is the total of all lines and the shipping, in minor units. The status
    follows from the facts. An order of a checkout has no auction."""

    number = models.CharField(max_length=20, primary_key=True)
    sale_id = models.CharField(max_length=100, unique=True)
    user_id = models.CharField(max_length=64)
    auction_id = models.CharField(max_length=64, blank=True, default="")
    title = models.TextField()
    shipping = models.BigIntegerField(default=0, help_text="in minor units")
    amount = models.BigIntegerField(help_text="total in minor units")
    currency = models.CharField(max_length=3)
    placed_at = models.DateTimeField()

    class Meta:
        ordering = ["-placed_at", "number"]
        permissions = [
            ("ship_order", "Can ship orders, and note that they arrived"),
            ("cancel_order", "Can cancel confirmed orders that are not shipped"),
            ("refund_order", "Can give money of orders back"),
            ("return_order", "Can take units of orders back"),
        ]
        indexes = [
            models.Index(fields=["user_id", "-placed_at", "number"], name="orders_order_of_user"),
            models.Index(fields=["-placed_at", "number"], name="orders_order_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="orders_order_amount_positive"),
            models.CheckConstraint(
                condition=models.Q(shipping__gte=0, shipping__lte=models.F("amount")),
                name="orders_order_shipping",
            ),
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
    def place(cls, orders: Sequence["Order"], lines: "Sequence[OrderLine]") -> None:
        """Store these new orders with their lines. Raises OrderNumberTaken."""
        with database.refuse_taken_numbers(order.number for order in orders):
            cls.objects.bulk_create(orders)
        writes.insert(OrderLine, lines)
        writes.insert(OrderFact, [order.fact(OrderFact.Kind.PLACED, now=order.placed_at) for order in orders])

    def fact(self, kind: str, *, now: datetime, detail: str = "") -> "OrderFact":
        """A new fact of this order, to be stored."""
        return OrderFact(order=self, kind=kind, at=now, detail=detail)

    @property
    def quantity(self) -> int:
        """The units of all lines."""
        return sum(line.quantity for line in self.lines.all())

    @property
    def order_number(self) -> str:
        """The number by the name that payments and events use."""
        return self.number

    @property
    def status(self) -> str:
        """It follows from the facts (see `orders.status`)."""
        return status.of({fact.kind for fact in self.facts.all()})

    def has(self, kind: str) -> bool:
        """Whether there is a fact of this kind."""
        return any(fact.kind == kind for fact in self.facts.all())

    @property
    def owners(self) -> list[str]:
        """The sellers of the lines, in their order. A line from before lines had owners has none: its seller is empty."""
        return list(dict.fromkeys(line.owner_id for line in self.lines.all()))

    def lines_of(self, owner_id: str) -> "list[OrderLine]":
        """The part of the order that this seller ships."""
        return [line for line in self.lines.all() if line.owner_id == owner_id]


class OrderLine(models.Model):
    """`quantity` units of one product for `amount` in all, in minor units of the order's currency. `owner_id` sells it.
    `auction_id`: the lot that an order of the shop paid."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    product_id = models.CharField(max_length=64)
    owner_id = models.CharField(max_length=64, blank=True, default="")
    title = models.TextField()
    quantity = models.PositiveIntegerField()
    amount = models.BigIntegerField(help_text="total of the line in minor units")
    auction_id = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["product_id"], name="orders_line_of_product"),
            models.Index(fields=["owner_id", "order"], name="orders_line_of_owner"),
            models.Index(
                fields=["auction_id"], condition=~models.Q(auction_id=""), name="orders_line_of_auction"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["order", "product_id"], name="orders_line_once_per_product"),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0, amount__gte=0), name="orders_line_sells_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def with_buyer(self) -> int:
        """The units that have not come back. Of a line that is not shipped, all of them."""
        return self.quantity - sum(back.quantity for back in self.returns.all())


class OrderFact(models.Model):
    """One thing that happened to an order."""

    class Kind(models.TextChoices):
        PLACED = "PLACED"
        CONFIRMED = "CONFIRMED"
        CANCELLED = "CANCELLED"
        SHIPPED = "SHIPPED"
        DELIVERED = "DELIVERED"
        RETURNED = "RETURNED"
        REFUNDED = "REFUNDED"

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
                condition=models.Q(kind__in=["CANCELLED", "SHIPPED"]),
                name="orders_fact_one_end",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=status.ORDER), name="orders_fact_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind}"
