"""What may be done to feeds: tell a user, tell all operators, mark read, follow an account. Each is one transaction.

After the commit the hubs are woken and the e-mail is dispatched; both may fail, and are made up for by the hub's
look and by the sweep. Knows nothing of sockets.
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

# Longer than any access token lives, and any ticket resumes a stream.
ENDED_SESSION_KEPT = timedelta(days=1)
PRUNED_AT_ONCE = 100


class CursorUnknown(errors.Conflict):
    """The cursor belongs to another numbering of the feed, or is ahead of it. Load the list again."""


def notify(
    *, user_id: str, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime
) -> None:
    """Tell one user. Told again of the same source, nothing happens. Raises KeyError for figures that no words fit."""
    with transaction.atomic(using=models.DATABASE):
        _tell([user_id], kind=kind, source=source, data=data, at=at, now=now)


def notify_operators(*, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime) -> None:
    """Tell everybody who is an operator now."""
    with transaction.atomic(using=models.DATABASE):
        _tell(selectors.list_operator_ids(), kind=kind, source=source, data=data, at=at, now=now)


def _tell(
    user_ids: list[str], *, kind: kinds.Kind, source: str, data: dict[str, Any], at: int, now: datetime
) -> None:
    # What cannot be shown is not stored: its event is a dead letter.
    kind.text_of(wording.public(data))
    told: list[models.Notification] = []
    for user_id in user_ids:
        feed = models.Feed.lock(user_id, now=now)
        notification = feed.append(kind=kind, source=source, data=data, at=at, now=now)
        if notification is not None:
            overtaken = notification.withdraw_overtaken(now=now)
            models.Email.drop(overtaken, reason="overtaken by a later notice")
            told.append(notification)
    if not told:
        return
    due_at = now + mailing.FIRST_SWEEP
    mailed = [each for each in told if models.Email.is_deserved_by(each)]
    models.Email.objects.bulk_create(
        [models.Email(notification=each, due_at=due_at, created_at=now) for each in mailed]
    )
    ids = [each.pk for each in mailed]
    names = [each.user_id for each in told]
    correlation_id = logs.correlation_id()

    def spread() -> None:
        metrics.notifications.labels(kind.wire_name).inc(len(names))
        wakeup.notify(names)
        if ids:
            dispatcher.send(ids, correlation_id=correlation_id)

    transactions.after_commit(spread, using=models.DATABASE)


def open_feeds(*, user_ids: Collection[str], now: datetime) -> None:
    """See that each user has a feed, and with it a first cursor."""
    with transaction.atomic(using=models.DATABASE):
        models.Feed.open(sorted(user_ids), now=now)


def get_or_open_head(*, user_id: str, now: datetime) -> selectors.Head:
    """Where the user's feed stands; a user who was never told anything gets a feed here."""
    head = selectors.get_head(user_id)
    if head is None:
        open_feeds(user_ids=[user_id], now=now)
        head = selectors.get_head(user_id)
    if head is None:
        raise errors.Unavailable
    return head


def mark_read(*, user_id: str, cursor: cursors.Cursor, now: datetime) -> selectors.Head:
    """The user has read up to `cursor`; never backwards. Raises CursorUnknown."""
    with transaction.atomic(using=models.DATABASE):
        feed = models.Feed.lock(user_id, now=now)
        head = selectors.Head(feed.epoch, feed.last_seq)
        if not head.knows(cursor):
            raise CursorUnknown(field="cursor", cursor=str(head.cursor))
        feed.mark_read(cursor.seq)
        return selectors.Head(feed.epoch, feed.last_seq, feed.read_seq)


def follow_account(*, account: events.AccountChanged) -> None:
    """Keep what notifications need of an account; an overtaken version changes nothing. The streams of one that was barred
    or closed end."""
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
    """The streams of the session end, and none begins any more. Ending it again changes nothing."""
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
    """The auction exists, and can be watched. Recording it again changes nothing."""
    with transaction.atomic(using=models.DATABASE):
        models.Auction.objects.bulk_create([models.Auction(auction_id=auction_id)], ignore_conflicts=True)


def publish_record(*, record: events.LogRecord) -> None:
    """Put one record of the public log where watchers find it. Raises redis.ConnectionError, redis.TimeoutError."""
    auction_frames.append(auction_id=record.auction_id, seq=record.seq, text=frames.auction_text(record))
