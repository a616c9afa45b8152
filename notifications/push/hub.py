"""The push of one web process: its sockets, its one subscription to Redis, and the loops that keep them in step.

A message on an auction's channel is the frame itself; a wake-up on a user's channel is only a hint to read PostgreSQL.
A ring on the desk's channel goes on to the pages that watch it. What may have been missed (a break, a jump, a newcomer
with an old position) is read from the store, for many at once; every LOOK_SECONDS the hub looks, slice by slice, for feeds
that have grown, so a lost wake-up costs seconds and nothing else.
While Redis or PostgreSQL is unavailable no stream ends: what is due is sent once they are back.

Bids share the event loop: streams are bounded (`admission`), and so is all that push does in one turn (`turns`, `due`).
"""

import asyncio
from collections.abc import Awaitable, Callable

import redis
import redis.asyncio
from django.conf import settings

from auction_project.kernel import desk_news, logs, owned
from auction_project.kernel.messaging import failure
from notifications import metrics, redis_clients
from notifications.push import (
    admission,
    background,
    bridge,
    clock,
    followed_users,
    sockets,
    subscription,
    tickets,
    turns,
    watched_auctions,
    watched_desk,
)

OUTAGE_PAUSE_SECONDS = 0.5

log = logs.get(__name__)


class Hub:
    """Owns the streams of this process. Methods are for the event loop; those that are no coroutines never wait."""

    def __init__(self, clock: clock.Clock) -> None:
        self.clock = clock
        self.sockets: set[sockets.Socket] = set()
        self.turns = turns.Turns()
        self.redis_client: redis.asyncio.Redis = redis_clients.asking()
        self.admission = admission.Admission(per_address=settings.STREAMS_PER_ADDRESS)
        self._subscription = subscription.Subscription(
            on_open=self._on_open, on_message=self._on_message, on_break=self._on_break
        )
        self.auctions = watched_auctions.WatchedAuctions(
            channels=self._subscription, clock=clock, client=self.redis_client
        )
        self.users = followed_users.FollowedUsers(channels=self._subscription, clock=clock)
        self.desk = watched_desk.WatchedDesk(channels=self._subscription, clock=clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work, with or without Redis and PostgreSQL."""
        metrics.subscribed.measure_by(lambda: {(): self._subscription.is_open})
        self._tasks.append(asyncio.create_task(self._subscription.run()))
        for work in (
            self.auctions.look_up,
            self.auctions.catch_up,
            self.auctions.look,
            self.users.catch_up,
            self.users.end,
            self.users.look,
            self.desk.tell,
        ):
            self._tasks.append(asyncio.create_task(_forever(work, self.clock)))

    def end_streams(self) -> None:
        """Close every stream, and each that still opens: the clients connect to another process and resume."""
        self._is_ending = True
        for socket in self.sockets:
            socket.close(sockets.GOING_AWAY)

    async def stop(self) -> None:
        """End the streams, the loops, and the connections to Redis; wait for what still runs."""
        self.end_streams()
        await background.cancel(*self._tasks)
        await bridge.drain()
        await self.redis_client.aclose()
        await self.redis_client.connection_pool.disconnect()

    # --- clients -------------------------------------------------------------------------------------------------

    def connect(
        self, *, address: str, transport: str, write: Callable[[bytes], bool] | None = None
    ) -> sockets.Socket:
        """Register a new client from `address`, not signed in yet; `write` as in Socket. Raises TooManyStreams,
        TooManyStreamsHere."""
        self.admission.enter(address)
        socket = sockets.Socket(
            transport=transport, drained=self._on_drained, turns=self.turns, address=address, write=write
        )
        self.sockets.add(socket)
        metrics.sockets.labels(transport).inc()
        if self._is_ending:
            socket.close(sockets.GOING_AWAY)
        return socket

    def sign_in(self, socket: sockets.Socket, holder: tickets.Holder) -> None:
        """Sign the client in as `holder`: its stream ends with that session and account. Raises TooManyStreamsHere."""
        self.admission.enter_user(holder.user_id)
        self.users.enter(socket, holder)

    def disconnect(self, socket: sockets.Socket) -> None:
        """Unregister the socket and drop its subscriptions."""
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        self.admission.leave(socket.address)
        metrics.sockets.labels(socket.transport).dec()
        for auction_id in list(socket.watched):
            self.auctions.unwatch(socket, auction_id)
        self.desk.leave(socket)
        if socket.user_id is not None:
            self.admission.leave_user(socket.user_id)
            self.users.leave(socket)

    def _on_drained(self, socket: sockets.Socket) -> None:
        self.auctions.on_drained(socket)
        self.users.on_drained(socket)

    # --- what the subscription says ------------------------------------------------------------------------------

    def _on_open(self, channel: str) -> None:
        if channel == desk_news.CHANNEL:
            self.desk.on_open()
            return
        _, kind, key = channel.split(":", 2)
        (self.auctions if kind == "auction" else self.users).on_open(key)

    async def _on_message(self, channel: str, data: bytes) -> None:
        if channel == desk_news.CHANNEL:
            self.desk.on_ring()
            return
        _, kind, key = channel.split(":", 2)
        if kind == "auction":
            await self.auctions.on_frame(key, data)
        else:
            self.users.on_wakeup(key, data)

    def _on_break(self) -> None:
        self.auctions.on_break()
        self.desk.on_break()


async def _forever(work: Callable[[], Awaitable[None]], clock: clock.Clock) -> None:
    """Again and again; an outage costs a pause, and one line of log."""
    is_logged = False
    while True:
        try:
            await work()
            is_logged = False
        except Exception as error:
            if not is_logged or failure.classify(error) is not failure.Fate.OUTAGE:
                log.warning(
                    "push_waits", work=work.__qualname__, error=repr(error), exc_info=not _is_outage(error)
                )
            is_logged = True
            await clock.sleep(OUTAGE_PAUSE_SECONDS)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, redis.RedisError) or failure.classify(error) is failure.Fate.OUTAGE


_CLOCK = clock.Clock()
current: owned.Owned[Hub] = owned.Owned("push hub")


async def start(clock: clock.Clock = _CLOCK) -> None:
    """Start the hub of this process on the running loop."""
    current.put(Hub(clock))
    current().start()


def end_streams() -> None:
    """End every stream of this process, if it serves any; the hub goes on until `stop`."""
    if current.is_made:
        current().end_streams()


async def stop() -> None:
    """End every stream, and the hub."""
    if (hub := current.take()) is not None:
        await hub.stop()
