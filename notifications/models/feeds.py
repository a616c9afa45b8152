"""One feed for each user: a sequence of notifications without gaps.

A notification gets its seq under the row lock of its feed, which is held until the commit: a reader who sees seq n sees
all before it. Feeds and notifications are never deleted.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models.fields.json import KT

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
        epoch = _epoch(now)
        cls.objects.bulk_create([cls(user_id=each, epoch=epoch) for each in user_ids], ignore_conflicts=True)

    @classmethod
    def lock(cls, user_ids: Iterable[str], *, now: datetime) -> dict[str, "Feed"]:
        """The users' feeds, locked until the transaction ends, in one statement; a user without a feed gets one.

        They are taken in the order of their users, so that runs with common users do not block each other for ever.
        """
        feeds = cls.objects.raw(
            "INSERT INTO notifications_feed AS feed (user_id, epoch, last_seq, read_seq)"
            " SELECT user_id, %s, 0, 0 FROM unnest(%s::text[]) AS user_id"
            " ON CONFLICT (user_id) DO UPDATE SET last_seq = feed.last_seq RETURNING *",
            [_epoch(now), sorted(set(user_ids))],
        )
        return {feed.user_id: feed for feed in feeds}

    @classmethod
    def save_last_seqs(cls, feeds: Collection["Feed"]) -> None:
        """Store where these feeds end now. They must be locked. One statement."""
        with transaction.get_connection(cls.objects.db).cursor() as cursor:
            cursor.execute(
                "UPDATE notifications_feed AS feed SET last_seq = grown.last_seq"
                " FROM unnest(%s::text[], %s::bigint[]) AS grown (user_id, last_seq) WHERE feed.user_id = grown.user_id",
                [[feed.user_id for feed in feeds], [feed.last_seq for feed in feeds]],
            )

    def append(
        self, *, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime
    ) -> "Notification":
        """The next notification, in memory: `appending` writes it with the feed."""
        self.last_seq += 1
        return Notification(
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
    kind = models.CharField(max_length=30, help_text="the name of a row of kinds.TABLE")
    source = models.CharField(
        max_length=200, help_text="what it tells of: the id of the event, or of the order's end"
    )
    data = models.JSONField(help_text="the event's figures; money in minor units")
    at = models.BigIntegerField(help_text="when it happened, in milliseconds since the epoch")
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, help_text="since then a later notice has overtaken it")
    traceparent = models.CharField(
        max_length=55, blank=True, default="", db_default="", help_text="its span, if its trace is kept"
    )

    class Meta:
        ordering = ["user_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["user_id", "seq"], name="notifications_one_seq"),
            models.UniqueConstraint(
                fields=["user_id", "source", "kind"], name="notifications_one_per_source"
            ),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="notifications_seq_from_one"),
        ]
        indexes = [  # what a new notice looks for in a feed of any length
            models.Index("user_id", KT("data__auction_id"), name="notifications_of_lot"),
            models.Index("user_id", KT("data__sale_id"), name="notifications_of_sale"),
            models.Index(
                "user_id",
                KT("data__checkout_id"),
                condition=models.Q(data__has_key="checkout_id"),  # so that no other notice costs more
                name="notifications_of_checkout",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.seq} {self.kind}"


def _epoch(now: datetime) -> str:
    return f"{instants.of(now):x}"
