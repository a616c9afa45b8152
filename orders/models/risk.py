"""What is known of buyers, and the scores of their sales."""

from datetime import datetime, timedelta

from django.db import connections, models

from orders.models.database import DATABASE


class Account(models.Model):
    """The account as its last event told it: what risk needs of it."""

    user_id = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField()
    email_verified = models.BooleanField()
    closed = models.BooleanField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.user_id

    @classmethod
    def keep_newest(cls, told: "Account") -> None:
        """Store what was told, unless the row has that version or a newer one."""
        figures = {
            name: getattr(told, name) for name in ("version", "email_verified", "closed", "created_at")
        }
        _, is_new = cls.objects.get_or_create(user_id=told.user_id, defaults=figures)
        if not is_new:
            cls.objects.filter(user_id=told.user_id, version__lt=told.version).update(**figures)


class RiskAssessment(models.Model):
    """The score of one sale, with its reasons."""

    order_number = models.CharField(max_length=20, primary_key=True)
    user_id = models.CharField(max_length=64)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    policy = models.PositiveSmallIntegerField(help_text="version of the table of points")
    score = models.PositiveIntegerField()
    reasons = models.JSONField()
    refused = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "order_number"]
        indexes = [models.Index(fields=["user_id", "-at"], name="orders_risk_of_user")]

    def __str__(self) -> str:
        return f"{self.order_number} {self.score}"

    @classmethod
    def count_recent(cls, user_id: str, *, now: datetime, window: timedelta, most: int) -> int:
        """The sales of a buyer within `window`, counted up to `most`; another sale of the same buyer waits until the
        transaction ends."""
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [user_id])
        return cls.objects.filter(user_id=user_id, at__gt=now - window)[:most].count()
