"""How writers share a hot auction: a writer that keeps losing races asks the others to back off, and they pause now and then.

Without this a writer that is never idle wins every race for a seq. A writer does not back off without a request, because
a lone writer would then slow its own bids (ADR 12). This is a hint: the fence decides which entry is stored.
"""

import asyncio

import msgspec

from auction_project.kernel import logs
from bidding.store import protocols
from bidding.writer.clocks import Clocks

LOST_RACES = 2  # in a row, before a writer asks the others
ASKED_SECONDS = 2.0  # how long a request counts

logger = logs.get(__name__)


class Pauses(msgspec.Struct, frozen=True, kw_only=True):
    """How a busy writer pauses: not more often than `every_seconds`, and for the time of so many of its bulks."""

    every_seconds: float = 0.5
    bulks: float = 4.0  # another writer needs a failed bulk, a read and a bulk
    max_seconds: float = 0.1


PAUSES = Pauses()


class Fairness:
    """One writer's part in it."""

    def __init__(
        self, writers: protocols.Writers, incarnation: str, *, clocks: Clocks, pauses: Pauses
    ) -> None:
        self._writers = writers
        self._incarnation = incarnation
        self._clocks = clocks
        self._pauses = pauses
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
        self._ended_at = self._clocks.monotonic()

    async def lost(self) -> None:
        """A race was lost. A single lost race is normal. Repeated losses mean that another writer is busier.

        Raises errors.Unavailable.
        """
        self._lost_races += 1
        now = self._clocks.monotonic()
        if self._lost_races >= LOST_RACES and now - self._asked_at > ASKED_SECONDS / 2:
            await self._writers.request_back_off(self._incarnation, now=self._clocks.now())
            self._asked_at = now

    async def back_off(self) -> None:
        """Before a batch: if another writer requested it, pause for as long as its read and its bulk take. Commands that arrive
        meanwhile go into one bulk."""
        pause = min(self._pauses.bulks * self._bulk_seconds, self._pauses.max_seconds)
        now = self._clocks.monotonic()
        if now - self._ended_at > pause:
            self._idle_at = now
        elif now - self._idle_at > self._pauses.every_seconds:
            if await self._is_asked():
                await asyncio.sleep(pause)
            self._idle_at = self._clocks.monotonic()

    async def _is_asked(self) -> bool:
        """Best effort: a failure here must never fail a bid."""
        since = self._clocks.now() - int(ASKED_SECONDS * 1000)
        try:
            return await self._writers.is_back_off_requested(since=since, besides=self._incarnation)
        except Exception as error:
            logger.warning("back_off_unknown", error=repr(error))
            return False
