"""The books that a writer has open: it opens, catches up and evicts them. All reading of the log for deciding is here.

A log that does not follow from itself (somebody changed the database by hand) is `damaged`: it stops its own auction,
not those that gathered beside it, and is looked at again when next asked for.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping

from auction_project.kernel import errors, logs
from bidding import store
from bidding.rules import log
from bidding.writer.auction_fold import Book

MAX_BOOKS = 20_000

logger = logs.get(__name__)


class Shelf:
    """See the module."""

    def __init__(self, log_store: store.LogStore) -> None:
        self._store = log_store
        self._books: OrderedDict[str, Book] = OrderedDict()
        self.damaged: set[str] = set()

    def __contains__(self, auction_id: str) -> bool:
        return auction_id in self._books

    def __getitem__(self, auction_id: str) -> Book:
        return self._books[auction_id]

    def clear(self) -> None:
        self._books.clear()

    def evict(self) -> None:
        """Keep at most MAX_BOOKS, those asked for last."""
        while len(self._books) > MAX_BOOKS:
            self._books.popitem(last=False)

    async def open(self, auction_ids: Collection[str]) -> None:
        """Have a book of each auction that exists. Raises errors.Unavailable."""
        missing = [auction_id for auction_id in auction_ids if auction_id not in self._books]
        self.damaged.difference_update(missing)
        for start in range(
            0, len(missing), store.READ_CHUNK
        ):  # what is open stays open, should the next read fail
            await self._open_some(missing[start : start + store.READ_CHUNK])
        for auction_id in auction_ids:
            if auction_id in self._books:
                self._books.move_to_end(auction_id)

    async def catch_up(self, books: list[Book], *, ahead: int = 1) -> set[str]:
        """Read on from each book until a read found the next seq empty; the auctions that had moved, or are damaged.

        Raises errors.Unavailable.
        """
        moved: set[str] = set()
        behind = books
        while behind:
            found = await self._read(behind, ahead)
            taken = [(book, self._take(book, found)) for book in behind]
            moved.update(book.auction_id for book, count in taken if count)
            behind = [book for book, count in taken if count == ahead]
            ahead = store.READ_CHUNK
        return moved | self.damaged

    async def _read(self, books: list[Book], ahead: int) -> dict[tuple[str, int], log.Entry]:
        """What follows each book. Where somebody's entry cannot be read, each is asked for by itself."""
        try:
            return await self._store.read(place for book in books for place in book.ahead(ahead))
        except errors.Unavailable:
            raise
        except Exception:
            if len(books) == 1:
                self._is_damaged(books[0].auction_id)
                return {}
        found: dict[tuple[str, int], log.Entry] = {}
        for book in books:
            found |= await self._read([book], ahead)
        return found

    async def _open_some(self, auction_ids: list[str]) -> None:
        snapshots = await self._store.load_snapshots(auction_ids)
        opened = [book for place in snapshots.items() if (book := self._book(*place)) is not None]
        await self.catch_up(opened)
        for book in opened:
            if book.auction_id not in self.damaged:
                self._books[book.auction_id] = book

    def _book(self, auction_id: str, snapshot: str | None) -> Book | None:
        try:
            return Book(auction_id, snapshot)
        except Exception:
            self._is_damaged(auction_id)
            return None

    def _take(self, book: Book, found: Mapping[tuple[str, int], log.Entry]) -> int:
        """By how many entries the book moved."""
        try:
            return len(book.take(found))
        except Exception:  # BrokenChain, or an entry that the rules cannot apply
            self._is_damaged(book.auction_id)
            return 0

    def _is_damaged(self, auction_id: str) -> None:
        logger.exception("log_is_damaged", auction_id=auction_id)
        self._books.pop(auction_id, None)
        self.damaged.add(auction_id)
