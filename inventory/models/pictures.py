"""Pictures of products. A picture that is taken away stays, because lots that were listed with it show it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from inventory.models.catalogue import DIGEST_CHARACTERS, Product, image_path, thumbnail_path

MAX_ALT_CHARACTERS = 200


class Picture(models.Model):
    """One picture in both sizes. `position` orders those that are shown, from 0; the others have none.

    The picture at 0 is the one of the product's thumbnail: `Product.image_digest` names it.
    """

    product = models.ForeignKey(Product, models.PROTECT, related_name="pictures")
    digest = models.CharField(max_length=64)
    image = models.FileField(max_length=120)
    thumbnail = models.FileField(max_length=120)
    alt = models.CharField("alternative text", max_length=MAX_ALT_CHARACTERS, blank=True)
    position = models.PositiveSmallIntegerField(null=True)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["position", "id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "digest"], name="inventory_picture_once"),
            models.UniqueConstraint(
                fields=["product", "position"],
                name="inventory_picture_order",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(condition=~Q(digest=""), name="inventory_picture_has_content"),
        ]

    def __str__(self) -> str:
        return self.alt or self.public_id

    @property
    def public_id(self) -> str:
        """The name of its content in addresses, the same for ever."""
        return self.digest[:DIGEST_CHARACTERS]

    @property
    def url(self) -> str:
        return image_path(self.product_id, self.digest)

    @property
    def thumbnail_url(self) -> str:
        return thumbnail_path(self.product_id, self.digest)
