"""Every change of the feeds and of what notifications know of accounts and auctions. Each is one transaction.

After the commit a change wakes up the hubs and dispatches the e-mails. Either may fail: a hub also looks from time to
time, and the sweep sends what is due. Knows nothing of sockets.
"""

import collections
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import transactions
from notifications import (
    auction_frames,
    cursors,
    frames,
    kinds,
    metrics,
    models,
    selectors,
    traces,
    wakeup,
    wording,
)
from notifications.mail import dispatcher, mailing

# Longer than an access token lives and than a ticket resumes a stream.
ENDED_SESSION_KEPT = timedelta(days=1)
PRUNED_AT_ONCE = 100


class CursorUnknown(errors.Conflict):
    """The cursor belongs to another numbering of the feed, or is ahead of it. Load the list again."""


def notify(requests: Sequence[models.Request], *, now: datetime) -> None:
    """Add notifications to the feeds of their users, in order; the same source again changes nothing. One is a run of one.

    Raises KeyError for a currency that Gavel does not know, and ValueError for a kind that is no row of the table; then
    nothing is added.
    """
    for request in requests:  # what cannot be shown raises, and its event becomes a dead letter
        request.kind.text_of(wording.public(request.data))
    with transaction.atomic(using=models.DATABASE, savepoint=False):  # a part of the consumer's
        appended = models.append(_addressed(requests), due_at=now + mailing.FIRST_SWEEP, now=now)
        if appended.notifications:
            transactions.after_commit(lambda: _announce(appended), using=models.DATABASE)


def _addressed(requests: Sequence[models.Request]) -> list[tuple[str, models.Request]]:
    """Each request with each user who gets its notification."""
    is_for_operators = any(request.user_id is None for request in requests)
    operator_ids = selectors.list_operator_ids() if is_for_operators else []
    return [
        (user_id, request)
        for request in requests
        for user_id in (operator_ids if request.user_id is None else [request.user_id])
    ]


def _announce(appended: models.Appended) -> None:
    for kind, count in collections.Counter(each.kind for _, each in appended.notifications).items():
        metrics.notifications.labels(kinds.of(kind).wire_name).inc(count)
    wakeup.notify(sorted({each.user_id for _, each in appended.notifications}))
    traces.record_notices(appended.notifications)
    if appended.emails:
        dispatcher.send(appended.emails)


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
        feed = models.Feed.lock([user_id], now=now)[user_id]
        head = selectors.Head(feed.epoch, feed.last_seq)
        if not head.knows(cursor):
            raise CursorUnknown(field="cursor", cursor=str(head.cursor))
        feed.mark_read(cursor.seq)
        return selectors.Head(feed.epoch, feed.last_seq, feed.read_seq)


def follow_account(*, account: events.AccountChanged) -> None:
    """Keep what notifications need of an account; an older version changes nothing. The streams of a barred or closed
    account end, and a new address makes due what waits for it."""
    is_operator = "operator" in account.roles and not account.closed
    with transaction.atomic(using=models.DATABASE):
        models.Account.objects.bulk_create([models.Account(user_id=account.user_id)], ignore_conflicts=True)
        row = models.Account.objects.select_for_update().get(user_id=account.user_id)
        if row.version >= account.version:
            return
        had_address = row.address is not None
        row.version = account.version
        row.email = account.email
        row.email_verified = account.email_verified
        row.is_operator = is_operator
        row.was_operator = row.was_operator or is_operator
        row.closed = account.closed
        row.save()
        if row.address is not None and not had_address:
            models.Email.make_due(account.user_id)
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


def publish_records(records: Sequence[tuple[events.LogRecord, str]]) -> None:
    """Publish records of the public logs, each with the `traceparent` of its entry (empty: its trace is not kept), in order, to the
    watchers of their auctions.

    Raises redis.ConnectionError, redis.TimeoutError.
    """
    auction_frames.append(
        [
            auction_frames.Addition(record.auction_id, record.seq, frames.auction_text(record), traceparent)
            for record, traceparent in records
        ]
    )
