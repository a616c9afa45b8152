"""The clock role: rings for auctions that are due. Only an alarm; any writer that meets a due auction closes it itself.

It keeps the due times of the next HORIZON_MS in memory, so that it rings on the millisecond and asks the store seldom.
A stale due time is only too early: the rules then say when to come again. Any number of clocks may run.
"""

import asyncio
import heapq
import time

from auction_project.kernel import errors, instants, logs
from bidding import rules, runtime

POLL_SECONDS = 0.5
HORIZON_MS = 2_000
MAX_DUE = 20_000
RING_BATCH = 1_000
NOT_DUE_AGAIN_MS = 1_000
EMPTY_AGAIN_MS = 60_000

logger = logs.get(__name__)


class Clock:
    """`step()` rings for what is due by now."""

    name = "clock"
    longest_pause_seconds = 1.0

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._known: dict[str, int] = {}
        self._pauses: dict[str, int] = {}  # of auctions without an entry
        self._next_poll = 0.0

    def step(self) -> bool:
        """Whether more is due. Raises errors.Unavailable."""
        if time.monotonic() >= self._next_poll:
            self._poll()
            self._next_poll = time.monotonic() + POLL_SECONDS
        now = instants.now()
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(due) < RING_BATCH:
            at, auction_id = heapq.heappop(self._heap)
            if self._known.get(auction_id) == at:
                due.append(auction_id)
        if due:
            self._ring(due)
            return True
        wait = min(POLL_SECONDS, (self._heap[0][0] - now) / 1000) if self._heap else POLL_SECONDS
        time.sleep(min(max(wait, 0.001), 0.05))
        return True

    def close(self) -> None:
        runtime.stop_thread()

    def _poll(self) -> None:
        found = runtime.call(
            runtime.current().store.auctions.due(before=instants.now() + HORIZON_MS, limit=MAX_DUE)
        )
        listed = {auction_id for auction_id, _ in found}
        self._known = {auction_id: at for auction_id, at in self._known.items() if auction_id in listed}
        self._pauses = {auction_id: ms for auction_id, ms in self._pauses.items() if auction_id in listed}
        self._heap = [item for item in self._heap if item[1] in listed]
        heapq.heapify(self._heap)
        for auction_id, at in found:
            if auction_id not in self._known:
                self._remember(auction_id, at)

    def _remember(self, auction_id: str, at: int) -> None:
        self._known[auction_id] = at
        heapq.heappush(self._heap, (at, auction_id))

    def _ring(self, auction_ids: list[str]) -> None:
        """Look at each: looking makes the writer do what is due. Then remember when to come again."""
        try:
            outcomes = runtime.call(_look_at(auction_ids))
        except errors.Unavailable as away:
            outcomes = [away] * len(auction_ids)
        for auction_id, outcome in zip(auction_ids, outcomes, strict=True):
            now = instants.now()
            if isinstance(outcome, rules.State):
                self._remember(auction_id, self._again(outcome, now))
            elif isinstance(outcome, errors.Unavailable):
                self._remember(auction_id, now + NOT_DUE_AGAIN_MS)
            else:
                logger.warning("clock_met_error", auction_id=auction_id, error=repr(outcome))
                self._remember(auction_id, now + EMPTY_AGAIN_MS)

    def _again(self, state: rules.State, now: int) -> int:
        """When to look again. A document whose log never began is asked ever more seldom: its first entry may be on its
        way, or will never come."""
        if state.status is rules.Status.NEW:
            pause = min(EMPTY_AGAIN_MS, 2 * self._pauses.get(state.auction_id, NOT_DUE_AGAIN_MS // 2))
            self._pauses[state.auction_id] = pause
            return now + pause
        due = rules.due_at(state)
        return due if due is not None and due > now else now + NOT_DUE_AGAIN_MS


async def _look_at(auction_ids: list[str]) -> list[object]:
    found = runtime.current()
    return await asyncio.gather(
        *(found.committer.look(auction_id) for auction_id in auction_ids), return_exceptions=True
    )
