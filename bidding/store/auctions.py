"""The collections `auctions`, one document an auction, by which lists, the clock and the relay find it, and
`snapshot_pieces`, the bidders of its snapshot.

A piece is never changed: each state of it is a document of its own, "<auction>:<number>:<seq>", and the auction's document
says which ones belong to its snapshot. They are stored before it, and deleted after it names others. So the snapshot is
whole at any moment, also when the process dies between two of these steps.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pymongo
import pymongo.errors

from auction_project.kernel import errors, logs
from bidding.rules import snapshots, state
from bidding.store import client

LIST_MS = 1_000  # the server aborts a slower list, so that lists never slow down bids
PAGE_IDS = 2_000  # that one read asks for; the embedded server takes 80 us a document
WRITE_CHUNK = 100  # pieces that one insert stores
READS_OF_A_SNAPSHOT = 3  # while the relay replaces its pieces

logger = logs.get(__name__)


class AuctionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One auction as its log was at seq `mark`. All amounts are minor units of `currency`; all instants are milliseconds
    since the epoch.

    The service makes it with `mark` 0 when the lot is requested, before the first entry. From then on the relay alone
    replaces it: `mark` is the last seq that is published, and every field but `created_at` is the fold of the log there.
    """

    id: str
    product_id: str
    requested_by: str  # the user who requested the lot
    format: str  # a name in bidding.rules.formats.FORMATS
    currency: str  # ISO 4217
    starts_at: int
    ends_at: int  # as the soft close has moved it
    created_at: int
    due_at: int | None  # when the clock has to look at it; None: never again
    status: str = "NEW"  # a value of rules.Status; NEW: the log has no entry yet
    ended: bool = False  # the log grows no more
    seller_id: str = ""  # "" until inventory has accepted the lot
    title: str = ""
    text: str = ""
    thumbnail: str = ""  # a URL
    price: int = 0  # 0: there is no bid
    minimum: int = 0  # of the next bid
    start_price: int = 0
    ask: int = 0  # what lists are ordered by: the price, or the start price while there is no bid
    bids: int = 0
    quantity_left: int = 0  # units
    allocate: str = "on_listing"  # when inventory sets the units aside: on_listing or on_sale
    outcome: str | None = None  # sold, sold_out, unsold or cancelled; None: still open
    mark: int = 0
    hash: str = state.GENESIS  # of the entry at `mark`
    snapshot: str | None = None  # the head of the snapshot at `mark`; lists leave it out
    pieces: tuple[int, ...] = ()  # by number, the seq at which that piece of the snapshot was stored; as well


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A filter over the auctions' documents, and a page of what it matches. None leaves a field open."""

    status: str | None = None  # a value of rules.Status; None: any but NEW
    format: str | None = None
    seller_id: str | None = None
    search: str | None = (
        None  # as `kernel.words` reads it; the store itself finds a part of the title, in any case
    )
    currency: str | None = None  # of the price; the range of prices is in its minor units
    min_price: int | None = None
    max_price: int | None = None
    ends_within: tuple[int, int] | None = None  # instants
    unlisted: bool = False  # also lots that wait for stock or were refused: these have no title
    # A field, or "price", by which currencies follow one another; "-" before it: descending. "relevance": the titles of which the
    # words are the greater part come first, then the newer lots; the store itself has the end in its place.
    order: str = "ends_at"
    skip: int = 0
    after: tuple[str, str] | None = (
        None  # the score and the id of the last lot of the page before; the store has no scores
    )
    limit: int = 24


