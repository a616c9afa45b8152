"""The e-mails about notifications. An e-mail is a courtesy beside the feed; TRANSITIONS is all that may happen to one."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from django.db import models, transaction

from notifications.models import feeds

MAX_REASON = 300  # characters


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
    EmailState.PENDING: frozenset({EmailState.PENDING, EmailState.SENDING, EmailState.DROPPED}),
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
    reason = models.CharField(max_length=MAX_REASON, default="", help_text="why it was not sent")

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
    def make_due(cls, user_id: str) -> None:
        """Let the sweep send at once what is PENDING for this user."""
        cls.objects.filter(notification__user_id=user_id, state=EmailState.PENDING).update(
            due_at=models.F("created_at")
        )

    @classmethod
    def apply(cls, changes: Sequence["Change"]) -> list["Change"]:
        """Make the changes in one statement; those that were made. An e-mail whose state or `due_at` is not as it was read
        stays as it is, because another process has changed it. Raises ValueError for a move that is not in TRANSITIONS."""
        for change in changes:
            if change.state not in TRANSITIONS[EmailState(change.email.state)]:
                raise ValueError(f"an e-mail never goes from {change.email.state} to {change.state}")
        if not changes:
            return []
        columns = zip(*(change.columns() for change in changes), strict=True)
        with transaction.get_connection(cls.objects.db).cursor() as cursor:
            cursor.execute(
                "UPDATE notifications_email e SET state = new.state, due_at = new.due_at, reason = new.reason"
                " FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[])"
                " AS new (id, old_state, old_due_at, state, due_at, reason)"
                " WHERE e.notification_id = new.id AND e.state = new.old_state AND e.due_at = new.old_due_at"
                " RETURNING e.notification_id",
                [list(column) for column in columns],
            )
            made = {row[0] for row in cursor.fetchall()}
        for change in changes:
            if change.email.pk in made:
                change.email.state, change.email.due_at = change.state, change.due_at
        return [change for change in changes if change.email.pk in made]


class Change(msgspec.Struct, frozen=True):
    """What is to become of an e-mail, given as it was read."""

    email: Email
    state: EmailState
    due_at: datetime
    reason: str = ""

    def columns(self) -> tuple[int, str, datetime, str, datetime, str]:
        return (
            self.email.pk, self.email.state, self.email.due_at, self.state.value, self.due_at,
            self.reason[:MAX_REASON],
        )  # fmt: skip
