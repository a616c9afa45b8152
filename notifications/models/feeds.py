"""One feed for each user: a sequence of notifications without gaps.

A notification gets its seq under the row lock of its feed, which is held until the commit: a reader who sees seq n sees
all before it. Feeds and notifications are never deleted.
"""

from datetime import datetime
from typing import Any

from django.db import models

from auction_project.kernel import instants
from notifications import kinds


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
        """Give each user a feed. Its epoch is the present instant, so that no epoch comes twice."""
        epoch = f"{instants.of(now):x}"
        cls.objects.bulk_create([cls(user_id=each, epoch=epoch) for each in user_ids], ignore_conflicts=True)

    @classmethod
    def lock(cls, user_id: str, *, now: datetime) -> "Feed":
        """The user's feed, locked until the transaction ends. A user without a feed gets one."""
        feed = cls.objects.select_for_update().filter(user_id=user_id).first()
        if feed is None:
            cls.open([user_id], now=now)
            feed = cls.objects.select_for_update().get(user_id=user_id)
        return feed

    def append(
        self, *, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime
    ) -> "Notification | None":
        """The next notification; None when the feed has one of this kind and source. The feed must be locked.

        Raises ValueError for a kind that is no row of the table, because it could not be read again.
        """
        if kinds.TABLE.get(kind.name) != kind:
            raise ValueError(f"{kind.name} is no row of notifications.kinds.TABLE")
        if Notification.objects.filter(user_id=self.user_id, source=source, kind=kind.name).exists():
            return None
        self.last_seq += 1
        self.save(update_fields=["last_seq"])
        return Notification.objects.create(
            user_id=self.user_id,
            seq=self.last_seq,
            kind=kind.name,
            source=source,
            data=data,
            at=at,
            created_at=now,
        )

    def mark_read(self, seq: int) -> None:
        """Note that the user has read up to `seq`; an older seq changes nothing. The feed must be locked."""
        if seq > self.read_seq:
            self.read_seq = seq
            self.save(update_fields=["read_seq"])


class Notification(models.Model):
    """One entry of a user's feed. After it is written, it changes only when it is withdrawn."""

    user_id = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=20, help_text="the name of a row of kinds.TABLE")
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
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.seq} {self.kind}"

    def withdraw_overtaken(self, *, now: datetime) -> list[int]:
        """Withdraw the notices that this one replaces; the keys of all withdrawn ones. The feed must be locked.

        The end of a sale may arrive before its beginning (WON): then the beginning is withdrawn itself.
        """
        kind = kinds.of(self.kind)
        own = Notification.objects.filter(user_id=self.user_id, withdrawn_at=None)
        overtaken = own.filter(
            kind__in=kind.replaces,
            seq__lt=self.seq,
            **{f"data__{kind.subject}": self.data.get(kind.subject)},
        )
        ids = list(overtaken.values_list("pk", flat=True))
        ends = own.filter(kind__in=kinds.ends_of(self.kind), data__sale_id=self.data.get("sale_id"))
        if ends.exists():
            self.withdrawn_at = now
            ids.append(self.pk)
        Notification.objects.filter(pk__in=ids).update(withdrawn_at=now)
        return ids
