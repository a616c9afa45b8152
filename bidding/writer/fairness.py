"""How writers share a hot auction: one that keeps losing races asks for room, and one that is never idle leaves gaps while
another asks.

Without them a writer that is never idle would win every race for a seq; with gaps that nobody asked for, those who wait
for a lone writer would pay for nothing (ADR 12). A hint only: which entry stands, the fence decides.
"""

import asyncio
import time
from collections.abc import Callable

from auction_project.kernel import logs
from bidding import store

LOST_RACES = 2  # in a row, before a writer asks
ROOM_SECONDS = 2.0  # for which the others grant it
GAP_EVERY_SECONDS = 0.5
GAP_BULKS = 4.0  # another writer needs a failed bulk, a read and a bulk
MAX_GAP_SECONDS = 0.1

logger = logs.get(__name__)


class Sharing:
    """One writer's part in it. `now` gives milliseconds since the epoch."""

    def __init__(self, log_store: store.LogStore, incarnation: str, *, now: Callable[[], int]) -> None:
        self._store = log_store
        self._incarnation = incarnation
        self._now = now
        self._bulk_seconds = 0.0
        self._ended_at = 0.0
        self._idle_at = 0.0  # or had its last gap
        self._lost_races = 0
        self._asked_at = float("-inf")

    def took(self, seconds: float) -> None:
        """A bulk was answered."""
        self._bulk_seconds = seconds

    def won(self) -> None:
        """All of a bulk stands."""
        self._lost_races = 0

    def ended(self) -> None:
        """A batch is over."""
        self._ended_at = time.monotonic()

    async def lost(self) -> None:
        """A race was lost. One may happen to anybody; who loses one after the other has a busier writer beside him.

        Raises errors.Unavailable.
        """
        self._lost_races += 1
        now = time.monotonic()
        if self._lost_races >= LOST_RACES and now - self._asked_at > ROOM_SECONDS / 2:
            await self._store.ask_for_room(self._incarnation, now=self._now())
            self._asked_at = now

    async def leave_room(self) -> None:
        """Before a batch: a gap in which another's read and bulk fit, when it is time and somebody asked. What gathers
        meanwhile goes in one bulk."""
        gap = min(GAP_BULKS * self._bulk_seconds, MAX_GAP_SECONDS)
        now = time.monotonic()
        if now - self._ended_at > gap:
            self._idle_at = now
        elif now - self._idle_at > GAP_EVERY_SECONDS:
            if await self._is_asked():
                await asyncio.sleep(gap)
            self._idle_at = time.monotonic()

    async def _is_asked(self) -> bool:
        """Whatever goes wrong here costs nobody his bid."""
        since = self._now() - int(ROOM_SECONDS * 1000)
        try:
            return await self._store.is_room_asked_for(since=since, besides=self._incarnation)
        except Exception as error:
            logger.warning("room_unknown", error=repr(error))
            return False
