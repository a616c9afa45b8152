"""The fold of one auction as a writer keeps it in memory: what is committed, and how it catches up. No I/O of its own.

The caller reads what `ahead()` names from the store and hands it to `take()`, until that says there is no more.
"""

from collections.abc import Mapping

from bidding import rules
from bidding.rules import log

AHEAD = 50


class BrokenChain(RuntimeError):
    """The stored log does not follow from itself: somebody changed the database by hand."""


class Book:
    """One auction: `state` is the fold of entries that are known to be stored."""

    __slots__ = ("auction_id", "state")

    def __init__(self, auction_id: str, snapshot: str | None = None) -> None:
        self.auction_id = auction_id
        self.state = rules.load(snapshot) if snapshot else rules.State(auction_id)

    def ahead(self, count: int = AHEAD) -> list[tuple[str, int]]:
        """The (auction, seq) that would come next."""
        first = self.state.seq + 1
        return [(self.auction_id, seq) for seq in range(first, first + count)]

    def take(self, found: Mapping[tuple[str, int], log.Entry]) -> list[log.Entry]:
        """Apply what follows without a gap; the entries that were new. Raises BrokenChain."""
        taken: list[log.Entry] = []
        while (entry := found.get((self.auction_id, self.state.seq + 1))) is not None:
            if entry.prev != self.state.hash:
                raise BrokenChain(f"{self.auction_id}: entry {entry.seq} does not follow its predecessor")
            self.state = rules.apply(self.state, entry)
            taken.append(entry)
        return taken
