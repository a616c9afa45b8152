"""Which sockets of this process watch the owner's desk, and when each is told that its figures may have changed.

Nothing is kept and nothing has a place in a sequence: a frame is a hint to fetch. It also says whether changes are announced, so that a
page knows when it must look by itself.
"""

import asyncio

from auction_project.kernel import desk_news
from notifications import frames
from notifications.push import clock, sockets, subscription

PAUSE_SECONDS = 0.5  # the least between two frames about changes


class WatchedDesk:
    """The watchers, each until its pass would have ended. Methods that are no coroutines never wait."""

    def __init__(self, *, channels: subscription.Subscription, clock: clock.Clock) -> None:
        self._channels = channels
        self._clock = clock
        self._until: dict[sockets.Socket, float] = {}
        self._is_heard = False  # Redis has confirmed the subscription: what is rung from now on arrives
        self._rung = asyncio.Event()

    def watch(self, socket: sockets.Socket, desk_pass: str) -> None:
        """Tell the socket of changes for as long as a pass lives, of a watcher's new pass from now on. A first frame comes once rings
        arrive. Raises desk_news.DeskForbidden."""
        desk_news.check_pass(desk_pass)
        if not self._until:
            self._channels.want(desk_news.CHANNEL)
        if socket not in self._until and self._is_heard:
            socket.put(frames.DESK_WATCHED)
        self._until[socket] = self._clock.now() + desk_news.PASS_SECONDS

    def leave(self, socket: sockets.Socket) -> None:
        if self._until.pop(socket, None) is not None and not self._until:
            self._channels.unwant(desk_news.CHANNEL)
            self._is_heard = False

    # --- what the subscription says ------------------------------------------------------------------------------

    def on_open(self) -> None:
        """What was rung before is lost: the figures may have changed."""
        self._is_heard = True
        self._rung.set()

    def on_ring(self) -> None:
        self._rung.set()

    def on_break(self) -> None:
        """Each failed attempt to mend it is one more break: the pages hear of the first."""
        if self._is_heard:
            self._is_heard = False
            self._rung.set()

    async def tell(self) -> None:
        """Wait for a change, and tell all who watch; then let more of them gather for a moment."""
        await self._rung.wait()
        self._rung.clear()
        now, frame = self._clock.now(), frames.DESK_WATCHED if self._is_heard else frames.DESK_UNWATCHED
        for socket, until in list(self._until.items()):
            if until > now:
                socket.put(frame)
            else:
                socket.put(frames.DESK_UNWATCHED)
                self.leave(socket)
            await asyncio.sleep(0)
        await self._clock.sleep(PAUSE_SECONDS)
