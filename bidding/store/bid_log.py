"""The collection `bids`: one document an entry. Its `_id`, "<auction>:<seq, 12 digits>", is the fence."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pymongo
import pymongo.errors

from auction_project.kernel import errors
from bidding.rules import log
from bidding.store import client

MAX_BULK = 1000
READ_CHUNK = client.READ_CHUNK
COUNT_SECONDS = 60.0
_WRITE_CONCERN = {"w": "majority", "j": True}


class OutcomeUnknown(errors.Unavailable):
    """The store did not say whether the entries are stored."""


class Appended(msgspec.Struct, frozen=True):
    """The first `stored` entries of a bulk are stored. If `conflict`, the next one met a duplicate, and neither it nor any
    entry after it is stored."""

    stored: int
    conflict: bool


class Batch(msgspec.Struct, frozen=True):
    """What is stored of a batch: how many entries, the last seq of each auction, and those that can be read."""

    count: int
    last_seqs: dict[str, int]
    entries: list[log.Entry]


class BidLog:
    """The entries of all auctions. Use it within one event loop.

    All methods but `append` raise errors.Unavailable. A stored entry that cannot be read raises msgspec.ValidationError.
    """

    def __init__(self, database: client.Database) -> None:
        self._database = database
        self._bids = database["bids"]

    async def create_indexes(self) -> None:
        """Idempotent. The one on `idem` is the guard against a key that is used twice."""
        await self._bids.create_index("idem", unique=True)
        await self._bids.create_index("batch")
        await self._bids.create_index("actor")

    async def has_unique_keys(self) -> bool:
        """Whether the unique index on the keys of entries is there."""
        indexes = await client.guard(self._bids.index_information())
        return any(
            index["key"] == [("idem", pymongo.ASCENDING)] and index.get("unique")
            for index in indexes.values()
        )

    async def append(self, entries: Sequence[log.Entry], *, batch: str) -> Appended:
        """Store up to MAX_BULK entries with one ordered bulk insert. Raises OutcomeUnknown."""
        command = {
            "insert": "bids",
            "ordered": True,
            "documents": [document_of(entry, batch) for entry in entries],
            "writeConcern": _WRITE_CONCERN,
        }
        try:
            answer = await client.await_at_most(client.OPERATION_SECONDS, self._database.command(command))
        except (pymongo.errors.PyMongoError, TimeoutError, OSError) as error:
            raise OutcomeUnknown(f"MongoDB: {error}") from error
        if answer.get("writeConcernError"):
            raise OutcomeUnknown(f"MongoDB: {answer['writeConcernError']}")
        failures = answer.get("writeErrors") or []
        if not failures:
            if answer.get("n") != len(entries):
                raise OutcomeUnknown(f"MongoDB stored {answer.get('n')} of {len(entries)} without an error")
            return Appended(len(entries), conflict=False)
        if failures[0].get("code") != client.DUPLICATE:
            raise OutcomeUnknown(f"MongoDB: {failures[0].get('errmsg')}")
        return Appended(int(failures[0]["index"]), conflict=True)

    async def read(self, ids: Iterable[tuple[str, int]]) -> dict[tuple[str, int], log.Entry]:
        """The entries at these (auction, seq), without those that do not exist."""
        keys = [entry_id(auction_id, seq) for auction_id, seq in ids]
        documents = await client.read_by_ids(self._bids, keys)
        return {(document["auction_id"], document["seq"]): _entry(document) for document in documents}

    async def read_from(self, auction_id: str, after: int, limit: int) -> list[log.Entry]:
        """Up to `limit` entries after seq `after`, in order, without a gap."""
        entries: list[log.Entry] = []
        while len(entries) < limit:
            first = after + len(entries) + 1
            count = min(READ_CHUNK, limit - len(entries))
            chunk = await self.read((auction_id, seq) for seq in range(first, first + count))
            for seq in range(first, first + count):
                if (auction_id, seq) not in chunk:
                    return entries
                entries.append(chunk[auction_id, seq])
        return entries

    async def find(self, idempotency: Iterable[str]) -> dict[str, log.Entry]:
        """The entries of these idempotency strings, without those that do not exist."""
        entries = [_entry(document) for document in await self._find_each("idem", list(idempotency))]
        return {entry.idempotency: entry for entry in entries}

    async def estimate_count(self) -> int:
        """How many entries all auctions have together, by the server's own count. It may be off after the server crashed."""
        return int(await client.guard(self._bids.estimated_document_count()))

    async def count(self) -> int:
        """How many entries all auctions have together, exactly. The server reads the whole log for it, up to COUNT_SECONDS,
        and writers wait meanwhile."""
        with pymongo.timeout(COUNT_SECONDS):
            return int(await client.guard(self._bids.count_documents({}), seconds=COUNT_SECONDS))

    async def last_acts_of(self, actor: str, limit: int) -> dict[str, int]:
        """The auctions that hold one of the latest `limit` entries of `actor`, latest first, each with the time of the latest
        there (milliseconds since 1970 UTC)."""
        cursor = self._bids.find({"actor": actor}, {"auction_id": 1, "at": 1})
        rows = await client.guard(cursor.sort("at", pymongo.DESCENDING).limit(limit).to_list())
        latest: dict[str, int] = {}
        for row in rows:
            latest[row["auction_id"]] = max(row["at"], latest.get(row["auction_id"], 0))
        return latest

    async def batches(self, known: Mapping[str, int]) -> dict[str, Batch]:
        """By name, those of the batches that hold more entries than are `known`."""
        changed: dict[str, Batch] = {}

        async def read(name: str) -> None:
            rows = await client.guard(self._bids.find({"batch": name}).to_list())
            if len(rows) > known[name]:
                changed[name] = _batch(rows)

        names = list(known)
        for start in range(0, len(names), READ_CHUNK):
            await asyncio.gather(*map(read, names[start : start + READ_CHUNK]))
        return changed

    async def _find_each(self, field: str, values: list[str]) -> list[dict[str, Any]]:
        """The documents whose `field` has one of the values: one equality for each value, side by side, because the embedded
        server uses an index for `$in` on `_id` only, and reads the whole log for any other field."""

        async def find(value: str) -> list[dict[str, Any]]:
            return await client.guard(self._bids.find({field: value}).to_list())

        documents: list[dict[str, Any]] = []
        for start in range(0, len(values), READ_CHUNK):
            for of_value in await asyncio.gather(*map(find, values[start : start + READ_CHUNK])):
                documents += of_value
        return documents


def batch_name(incarnation: str, number: int) -> str:
    """The name that the entries of a writer's batch carry."""
    return f"{incarnation}:{number}"


def batch_of(name: str) -> tuple[str, int]:
    """The inverse of `batch_name`."""
    incarnation, _, number = name.partition(":")
    return incarnation, int(number)


def entry_id(auction_id: str, seq: int) -> str:
    """The `_id` of an entry, whose uniqueness is the fence. As text those of an auction are in the order of its seqs."""
    return f"{auction_id}:{seq:012d}"


def document_of(entry: log.Entry, batch: str) -> dict[str, Any]:
    """An entry as it is stored."""
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


def _batch(rows: list[dict[str, Any]]) -> Batch:
    last_seqs: dict[str, int] = {}
    entries: list[log.Entry] = []
    for row in rows:
        last_seqs[row["auction_id"]] = max(row["seq"], last_seqs.get(row["auction_id"], 0))
        with contextlib.suppress(msgspec.ValidationError):
            entries.append(_entry(row))
    return Batch(len(rows), last_seqs, entries)
