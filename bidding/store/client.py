"""The connection to the server, and the time that one operation may take."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import pymongo.errors
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from auction_project.kernel import errors

OPERATION_SECONDS = 1.5
READ_CHUNK = 50  # ids or values that one read asks for
DUPLICATE = 11000  # the code of a write error: the unique index has that value already

Client: TypeAlias = AsyncMongoClient[dict[str, Any]]
Collection: TypeAlias = AsyncCollection[dict[str, Any]]
Database: TypeAlias = AsyncDatabase[dict[str, Any]]

_T = TypeVar("_T")

# Operations that still run. The loop alone might forget them.
_given_up: set[asyncio.Future[Any]] = set()


def connect(url: str) -> Client:
    """A client of the server, for one event loop. It connects when it is used first, and never repeats a write."""
    milliseconds = int(OPERATION_SECONDS * 1000)
    return AsyncMongoClient(
        url,
        retryWrites=False,
        retryReads=True,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
        waitQueueTimeoutMS=milliseconds,
        maxPoolSize=16,
        tz_aware=False,
        appname="gavel",
    )


def database(client: Client, name: str) -> Database:
    """The database `name`, with durable writes, and reads of what is durable."""
    return client.get_database(
        name, read_concern=ReadConcern("majority"), write_concern=WriteConcern(w="majority", j=True)
    )


async def guard(operation: Awaitable[_T], *, seconds: float | None = None) -> _T:
    """Await one operation for at most `seconds`, or OPERATION_SECONDS. Raises errors.Unavailable when the server does not answer, and
    pymongo.errors.DuplicateKeyError; of a bulk BulkWriteError."""
    try:
        return await await_at_most(OPERATION_SECONDS if seconds is None else seconds, operation)
    except (pymongo.errors.DuplicateKeyError, pymongo.errors.BulkWriteError):
        raise
    except (pymongo.errors.PyMongoError, TimeoutError, OSError) as error:
        raise errors.Unavailable(f"MongoDB: {error}") from error


async def await_at_most(seconds: float, operation: Awaitable[_T]) -> _T:
    """Await one operation, or give it up. Raises what it raises; TimeoutError.

    What is given up, or whose caller is cancelled, goes on until the client's own time-outs end it. Before Python 3.12, an
    operation that is cancelled while it waits for a server may keep the client's lock for ever, and no other gets through again.
    """
    running = asyncio.ensure_future(operation)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(running)
    finally:
        if not running.done():
            _given_up.add(running)
            running.add_done_callback(_forget)


def _forget(ended: asyncio.Future[Any]) -> None:
    _given_up.discard(ended)
    if not ended.cancelled():
        ended.exception()  # asked for, so that the loop does not report it as lost


async def read_by_ids(
    collection: Collection, ids: Sequence[str], fields: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """The documents of those ids that exist, in any order; `fields` as a projection names them. Raises
    errors.Unavailable."""
    rows: list[dict[str, Any]] = []
    for start in range(0, len(ids), READ_CHUNK):
        cursor = collection.find({"_id": {"$in": list(ids[start : start + READ_CHUNK])}}, fields)
        rows += await guard(cursor.to_list())
    return rows
