"""The address book of each user."""

from datetime import datetime
from typing import ClassVar

import msgspec
from django.db import connections, models

from orders import exceptions, postal
from orders.models.database import DATABASE


class Address(models.Model):
    """One address of a user's book; one of them is the default, unless the book is empty.

    `key` is the Idempotency-Key of its request, and `digest` names what was asked for under it.
    """

    id = models.CharField(primary_key=True, max_length=32)
    user_id = models.CharField(max_length=64)
    key = models.CharField(max_length=128)
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=postal.MAX_CHARACTERS["name"])
    line1 = models.CharField(max_length=postal.MAX_CHARACTERS["line1"])
    line2 = models.CharField(max_length=postal.MAX_CHARACTERS["line2"], blank=True)
    postal_code = models.CharField(max_length=postal.MAX_CHARACTERS["postal_code"], blank=True)
    city = models.CharField(max_length=postal.MAX_CHARACTERS["city"])
    country = models.CharField(max_length=2)
    phone = models.CharField(max_length=postal.MAX_CHARACTERS["phone"], blank=True)
    is_default = models.BooleanField()
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-is_default", "-created_at", "id"]
        default_permissions = ("view",)
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(fields=["user_id", "key"], name="orders_address_once"),
            models.UniqueConstraint(
                fields=["user_id"], condition=models.Q(is_default=True), name="orders_address_one_default"
            ),
            models.CheckConstraint(
                condition=models.Q(country__regex=r"^[A-Z]{2}$"), name="orders_address_country"
            ),
            models.CheckConstraint(
                condition=~models.Q(name="") & ~models.Q(line1="") & ~models.Q(city=""),
                name="orders_address_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.city}, {self.country}"

    # --- mutators

    @staticmethod
    def lock_book(user_id: str) -> None:
        """Have other changes of this user's book wait until the transaction ends."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"orders.address:{user_id}"]
            )

    @classmethod
    def owned(cls, address_id: str, *, user_id: str) -> "Address":
        """The user's own address. Raises AddressNotFound."""
        address = cls.objects.filter(pk=address_id, user_id=user_id).first()
        if address is None:
            raise exceptions.AddressNotFound
        return address

    def write(self, fields: postal.Postal, *, now: datetime) -> None:
        """Store these fields in place of the present ones."""
        for name, value in msgspec.structs.asdict(fields).items():
            setattr(self, name, value)
        self.changed_at = now
        self.save()

    def become_default(self) -> None:
        """Make this the default in place of another one."""
        type(self).objects.filter(user_id=self.user_id, is_default=True).update(is_default=False)
        self.is_default = True
        self.save(update_fields=["is_default"])

    # --- queries

    @property
    def postal(self) -> postal.Postal:
        """The address itself, to be kept beside a checkout or a shipment."""
        return postal.Postal(**{name: getattr(self, name) for name in postal.MAX_CHARACTERS})
