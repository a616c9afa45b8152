"""The fold of one auction as a writer keeps it in memory: what is committed, and how it catches up. No I/O of its own.

The caller reads the entries that `next_ids()` names from the store and passes them to `apply_all()`, until no new one comes.
"""

from collections.abc import Mapping

from bidding import rules
from bidding.rules import commands, log

MAX_KEYS = 500_000  # 32 MB: without them, the key of each refused bid is read from the store


class BrokenChain(RuntimeError):
    """The stored hash chain is broken. This happens only if the log was edited outside Gavel."""


def apply_next(state: rules.State, entry: log.Entry) -> rules.State:
    """The state after `entry`, the next of its log. Raises BrokenChain; the rules may raise anything on an edited log."""
    if entry.seq != state.seq + 1 or entry.prev != state.hash:
        raise BrokenChain(f"{state.auction_id}: entry {entry.seq} does not follow its predecessor")
    return rules.apply(state, entry)


class AuctionFold:
    """One auction: `state` is the fold of entries that are known to be stored.

    It keeps the keys of the entries that it has applied itself. Any other key can be in the log only if its actor had bid
    before (`_earlier`).
    """

    __slots__ = ("_earlier", "_keys", "auction_id", "state")

    def __init__(self, auction_id: str, snapshot: rules.Snapshot | None = None) -> None:
        self.auction_id = auction_id
        self.state = rules.load(snapshot) if snapshot else rules.State(auction_id)
        self._forget_keys()

    def may_hold(self, command: commands.PlaceBid) -> bool:
        """False only if no entry up to `state` has the key of this bid."""
        return hash(command.idempotency) in self._keys or command.actor in self._earlier

    def advance(self, entry: log.Entry, after: rules.State) -> None:
        """`entry` is stored, and `after` is the state that it leaves."""
        self.state = after
        self._keys.add(hash(entry.idempotency))
        if len(self._keys) > MAX_KEYS:
            self._forget_keys()

    def _forget_keys(self) -> None:
        self._keys: set[int] = set()
        self._earlier = self.state.bidders

    def next_ids(self, count: int) -> list[tuple[str, int]]:
        """The (auction, seq) of the next `count` entries."""
        first = self.state.seq + 1
        return [(self.auction_id, seq) for seq in range(first, first + count)]

    def apply_all(self, entries: Mapping[tuple[str, int], log.Entry]) -> list[log.Entry]:
        """Apply what follows without a gap; the entries that were new. Raises BrokenChain."""
        applied: list[log.Entry] = []
        while (entry := entries.get((self.auction_id, self.state.seq + 1))) is not None:
            self.advance(entry, apply_next(self.state, entry))
            applied.append(entry)
        return applied
