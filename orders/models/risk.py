"""What is known of buyers, and the scores of their sales."""

from collections.abc import Iterable

from django.db import connections, models

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
    def keep_newest(cls, account: "Account") -> None:
        """Store `account`, unless the row has its version or a newer one."""
        names = ("version", "email_verified", "closed", "barred", "created_at")
        figures = {name: getattr(account, name) for name in names}
        _, is_new = cls.objects.get_or_create(user_id=account.user_id, defaults=figures)
        if not is_new:
            cls.objects.filter(user_id=account.user_id, version__lt=account.version).update(**figures)


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
