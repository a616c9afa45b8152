"""The auctions that a writer keeps in memory. Loads, catches up and evicts them; the writer reads the log nowhere else.

An auction whose stored hash chain is broken is `damaged`: its own commands fail, those of other auctions do not, and the
next command for it reads the log again.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping

from auction_project.kernel import errors, logs
from bidding import rules
from bidding.rules import log
from bidding.store import bid_log, protocols
from bidding.writer.auction_fold import AuctionFold

MAX_AUCTIONS = 100_000  # 4 KB each, without bidders

logger = logs.get(__name__)


class AuctionCache:
    """By auction id. Not thread-safe: one event loop uses it."""

    def __init__(self, log_store: protocols.LogStore) -> None:
        self._store = log_store
        self._folds: OrderedDict[str, AuctionFold] = OrderedDict()
        self.damaged: set[str] = set()

    def __contains__(self, auction_id: str) -> bool:
        return auction_id in self._folds

    def __getitem__(self, auction_id: str) -> AuctionFold:
        return self._folds[auction_id]

    def clear(self) -> None:
        self._folds.clear()

    def evict(self) -> None:
        """Keep at most MAX_AUCTIONS, the most recently used."""
        while len(self._folds) > MAX_AUCTIONS:
            self._folds.popitem(last=False)

    async def load(self, auction_ids: Collection[str]) -> None:
        """Load each auction that exists. Raises errors.Unavailable."""
        missing = [auction_id for auction_id in auction_ids if auction_id not in self._folds]
        self.damaged.difference_update(missing)
        # What is loaded stays loaded if the next read fails.
        for start in range(0, len(missing), bid_log.READ_CHUNK):
            await self._load_some(missing[start : start + bid_log.READ_CHUNK])
        for auction_id in auction_ids:
            if auction_id in self._folds:
                self._folds.move_to_end(auction_id)

    async def catch_up(self, folds: list[AuctionFold], *, ahead: int = 1) -> set[str]:
        """Read each log on to its end; the auctions that had new entries, or are damaged.

        Raises errors.Unavailable.
        """
        moved: set[str] = set()
        behind = folds
        while behind:
            entries = await self._read(behind, ahead)
            applied = [(fold, self._apply(fold, entries)) for fold in behind]
            moved.update(fold.auction_id for fold, count in applied if count)
            behind = [fold for fold, count in applied if count == ahead]
            ahead = bid_log.READ_CHUNK
        return moved | self.damaged

    async def _read(self, folds: list[AuctionFold], ahead: int) -> dict[tuple[str, int], log.Entry]:
        """The next entries of each auction. If one cannot be read, each auction is read by itself."""
        try:
            return await self._store.bids.read(
                entry_id for fold in folds for entry_id in fold.next_ids(ahead)
            )
        except errors.Unavailable:
            raise
        except Exception:
            if len(folds) == 1:
                self._is_damaged(folds[0].auction_id)
                return {}
        entries: dict[tuple[str, int], log.Entry] = {}
        for fold in folds:
            entries |= await self._read([fold], ahead)
        return entries

    async def _load_some(self, auction_ids: list[str]) -> None:
        snapshots = await self._store.auctions.load_snapshots(auction_ids)
        opened = [fold for item in snapshots.items() if (fold := self._load(*item)) is not None]
        await self.catch_up(opened)
        for fold in opened:
            if fold.auction_id not in self.damaged:
                self._folds[fold.auction_id] = fold

    def _load(self, auction_id: str, snapshot: rules.Snapshot | None) -> AuctionFold | None:
        try:
            return AuctionFold(auction_id, snapshot)
        except Exception:
            self._is_damaged(auction_id)
            return None

    def _apply(self, fold: AuctionFold, entries: Mapping[tuple[str, int], log.Entry]) -> int:
        """How many entries were new."""
        try:
            return len(fold.apply_all(entries))
        except Exception:  # BrokenChain, or an entry that the rules cannot apply
            self._is_damaged(fold.auction_id)
            return 0

    def _is_damaged(self, auction_id: str) -> None:
        logger.exception("log_is_damaged", auction_id=auction_id)
        self._folds.pop(auction_id, None)
        self.damaged.add(auction_id)
