"""Products, warehouses, balances and the ledger."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from auction_project.kernel.messaging import once, outbox
from inventory import refusals

DATABASE = "inventory"
HOUSE = "house"
DIGEST_CHARACTERS = 12
DESCRIPTION = ("title", "description", "condition", "image", "thumbnail", "image_digest")  # may be corrected
THUMBNAIL_PATH = "/api/v1/products/{id}/thumbnail?v={digest}"
IMAGE_PATH = "/api/v1/products/{id}/image?v={digest}"
MAX_UNITS = 1_000_000
LOW_STOCK_MARGIN_PARTS = (
    5  # a product is well stocked again above its threshold by a fifth, at least one unit
)


class Outbox(outbox.OutboxRow):
    class Meta(outbox.OutboxRow.Meta):
        default_permissions = ()


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        default_permissions = ()


class Condition(models.TextChoices):
    NEW = "NEW", "New"
    LIKE_NEW = "LIKE_NEW", "Like new"
    GOOD = "GOOD", "Good"
    FAIR = "FAIR", "Fair"
    FOR_PARTS = "FOR_PARTS", "For parts or repair"


class Product(models.Model):
    """What can be listed. `stock_version` grows with every change of its stock; its row is the lock of all of it."""

    id = models.CharField(primary_key=True, max_length=32)
    sku = models.CharField("SKU", max_length=40, unique=True)
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=5000, blank=True)
    condition = models.CharField(max_length=10, choices=Condition.choices)
    owner_id = models.CharField("owner", max_length=32, db_index=True)
    image = models.FileField(max_length=120, blank=True)
    thumbnail = models.FileField(max_length=120, blank=True)
    image_digest = models.CharField(max_length=64, blank=True)
    low_threshold = models.PositiveIntegerField("low-stock threshold", default=0)
    is_low = models.BooleanField(default=False)
    stock_version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["sku"]
        default_permissions = ("add", "change", "view")
        permissions: ClassVar = [
            ("receive_stock", "Can receive stock"),
            ("adjust_stock", "Can adjust stock and its threshold"),
            ("transfer_stock", "Can transfer stock between warehouses"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.title}"

    @property
    def image_url(self) -> str:
        return (
            IMAGE_PATH.format(id=self.id, digest=self.image_digest[:DIGEST_CHARACTERS])
            if self.image_digest
            else ""
        )

    @property
    def thumbnail_url(self) -> str:
        return (
            THUMBNAIL_PATH.format(id=self.id, digest=self.image_digest[:DIGEST_CHARACTERS])
            if self.image_digest
            else ""
        )

    def correct(self, corrected: Mapping[str, str], *, actor: str, now: datetime) -> None:
        """Say `corrected` (some of DESCRIPTION) from now on; a Correction keeps what was said. Nothing, if that is the
        same. The row must be locked.
        """
        changed = [name for name, value in corrected.items() if getattr(self, name) != value]
        if not changed:
            return
        said = {name: str(getattr(self, name)) for name in DESCRIPTION}
        Correction.objects.create(product=self, actor=actor, at=now, **said)
        for name in changed:
            setattr(self, name, corrected[name])
        self.save(update_fields=changed)

    def next_version(self) -> None:
        """The stock has changed. The row must be locked."""
        self.stock_version += 1
        self.save(update_fields=["stock_version", "is_low"])

    def crosses_low(self, available: int) -> bool:
        """Note `available`; whether the product has just become low. It stays low until it is above by the margin."""
        margin = max(1, self.low_threshold // LOW_STOCK_MARGIN_PARTS)
        was_low = self.is_low
        if self.low_threshold == 0 or available > self.low_threshold + margin:
            self.is_low = False
        elif available <= self.low_threshold:
            self.is_low = True
        return self.is_low and not was_low


class Correction(models.Model):
    """What a product said of itself until `actor` corrected it: lots that were listed before still show its picture."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="corrections")
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=5000, blank=True)
    condition = models.CharField(max_length=10, choices=Condition.choices)
    image = models.FileField(max_length=120, blank=True)
    thumbnail = models.FileField(max_length=120, blank=True)
    image_digest = models.CharField(max_length=64, blank=True)
    actor = models.CharField("corrected by", max_length=64)
    at = models.DateTimeField("corrected at")

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.title}, until {self.at:%Y-%m-%d %H:%M}"


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

    def add(self, location: Location, quantity: int) -> None:
        """Add `quantity` (it may be negative) to one state; saving is the ledger's. Raises InsufficientStock."""
        name = location.value.lower()
        present = getattr(self, name)
        if present + quantity < 0:
            raise refusals.InsufficientStock(
                f"Only {refusals.units(present)} {'is' if present == 1 else 'are'} {location.label.lower()} "
                f"in {self.warehouse.name}; you asked for {-quantity}.",
                warehouse=self.warehouse_id,
                state=name,
                present=present,
                asked=-quantity,
            )
        setattr(self, name, present + quantity)


class MoveKind(models.TextChoices):
    RECEIVE = "RECEIVE", "Received"
    ADJUST = "ADJUST", "Adjusted"
    TRANSFER = "TRANSFER", "Transferred"
    RESERVE = "RESERVE", "Reserved"
    RELEASE = "RELEASE", "Released"
    COMMIT = "COMMIT", "Committed"
    RESTOCK = "RESTOCK", "Restocked"


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
