"""How far the batches of each writer are known to the relay, and which numbers it asks for next. No I/O.

A batch is named by its writer's incarnation and a number that grows by one; entries carry the name.
"""

from collections.abc import Mapping

LOOK_AHEAD_BATCHES = 2
MAX_LOOK_AHEAD_BATCHES = 32
FULL_LOOK_EVERY = 4  # polls of a writer that has nothing new; in between, only its next number is asked for


class Writer:
    """One incarnation, as far as its batches are known. Times are monotonic seconds.

    All batches before `floor` are done with. The batch `floor` is asked for until an earlier poll has seen its successor,
    because a bulk may become visible piece by piece.
    """

    __slots__ = (
        "_counts",
        "_idle_after_seconds",
        "asked_at",
        "floor",
        "heard_at",
        "quiet_polls",
        "seen",
        "width",
    )

    def __init__(self, registered: int, *, now: float, idle_after_seconds: float) -> None:
        self.floor = self.seen = registered
        self.width = LOOK_AHEAD_BATCHES
        self.quiet_polls = 0
        self.asked_at = float("-inf")
        self.heard_at = now
        self._idle_after_seconds = idle_after_seconds
        self._counts: dict[int, int] = {}

    def registered(self, number: int) -> None:
        """Its batches up to `number` were over before the sweep that follows."""
        self.floor = max(self.floor, number)
        self.seen = max(self.seen, number)

    def is_idle(self, now: float) -> bool:
        return now - self.heard_at > self._idle_after_seconds

    def wake(self, now: float) -> None:
        """It has written: ask for it at once, and often for a while."""
        self.heard_at = now
        self.asked_at = float("-inf")
        self.quiet_polls = 0

    def next_numbers(self, now: float, idle_poll_seconds: float) -> range:
        """The batch numbers to ask for now; for an idle writer none until `idle_poll_seconds` have passed."""
        if self.is_idle(now) and now - self.asked_at < idle_poll_seconds:
            return range(0)
        self.asked_at = now
        if self.quiet_polls % FULL_LOOK_EVERY:
            return range(self.seen + 1, self.seen + 2)
        return range(self.floor, self.floor + self.width + 1)

    def known(self, number: int) -> int:
        """How many entries of that batch were seen."""
        return self._counts.get(number, 0)

    def saw(self, counts: Mapping[int, int], now: float) -> None:
        """By number, how many entries this poll saw of the batches that have grown. What an earlier poll had seen was complete
        before this one began."""
        self.floor = self.seen
        self._counts = {n: count for n, count in {**self._counts, **counts}.items() if n >= self.floor}
        highest = max(counts, default=0)
        if highest > self.seen:
            self.heard_at = now
            self.width = min(MAX_LOOK_AHEAD_BATCHES, self.width * 2)
            self.seen = highest
            self.quiet_polls = 0
        else:
            self.width = LOOK_AHEAD_BATCHES
            self.quiet_polls += 1
