"""What the database "notifications" holds: per user one feed, a sequence without gaps, and the e-mails about it.

A notification gets its seq under the row lock of its feed, which is held until the commit: whoever sees seq n sees all
before it. Feeds and notifications are never deleted. An e-mail is a courtesy beside the feed; TRANSITIONS is all that
may happen to one.
"""

from datetime import datetime
from typing import Any

from django.db import models

from auction_project.kernel import instants
from auction_project.kernel.messaging import once

DATABASE = "notifications"


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        abstract = False
        verbose_name_plural = "once"


# --- who is told -------------------------------------------------------------------------------------------------


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
    """A session that was ended, kept until every token and ticket of it is too old."""

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


# --- what can be watched -----------------------------------------------------------------------------------------


class Auction(models.Model):
    """An auction that exists: only such a one can be watched."""

    auction_id = models.CharField(max_length=64, primary_key=True)

    class Meta:
        ordering = ["auction_id"]

    def __str__(self) -> str:
        return self.auction_id


# --- what they are told ------------------------------------------------------------------------------------------


class Kind(models.TextChoices):
    """What a notification tells; on the wire in lower case."""

    OUTBID = "OUTBID"
    LEADING = "LEADING"
    WON = "WON"
    NEXT_IN_LINE = "NEXT_IN_LINE"
    LOST = "LOST"
    NOT_SOLD = "NOT_SOLD"
    AUCTION_CANCELLED = "AUCTION_CANCELLED"
    ORDER_CONFIRMED = "ORDER_CONFIRMED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    LOT_SOLD = "LOT_SOLD"
    LOT_UNSOLD = "LOT_UNSOLD"
    LOW_STOCK = "LOW_STOCK"


# Which earlier notices about the same auction a notice overtakes: they are withdrawn, because they are no longer true.
_OF_BIDDING = (Kind.OUTBID, Kind.LEADING)
OVERTAKEN: dict[Kind, tuple[Kind, ...]] = {
    Kind.OUTBID: _OF_BIDDING,
    Kind.LEADING: _OF_BIDDING,
    Kind.WON: (*_OF_BIDDING, Kind.NEXT_IN_LINE),
    Kind.NEXT_IN_LINE: (*_OF_BIDDING, Kind.NEXT_IN_LINE),
    Kind.LOST: (*_OF_BIDDING, Kind.NEXT_IN_LINE),
    Kind.NOT_SOLD: (*_OF_BIDDING, Kind.NEXT_IN_LINE),
    Kind.AUCTION_CANCELLED: _OF_BIDDING,
    Kind.ORDER_CANCELLED: (Kind.WON,),  # of the same sale
}
TO_OPERATORS = frozenset({Kind.LOW_STOCK})
MAILED = frozenset(Kind) - {Kind.LEADING}


class Feed(models.Model):
    """The sequence of one user. `epoch` names this numbering: another epoch's cursors mean nothing here."""

    user_id = models.CharField(max_length=64, primary_key=True)
    epoch = models.CharField(max_length=16)
    last_seq = models.BigIntegerField(default=0)
    read_seq = models.BigIntegerField(default=0, help_text="the user has read up to here")

    class Meta:
        ordering = ["user_id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(read_seq__gte=0, read_seq__lte=models.F("last_seq")),
                name="notifications_feed_read",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.epoch}:{self.last_seq}"

    @classmethod
    def open(cls, user_ids: list[str], *, now: datetime) -> None:
        """See that each user has a feed. The epoch is the instant of its making, so that it never comes twice."""
        epoch = f"{instants.of(now):x}"
        cls.objects.bulk_create([cls(user_id=each, epoch=epoch) for each in user_ids], ignore_conflicts=True)

    @classmethod
    def lock(cls, user_id: str, *, now: datetime) -> "Feed":
        """The user's feed, locked until the transaction ends; made where there is none."""
        feed = cls.objects.select_for_update().filter(user_id=user_id).first()
        if feed is None:
            cls.open([user_id], now=now)
            feed = cls.objects.select_for_update().get(user_id=user_id)
        return feed

    def append(
        self, *, kind: Kind, source: str, data: dict[str, Any], at: int, now: datetime
    ) -> "Notification | None":
        """The next notification; None when `source` has told this already. The feed must be locked."""
        if Notification.objects.filter(user_id=self.user_id, source=source, kind=kind).exists():
            return None
        self.last_seq += 1
        self.save(update_fields=["last_seq"])
        return Notification.objects.create(
            user_id=self.user_id,
            seq=self.last_seq,
            kind=kind,
            source=source,
            data=data,
            at=at,
            created_at=now,
        )

    def mark_read(self, seq: int) -> None:
        """Never backwards. The feed must be locked."""
        if seq > self.read_seq:
            self.read_seq = seq
            self.save(update_fields=["read_seq"])


