"""The e-mails about notifications. An e-mail is a courtesy beside the feed; TRANSITIONS is all that may happen to one."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import models

from notifications.models import feeds


class EmailState(models.TextChoices):
    """Note [At most once]: a process that dies between the mail server's yes and SENT leaves SENDING behind. Whether that
    e-mail went cannot be known, and it is not sent again, because a second copy would annoy and the feed has the
    notification anyhow. The sweep makes it UNKNOWN."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    SENT = "SENT"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    DROPPED = "DROPPED"


TRANSITIONS: dict[EmailState, frozenset[EmailState]] = {
    EmailState.PENDING: frozenset({EmailState.SENDING, EmailState.DROPPED}),
    EmailState.SENDING: frozenset(
        {EmailState.SENT, EmailState.PENDING, EmailState.REFUSED, EmailState.UNKNOWN}
    ),
    EmailState.SENT: frozenset(),
    EmailState.REFUSED: frozenset(),
    EmailState.UNKNOWN: frozenset(),
    EmailState.DROPPED: frozenset(),
}


class Email(models.Model):
    """The one e-mail about a notification. PENDING until it may and can be sent; DROPPED when that takes too long, or when
    the news is out of date by then."""

    notification = models.OneToOneField(feeds.Notification, models.PROTECT, primary_key=True)
    state = models.CharField(max_length=10, choices=EmailState.choices, default=EmailState.PENDING)
    due_at = models.DateTimeField(
        help_text="PENDING: the sweep sends it from then on; SENDING: it is UNKNOWN from then on"
    )
    created_at = models.DateTimeField()
    reason = models.CharField(max_length=300, default="", help_text="why it was not sent")

    class Meta:
        ordering = ["due_at"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="notifications_email_due",
                condition=models.Q(state__in=["PENDING", "SENDING"]),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=EmailState.values), name="notifications_email_state"
            )
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} {self.state}"

    @classmethod
    def drop(cls, email_ids: Collection[int], *, reason: str) -> None:
        """Drop those of the e-mails that are PENDING. `reason` is for operators."""
        cls.objects.filter(pk__in=email_ids, state=EmailState.PENDING).update(
            state=EmailState.DROPPED, reason=reason
        )

    @classmethod
    def move(
        cls,
        email_id: int,
        source: EmailState,
        target: EmailState,
        *,
        due_at: datetime | None = None,
        reason: str = "",
    ) -> bool:
        """Move one e-mail from `source` to `target`. False: another caller moved it. Raises ValueError for a move that is not
        in TRANSITIONS."""
        if target not in TRANSITIONS[source]:
            raise ValueError(f"an e-mail never goes from {source} to {target}")
        changes: dict[str, Any] = {"state": target, "reason": reason[:300]}
        if due_at is not None:
            changes["due_at"] = due_at
        return cls.objects.filter(pk=email_id, state=source).update(**changes) == 1
