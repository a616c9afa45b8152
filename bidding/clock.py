"""The clock role: looks at auctions when they are due. A look makes the writer of this process open or close the auction, as
does any other writer that meets it first.

It keeps the due times of the next HORIZON_MS in memory, so that it looks on the millisecond and asks the store seldom. It
looks at a lot ahead of its time once, so that the writer has it in memory when many are due at once. A stale due time is at
worst too early: the rules then say when to look again. Any number of clocks may run.
"""

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable

from auction_project.kernel import errors, logs
from bidding import rules, runtime
from bidding.writer.clocks import SYSTEM, Clocks

POLL_SECONDS = 0.5
MAX_SLEEP_SECONDS = 0.05
POLL_REST = 9.0  # after a poll, times what it took: many due lots leave the store to the writers
MAX_POLL_SECONDS = 10.0
HORIZON_MS = 30_000
MAX_DUE = 20_000
PAGE_DUE = 250
LOOKS_AT_ONCE = 500  # one bulk, which a busy store still takes in time
LOADS_AT_ONCE = 50
NOT_DUE_AGAIN_MS = 1_000
EMPTY_AGAIN_MS = 60_000

logger = logs.get(__name__)


class Clock:
    """`step()` looks at what is due by now."""

    name = "clock"
    longest_pause_seconds = 1.0

    def __init__(
        self,
        *,
        clocks: Clocks = SYSTEM,
        sleep: Callable[[float], None] = time.sleep,
        not_due_again_ms: int = NOT_DUE_AGAIN_MS,
        empty_again_ms: int = EMPTY_AGAIN_MS,
    ) -> None:
        self._clocks = clocks
        self._sleep = sleep
        self._not_due_again_ms = not_due_again_ms
        self._empty_again_ms = empty_again_ms
        self._heap: list[tuple[int, str]] = []
        self._due_at: dict[str, int] = {}  # an item of the heap with another time is out of date
        self._pauses_ms: dict[str, int] = {}  # of auctions that are not due
        self._listed: set[str] = set()  # by the last poll
        self._unloaded: list[str] = []  # of these, due later
        self._polled_at = float("-inf")
        self._poll_pause = POLL_SECONDS
        self._poll_seconds = 0.0  # of the poll under way, and what it has found
        self._found: dict[str, int] = {}
        self._skip = 0

    def step(self) -> bool:
        """Always True: it paces itself. Raises errors.Unavailable.

        What is due goes before the poll, unless that is late; both go before what is due later."""
        now = self._clocks.now()
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(due) < LOOKS_AT_ONCE:
            at, auction_id = heapq.heappop(self._heap)
            if self._due_at.get(auction_id) == at:
                due.append(auction_id)
        if due:
            self._look(due)
        since_poll = self._clocks.monotonic() - self._polled_at
        if since_poll >= MAX_POLL_SECONDS or (not due and since_poll >= self._poll_pause):
            self._poll()
        elif not due and self._unloaded:
            self._load()
        elif not due:
            seconds = min(POLL_SECONDS, (self._heap[0][0] - now) / 1000) if self._heap else POLL_SECONDS
            self._sleep(min(max(seconds, 0.001), MAX_SLEEP_SECONDS))
        return True

    def close(self) -> None:
        """Nothing: the process closes the bid log."""

    def _poll(self) -> None:
        """Read the next page of what is due soon. After the last one, remember what is new, and forget what is not due any
        more."""
        began = self._clocks.monotonic()
        before = self._clocks.now() + HORIZON_MS
        page = runtime.call(
            runtime.current().store.auctions.due(before=before, skip=self._skip, limit=PAGE_DUE)
        )
        self._found |= page
        self._skip += PAGE_DUE
        self._poll_seconds += self._clocks.monotonic() - began
        if len(page) == PAGE_DUE and self._skip < MAX_DUE:
            return
        self._polled_at = self._clocks.monotonic()
        self._poll_pause = min(max(POLL_SECONDS, POLL_REST * self._poll_seconds), MAX_POLL_SECONDS)
        found, self._found = self._found, {}
        self._skip, self._poll_seconds = 0, 0.0
        self._learn(found)

    def _learn(self, due: dict[str, int]) -> None:
        kept = due.keys() | self._listed  # pages that move while they are read can leave out one that is due
        self._listed = set(due)
        self._due_at = {auction_id: at for auction_id, at in self._due_at.items() if auction_id in kept}
        self._pauses_ms = {auction_id: ms for auction_id, ms in self._pauses_ms.items() if auction_id in kept}
        self._heap = [item for item in self._heap if item[1] in kept]
        heapq.heapify(self._heap)
        now, peek = self._clocks.now(), runtime.current().committer.peek
        self._unloaded = [
            auction_id for auction_id, at in due.items() if at > now and peek(auction_id) is None
        ]
        for auction_id, at in due.items():
            if auction_id not in self._due_at:
                self._remember(auction_id, at)

    def _remember(self, auction_id: str, at: int) -> None:
        self._due_at[auction_id] = at
        heapq.heappush(self._heap, (at, auction_id))

    def _load(self) -> None:
        """Look at some ahead of their time, so that the writer has them in memory. Best effort: they are looked at again."""
        some, self._unloaded = self._unloaded[:LOADS_AT_ONCE], self._unloaded[LOADS_AT_ONCE:]
        with contextlib.suppress(errors.Unavailable):
            runtime.call(_look_at(some))

    def _look(self, auction_ids: list[str]) -> None:
        """Look at each, which makes the writer do what is due. Then remember when to look again."""
        try:
            outcomes = runtime.call(_look_at(auction_ids))
        except errors.Unavailable as error:
            outcomes = [error] * len(auction_ids)
        for auction_id, outcome in zip(auction_ids, outcomes, strict=True):
            now = self._clocks.now()
            if isinstance(outcome, rules.State):
                self._remember(auction_id, self._again_at(outcome, now))
            elif isinstance(outcome, errors.Unavailable):
                self._remember(auction_id, now + self._not_due_again_ms)
            else:
                logger.warning("clock_met_error", auction_id=auction_id, error=repr(outcome))
                self._remember(auction_id, now + self._empty_again_ms)

    def _again_at(self, state: rules.State, now: int) -> int:
        """When to look again. The pauses double before an auction that is never due as far as its log goes: its next entry may
        come at once or never."""
        due = rules.due_at(state)
        if due is not None:
            return due if due > now else now + self._not_due_again_ms
        pause = min(
            self._empty_again_ms,
            2 * self._pauses_ms.get(state.auction_id, self._not_due_again_ms // 2),
        )
        self._pauses_ms[state.auction_id] = pause
        return now + pause


async def _look_at(auction_ids: list[str]) -> list[object]:
    committer = runtime.current().committer
    looks = (committer.look(auction_id) for auction_id in auction_ids)
    return await asyncio.gather(*looks, return_exceptions=True)
