"""Categories: the tree in which the shop's products are found."""

from typing import ClassVar

from django.db import connections, models
from django.db.models import F, Q

from inventory.models.messages import DATABASE

MAX_CATEGORY_NAME_CHARACTERS = 60


class Category(models.Model):
    """A branch of the tree. Its slug is its address and never changes. A trigger refuses a category above itself.

    `position` orders the categories of one parent.
    """

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=MAX_CATEGORY_NAME_CHARACTERS)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    position = models.PositiveIntegerField()

    class Meta:
        ordering: ClassVar = ["position", "id"]
        verbose_name_plural = "categories"
        default_permissions = ("add", "change", "delete", "view")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["parent", "name"], nulls_distinct=False, name="inventory_category_once"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="inventory_category_elsewhere"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def lock_tree() -> None:
        """Have other changes of the tree wait until the transaction ends. It is the lock of the trigger."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('inventory_category'))")

    @classmethod
    def kept(cls, slug: str) -> "Category | None":
        """The category, which is not removed before the transaction ends; None: there is none."""
        found = cls.objects.raw("SELECT * FROM inventory_category WHERE slug = %s FOR KEY SHARE", [slug])
        return next(iter(found), None)
