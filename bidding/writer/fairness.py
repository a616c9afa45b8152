"""How writers share a hot auction: a writer that keeps losing races asks the others to back off, and they pause now and then.

Without this a writer that is never idle wins every race for a seq. A writer does not back off unless it is asked to, because
a lone writer would then slow its own bids (ADR 12). This is a hint: the fence decides which entry is stored.
"""

import asyncio
import time
from collections.abc import Callable

from auction_project.kernel import logs
from bidding.store import protocols

LOST_RACES = 2  # in a row, before a writer asks the others
ASKED_SECONDS = 2.0  # how long a request counts
PAUSE_EVERY_SECONDS = 0.5
PAUSE_BULKS = 4.0  # another writer needs a failed bulk, a read and a bulk
MAX_PAUSE_SECONDS = 0.1

logger = logs.get(__name__)


class Fairness:
    """One writer's part in it. `now` gives milliseconds since the epoch."""

    def __init__(self, writers: protocols.Writers, incarnation: str, *, now: Callable[[], int]) -> None:
        self._writers = writers
        self._incarnation = incarnation
        self._now = now
        self._bulk_seconds = 0.0
        self._ended_at = 0.0
        self._idle_at = 0.0  # or paused
        self._lost_races = 0
        self._asked_at = float("-inf")

    def took(self, seconds: float) -> None:
        """The store answered a bulk after that time."""
        self._bulk_seconds = seconds

    def won(self) -> None:
        """All entries of a bulk were stored."""
        self._lost_races = 0

    def ended(self) -> None:
        """A batch has ended."""
        self._ended_at = time.monotonic()

    async def lost(self) -> None:
        """A race was lost. A single lost race is normal. Repeated losses mean that another writer is busier.

        Raises errors.Unavailable.
        """
        self._lost_races += 1
        now = time.monotonic()
        if self._lost_races >= LOST_RACES and now - self._asked_at > ASKED_SECONDS / 2:
            await self._writers.request_back_off(self._incarnation, now=self._now())
            self._asked_at = now

    async def back_off(self) -> None:
        """Before a batch: if another writer asked, pause for as long as its read and its bulk take. Commands that arrive
        meanwhile go into one bulk."""
        pause = min(PAUSE_BULKS * self._bulk_seconds, MAX_PAUSE_SECONDS)
        now = time.monotonic()
        if now - self._ended_at > pause:
            self._idle_at = now
        elif now - self._idle_at > PAUSE_EVERY_SECONDS:
            if await self._is_asked():
                await asyncio.sleep(pause)
            self._idle_at = time.monotonic()

    async def _is_asked(self) -> bool:
        """Best effort: a failure here must never fail a bid."""
        since = self._now() - int(ASKED_SECONDS * 1000)
        try:
            return await self._writers.is_back_off_requested(since=since, besides=self._incarnation)
        except Exception as error:
            logger.warning("back_off_unknown", error=repr(error))
            return False
