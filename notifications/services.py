"""Every change of the feeds and of what notifications know of accounts and auctions. Each is one transaction.

After the commit a change wakes up the hubs and dispatches the e-mails. Either may fail: a hub also looks from time to
time, and the sweep sends what is due. Knows nothing of sockets.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from auction_project.kernel import errors, logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import transactions
from notifications import auction_frames, cursors, frames, kinds, metrics, models, selectors, wakeup, wording
from notifications.mail import dispatcher, mailing

# Longer than an access token lives and than a ticket resumes a stream.
ENDED_SESSION_KEPT = timedelta(days=1)
PRUNED_AT_ONCE = 100


class CursorUnknown(errors.Conflict):
    """The cursor belongs to another numbering of the feed, or is ahead of it. Load the list again."""


def notify(
    *, user_id: str, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime
) -> None:
    """Add a notification to the user's feed. The same source again changes nothing.

    `data` holds the figures, money in minor units; `at` is in milliseconds since the epoch. Raises KeyError for a currency
    that Gavel does not know.
    """
    with transaction.atomic(using=models.DATABASE):
        _append([user_id], kind=kind, source=source, data=data, at=at, now=now)


def notify_operators(*, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime) -> None:
    """Add a notification to the feed of everyone who is an operator now, as `notify` does."""
    with transaction.atomic(using=models.DATABASE):
        _append(selectors.list_operator_ids(), kind=kind, source=source, data=data, at=at, now=now)


def _append(
    user_ids: list[str], *, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime
) -> None:
    kind.text_of(wording.public(data))  # raises for what cannot be shown: its event becomes a dead letter
    notifications: list[models.Notification] = []
    for user_id in user_ids:
        feed = models.Feed.lock(user_id, now=now)
        notification = feed.append(kind=kind, source=source, data=data, at=at, now=now)
        if notification is not None:
            overtaken = notification.withdraw_overtaken(now=now)
            models.Email.drop(overtaken, reason="overtaken by a later notice")
            notifications.append(notification)
    if not notifications:
        return
    emails = models.Email.create(notifications, due_at=now + mailing.FIRST_SWEEP, now=now)
    email_ids = [email.pk for email in emails]
    notified_ids = [notification.user_id for notification in notifications]
    correlation_id = logs.correlation_id()

    def announce() -> None:
        metrics.notifications.labels(kind.wire_name).inc(len(notified_ids))
        wakeup.notify(notified_ids)
        if email_ids:
            dispatcher.send(email_ids, correlation_id=correlation_id)

    transactions.after_commit(announce, using=models.DATABASE)


def open_feeds(*, user_ids: Collection[str], now: datetime) -> None:
    """Give each user a feed, and with it a first cursor. A feed that exists stays as it is."""
    with transaction.atomic(using=models.DATABASE):
        models.Feed.open(sorted(user_ids), now=now)


def get_or_open_head(*, user_id: str, now: datetime) -> selectors.Head:
    """Where the user's feed ends; a user without notifications gets a feed here. Raises errors.Unavailable."""
    head = selectors.get_head(user_id)
    if head is None:
        open_feeds(user_ids=[user_id], now=now)
        head = selectors.get_head(user_id)
    if head is None:
        raise errors.Unavailable
    return head


def mark_read(*, user_id: str, cursor: cursors.Cursor, now: datetime) -> selectors.Head:
    """Note that the user has read up to `cursor`. An older cursor changes nothing. Raises CursorUnknown."""
    with transaction.atomic(using=models.DATABASE):
        feed = models.Feed.lock(user_id, now=now)
        head = selectors.Head(feed.epoch, feed.last_seq)
        if not head.knows(cursor):
            raise CursorUnknown(field="cursor", cursor=str(head.cursor))
        feed.mark_read(cursor.seq)
        return selectors.Head(feed.epoch, feed.last_seq, feed.read_seq)


def follow_account(*, account: events.AccountChanged) -> None:
    """Keep what notifications need of an account; an older version changes nothing. The streams of a barred or closed
    account end."""
    is_operator = "operator" in account.roles and not account.closed
    with transaction.atomic(using=models.DATABASE):
        models.Account.objects.bulk_create([models.Account(user_id=account.user_id)], ignore_conflicts=True)
        row = models.Account.objects.select_for_update().get(user_id=account.user_id)
        if row.version >= account.version:
            return
        row.version = account.version
        row.email = account.email
        row.email_verified = account.email_verified
        row.is_operator = is_operator
        row.was_operator = row.was_operator or is_operator
        row.closed = account.closed
        row.save()
        if row.closed:
            _end_streams(account.user_id)


def end_session(*, user_id: str, session_id: str, now: datetime) -> None:
    """End the streams of the session, and let none begin any more. Ending it again changes nothing."""
    with transaction.atomic(using=models.DATABASE):
        old = models.EndedSession.objects.filter(ended_at__lt=now - ENDED_SESSION_KEPT)
        models.EndedSession.objects.filter(
            pk__in=list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
        ).delete()
        ended = models.EndedSession(session_id=session_id, user_id=user_id, ended_at=now)
        models.EndedSession.objects.bulk_create([ended], ignore_conflicts=True)
        _end_streams(user_id)


def _end_streams(user_id: str) -> None:
    transactions.after_commit(lambda: wakeup.notify([user_id], wakeup.ENDED), using=models.DATABASE)


def record_auction(*, auction_id: str) -> None:
    """Note that the auction exists, so that it can be watched. Recording it again changes nothing."""
    with transaction.atomic(using=models.DATABASE):
        models.Auction.objects.bulk_create([models.Auction(auction_id=auction_id)], ignore_conflicts=True)


def publish_record(*, record: events.LogRecord) -> None:
    """Publish one record of the public log to the auction's watchers.

    Raises redis.ConnectionError, redis.TimeoutError.
    """
    text = frames.auction_text(record)
    auction_frames.append(auction_frames.Addition(record.auction_id, record.seq, text))
