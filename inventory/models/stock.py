"""Warehouses, balances and the moves of the ledger."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from inventory import refusals
from inventory.models.catalogue import Product

MAX_UNITS = 1_000_000


class Warehouse(models.Model):
    """A place that keeps stock. Stock is taken by `priority`, lowest first."""

    code = models.CharField(primary_key=True, max_length=16)
    name = models.CharField(max_length=80)
    priority = models.PositiveSmallIntegerField(unique=True)

    class Meta:
        ordering: ClassVar = ["priority"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class Location(models.TextChoices):
    """Where a unit can be. The first four are states on hand, each within a warehouse; the rest lie outside."""

    AVAILABLE = "AVAILABLE", "Available"
    RESERVED = "RESERVED", "Reserved"
    COMMITTED = "COMMITTED", "Committed"
    SET_ASIDE = "SET_ASIDE", "Set aside"
    SUPPLIER = "SUPPLIER", "Supplier"
    CUSTOMER = "CUSTOMER", "Customer"
    LOSS = "LOSS", "Loss"


ON_HAND = (Location.AVAILABLE, Location.RESERVED, Location.COMMITTED, Location.SET_ASIDE)


class Balance(models.Model):
    """The units of one product in one warehouse: at any moment the sum of their moves."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="balances")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="+")
    available = models.IntegerField(default=0)
    reserved = models.IntegerField(default=0)
    committed = models.IntegerField(default=0)
    set_aside = models.IntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "warehouse"], name="inventory_balance_once"),
            *(
                models.CheckConstraint(condition=Q(**{f"{state}__gte": 0}), name=f"inventory_balance_{state}")
                for state in ("available", "reserved", "committed", "set_aside")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.warehouse_id}: {self.on_hand}"

    @property
    def on_hand(self) -> int:
        return self.available + self.reserved + self.committed + self.set_aside

    def require(self, location: Location, quantity: int) -> None:
        """Raises InsufficientStock when `quantity` units are more than this state has."""
        name = location.value.lower()
        present = getattr(self, name)
        if quantity > present:
            raise refusals.InsufficientStock(
                f"Only {refusals.units(present)} {'is' if present == 1 else 'are'} {location.label.lower()} "
                f"in {self.warehouse.name}; you asked for {quantity}.",
                warehouse=self.warehouse_id,
                state=name,
                present=present,
                asked=quantity,
            )

    def add(self, location: Location, quantity: int) -> None:
        """Add `quantity` (it may be negative) to one state."""
        name = location.value.lower()
        setattr(self, name, getattr(self, name) + quantity)


class MoveKind(models.TextChoices):
    RECEIVE = "RECEIVE", "Received"
    ADJUST = "ADJUST", "Adjusted"
    TRANSFER = "TRANSFER", "Transferred"
    RESERVE = "RESERVE", "Reserved"
    RELEASE = "RELEASE", "Released"
    COMMIT = "COMMIT", "Committed"
    RESTOCK = "RESTOCK", "Restocked"
    SHIP = "SHIP", "Shipped"
    RETURN = "RETURN", "Returned"


def _place(side: str) -> Q:
    """A state on hand lies in a warehouse; what is outside lies in none."""
    inside = Q(**{f"{side}__in": ON_HAND})
    return Q(inside, **{f"{side}_warehouse__isnull": False}) | Q(
        ~inside, **{f"{side}_warehouse__isnull": True}
    )


class Move(models.Model):
    """One line of the ledger: `quantity` units left one place and came to another. For ever as it is."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="moves")
    kind = models.CharField(max_length=10, choices=MoveKind.choices)
    quantity = models.PositiveIntegerField()
    source = models.CharField("from", max_length=10, choices=Location.choices)
    source_warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, null=True, related_name="+", verbose_name="from warehouse"
    )
    destination = models.CharField("to", max_length=10, choices=Location.choices)
    destination_warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, null=True, related_name="+", verbose_name="to warehouse"
    )
    version = models.PositiveBigIntegerField("stock version")
    reference = models.CharField(max_length=200)
    reason = models.CharField(max_length=200, blank=True)
    actor = models.CharField("by", max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        indexes: ClassVar = [models.Index(fields=["reference"], name="inventory_move_reference")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_move_quantity"),
            models.CheckConstraint(condition=_place("source"), name="inventory_move_source"),
            models.CheckConstraint(condition=_place("destination"), name="inventory_move_destination"),
            models.CheckConstraint(
                condition=~Q(source=F("destination"))
                | Q(source__in=ON_HAND) & ~Q(source_warehouse=F("destination_warehouse")),
                name="inventory_move_elsewhere",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity} × {self.product_id}"
