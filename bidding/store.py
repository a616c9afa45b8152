"""The bid log and the auctions' documents in MongoDB: the only file that knows pymongo.

Collections: `bids` (one document an entry, `_id` = "<auction>:<seq, 12 digits>" is the fence), `auctions` (one document
an auction: list fields, mark, snapshot), `incarnations` (the writers), `leases`, `cards` and `stock` (what other apps
have reported, by version). Needs of a server: ordered bulk inserts,
unique indexes, point reads by `_id` and by single fields; no transaction, no change stream, no array filter.

Promises: an acknowledged append is durable (w=majority, j=true); the driver never repeats a write by itself; whatever
leaves an outcome open is OutcomeUnknown, whatever else keeps the server from answering is errors.Unavailable.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC
from typing import Any, Protocol, TypeVar

import msgspec
import pymongo
import pymongo.errors
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from auction_project.kernel import errors
from bidding.rules import log, state

MAX_BULK = 1000
READ_CHUNK = 50
OPERATION_SECONDS = 1.5
COUNT_SECONDS = 60.0
LIST_MS = 1_000  # a list that nobody waits for any more costs the bids nothing
_DUPLICATE = 11000
_WRITE_CONCERN = {"w": "majority", "j": True}

_T = TypeVar("_T")


class OutcomeUnknown(errors.Unavailable):
    """The store did not say whether the entries are stored."""


class Appended(msgspec.Struct, frozen=True):
    """`stored` entries from the front stand; when `conflict`, the next one met a duplicate and nothing after it stands."""

    stored: int
    conflict: bool


class AuctionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What lists, clock and relay find an auction by. `mark` is the last seq that was published and folded into the
    rest; `snapshot` is the state there. `ask` orders lists: the price, or the start price while there is none."""

    id: str
    product_id: str
    requested_by: str
    format: str
    currency: str
    starts_at: int
    ends_at: int
    created_at: int
    due_at: int | None
    status: str = "NEW"
    ended: bool = False
    seller_id: str = ""
    title: str = ""
    text: str = ""
    thumbnail: str = ""
    price: int = 0
    minimum: int = 0
    start_price: int = 0
    ask: int = 0
    bids: int = 0
    quantity_left: int = 0
    allocate: str = "on_listing"
    outcome: str | None = None
    mark: int = 0
    hash: str = state.GENESIS
    snapshot: str | None = None


class ReportedStock(msgspec.Struct, frozen=True, kw_only=True):
    """A product's stock as inventory reported it at `version`. `reserved`: the latest sales whose units are set aside."""

    version: int
    available: int
    reserved: tuple[str, ...] = ()


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A filter over the auctions' documents; None leaves a field open. `order` is a field, "-" before it descends; by price
    the currencies follow one another. `unlisted`: also lots that wait for stock or were refused, which have no title."""

    status: str | None = None
    format: str | None = None
    seller_id: str | None = None
    search: str | None = None
    unlisted: bool = False
    order: str = "ends_at"
    skip: int = 0
    limit: int = 24


class LogStore(Protocol):
    """What the committer needs of a store."""

    async def prepare(self) -> None:
        """Make what the log's guarantees rest on: the unique indexes. Raises errors.Unavailable."""

    async def append(self, entries: Sequence[log.Entry], *, batch: str) -> Appended:
        """One ordered bulk. Raises OutcomeUnknown."""

    async def read(self, ids: Iterable[tuple[str, int]]) -> dict[tuple[str, int], log.Entry]:
        """The entries that stand at (auction, seq). Raises errors.Unavailable."""

    async def find(self, idempotency: Iterable[str]) -> dict[str, log.Entry]:
        """The entries of these idempotency strings. Raises errors.Unavailable."""

    async def load_snapshots(self, auction_ids: Sequence[str]) -> dict[str, str | None]:
        """The snapshots of those auctions that exist, None where there is none yet. Raises errors.Unavailable."""

    async def register_incarnation(self, incarnation: str, *, batch_number: int, now: int) -> None:
        """This writer lives, and its last batch was that one."""

    async def request_back_off(self, incarnation: str, *, now: int) -> None:
        """This writer keeps losing races for an auction at this time (milliseconds). Raises errors.Unavailable."""

    async def is_back_off_requested(self, *, since: int, besides: str) -> bool:
        """Whether a writer but `besides` has asked since (milliseconds). Raises errors.Unavailable."""

    async def clock_offset_ms(self) -> float:
        """The store's clock minus ours, as far as it is certain: a slow answer is no wrong clock."""


