"""The collection `auctions`: one document an auction, by which lists, the clock and the relay find it."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pymongo
import pymongo.errors

from auction_project.kernel import errors
from bidding.rules import state
from bidding.store import client

READ_CHUNK = 50  # ids that one read asks for
LIST_MS = 1_000  # the server aborts a slower list, so that lists never slow down bids


class AuctionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One auction as its log was at seq `mark`. All amounts are minor units of `currency`; all instants are milliseconds
    since the epoch.

    The service makes it with `mark` 0 when the lot is requested, before the first entry. From then on the relay alone
    replaces it: `mark` is the last seq that is published, and every field but `created_at` is the fold of the log there.
    """

    id: str
    product_id: str
    requested_by: str  # the user who asked for the lot
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
    snapshot: str | None = None  # the state at `mark` as rules.dump writes it; lists leave it out


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A filter over the auctions' documents, and a page of what it matches. None leaves a field open."""

    status: str | None = None  # a value of rules.Status; None: any but NEW
    format: str | None = None
    seller_id: str | None = None
    search: str | None = None  # a part of the title, in any case
    unlisted: bool = False  # also lots that wait for stock or were refused: these have no title
    order: str = (
        "ends_at"  # a field, or "price"; "-" before it: descending. By price, currencies follow one another
    )
    skip: int = 0
    limit: int = 24


class Auctions:
    """The documents of all auctions. Use it within one event loop. Each method raises errors.Unavailable."""

    def __init__(self, database: client.Database) -> None:
        self._auctions = database["auctions"]

    async def create_indexes(self) -> None:
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

    async def get_all(self, auction_ids: Sequence[str]) -> list[AuctionDocument]:
        """The documents of those auctions that exist, without snapshots, in any order."""
        documents: list[AuctionDocument] = []
        for start in range(0, len(auction_ids), READ_CHUNK):
            ids = list(auction_ids[start : start + READ_CHUNK])
            cursor = self._auctions.find({"_id": {"$in": ids}}, {"snapshot": 0})
            documents += [_document(row) for row in await client.guard(cursor.to_list())]
        return documents

    async def load_snapshots(self, auction_ids: Sequence[str]) -> dict[str, str | None]:
        """The snapshots of those auctions that exist, None where there is none yet."""
        cursor = self._auctions.find({"_id": {"$in": list(auction_ids)}}, {"snapshot": 1})
        return {row["_id"]: row.get("snapshot") for row in await client.guard(cursor.to_list())}

    async def save_progress(self, document: AuctionDocument) -> bool:
        """Replace the document unless the stored one has a later mark; whether it was replaced."""
        older = {"_id": document.id, "mark": {"$lte": document.mark}}
        result = await client.guard(self._auctions.replace_one(older, _fields(document)))
        return bool(result.matched_count)

    async def search(self, query: Query) -> tuple[list[AuctionDocument], int]:
        """One page without snapshots, and how many documents match in all."""
        where: dict[str, Any] = {"status": query.status} if query.status else {"status": {"$ne": "NEW"}}
        if query.format:
            where["format"] = query.format
        if query.seller_id:
            where |= _of_seller(query.seller_id, unlisted=query.unlisted)
        if query.search:
            where["title"] = {"$regex": re.escape(query.search), "$options": "i"}
        elif not query.unlisted:
            where["title"] = {"$ne": ""}
        cursor = (
            self._auctions.find(where, {"snapshot": 0})
            .sort(_sort_of(query.order))
            .skip(query.skip)
            .limit(query.limit)
            .max_time_ms(LIST_MS)
        )
        rows = await client.guard(cursor.to_list())
        total = await client.guard(self._auctions.count_documents(where, maxTimeMS=LIST_MS))
        return [_document(row) for row in rows], total

    async def due(self, *, before: int, limit: int) -> list[tuple[str, int]]:
        """(id, due_at) of up to `limit` auctions that are due before the instant `before`, in any order."""
        cursor = self._auctions.find({"due_at": {"$lt": before}}, {"due_at": 1}).limit(limit)
        return [(row["_id"], row["due_at"]) for row in await client.guard(cursor.to_list())]

    async def marks(self, *, after: str, limit: int, unfinished: bool = False) -> dict[str, int]:
        """The marks of up to `limit` auctions that follow the id `after`, in the order of their ids. `unfinished`: only of
        those whose log may still grow."""
        where: dict[str, Any] = {"_id": {"$gt": after}} if after else {}
        if unfinished:
            where["ended"] = False
        cursor = self._auctions.find(where, {"mark": 1}).sort("_id").limit(limit)
        return {row["_id"]: row["mark"] for row in await client.guard(cursor.to_list())}

    async def of_product(self, product_id: str) -> list[AuctionDocument]:
        """The auctions of a product that may still sell, without snapshots."""
        cursor = self._auctions.find({"product_id": product_id}, {"snapshot": 0})
        return [_document(row) for row in await client.guard(cursor.to_list()) if not row["ended"]]

    async def estimate_count(self) -> int:
        """How many auctions there are, by the server's own count."""
        return int(await client.guard(self._auctions.estimated_document_count()))

    async def all_ids(self) -> list[str]:
        return [row["_id"] for row in await client.guard(self._auctions.find({}, {"_id": 1}).to_list())]


def _fields(document: AuctionDocument) -> dict[str, Any]:
    fields = msgspec.structs.asdict(document)
    del fields["id"]
    return fields


def _document(row: dict[str, Any]) -> AuctionDocument:
    row["id"] = row.pop("_id")
    return msgspec.convert(row, AuctionDocument)


def _of_seller(seller_id: str, *, unlisted: bool) -> dict[str, Any]:
    """The seller's lots. A lot that was never listed has no seller, but the user who asked for it."""
    if not unlisted:
        return {"seller_id": seller_id}
    return {"$or": [{"seller_id": seller_id}, {"seller_id": "", "requested_by": seller_id}]}


def _sort_of(order: str) -> list[tuple[str, int]]:
    field = order.lstrip("-")
    direction = pymongo.DESCENDING if order.startswith("-") else pymongo.ASCENDING
    by_price = [("currency", pymongo.ASCENDING), ("ask", direction)]
    return [*(by_price if field == "price" else [(field, direction)]), ("_id", pymongo.ASCENDING)]