class Notification(models.Model):
    """One thing that a user was told. Written once, but that it may be withdrawn."""

    user_id = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    source = models.CharField(
        max_length=200, help_text="what it tells of: the id of the event, or of the order's end"
    )
    data = models.JSONField(help_text="the event's figures; money in minor units")
    at = models.BigIntegerField(help_text="when it happened, in milliseconds since the epoch")
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, help_text="since then a later notice has overtaken it")

    class Meta:
        ordering = ["user_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["user_id", "seq"], name="notifications_one_seq"),
            models.UniqueConstraint(
                fields=["user_id", "source", "kind"], name="notifications_one_per_source"
            ),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="notifications_seq_from_one"),
            models.CheckConstraint(condition=models.Q(kind__in=Kind.values), name="notifications_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.seq} {self.kind}"

    def withdraw_overtaken(self, *, now: datetime) -> None:
        """Withdraw what this notice overtakes, with the e-mails that have not gone. The feed must be locked.

        A sale's end and its beginning come on two topics: a WON that comes after its end is withdrawn itself.
        """
        subject = "sale_id" if self.kind == Kind.ORDER_CANCELLED else "auction_id"
        own = Notification.objects.filter(user_id=self.user_id, withdrawn_at=None)
        overtaken = own.filter(kind__in=OVERTAKEN.get(Kind(self.kind), ()), seq__lt=self.seq).filter(
            **{f"data__{subject}": self.data.get(subject)}
        )
        ids = list(overtaken.values_list("pk", flat=True))
        if self.kind == Kind.WON:
            ends = own.filter(kind=Kind.ORDER_CANCELLED, data__sale_id=self.data.get("sale_id"))
            ids += [self.pk] if ends.exists() else []
        if ids:
            Notification.objects.filter(pk__in=ids).update(withdrawn_at=now)
            Email.objects.filter(pk__in=ids, state=EmailState.PENDING).update(
                state=EmailState.DROPPED, reason="overtaken by a later notice"
            )
            self.refresh_from_db(fields=["withdrawn_at"])

    @property
    def deserves_email(self) -> bool:
        """Whether a mail goes for it: not for the answer to one's own bid, and for being outbid only once a lot until its
        reader is back (has read the feed, or bid on the lot again)."""
        if self.kind not in MAILED or self.withdrawn_at is not None or self.data.get("own_bid"):
            return False
        if self.kind != Kind.OUTBID:
            return True
        of_lot = Notification.objects.filter(
            user_id=self.user_id, data__auction_id=self.data.get("auction_id")
        )
        back = Feed.objects.values_list("read_seq", flat=True).get(user_id=self.user_id)
        acted = of_lot.filter(models.Q(kind=Kind.LEADING) | models.Q(data__own_bid=True)).aggregate(
            last=models.Max("seq")
        )["last"]
        mailed = of_lot.filter(kind=Kind.OUTBID, seq__lt=self.seq, seq__gt=max(back, acted or 0))
        return not mailed.filter(email__isnull=False).exists()


# --- e-mail ------------------------------------------------------------------------------------------------------


class EmailState(models.TextChoices):
    """Note [At most once]: a process that dies between the mail server's yes and SENT leaves SENDING behind. Nobody can
    know whether that e-mail went, and it is not sent again: twice would annoy, and the feed holds the notification
    anyhow. The sweep calls it UNKNOWN."""

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
    """The one e-mail about a notification. PENDING until it may and can be sent, DROPPED when that took too long."""

    notification = models.OneToOneField(Notification, models.PROTECT, primary_key=True)
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
    def move(
        cls,
        email_id: int,
        source: EmailState,
        target: EmailState,
        *,
        due_at: datetime | None = None,
        reason: str = "",
    ) -> bool:
        """Take one e-mail from `source` to `target`; whether this caller did."""
        if target not in TRANSITIONS[source]:
            raise ValueError(f"an e-mail never goes from {source} to {target}")
        changes: dict[str, Any] = {"state": target, "reason": reason[:300]}
        if due_at is not None:
            changes["due_at"] = due_at
        return cls.objects.filter(pk=email_id, state=source).update(**changes) == 1
