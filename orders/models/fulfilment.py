"""Shipments, deliveries and returns of orders, each written once; and the address that an order goes to, which can be deleted.

A part of an order is the lines of one seller. It is shipped whole. Triggers refuse a shipment of an order that is not paid or
is cancelled, a delivery of what was not shipped, and the return of more units than were sold.
"""

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.db import models

from orders.models.addresses import Address
from orders.models.checkouts import Checkout, CheckoutSale, CheckoutState
from orders.models.orders import Order, OrderFact, OrderLine

MAX_REASON_CHARACTERS = 500
MAX_CARRIER_CHARACTERS = 60


class Shipment(models.Model):
    """The lines of one seller are with a carrier. `actor` handed them over."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    owner_id = models.CharField(max_length=64, blank=True)
    carrier = models.CharField(max_length=MAX_CARRIER_CHARACTERS)
    tracking_number = models.CharField(max_length=MAX_CARRIER_CHARACTERS, blank=True)
    actor = models.CharField("by", max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["order", "owner_id"], name="orders_shipment_once_per_part"),
        ]

    def __str__(self) -> str:
        return f"{self.carrier} {self.tracking_number}".strip()

    @property
    def delivered_at(self) -> datetime | None:
        """When the buyer had it; None until then."""
        delivery = getattr(self, "delivery", None)
        return delivery.at if delivery else None


class Delivery(models.Model):
    """A shipment has reached the buyer."""

    shipment = models.OneToOneField(
        Shipment, on_delete=models.PROTECT, primary_key=True, related_name="delivery"
    )
    actor = models.CharField("by", max_length=64)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"delivered {self.at:%Y-%m-%d}"


class Return(models.Model):
    """Units that came back from the buyer. `key` is the Idempotency-Key of its request, and `digest` names what it asked for."""

    id = models.CharField(primary_key=True, max_length=32)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="returns")
    key = models.CharField(max_length=128)
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS)
    actor = models.CharField("by", max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["order", "key"], name="orders_return_once"),
            models.CheckConstraint(condition=~models.Q(reason=""), name="orders_return_reason"),
        ]

    def __str__(self) -> str:
        return self.id


class ReturnLine(models.Model):
    """So many units of a line came back; those that are damaged are not for sale."""

    returned = models.ForeignKey(Return, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="returns")
    quantity = models.PositiveIntegerField()
    damaged = models.BooleanField()

    class Meta:
        ordering: ClassVar = ["id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["returned", "line", "damaged"], name="orders_return_line_once_per_state"
            ),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orders_return_line_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line.title}"


class OrderAddress(models.Model):
    """Where an order went. Personal data, so it is apart from the rows that are written once: it is deleted when the account is
    closed."""

    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, primary_key=True, related_name="address_row"
    )
    address = models.JSONField()

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = "addresses of orders"

    def __str__(self) -> str:
        return self.order_id

    @classmethod
    def of(cls, order: Order) -> dict[str, Any] | None:
        """Where the order goes, or went: the kept address, that of its checkout, or the default of its buyer."""
        kept = cls.objects.filter(order=order).first()
        if kept is not None:
            return dict(kept.address)
        sale = CheckoutSale.objects.filter(sale_id=order.sale_id).select_related("checkout").first()
        if sale is not None and sale.checkout.address:
            return dict(sale.checkout.address)
        default = Address.objects.filter(user_id=order.user_id, is_default=True).first()
        return msgspec.to_builtins(default.postal) if default else None

    @classmethod
    def keep(cls, order: Order, address: dict[str, Any]) -> None:
        """Keep where the order goes, unless that is kept already."""
        cls.objects.get_or_create(order=order, defaults={"address": address})

    @classmethod
    def forget(cls, user_id: str) -> None:
        """The account is closed: delete the addresses of its orders and checkouts, but of those that must still be shipped."""
        over = OrderFact.objects.filter(kind__in=[OrderFact.Kind.SHIPPED, OrderFact.Kind.CANCELLED])
        cls.objects.filter(order__user_id=user_id, order__in=over.values("order")).delete()
        unshipped = CheckoutSale.objects.filter(
            checkout__user_id=user_id,
            checkout__state__in=[CheckoutState.PAYING, CheckoutState.PAID],
        ).exclude(sale_id__in=Order.objects.filter(pk__in=over.values("order")).values("sale_id"))
        checkouts = Checkout.objects.filter(user_id=user_id, address__isnull=False)
        checkouts.exclude(pk__in=unshipped.values("checkout")).update(address=None)