class Auctions:
    """The documents of all auctions. Use it within one event loop. Each method raises errors.Unavailable."""

    def __init__(self, database: client.Database) -> None:
        self._auctions = database["auctions"]
        self._pieces = database["snapshot_pieces"]

    async def create_indexes(self) -> None:
        """Idempotent."""
        await self._pieces.create_index("auction_id")
        for field in ("product_id", "due_at", "status", "seller_id", "requested_by", "ends_at", "ended"):
            await self._auctions.create_index(field)
        await self._auctions.create_index([("currency", pymongo.ASCENDING), ("ask", pymongo.ASCENDING)])

    async def insert(self, document: AuctionDocument) -> bool:
        """Whether it is new. The document of an id that exists already stays as it is."""
        try:
            await client.guard(self._auctions.insert_one(_fields(document) | {"_id": document.id}))
        except pymongo.errors.DuplicateKeyError:
            return False
        return True

    async def get(self, auction_id: str) -> AuctionDocument:
        """Raises errors.NotFound."""
        row = await client.guard(self._auctions.find_one({"_id": auction_id}))
        if row is None:
            raise errors.NotFound("There is no such auction.", auction_id=auction_id)
        return _document(row)

    async def get_with_snapshot(self, auction_id: str) -> tuple[AuctionDocument, snapshots.Snapshot | None]:
        """A document with its snapshot, None where there is none or a piece of it is lost. Raises errors.NotFound."""
        for _ in range(READS_OF_A_SNAPSHOT):
            document = await self.get(auction_id)
            snapshot = await self._snapshot(auction_id, document.snapshot, document.pieces)
            if snapshot is not None or document.snapshot is None:
                return document, snapshot
        logger.error("snapshot_is_torn", auction_id=auction_id)
        return document, None

    async def get_all(self, auction_ids: Sequence[str]) -> list[AuctionDocument]:
        """The documents of those auctions that exist, without snapshots, in any order."""
        return [_document(row) for row in await client.read_by_ids(self._auctions, auction_ids, _LISTED)]

    async def load_snapshots(self, auction_ids: Sequence[str]) -> dict[str, snapshots.Snapshot | None]:
        """The snapshots of those auctions that exist, None where there is none or a piece of it is lost."""
        cursor = self._auctions.find({"_id": {"$in": list(auction_ids)}}, {"snapshot": 1, "pieces": 1})
        loaded: dict[str, snapshots.Snapshot | None] = {}
        for row in await client.guard(cursor.to_list()):
            head = row.get("snapshot")
            snapshot = await self._snapshot(row["_id"], head, row.get("pieces") or ())
            if snapshot is None and head is not None:
                _, snapshot = await self.get_with_snapshot(row["_id"])
            loaded[row["_id"]] = snapshot
        return loaded

    async def _snapshot(
        self, auction_id: str, head: str | None, pieces: Sequence[int]
    ) -> snapshots.Snapshot | None:
        if head is None:
            return None
        ids = _piece_ids(auction_id, pieces)
        rows = await client.read_by_ids(self._pieces, ids, {"text": 1})
        texts = {row["_id"]: row["text"] for row in rows}
        if len(texts) < len(ids):
            return None
        return snapshots.Snapshot(head, tuple(texts[piece_id] for piece_id in ids))

    async def save_progress(self, document: AuctionDocument, pieces: Mapping[int, str]) -> bool:
        """Replace the document unless the stored one has a later mark; whether it was replaced. `pieces`: by number, the text
        of those that `document.pieces` names at its mark."""
        new = [
            {"_id": _piece_id(document.id, number, document.mark), "auction_id": document.id, "text": text}
            for number, text in pieces.items()
        ]
        for start in range(0, len(new), WRITE_CHUNK):
            await self._insert_pieces(new[start : start + WRITE_CHUNK])
        older = {"_id": document.id, "mark": {"$lte": document.mark}}
        result = await client.guard(self._auctions.replace_one(older, _fields(document)))
        return bool(result.matched_count)

    async def _insert_pieces(self, rows: list[dict[str, Any]]) -> None:
        """One that is stored already is the same: a piece is a function of the log up to its seq."""
        try:
            await client.guard(self._pieces.insert_many(rows, ordered=False))
        except pymongo.errors.BulkWriteError as error:
            failures = error.details.get("writeErrors", [])
            if any(failure["code"] != client.DUPLICATE for failure in failures):
                raise errors.Unavailable(f"MongoDB: {error}") from error

    async def delete_old_pieces(self, document: AuctionDocument) -> None:
        """Delete the pieces that a stored document does not name. Those at its mark and later stay: another relay may be about
        to name them."""
        rows = await client.guard(self._pieces.find({"auction_id": document.id}, {"_id": 1}).to_list())
        named = set(_piece_ids(document.id, document.pieces))
        old = [
            row["_id"]
            for row in rows
            if row["_id"] not in named and int(row["_id"].rpartition(":")[2]) < document.mark
        ]
        for start in range(0, len(old), client.READ_CHUNK):
            chunk = old[start : start + client.READ_CHUNK]
            await client.guard(self._pieces.delete_many({"_id": {"$in": chunk}}))

    async def search(self, query: Query) -> tuple[list[AuctionDocument], int]:
        """One page without snapshots, and how many documents match in all."""
        where: dict[str, Any] = {"status": query.status} if query.status else {"status": {"$ne": "NEW"}}
        if query.format:
            where["format"] = query.format
        if query.seller_id:
            where |= _of_seller(query.seller_id, unlisted=query.unlisted)
        if query.search:
            where["title"] = {"$regex": re.escape(query.search.replace('"', "")), "$options": "i"}
        elif not query.unlisted:
            where["title"] = {"$ne": ""}
        where |= _ranges_of(query)
        cursor = (
            self._auctions.find(where, _LISTED)
            .sort(_sort_of(query.order))
            .skip(query.skip)
            .limit(query.limit)
            .max_time_ms(LIST_MS)
        )
        rows = await client.guard(cursor.to_list())
        total = await client.guard(self._auctions.count_documents(where, maxTimeMS=LIST_MS))
        return [_document(row) for row in rows], total

    async def due(self, *, before: int, limit: int, skip: int = 0) -> list[tuple[str, int]]:
        """(id, due_at) of a page of the auctions that are due before the instant `before`, the earliest first."""
        cursor = self._auctions.find({"due_at": {"$lt": before}}, {"due_at": 1})
        cursor = cursor.sort("due_at").skip(skip).limit(limit)
        return [(row["_id"], row["due_at"]) for row in await client.guard(cursor.to_list())]

    # The embedded server uses no index for a range of `_id`, and reads all documents instead: so these pages have numbers.

    async def marks(self, *, skip: int, limit: int) -> dict[str, int]:
        """The marks of a page of all auctions, in the order of their ids: new ones among them make a later page repeat some, and
        miss none."""
        cursor = self._auctions.find({}, {"mark": 1}).sort("_id").skip(skip).limit(limit)
        return {row["_id"]: row["mark"] for row in await client.guard(cursor.to_list())}

    async def unfinished_marks(self, *, skip: int, limit: int) -> dict[str, int]:
        """The marks of a page of the auctions whose log may still grow, in the order of the index on `ended`: if one of them ends
        meanwhile, a page may miss another."""
        cursor = self._auctions.find({"ended": False}, {"mark": 1}).skip(skip).limit(limit)
        return {row["_id"]: row["mark"] for row in await client.guard(cursor.to_list())}

    async def of_product(self, product_id: str, *, skip: int, limit: int) -> list[AuctionDocument]:
        """A page of the auctions of a product in the order of their ids, without snapshots."""
        cursor = self._auctions.find({"product_id": product_id}, _LISTED).sort("_id").skip(skip).limit(limit)
        return [_document(row) for row in await client.guard(cursor.to_list())]

    async def estimate_count(self) -> int:
        """How many auctions there are, by the server's own count."""
        return int(await client.guard(self._auctions.estimated_document_count()))

    async def all_ids(self) -> list[str]:
        """The ids of all auctions, in order and in pages, because one read of very many takes longer than a read may."""
        ids: dict[str, None] = {}
        read = 0
        while page := await self.marks(skip=read, limit=PAGE_IDS):
            read += len(page)
            ids |= dict.fromkeys(page)
        return list(ids)


