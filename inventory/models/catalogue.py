"""Products: what can be listed, and their descriptions before each correction."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from django.db import models

HOUSE = "house"
DIGEST_CHARACTERS = 12
DESCRIPTION = ("title", "description", "condition", "image", "thumbnail", "image_digest")  # may be corrected
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
        return self._address(IMAGE_PATH)

    @property
    def thumbnail_url(self) -> str:
        return self._address(THUMBNAIL_PATH)

    def _address(self, path: str) -> str:
        """The address of the picture that the product has now; empty without one."""
        return (
            path.format(id=self.id, digest=self.image_digest[:DIGEST_CHARACTERS]) if self.image_digest else ""
        )

    def correct(self, corrected: Mapping[str, str], *, actor: str, now: datetime) -> None:
        """Change the description to `corrected` (some of DESCRIPTION); a Correction keeps the former one. Nothing, if that is the
        same. The row must be locked.
        """
        changed = [name for name, value in corrected.items() if getattr(self, name) != value]
        if not changed:
            return
        former = {name: str(getattr(self, name)) for name in DESCRIPTION}
        Correction.objects.create(product=self, actor=actor, at=now, **former)
        for name in changed:
            setattr(self, name, corrected[name])
        self.save(update_fields=changed)

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
    """The description of a product until `actor` corrected it: lots that were listed before still show its picture."""

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
