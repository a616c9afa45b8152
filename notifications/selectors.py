"""Reads of feeds, notifications and e-mails. Nothing here writes."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from django.db import connections

from notifications import cursors, models

MAX_LISTED = 200
PAGE = 200  # notifications per user and read


class Head(msgspec.Struct, frozen=True):
    """Where a feed ends, up to where its user has read it, and whether the account is closed."""

    epoch: str
    last_seq: int
    read_seq: int = 0
    closed: bool = False

    @property
    def cursor(self) -> cursors.Cursor:
        return cursors.Cursor(self.epoch, self.last_seq)

    def knows(self, cursor: cursors.Cursor) -> bool:
        """Whether `cursor` is of this numbering and not ahead of it."""
        return cursor.epoch == self.epoch and cursor.seq <= self.last_seq


class Ends(msgspec.Struct, frozen=True):
    """What has ended of one user: the account, or these sessions."""

    closed: bool
    sessions: frozenset[str]


class News(msgspec.Struct, frozen=True):
    """Where a feed ends, and its notifications after the given seq: all of them, or the first PAGE."""

    head: Head
    notifications: list[models.Notification]


def get_head(user_id: str) -> Head | None:
    """Where the user's feed ends; None while the user has none."""
    return list_heads([user_id]).get(user_id)


def count_unread(*, user_id: str, read_seq: int) -> int:
    """How many notifications the user has not read. A withdrawn one does not count."""
    return models.Notification.objects.filter(user_id=user_id, seq__gt=read_seq, withdrawn_at=None).count()


def list_heads(user_ids: Collection[str]) -> dict[str, Head]:
    """Where each feed ends; users without a feed are left out. One query."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT f.user_id, f.epoch, f.last_seq, f.read_seq, coalesce(a.closed, false)"
            " FROM notifications_feed f LEFT JOIN notifications_account a USING (user_id)"
            " WHERE f.user_id = ANY(%s)",
            [list(user_ids)],
        )
        return {user_id: Head(*values) for user_id, *values in cursor.fetchall()}


def list_ends(user_ids: Collection[str]) -> dict[str, Ends]:
    """What has ended of those users who are barred, closed, or have ended sessions. One query."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT reader.user_id, coalesce(a.closed, false), array_remove(array_agg(e.session_id), NULL)"
            " FROM unnest(%s::text[]) AS reader(user_id)"
            " LEFT JOIN notifications_account a USING (user_id)"
            " LEFT JOIN notifications_endedsession e USING (user_id)"
            " WHERE a.closed OR e.session_id IS NOT NULL GROUP BY reader.user_id, a.closed",
            [list(user_ids)],
        )
        return {user_id: Ends(closed, frozenset(sessions)) for user_id, closed, sessions in cursor.fetchall()}


def list_known_auctions(auction_ids: Collection[str]) -> set[str]:
    """Those of the auctions that exist."""
    auctions = models.Auction.objects.filter(pk__in=list(auction_ids))
    return set(auctions.values_list("auction_id", flat=True))


def list_news(after: Mapping[str, int]) -> dict[str, News]:
    """The news of each user who has a feed; `after` maps users to the last seq that they have. Two queries for all.

    The heads are read first: the notifications that they count are committed, so that the second query sees them.
    """
    heads = list_heads(after)
    rows = models.Notification.objects.raw(
        "SELECT n.* FROM unnest(%s::text[], %s::bigint[]) AS reader(user_id, after)"
        " JOIN LATERAL (SELECT * FROM notifications_notification own"
        " WHERE own.user_id = reader.user_id AND own.seq > reader.after ORDER BY own.seq LIMIT %s) n ON true"
        " ORDER BY n.user_id, n.seq",
        [list(after), list(after.values()), PAGE],
    )
    news = {user_id: News(head, []) for user_id, head in heads.items()}
    for row in rows:
        if row.user_id in news:
            news[row.user_id].notifications.append(row)
    return news


def list_after(*, user_id: str, seq: int, limit: int) -> list[models.Notification]:
    """The user's notifications after `seq`, oldest first."""
    return list(models.Notification.objects.filter(user_id=user_id, seq__gt=seq).order_by("seq")[:limit])


def list_latest(*, user_id: str, limit: int) -> list[models.Notification]:
    """The user's latest notifications, oldest first."""
    return list(models.Notification.objects.filter(user_id=user_id).order_by("-seq")[:limit])[::-1]


def list_operator_ids() -> list[str]:
    """The accounts that are operators now. Their order is that in which their feeds are locked."""
    return list(
        models.Account.objects.filter(is_operator=True, closed=False)
        .order_by("user_id")
        .values_list("user_id", flat=True)
    )


def list_due_emails(*, state: models.EmailState, now: datetime, limit: int) -> list[models.Email]:
    """The e-mails in `state` that are due, the longest due first."""
    return list(models.Email.objects.filter(state=state, due_at__lte=now).order_by("due_at", "pk")[:limit])


def list_pending_emails(email_ids: Collection[int]) -> list[models.Email]:
    """Those of the e-mails that are PENDING, each with its notification."""
    return list(
        models.Email.objects.select_related("notification").filter(
            pk__in=email_ids, state=models.EmailState.PENDING
        )
    )


def addresses_of(user_ids: Collection[str]) -> dict[str, str]:
    """Where e-mail may go, for those of the users that have such an address."""
    accounts = models.Account.objects.filter(pk__in=user_ids)
    return {account.user_id: account.address for account in accounts if account.address is not None}