class MongoStore:
    """The store on a MongoDB server; make and use it within one event loop."""

    def __init__(self, url: str, database: str) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            retryWrites=False,
            retryReads=True,
            serverSelectionTimeoutMS=int(OPERATION_SECONDS * 1000),
            connectTimeoutMS=int(OPERATION_SECONDS * 1000),
            socketTimeoutMS=int(OPERATION_SECONDS * 1000),
            maxPoolSize=16,
            tz_aware=False,
            appname="gavel",
        )
        database_ = self._client.get_database(
            database,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True),
        )
        self._database = database_
        self._bids = database_["bids"]
        self._auctions = database_["auctions"]
        self._incarnations = database_["incarnations"]
        self._leases = database_["leases"]
        self._cards = database_["cards"]
        self._stock = database_["stock"]

    async def prepare(self) -> None:
        """Make the indexes (idempotent)."""

        async def make() -> None:
            await self._bids.create_index("idem", unique=True)
            await self._bids.create_index("batch")
            await self._bids.create_index("actor")
            for field in ("product_id", "due_at", "status", "seller_id", "requested_by", "ends_at", "ended"):
                await self._auctions.create_index(field)
            await self._auctions.create_index([("currency", pymongo.ASCENDING), ("ask", pymongo.ASCENDING)])

        await _guard(make())

    async def ping(self) -> None:
        await _guard(self._database.command("ping"))

    async def clock_offset_ms(self) -> float:
        before = time.time()
        hello = await _guard(self._database.command("hello"))
        after = time.time()
        local = hello.get("localTime")
        if local is None:
            return 0.0
        return offset_ms(local.replace(tzinfo=UTC).timestamp(), before=before, after=after)

    async def close(self) -> None:
        await self._client.close()

    # --- the log -------------------------------------------------------------------------------------------------

    async def append(self, entries: Sequence[log.Entry], *, batch: str) -> Appended:
        command = {
            "insert": "bids",
            "ordered": True,
            "documents": [document_of(entry, batch) for entry in entries],
            "writeConcern": _WRITE_CONCERN,
        }
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                answer = await self._database.command(command)
        except (pymongo.errors.PyMongoError, TimeoutError, OSError) as error:
            raise OutcomeUnknown(f"MongoDB: {error}") from error
        if answer.get("writeConcernError"):
            raise OutcomeUnknown(f"MongoDB: {answer['writeConcernError']}")
        failures = answer.get("writeErrors") or []
        if not failures:
            if answer.get("n") != len(entries):
                raise OutcomeUnknown(f"MongoDB stored {answer.get('n')} of {len(entries)} without an error")
            return Appended(len(entries), conflict=False)
        if failures[0].get("code") != _DUPLICATE:
            raise OutcomeUnknown(f"MongoDB: {failures[0].get('errmsg')}")
        return Appended(int(failures[0]["index"]), conflict=True)

    async def read(self, ids: Iterable[tuple[str, int]]) -> dict[tuple[str, int], log.Entry]:
        wanted = [entry_id(auction_id, seq) for auction_id, seq in ids]
        found: dict[tuple[str, int], log.Entry] = {}
        for start in range(0, len(wanted), READ_CHUNK):
            chunk = self._bids.find({"_id": {"$in": wanted[start : start + READ_CHUNK]}})
            for document in await _guard(chunk.to_list()):
                found[document["auction_id"], document["seq"]] = _entry(document)
        return found

    async def find(self, idempotency: Iterable[str]) -> dict[str, log.Entry]:
        found = [_entry(document) for document in await self._find_each("idem", list(idempotency))]
        return {entry.idempotency: entry for entry in found}

    async def read_from(self, auction_id: str, after: int, limit: int) -> list[log.Entry]:
        """Up to `limit` entries after seq `after`, in order, without a gap."""
        entries: list[log.Entry] = []
        while len(entries) < limit:
            first = after + len(entries) + 1
            count = min(READ_CHUNK, limit - len(entries))
            found = await self.read((auction_id, seq) for seq in range(first, first + count))
            for seq in range(first, first + count):
                if (auction_id, seq) not in found:
                    return entries
                entries.append(found[auction_id, seq])
        return entries

    async def estimate_entries(self) -> int:
        """Of all auctions together, as the server keeps count; after a crash of the server it may be off."""
        return int(await _guard(self._bids.estimated_document_count()))

    async def count_entries(self) -> int:
        """The same, exactly: the server reads the whole log, and writers wait meanwhile."""
        with pymongo.timeout(COUNT_SECONDS):
            return int(await _guard(self._bids.count_documents({}), seconds=COUNT_SECONDS))

    async def auctions_of_actor(self, actor: str, limit: int) -> list[str]:
        """The ids of auctions that hold one of the latest `limit` entries of `actor`, latest first."""
        found = self._bids.find({"actor": actor}, {"auction_id": 1, "at": 1})
        cursor = found.sort("at", pymongo.DESCENDING).limit(limit)
        rows = await _guard(cursor.to_list())
        latest: dict[str, int] = {}
        for row in rows:
            latest[row["auction_id"]] = max(row["at"], latest.get(row["auction_id"], 0))
        return sorted(latest, key=lambda auction_id: -latest[auction_id])

    # --- the writers -----------------------------------------------------------------------------------------------

    async def register_incarnation(self, incarnation: str, *, batch_number: int, now: int) -> None:
        fields = {"at": now, "batch": batch_number}
        await _guard(self._incarnations.update_one({"_id": incarnation}, {"$set": fields}, upsert=True))

    async def request_back_off(self, incarnation: str, *, now: int) -> None:
        await _guard(self._incarnations.update_one({"_id": incarnation}, {"$set": {"crowded_at": now}}))

    async def is_back_off_requested(self, *, since: int, besides: str) -> bool:
        crowded = {"_id": {"$ne": besides}, "crowded_at": {"$gte": since}}
        return await _guard(self._incarnations.find_one(crowded, {"_id": 1})) is not None

    async def incarnations(self, *, since: int) -> dict[str, int]:
        """The writers that were seen since (milliseconds), with a batch number at or before their last."""
        rows = await _guard(self._incarnations.find({}).to_list())
        return {row["_id"]: row["batch"] for row in rows if row["at"] >= since}

    async def forget_incarnations(self, *, before: int) -> int:
        """Delete the writers that were last seen before (milliseconds); their number."""
        return (await _guard(self._incarnations.delete_many({"at": {"$lt": before}}))).deleted_count

    async def auctions_of_batches(self, batches: Sequence[str]) -> dict[str, dict[str, int]]:
        """By batch, the auctions that it touched with the last seq there; one that stored nothing is absent."""
        rows = await self._find_each("batch", list(batches), {"batch": 1, "auction_id": 1, "seq": 1})
        found: dict[str, dict[str, int]] = {}
        for row in rows:
            seqs = found.setdefault(row["batch"], {})
            seqs[row["auction_id"]] = max(row["seq"], seqs.get(row["auction_id"], 0))
        return found

    # --- the auctions' documents ------------------------------------------------------------------------------------

    async def insert_auction(self, document: AuctionDocument) -> bool:
        """Whether it is new; an id that is there stays as it is."""
        try:
            await _guard(self._auctions.insert_one(_auction_fields(document) | {"_id": document.id}))
        except pymongo.errors.DuplicateKeyError:
            return False
        return True

    async def get_auction(self, auction_id: str) -> AuctionDocument:
        """Raises errors.NotFound."""
        found = await _guard(self._auctions.find_one({"_id": auction_id}))
        if found is None:
            raise errors.NotFound("There is no such auction.", auction_id=auction_id)
        return _auction(found)

    async def load_snapshots(self, auction_ids: Sequence[str]) -> dict[str, str | None]:
        rows = await _guard(
            self._auctions.find({"_id": {"$in": list(auction_ids)}}, {"snapshot": 1}).to_list()
        )
        return {row["_id"]: row.get("snapshot") for row in rows}

    async def save_progress(self, document: AuctionDocument) -> bool:
        """Replace the fold at the mark, never backwards; whether it was newer."""
        older = {"_id": document.id, "mark": {"$lte": document.mark}}
        result = await _guard(self._auctions.replace_one(older, _auction_fields(document)))
        return bool(result.matched_count)

    async def list_auctions(self, query: Query) -> tuple[list[AuctionDocument], int]:
        """One page, and how many match in all."""
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
        rows = await _guard(cursor.to_list())
        total = await _guard(self._auctions.count_documents(where, maxTimeMS=LIST_MS))
        return [_auction(row) for row in rows], total

    async def due_auctions(self, *, before: int, limit: int) -> list[tuple[str, int]]:
        """(id, due_at) of auctions that are due before `before` (milliseconds)."""
        cursor = self._auctions.find({"due_at": {"$lt": before}}, {"due_at": 1}).limit(limit)
        return [(row["_id"], row["due_at"]) for row in await _guard(cursor.to_list())]

    async def marks(self, *, after: str, limit: int, unfinished: bool = False) -> dict[str, int]:
        """The marks of up to `limit` auctions that follow the id `after`, in the order of their ids; perhaps only of those
        whose log may still grow."""
        where: dict[str, Any] = {"_id": {"$gt": after}} if after else {}
        if unfinished:
            where["ended"] = False
        rows = await _guard(self._auctions.find(where, {"mark": 1}).sort("_id").limit(limit).to_list())
        return {row["_id"]: row["mark"] for row in rows}

    async def auctions_of_product(self, product_id: str) -> list[AuctionDocument]:
        """The auctions of a product that may still sell, without snapshots."""
        rows = await _guard(self._auctions.find({"product_id": product_id}, {"snapshot": 0}).to_list())
        return [_auction(row) for row in rows if not row["ended"]]

    async def all_auction_ids(self) -> list[str]:
        return [row["_id"] for row in await _guard(self._auctions.find({}, {"_id": 1}).to_list())]

    # --- what other apps have reported -----------------------------------------------------------------------------

    async def save_card(self, user_id: str, *, usable: bool, version: int) -> None:
        """Keep the newest state of a user's card."""
        await self._keep_newest(self._cards, user_id, {"usable": usable, "version": version})

    async def usable_cards(self, user_ids: Sequence[str]) -> set[str]:
        """Those of the users who have a usable card. Raises errors.Unavailable."""
        rows = await self._by_id(self._cards, user_ids)
        return {row["_id"] for row in rows if row["usable"]}

    async def save_stock(self, product_id: str, stock: ReportedStock) -> None:
        """Keep the newest stock of a product."""
        await self._keep_newest(self._stock, product_id, msgspec.to_builtins(stock))

    async def reported_stock(self, product_ids: Sequence[str]) -> dict[str, ReportedStock]:
        """What inventory has reported of these products. Raises errors.Unavailable."""
        rows = await self._by_id(self._stock, product_ids)
        return {row["_id"]: msgspec.convert(row, ReportedStock) for row in rows}

    async def _by_id(
        self, collection: AsyncCollection[dict[str, Any]], ids: Sequence[str]
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for start in range(0, len(ids), READ_CHUNK):
            found = collection.find({"_id": {"$in": list(ids[start : start + READ_CHUNK])}})
            rows += await _guard(found.to_list())
        return rows

    async def _keep_newest(
        self, collection: AsyncCollection[dict[str, Any]], key: str, fields: dict[str, Any]
    ) -> None:
        older = {"_id": key, "version": {"$lt": fields["version"]}}
        if (await _guard(collection.replace_one(older, fields))).matched_count:
            return
        with contextlib.suppress(pymongo.errors.DuplicateKeyError):  # as new a state is there
            await _guard(collection.insert_one(fields | {"_id": key}))

    # --- leases ------------------------------------------------------------------------------------------------------

    async def hold_lease(self, name: str, owner: str, *, now: int, until: int) -> bool:
        """Whether `owner` has the lease `name` until `until` (milliseconds); nobody's, ended or his own is taken."""
        free = {"_id": name, "$or": [{"owner": owner}, {"until": {"$lt": now}}]}
        result = await _guard(self._leases.update_one(free, {"$set": {"owner": owner, "until": until}}))
        if result.matched_count:
            return True
        try:
            await _guard(self._leases.insert_one({"_id": name, "owner": owner, "until": until}))
        except pymongo.errors.DuplicateKeyError:
            return False
        return True

    async def _find_each(
        self, field: str, values: list[str], projection: dict[str, int] | None = None
    ) -> list[dict[str, Any]]:
        """Entries by one of several values: equalities side by side, since the embedded server uses an index for
        `$in` on `_id` only, and reads the whole log for any other field."""

        async def find(value: str) -> list[dict[str, Any]]:
            return await _guard(self._bids.find({field: value}, projection).to_list())

        rows: list[dict[str, Any]] = []
        for start in range(0, len(values), READ_CHUNK):
            for found in await asyncio.gather(*map(find, values[start : start + READ_CHUNK])):
                rows += found
        return rows


def offset_ms(there: float, *, before: float, after: float) -> float:
    """By how much a clock that showed `there` some time between `before` and `after` is off at least."""
    return (there - min(max(there, before), after)) * 1000


def batch_name(incarnation: str, number: int) -> str:
    return f"{incarnation}:{number}"


def batch_of(name: str) -> tuple[str, int]:
    """The inverse of `batch_name`."""
    incarnation, _, number = name.partition(":")
    return incarnation, int(number)


def entry_id(auction_id: str, seq: int) -> str:
    return f"{auction_id}:{seq:012d}"


def document_of(entry: log.Entry, batch: str) -> dict[str, Any]:
    return {
        "_id": entry_id(entry.auction_id, entry.seq),
        "auction_id": entry.auction_id,
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "key": entry.key,
        "idem": entry.idempotency,
        "request": entry.request,
        "facts": msgspec.to_builtins(entry.facts),
        "hidden": msgspec.to_builtins(entry.hidden),
        "commitment": entry.commitment,
        "prev": entry.prev,
        "hash": entry.hash,
        "correlation_id": entry.correlation_id,
        "batch": batch,
    }


def _entry(document: dict[str, Any]) -> log.Entry:
    return msgspec.convert(document, log.Entry)


def _auction_fields(document: AuctionDocument) -> dict[str, Any]:
    fields = msgspec.structs.asdict(document)
    del fields["id"]
    return fields


def _of_seller(seller_id: str, *, unlisted: bool) -> dict[str, Any]:
    """The seller's lots; a lot that was never listed has no seller, but the user who asked for it."""
    if not unlisted:
        return {"seller_id": seller_id}
    return {"$or": [{"seller_id": seller_id}, {"seller_id": "", "requested_by": seller_id}]}


def _sort_of(order: str) -> list[tuple[str, int]]:
    field = order.lstrip("-")
    direction = pymongo.DESCENDING if order.startswith("-") else pymongo.ASCENDING
    by_price = [("currency", pymongo.ASCENDING), ("ask", direction)]
    return [*(by_price if field == "price" else [(field, direction)]), ("_id", pymongo.ASCENDING)]


def _auction(row: dict[str, Any]) -> AuctionDocument:
    row["id"] = row.pop("_id")
    return msgspec.convert(row, AuctionDocument)


async def _guard(operation: Awaitable[_T], *, seconds: float = OPERATION_SECONDS) -> _T:
    """Await one operation within `seconds`; a server that is away is errors.Unavailable."""
    try:
        async with asyncio.timeout(seconds):
            return await operation
    except pymongo.errors.DuplicateKeyError:
        raise
    except (pymongo.errors.PyMongoError, TimeoutError, OSError) as error:
        raise errors.Unavailable(f"MongoDB: {error}") from error
