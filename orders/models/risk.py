"""What is known of buyers, the scores of their sales, and the buyers whom operators accept despite their score."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from django.db import connections, models
from django.db.models import F, Q

from orders.models.database import DATABASE


class Account(models.Model):
    """What the risk score needs of an account, as the account's newest event says it."""

    user_id = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField()
    email_verified = models.BooleanField()
    closed = models.BooleanField()
    barred = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.user_id

    @classmethod
    def may_buy(cls, user_id: str) -> bool:
        """Whether the account is neither closed nor barred, as far as its events have come."""
        return not cls.objects.filter(models.Q(closed=True) | models.Q(barred=True), user_id=user_id).exists()

    @classmethod
    def is_closed(cls, user_id: str) -> bool:
        """Whether the account is closed, as far as its events have come."""
        return cls.objects.filter(closed=True, user_id=user_id).exists()

    @classmethod
    def keep_newest(cls, account: "Account") -> None:
        """Store `account`, unless the row has its version or a newer one."""
        names = ("version", "email_verified", "closed", "barred", "created_at")
        figures = {name: getattr(account, name) for name in names}
        _, is_new = cls.objects.get_or_create(user_id=account.user_id, defaults=figures)
        if not is_new:
            cls.objects.filter(user_id=account.user_id, version__lt=account.version).update(**figures)


class Device(models.Model):
    """A device from which an account has signed in, as the keyed hash by which accounts publishes it."""

    MAX: ClassVar = 50  # of one account

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField(max_length=64)
    device = models.CharField(max_length=64)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["device", "user_id"], name="orders_device_of_accounts"),
            models.Index(fields=["last_seen_at"], name="orders_device_age"),
        ]
        constraints = [models.UniqueConstraint(fields=["user_id", "device"], name="orders_device_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.device[:8]}"

    @classmethod
    def see(cls, device: "Device") -> None:
        """Store `device`; of one that is stored, the earlier beginning and the later end. Of the account's devices, MAX stay: the
        first one, and those seen last. Nothing is stored of a closed account."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                "INSERT INTO orders_device AS kept (user_id, device, first_seen_at, last_seen_at) "
                "SELECT %s, %s, %s, %s "
                "WHERE NOT EXISTS (SELECT FROM orders_account WHERE user_id = %s AND closed) "
                "ON CONFLICT (user_id, device) DO UPDATE SET "
                "first_seen_at = least(kept.first_seen_at, excluded.first_seen_at), "
                "last_seen_at = greatest(kept.last_seen_at, excluded.last_seen_at)",
                [
                    device.user_id,
                    device.device,
                    device.first_seen_at,
                    device.last_seen_at,
                    device.user_id,
                ],
            )
            cursor.execute(
                "DELETE FROM orders_device WHERE id IN (SELECT id FROM "
                "(SELECT id, row_number() OVER (ORDER BY first_seen_at, id) AS number, last_seen_at "
                "FROM orders_device WHERE user_id = %s) AS devices "
                "WHERE number > 1 ORDER BY last_seen_at DESC, id DESC OFFSET %s)",
                [device.user_id, cls.MAX - 1],
            )


class RiskOverride(models.Model):
    """What an operator decided of a buyer: until then, their sales are accepted whatever the score. The newest row of a buyer
    counts; one whose `until` is its `at` ends the one before."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField(max_length=64)
    actor = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "accepted buyer"
        default_permissions = ("view",)
        permissions = [("override_risk", "Can accept buyers despite their risk score")]
        indexes = [models.Index(fields=["user_id", "-id"], name="orders_override_of_user")]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="orders_override_has_reason"),
            models.CheckConstraint(condition=Q(until__gte=F("at")), name="orders_override_until"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} until {self.until:%Y-%m-%d %H:%M}"

    @classmethod
    def in_force(cls, user_id: str, *, now: datetime) -> "RiskOverride | None":
        """The row by which the buyer is accepted now."""
        newest = cls.objects.filter(user_id=user_id).order_by("-id").first()
        return newest if newest is not None and newest.until > now else None


class RiskAssessment(models.Model):
    """The score of one sale, with its reasons, and the limit that it was compared with."""

    order_number = models.CharField(max_length=20, primary_key=True)
    user_id = models.CharField(max_length=64)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    policy = models.PositiveSmallIntegerField(help_text="version of the table of points")
    score = models.PositiveIntegerField()
    limit = models.PositiveIntegerField(default=80, db_default=80)
    reasons = models.JSONField()
    refused = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "order_number"]
        indexes = [models.Index(fields=["user_id", "-at"], name="orders_risk_of_user")]

    def __str__(self) -> str:
        return f"{self.order_number} {self.score}"

    @staticmethod
    def lock_buyers(user_ids: Iterable[str]) -> None:
        """Have other sales of these buyers wait until the transaction ends, so that they count its sales. The locks are
        taken in the order of their numbers, so that two groups do not block each other for ever."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(number) FROM (SELECT DISTINCT hashtextextended(user_id, 0) AS number "
                "FROM unnest(%s::text[]) AS user_id ORDER BY number) AS buyers",
                [sorted(set(user_ids))],
            )
