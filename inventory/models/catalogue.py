"""Products: what can be listed, and their descriptions before each correction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from inventory.models.categories import Category

HOUSE = "house"
DIGEST_CHARACTERS = 12
MAX_FOLDED_SKU_CHARACTERS = 800  # one character can stand for up to eighteen
DESCRIPTION = ("title", "description", "condition", "category", "attributes")  # may be corrected
THUMBNAIL_PATH = "/api/v1/products/{id}/thumbnail?v={digest}"
IMAGE_PATH = "/api/v1/products/{id}/image?v={digest}"
LOW_STOCK_MARGIN_PARTS = (
    5  # a product is well stocked again above its threshold by a fifth, at least one unit
)


class Condition(models.TextChoices):
    NEW = "NEW", "New"
    LIKE_NEW = "LIKE_NEW", "Like new"
    GOOD = "GOOD", "Good"
    FAIR = "FAIR", "Fair"
    FOR_PARTS = "FOR_PARTS", "For parts or repair"


class Product(models.Model):
    """What can be listed. `stock_version` grows with every change of its stock; its row is the lock of all of it.

    `attributes` are `{"name": …, "value": …}`, in the order in which they are shown. `image_digest` is that of the first of
    its pictures. `in_shop`: it has a published offer, which searches find.
    """

    id = models.CharField(primary_key=True, max_length=32)
    sku = models.CharField("SKU", max_length=40, db_index=True)
    sku_folded = models.CharField(max_length=MAX_FOLDED_SKU_CHARACTERS, unique=True, editable=False)
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=5000, blank=True)
    condition = models.CharField(max_length=10, choices=Condition.choices)
    category = models.ForeignKey(Category, models.PROTECT, null=True, blank=True, related_name="products")
    attributes = models.JSONField(default=list, blank=True)
    owner_id = models.CharField("owner", max_length=32, db_index=True)
    image_digest = models.CharField(max_length=64, blank=True)
    in_shop = models.BooleanField(default=False)
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
        """The address of the first picture; empty without one."""
        return image_path(self.id, self.image_digest)

    @property
    def thumbnail_url(self) -> str:
        return thumbnail_path(self.id, self.image_digest)

    def correct(self, corrected: Mapping[str, Any], *, actor: str, now: datetime) -> bool:
        """Change the description to `corrected` (some of DESCRIPTION); a Correction keeps the former one. Whether anything has
        changed. The row must be locked.
        """
        changed = [name for name, value in corrected.items() if getattr(self, name) != value]
        if changed:
            former = {name: getattr(self, name) for name in DESCRIPTION}
            Correction.objects.create(product=self, actor=actor, at=now, **former)
            for name in changed:
                setattr(self, name, corrected[name])
            self.save(update_fields=changed)
        return bool(changed)

    def show(self, digest: str) -> None:
        """The first picture is the one with this digest, or none. The row must be locked."""
        self.image_digest = digest
        self.save(update_fields=["image_digest"])

    def enter_shop(self, *, is_published: bool) -> None:
        """Its offer is published, or is not any more. The row must be locked."""
        if self.in_shop != is_published:
            self.in_shop = is_published
            self.save(update_fields=["in_shop"])

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
    """The description of a product until `actor` corrected it."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="corrections")
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=5000, blank=True)
    condition = models.CharField(max_length=10, choices=Condition.choices)
    category = models.ForeignKey(Category, models.SET_NULL, null=True, related_name="+")
    attributes = models.JSONField(default=list)
    actor = models.CharField("corrected by", max_length=64)
    at = models.DateTimeField("corrected at")

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.title}, until {self.at:%Y-%m-%d %H:%M}"


def image_path(product_id: str, digest: str) -> str:
    """The address of a picture; empty without one."""
    return IMAGE_PATH.format(id=product_id, digest=digest[:DIGEST_CHARACTERS]) if digest else ""


def thumbnail_path(product_id: str, digest: str) -> str:
    return THUMBNAIL_PATH.format(id=product_id, digest=digest[:DIGEST_CHARACTERS]) if digest else ""
