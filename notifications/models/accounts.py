"""What notifications know of the accounts: their latest state, and the sessions that have ended."""

from django.db import models


class Account(models.Model):
    """What notifications know of an account: a copy of its latest AccountChanged."""

    user_id = models.CharField(max_length=64, primary_key=True)
    version = models.BigIntegerField(default=-1)
    email = models.CharField(max_length=320, default="")
    email_verified = models.BooleanField(default=False)
    is_operator = models.BooleanField(default=False)
    was_operator = models.BooleanField(default=False, help_text="is an operator, or was one")
    closed = models.BooleanField(default=False)

    class Meta:
        ordering = ["user_id"]
        indexes = [
            models.Index(
                fields=["user_id"], name="notifications_operators", condition=models.Q(is_operator=True)
            )
        ]

    def __str__(self) -> str:
        return self.user_id

    @property
    def address(self) -> str | None:
        """Where e-mail may go: a verified address of an open account."""
        return self.email if self.email and self.email_verified and not self.closed else None


class EndedSession(models.Model):
    """A session that has ended. Its row stays until every token and ticket of the session has expired."""

    session_id = models.CharField(max_length=128, primary_key=True)
    user_id = models.CharField(max_length=64)
    ended_at = models.DateTimeField()

    class Meta:
        ordering = ["ended_at"]
        indexes = [
            models.Index(fields=["user_id"], name="notifications_ended_user"),
            models.Index(fields=["ended_at"], name="notifications_ended_age"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.ended_at}"
