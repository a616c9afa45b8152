"""The push of one web process: which sockets follow what, and the tasks that bring it to them.

One subscription to Redis for all sockets, only to what some socket asked for. A message on an auction's channel is the
frame itself; a ring on a user's channel is only a hint to read PostgreSQL. Whatever may have been missed (a break, a
jump, a newcomer with an old position) is read from the store, for many at once; every LOOK_SECONDS the hub looks
whether anybody lacks anything, so a lost ring costs seconds and nothing else. With Redis or PostgreSQL away nothing
ends: what is due is sent when they are back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis

from auction_project import logs
from auction_project.messaging import failure
from notifications import (
    auction_frames,
    background,
    bridge,
    cursors,
    frames,
    metrics,
    redis_clients,
    rooms,
    selectors,
    services,
    sockets,
    subscription,
    tickets,
)

MAX_SOCKETS = 20_000
MAX_WATCHED = 50  # auctions per socket
LOOK_SECONDS = 3.0
ROOMS_AT_ONCE = 200  # in one question to a store
PAUSE_SECONDS = 0.01  # between two questions about the same room
OUTAGE_PAUSE_SECONDS = 0.5

log = logs.get(__name__)


class TooManySockets(Exception):
    """This process has as many clients as it may have."""


class TooManyWatched(Exception):
    """The socket watches as many auctions as it may."""


class Hub:
    """All of it. Methods are for the event loop, and never wait."""

    def __init__(self) -> None:
        self.sockets: set[sockets.Socket] = set()
        self._auctions: dict[str, rooms.AuctionRoom] = {}
        self._users: dict[str, rooms.UserRoom] = {}
        self._auctions_due = _Due()
        self._users_due = _Due()
        self._subscription = subscription.Subscription(
            on_open=self._on_open, on_message=self._on_message, on_break=self._on_break
        )
        self._redis = redis_clients.asking()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work. Needs neither Redis nor PostgreSQL to be there."""
        for work in (
            self._subscription.run(),
            self._forever(self._catch_up_auctions),
            self._forever(self._catch_up_users),
            self._forever(self._look_at_users),
            self._forever(self._look_at_auctions),
        ):
            self._tasks.append(asyncio.create_task(work))

    def end_streams(self) -> None:
        """Say goodbye to every client, and to whoever still comes: they connect again, elsewhere, and resume."""
        self._is_ending = True
        for socket in self.sockets:
            socket.close(sockets.GOING_AWAY)

    async def stop(self) -> None:
        self.end_streams()
        await background.cancel(*self._tasks)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    # --- what sockets ask ----------------------------------------------------------------------------------------

    def connect(self, *, user_id: str | None, transport: str) -> sockets.Socket:
        """A new client; `user_id` is None for somebody who did not sign in. Raises TooManySockets."""
        if len(self.sockets) >= MAX_SOCKETS:
            raise TooManySockets
        socket = sockets.Socket(user_id=user_id, transport=transport, drained=self._on_drained)
        self.sockets.add(socket)
        metrics.sockets.labels(transport).inc()
        if self._is_ending:
            socket.close(sockets.GOING_AWAY)
        return socket

    def disconnect(self, socket: sockets.Socket) -> None:
        """The client has gone, and his interest with him."""
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        metrics.sockets.labels(socket.transport).dec()
        for auction_id in list(socket.watched):
            self.unwatch(socket, auction_id)
        room = self._users.get(socket.user_id or "")
        if room is not None:
            room.leave(socket)
            if not len(room):
                del self._users[room.key]
                self._subscription.unwant(redis_clients.user_channel(room.key))

    async def redeem(self, ticket: str) -> str | None:
        """Whose ticket it is; it is void from now on. Raises redis.ConnectionError, redis.TimeoutError."""
        return await tickets.redeem(self._redis, ticket)

    def resume(self, socket: sockets.Socket, cursor: cursors.Cursor | None) -> None:
        """Send the user's notifications after `cursor`, from now on where there is none, and go on as they happen."""
        user_id = socket.user_id
        if user_id is None:
            raise ValueError("a client who did not sign in has no feed")
        room = self._users.get(user_id)
        if room is None:
            room = self._users[user_id] = rooms.UserRoom(user_id)
            self._subscription.want(redis_clients.user_channel(user_id))
        room.resume(socket, cursor)
        self._users_due.add(user_id)

    def watch(self, socket: sockets.Socket, auction_id: str, after: int | None) -> None:
        """Send the auction's public feed after `after`. Raises TooManyWatched."""
        if auction_id not in socket.watched and len(socket.watched) >= MAX_WATCHED:
            raise TooManyWatched
        room = self._auctions.get(auction_id)
        if room is None:
            room = self._auctions[auction_id] = rooms.AuctionRoom(auction_id)
            self._subscription.want(redis_clients.auction_channel(auction_id))
            metrics.watched.inc()
        socket.watched.add(auction_id)
        room.join(socket, rooms.NOTHING if after is None else after)
        self._mark(room)

    def unwatch(self, socket: sockets.Socket, auction_id: str) -> None:
        if auction_id not in socket.watched:
            return
        socket.watched.discard(auction_id)
        room = self._auctions[auction_id]
        room.leave(socket)
        if not len(room):
            del self._auctions[auction_id]
            self._subscription.unwant(redis_clients.auction_channel(auction_id))
            metrics.watched.dec()

    # --- what the subscription says ------------------------------------------------------------------------------

    def _on_open(self, channel: str) -> None:
        room = self._room_of(channel)
        if room is not None:
            room.heard = True
            self._doubt(room)

    def _on_message(self, channel: str, data: bytes) -> None:
        room = self._room_of(channel)
        if isinstance(room, rooms.AuctionRoom):
            room.push(auction_frames.parse(room.key, data))
            self._mark(room)
        elif room is not None:
            self._doubt(room)

    def _on_break(self) -> None:
        for room in self._auctions.values():
            room.heard = False

    def _on_drained(self, socket: sockets.Socket) -> None:
        for auction_id in socket.watched:
            self._mark(self._auctions[auction_id])
        if socket.user_id in self._users:
            self._mark(self._users[socket.user_id])

    def _room_of(self, channel: str) -> rooms.Room | None:
        _, kind, key = channel.split(":", 2)
        return self._auctions.get(key) if kind == "auction" else self._users.get(key)

    def _doubt(self, room: rooms.Room) -> None:
        room.suspect()
        self._mark(room)

    def _mark(self, room: rooms.Room) -> None:
        if room.behind:
            (self._auctions_due if isinstance(room, rooms.AuctionRoom) else self._users_due).add(room.key)

    # --- what is read from the stores ----------------------------------------------------------------------------

    async def _catch_up_auctions(self) -> None:
        """Read the kept frames for auctions whose watchers are behind; those not heard yet wait for `_on_open`."""
        keys = await self._auctions_due.take()
        questions = _questions(
            room for key in keys if (room := self._auctions.get(key)) is not None and room.heard
        )
        if not questions:
            return
        try:
            kept = await auction_frames.read(
                self._redis, {key: asked.after for key, asked in questions.items()}
            )
        except BaseException:
            self._auctions_due.add(*keys)
            raise
        for key, found in kept.items():
            if (room := self._auctions.get(key)) is not None:
                room.catch_up(rooms.Backlog(questions[key], found.last, found.frames))
        await self._again(self._auctions, questions, self._auctions_due)

    async def _catch_up_users(self) -> None:
        """Read the notifications of users whose sockets are behind."""
        keys = await self._users_due.take()
        questions = _questions(room for key in keys if (room := self._users.get(key)) is not None)
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
            self._users_due.add(*keys)
            raise
        for key, found in news.items():
            if (room := self._users.get(key)) is not None:
                self._tell(room, questions[key], found)
        await self._again(self._users, questions, self._users_due)

    def _tell(self, room: rooms.UserRoom, question: rooms.Question, news: selectors.News) -> None:
        if news.head.closed:
            self._expel(room)
            return
        try:
            found = [frames.notification(row, news.head.epoch) for row in news.notifications]
        except Exception:  # one user's trouble is not that of those who were read with him
            log.exception("feed_cannot_be_shown", user_id=room.key)
            self._expel(room, sockets.FAILED)
            return
        last = max(news.head.last_seq, found[-1].seq if found else 0)
        room.take(msgspec.structs.replace(news.head, last_seq=last), rooms.Backlog(question, last, found))

    async def _again(self, known: dict[str, Any], asked: dict[str, rooms.Question], due: "_Due") -> None:
        """Whoever is still behind, and can take more, is due again after a moment."""
        again = [key for key in asked if (room := known.get(key)) is not None and room.question() is not None]
        if again:
            await asyncio.sleep(PAUSE_SECONDS)
            due.add(*again)

    def _expel(self, room: rooms.UserRoom, code: int = sockets.UNAUTHENTICATED) -> None:
        for socket in room.members():
            socket.close(code)

    async def _look_at_users(self) -> None:
        """Find who has news without having heard of it, and whose account was closed."""
        await asyncio.sleep(LOOK_SECONDS)
        heads = await bridge.call(selectors.list_heads, list(self._users)) if self._users else {}
        for user_id, head in heads.items():
            room = self._users.get(user_id)
            if room is not None and head.closed:
                self._expel(room)
            elif room is not None and room.epoch and (room.epoch, room.last) != (head.epoch, head.last_seq):
                self._doubt(room)

    async def _look_at_auctions(self) -> None:
        """Find which auction has frames that nobody published to this process."""
        await asyncio.sleep(LOOK_SECONDS)
        if not self._auctions:
            return
        kept = await auction_frames.read(self._redis, dict.fromkeys(self._auctions, rooms.HEAD_ONLY))
        for auction_id, found in kept.items():
            room = self._auctions.get(auction_id)
            if room is not None and found.last is not None and (room.last is None or found.last > room.last):
                self._doubt(room)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Again and again; an outage costs a pause."""
        told = False
        while True:
            try:
                await work()
                told = False
            except Exception as error:
                if not told or failure.classify(error) is not failure.Fate.OUTAGE:
                    log.warning(
                        "push_waits", work=work.__name__, error=repr(error), exc_info=not _is_outage(error)
                    )
                told = True
                await asyncio.sleep(OUTAGE_PAUSE_SECONDS)


class _Due:
    """Keys of rooms that need a look into the store, each once."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._some = asyncio.Event()

    def add(self, *keys: str) -> None:
        self._keys.update(dict.fromkeys(keys))
        self._some.set()

    async def take(self) -> list[str]:
        """The next keys, at most ROOMS_AT_ONCE; waits until there are some."""
        while not self._keys:
            self._some.clear()
            await self._some.wait()
        keys = list(self._keys)[:ROOMS_AT_ONCE]
        for key in keys:
            del self._keys[key]
        return keys


def _is_outage(error: Exception) -> bool:
    return isinstance(error, redis.RedisError) or failure.classify(error) is failure.Fate.OUTAGE


def _questions(waiting: Any) -> dict[str, rooms.Question]:
    return {room.key: question for room in waiting if (question := room.question()) is not None}


_hub: Hub | None = None


def current() -> Hub:
    """The hub of this process. Raises RuntimeError before `start`."""
    if _hub is None:
        raise RuntimeError("the hub is not started: the server must run the application's lifespan")
    return _hub


async def start() -> None:
    """Start the hub of this process on the running loop."""
    global _hub
    _hub = Hub()
    _hub.start()


def end_streams() -> None:
    """End every stream of this process, if it serves any; the hub goes on until `stop`."""
    if _hub is not None:
        _hub.end_streams()


async def stop() -> None:
    """End every stream, and the hub."""
    global _hub
    if _hub is not None:
        hub, _hub = _hub, None
        await hub.stop()