_LISTED = {"snapshot": 0, "pieces": 0}


def _piece_ids(auction_id: str, pieces: Sequence[int]) -> list[str]:
    return [_piece_id(auction_id, number, seq) for number, seq in enumerate(pieces)]


def _piece_id(auction_id: str, number: int, seq: int) -> str:
    return f"{auction_id}:{number}:{seq}"


def _fields(document: AuctionDocument) -> dict[str, Any]:
    fields = msgspec.structs.asdict(document)
    del fields["id"]
    return fields


def _document(row: dict[str, Any]) -> AuctionDocument:
    row["id"] = row.pop("_id")
    return msgspec.convert(row, AuctionDocument)


def _of_seller(seller_id: str, *, unlisted: bool) -> dict[str, Any]:
    """The seller's lots. A lot that was never listed has no seller, but the user who requested it."""
    if not unlisted:
        return {"seller_id": seller_id}
    return {"$or": [{"seller_id": seller_id}, {"seller_id": "", "requested_by": seller_id}]}


def _ranges_of(query: Query) -> dict[str, Any]:
    ranges: dict[str, Any] = {"currency": query.currency} if query.currency else {}
    prices = {"$gte": query.min_price, "$lte": query.max_price}
    if given := {name: bound for name, bound in prices.items() if bound is not None}:
        ranges["ask"] = given
    if query.ends_within is not None:
        ranges["ends_at"] = {"$gte": query.ends_within[0], "$lte": query.ends_within[1]}
    return ranges


def _sort_of(order: str) -> list[tuple[str, int]]:
    field = "ends_at" if order == "relevance" else order.lstrip("-")
    direction = pymongo.DESCENDING if order.startswith("-") else pymongo.ASCENDING
    by_price = [("currency", pymongo.ASCENDING), ("ask", direction)]
    return [*(by_price if field == "price" else [(field, direction)]), ("_id", pymongo.ASCENDING)]
