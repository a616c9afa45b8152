"""How far the batches of each writer are known to the relay, and which numbers it asks for next. No I/O.

A batch is named by its writer's incarnation and a number that grows by one; entries carry the name.
"""

from collections.abc import Mapping

LOOK_AHEAD_BATCHES = 2
MAX_LOOK_AHEAD_BATCHES = 32


class Writer:
    """One incarnation, as far as its batches are known. Times are monotonic seconds.

    All batches before `floor` are done with, and `seen` is the last one of which a poll has seen entries. Those up to `complete`
    are complete, because their writer has named that one, and are asked for once. Any other is asked for until an earlier poll
    has seen its successor, because a bulk may become visible piece by piece.
    """

    __slots__ = ("_counts", "complete", "floor", "polled_at", "seen", "width")

    def __init__(self, registered: int) -> None:
        self.floor = self.seen = registered
        self.complete = registered - 1
        self.width = LOOK_AHEAD_BATCHES
        self.polled_at = float("-inf")
        self._counts: dict[int, int] = {}

    def registered(self, number: int) -> None:
        """Its batches up to `number` were over before the sweep that follows."""
        self.floor = max(self.floor, number)
        self.seen = max(self.seen, number)

    def completed(self, number: int) -> None:
        """It has named this batch."""
        self.complete = max(self.complete, number)

    def next_numbers(self, now: float, poll_seconds: float) -> range:
        """The batch numbers to ask for now: those that are complete, else every `poll_seconds` those that may come next."""
        if self.complete >= self.floor:
            return range(self.floor, min(self.complete, self.floor + MAX_LOOK_AHEAD_BATCHES) + 1)
        if now - self.polled_at < poll_seconds:
            return range(0)
        self.polled_at = now
        return range(self.floor, self.floor + self.width + 1)

    def known(self, number: int) -> int:
        """How many entries of that batch were seen."""
        return self._counts.get(number, 0)

    def saw(self, numbers: range, counts: Mapping[int, int]) -> None:
        """These numbers were asked for. By number, how many entries there are of the batches that have grown. What an earlier
        poll had seen was complete before this one began."""
        highest = max(counts, default=0)
        grew = highest > self.seen
        if numbers[-1] <= self.complete:
            self.floor = numbers[-1] + 1
        else:
            self.floor = max(self.floor, self.seen)
            self.width = min(MAX_LOOK_AHEAD_BATCHES, self.width * 2) if grew else LOOK_AHEAD_BATCHES
        self.seen = max(self.seen, highest)
        self._counts = {n: count for n, count in {**self._counts, **counts}.items() if n >= self.floor}
