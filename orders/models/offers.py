"""The offers of the shop, as inventory's newest event says them: what a cart shows, and the prices of a checkout."""

from collections.abc import Iterable, Sequence

from django.db import connections, models

from orders.models.database import CURRENCY_PATTERN, DATABASE


class Offer(models.Model):
    """`price` is for one unit, in minor units. An offer that is not published cannot be bought."""

    product_id = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField()
    owner_id = models.CharField(max_length=64)
    title = models.TextField()
    slug = models.CharField(max_length=160)
    thumbnail = models.CharField(max_length=200, blank=True)
    price = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    max_per_order = models.PositiveIntegerField()
    published = models.BooleanField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gt=0), name="orders_offer_price_positive"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=CURRENCY_PATTERN), name="orders_offer_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @classmethod
    def owners(cls, product_ids: Iterable[str]) -> dict[str, str]:
        """Who sells each of these products, by product."""
        return dict(cls.objects.filter(pk__in=list(product_ids)).values_list("product_id", "owner_id"))

    @classmethod
    def keep_newest(cls, offers: "Sequence[Offer]") -> None:
        """Store these offers, each of another product, but those of which the row has the version or a newer one. One
        statement."""
        fields = [field.column for field in cls._meta.concrete_fields]
        names = ", ".join(fields)
        changes = ", ".join(f"{name} = excluded.{name}" for name in fields if name != "product_id")
        row = f"({', '.join(['%s'] * len(fields))})"
        values = [getattr(offer, name) for offer in offers for name in fields]
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO orders_offer ({names}) VALUES {', '.join([row] * len(offers))} "  # noqa: S608 - names of columns
                f"ON CONFLICT (product_id) DO UPDATE SET {changes} WHERE orders_offer.version < excluded.version",
                values,
            )
