"""Offers: at what price a product is for sale in the shop, and at what prices it was."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from inventory.models.catalogue import Product

CURRENCY_PATTERN = r"^[A-Z]{3}$"


class Offer(models.Model):
    """One row for each product that was ever offered. `price` is for one unit, in minor units of `currency`.

    `version` grows with every change: it orders the events OfferChanged. The product's row is the lock of its offer.
    """

    product = models.OneToOneField(Product, models.PROTECT, primary_key=True, related_name="offer")
    price = models.BigIntegerField(help_text="for one unit, in minor units")
    currency = models.CharField(max_length=3)
    max_per_order = models.PositiveIntegerField("at most in one order")
    published = models.BooleanField()
    slug = models.SlugField(max_length=160, unique=True)
    version = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["product_id"]
        default_permissions = ("view",)
        permissions: ClassVar = [("change_offer", "Can set prices and publish offers")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(price__gt=0, max_per_order__gt=0), name="inventory_offer_sells_something"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=CURRENCY_PATTERN), name="inventory_offer_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class OfferPrice(models.Model):
    """The price of an offer from `at` on. Written once."""

    offer = models.ForeignKey(Offer, models.PROTECT, related_name="prices")
    price = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    actor = models.CharField("set by", max_length=64)
    at = models.DateTimeField("from")

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.price} {self.currency} from {self.at:%Y-%m-%d %H:%M}"

    @classmethod
    def note(cls, offer: Offer, *, actor: str, now: datetime) -> None:
        """Keep the price that the offer has from now on."""
        cls.objects.create(offer=offer, price=offer.price, currency=offer.currency, actor=actor, at=now)
