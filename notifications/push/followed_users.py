"""Which sockets of this process belong to which user, and the reads that bring them their feeds and end their streams.

PostgreSQL is the truth about a feed, an account and a session; a wake-up only says when to look.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from auction_project.kernel import logs, tracing
from notifications import (
    cursors,
    frames,
    kinds,
    metrics,
    redis_clients,
    selectors,
    services,
    traces,
    wakeup,
)
from notifications.push import bridge, clock, due, feeds, followed, sockets, subscription, tickets

log = logs.get(__name__)


class FollowedUsers(followed.Followed[feeds.UserFeed, selectors.News]):
    """The feeds of the users who are connected, and the ends of their accounts and sessions."""

    def __init__(self, *, channels: subscription.Subscription, clock: clock.Clock) -> None:
        super().__init__(channels=channels, clock=clock)
        self._ends_due = due.Due()

    def enter(self, socket: sockets.Socket, holder: tickets.Holder) -> None:
        """The socket is `holder`'s from now on, and ends with that session and account."""
        socket.user_id, socket.session = holder.user_id, holder.session
        feed = self.feeds.get(holder.user_id)
        if feed is None:
            feed = self.feeds[holder.user_id] = feeds.UserFeed(holder.user_id)
            self._channels.want(redis_clients.user_channel(holder.user_id))
        feed.connections.add(socket)
        self._ends_due.add(holder.user_id)

    def leave(self, socket: sockets.Socket) -> None:
        feed = self.feeds.get(socket.user_id or "")
        if feed is None:
            return
        feed.leave(socket)
        if not len(feed):
            del self.feeds[feed.key]
            self._channels.unwant(redis_clients.user_channel(feed.key))

    def resume(self, socket: sockets.Socket, cursor: cursors.Cursor | None) -> None:
        """Send the notifications after `cursor`, from now on where there is none, and go on as they happen."""
        if socket.user_id is None:
            raise ValueError("a client that did not sign in has no feed")
        feed = self.feeds[socket.user_id]
        feed.resume(socket, cursor)
        self._mark(feed)

    # --- what the subscription says ------------------------------------------------------------------------------

    def on_open(self, user_id: str) -> None:
        if (feed := self.feeds.get(user_id)) is not None:
            self.doubt(feed)
            self._ends_due.add(user_id)

    def on_wakeup(self, user_id: str, reason: bytes) -> None:
        feed = self.feeds.get(user_id)
        if feed is not None and reason == wakeup.ENDED:
            self._ends_due.add(user_id)
        elif feed is not None:
            self.doubt(feed)

    def on_drained(self, socket: sockets.Socket) -> None:
        if (feed := self.feeds.get(socket.user_id or "")) is not None:
            self._mark(feed)

    # --- what is read from PostgreSQL ----------------------------------------------------------------------------

    async def _read(self, questions: Mapping[str, feeds.Question]) -> dict[str, selectors.News]:
        """The news of the users who have a feed; the others get one, and are read again."""
        news = await bridge.call(
            selectors.list_news, {key: question.after for key, question in questions.items()}
        )
        if missing := questions.keys() - news.keys():
            await bridge.call(services.open_feeds, user_ids=missing, now=datetime.now(UTC))
        return news

    def _catch_up(self, feed: feeds.UserFeed, question: feeds.Question, read: selectors.News) -> None:
        if read.head.closed:
            _close(feed.connections, sockets.ACCOUNT_CLOSED)
            return
        try:
            notifications = [frames.notification(row, read.head.epoch) for row in read.notifications]
        except Exception:  # a corrupt notification must not affect the other users of this read
            log.exception("feed_cannot_be_shown", user_id=feed.key)
            _close(feed.connections, sockets.FAILED)
            return
        last = max(read.head.last_seq, notifications[-1].seq if notifications else 0)
        head = msgspec.structs.replace(read.head, last_seq=last)
        news = [row for row in read.notifications if feed.is_news(head, row.seq)]
        began = time.time()
        feed.take(head, feeds.Answer(question, last, notifications))
        now = datetime.now(UTC)
        for row in news:
            metrics.frame_seconds.labels(feed.scope).observe((now - row.created_at).total_seconds())
            if tracing.is_on:
                name = f"push {kinds.of(row.kind).wire_name}"
                traces.record_push(name, row.traceparent, began=began, subscribers=len(feed.next_seqs))

    async def end(self) -> None:
        """Close the streams of accounts and sessions that have ended."""
        async with self._ends_due.taken() as keys:
            user_ids = [key for key in keys if key in self.feeds]
            ends = await bridge.call(selectors.list_ends, user_ids) if user_ids else {}
        self._apply(ends)

    async def look(self) -> None:
        """Find users with news that no wake-up named, and those whose account or session has ended."""
        async for user_ids in due.slices(self.feeds, self._clock):
            heads = await bridge.call(selectors.list_heads, user_ids)
            self._apply(await bridge.call(selectors.list_ends, user_ids))
            for user_id, head in heads.items():
                feed = self.feeds.get(user_id)
                if feed is not None and feed.epoch and (feed.epoch, feed.last) != (head.epoch, head.last_seq):
                    self.doubt(feed)

    def _apply(self, ends: dict[str, selectors.Ends]) -> None:
        for user_id, ended in ends.items():
            feed = self.feeds.get(user_id)
            if feed is None:
                continue
            if ended.closed:
                _close(feed.connections, sockets.ACCOUNT_CLOSED)
            _close(
                (socket for socket in feed.connections if socket.session in ended.sessions),
                sockets.SESSION_ENDED,
            )


def _close(connections: Iterable[sockets.Socket], code: int) -> None:
    for socket in connections:
        socket.close(code)
