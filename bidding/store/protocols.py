"""What a writer needs of a store. `mongo.MongoStore` has it, and so has the scripted store of the tests.

Each method raises errors.Unavailable, unless it says otherwise.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from bidding.rules import log, snapshots
from bidding.store import bid_log


class BidLog(Protocol):
    """The entries, see `bid_log.BidLog`."""

    async def append(self, entries: Sequence[log.Entry], *, batch: str) -> bid_log.Appended:
        """One ordered bulk. Raises bid_log.OutcomeUnknown."""

    async def read(self, ids: Iterable[tuple[str, int]]) -> dict[tuple[str, int], log.Entry]:
        """The entries at these (auction, seq)."""

    async def find(self, idempotency: Iterable[str]) -> dict[str, log.Entry]:
        """The entries of these idempotency strings."""


class Snapshots(Protocol):
    """The auctions that exist, see `auctions.Auctions`."""

    async def load_snapshots(self, auction_ids: Sequence[str]) -> dict[str, snapshots.Snapshot | None]:
        """The snapshots of those auctions that exist, None where there is none, so that the log is read from its beginning."""


class Writers(Protocol):
    """The writers, see `writers.Writers`."""

    async def register(self, incarnation: str, *, batch_number: int, now: int) -> None:
        """This writer is alive at `now` (milliseconds), and its last batch had that number."""

    async def request_back_off(self, incarnation: str, *, now: int) -> None:
        """This writer keeps losing races for an auction at `now` (milliseconds)."""

    async def is_back_off_requested(self, *, since: int, besides: str) -> bool:
        """Whether a writer other than `besides` has requested it since (milliseconds)."""


class LogStore(Protocol):
    """All that a committer needs."""

    @property
    def bids(self) -> BidLog: ...

    @property
    def auctions(self) -> Snapshots: ...

    @property
    def writers(self) -> Writers: ...

    async def check_fences(self) -> None:
        """Raises errors.Unavailable also when the unique indexes are missing, on which the log's guarantees rest."""

    async def clock_offset_ms(self) -> float:
        """The store's clock minus ours, as far as it is certain: a slow answer does not count as a wrong clock."""
