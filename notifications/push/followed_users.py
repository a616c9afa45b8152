"""Which sockets of this process belong to which user, and the reads that bring them their feeds and end their streams.

PostgreSQL is the truth about a feed, an account and a session; a wake-up only says when to look.
"""

from datetime import UTC, datetime

import msgspec

from auction_project.kernel import logs
from notifications import cursors, frames, redis_clients, selectors, services, wakeup
from notifications.push import bridge, due, sockets, subscribers, subscription, tickets

log = logs.get(__name__)


class FollowedUsers:
    """Methods that are no coroutines never wait; the coroutines are each one pass of a loop of the hub."""

    def __init__(self, *, channels: subscription.Subscription) -> None:
        self.rooms: dict[str, subscribers.UserRoom] = {}
        self._channels = channels
        self._behind_due = due.Due()
        self._ends_due = due.Due()

    def enter(self, socket: sockets.Socket, holder: tickets.Holder) -> None:
        """The socket is `holder`'s from now on, and ends with that session and account."""
        socket.user_id, socket.session = holder.user_id, holder.session
        room = self.rooms.get(holder.user_id)
        if room is None:
            room = self.rooms[holder.user_id] = subscribers.UserRoom(holder.user_id)
            self._channels.want(redis_clients.user_channel(holder.user_id))
        room.members.add(socket)
        self._ends_due.add(holder.user_id)

    def leave(self, socket: sockets.Socket) -> None:
        room = self.rooms.get(socket.user_id or "")
        if room is None:
            return
        room.leave(socket)
        if not len(room):
            del self.rooms[room.key]
            self._channels.unwant(redis_clients.user_channel(room.key))

    def resume(self, socket: sockets.Socket, cursor: cursors.Cursor | None) -> None:
        """Send the notifications after `cursor`, from now on where there is none, and go on as they happen."""
        if socket.user_id is None:
            raise ValueError("a client who did not sign in has no feed")
        self.rooms[socket.user_id].resume(socket, cursor)
        self._behind_due.add(socket.user_id)

    # --- what the subscription says ------------------------------------------------------------------------------

    def on_open(self, user_id: str) -> None:
        if (room := self.rooms.get(user_id)) is not None:
            room.heard = True
            self.doubt(room)
            self._ends_due.add(user_id)

    def on_wakeup(self, user_id: str, word: bytes) -> None:
        room = self.rooms.get(user_id)
        if room is not None and word == wakeup.ENDED:
            self._ends_due.add(user_id)
        elif room is not None:
            self.doubt(room)

    def on_drained(self, socket: sockets.Socket) -> None:
        if (room := self.rooms.get(socket.user_id or "")) is not None:
            self.mark(room)

    def doubt(self, room: subscribers.UserRoom) -> None:
        room.suspect()
        self.mark(room)

    def mark(self, room: subscribers.UserRoom) -> None:
        if room.behind:
            self._behind_due.add(room.key)

    # --- what is read from PostgreSQL ----------------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Read the notifications of users whose sockets are behind."""
        keys = await self._behind_due.take()
        questions = subscribers.questions(room for key in keys if (room := self.rooms.get(key)) is not None)
        if not questions:
            return
        try:
            news = await bridge.call(
                selectors.list_news, {key: asked.after for key, asked in questions.items()}
            )
            missing = questions.keys() - news.keys()
            if missing:
                await bridge.call(services.open_feeds, user_ids=missing, now=datetime.now(UTC))
        except BaseException:
            self._behind_due.add(*keys)
            raise
        for key, found in news.items():
            if (room := self.rooms.get(key)) is not None:
                self._tell(room, questions[key], found)
        await self._behind_due.add_again(key for key in questions if self._still_asks(key))

    def _still_asks(self, key: str) -> bool:
        room = self.rooms.get(key)
        return room is not None and room.question() is not None

    def _tell(self, room: subscribers.UserRoom, question: subscribers.Question, news: selectors.News) -> None:
        if news.head.closed:
            _close_all(room, sockets.ACCOUNT_CLOSED)
            return
        try:
            found = [frames.notification(row, news.head.epoch) for row in news.notifications]
        except Exception:  # a corrupt notification must not affect the other users of this read
            log.exception("feed_cannot_be_shown", user_id=room.key)
            _close_all(room, sockets.FAILED)
            return
        last = max(news.head.last_seq, found[-1].seq if found else 0)
        room.take(
            msgspec.structs.replace(news.head, last_seq=last), subscribers.Backlog(question, last, found)
        )

    async def end(self) -> None:
        """Close the streams of accounts and sessions that have ended."""
        keys = [key for key in await self._ends_due.take() if key in self.rooms]
        try:
            ends = await bridge.call(selectors.list_ends, keys) if keys else {}
        except BaseException:
            self._ends_due.add(*keys)
            raise
        self._apply(ends)

    async def look(self) -> None:
        """Find who has news without having heard of it, and whose account or session has ended."""
        async for user_ids in due.slices(self.rooms):
            heads = await bridge.call(selectors.list_heads, user_ids)
            self._apply(await bridge.call(selectors.list_ends, user_ids))
            for user_id, head in heads.items():
                room = self.rooms.get(user_id)
                if room is not None and room.epoch and (room.epoch, room.last) != (head.epoch, head.last_seq):
                    self.doubt(room)

    def _apply(self, ends: dict[str, selectors.Ends]) -> None:
        for user_id, ended in ends.items():
            room = self.rooms.get(user_id)
            if room is None:
                continue
            if ended.closed:
                _close_all(room, sockets.ACCOUNT_CLOSED)
            for socket in room.members:
                if socket.session in ended.sessions:
                    socket.close(sockets.SESSION_ENDED)


def _close_all(room: subscribers.UserRoom, code: int) -> None:
    for socket in room.members:
        socket.close(code)
