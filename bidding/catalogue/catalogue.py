"""The catalogue in Redis: its lists, and what writers do to it. One for each process, on one event loop.

Each method raises errors.Unavailable when Redis does not answer. For PAUSE_SECONDS afterwards Redis gets no request, so that
no list waits for it twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
import redis
import redis.asyncio
from redis import backoff
from redis.asyncio import retry

from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import failure
from bidding.catalogue import cursors, index, scripts
from bidding.store import auctions

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.0
PAUSE_SECONDS = 1.0
SEARCH_SHARE = 0.25  # of the time of Redis, for the searches of one process
SEARCH_WAIT_SECONDS = 1.0
MAX_PAUSE_SECONDS = 0.5  # a search that waited long, for a busy machine, is no reason to refuse the next one
MAX_CONNECTIONS = 16
LOTS_PER_CALL, ACTS_PER_CALL = 50, 500  # Redis serves no one else meanwhile
OWN_SECONDS = 7 * 24 * 3600  # that the auctions of a user are kept after the last look
VERSION = 3  # of the form: a new one is filled from nothing

log = logs.get(__name__)

_T = TypeVar("_T")


class TooManySearches(errors.Unavailable):
    """Too many lists with filters or words are under way. Try again shortly."""


class Page(msgspec.Struct, frozen=True):
    """One page of a list: its items, and how many lots match in all. `complete` is False while the catalogue is filled. `last`: where
    the next page goes on, if there is one."""

    items: list[dict[str, Any]]
    total: int
    complete: bool = True
    last: cursors.Place | None = None


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """How many lots each value of a filter would leave, with all other filters of a query. `formats` has those that leave some.
    The range of prices is in minor units; None without lots, and without a currency."""

    formats: dict[str, int]
    ending_soon: int
    prices: tuple[int, int] | None


class OwnPage(msgspec.Struct, frozen=True):
    """A page of the auctions that a user acted in. `ids` is None where the catalogue does not have them; then `epoch` is where
    `fill_own` puts them, and "" where nothing can be put."""

    epoch: str = ""
    total: int = 0
    ids: list[str] | None = None


class Marker(msgspec.Struct, frozen=True):
    """What the catalogue says of itself; `server` is the run of Redis now. See `publishing.catalogue_keeper`."""

    server: str
    epoch: str = ""
    complete: bool = False
    filled_on: str = ""  # the run of Redis in which the epoch began
    handed_over: bool = False


class Catalogue:
    """See the module. `name` keeps those apart that share one Redis."""

    def __init__(self, url: str, name: str) -> None:
        self._prefix = f"gavel:{{catalogue:{name}}}:{VERSION}:"
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            # Mends a connection that a restart has broken. A server that hangs gets no second request.
            retry=retry.Retry(backoff.NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            protocol=2,
        )
        self._redis = redis.asyncio.Redis(connection_pool=pool)
        self._scripts = {
            text: self._redis.register_script(text)
            for text in (
                scripts.PUT, scripts.STOCK, scripts.FIND, scripts.OWN, scripts.OWN_FILLED, scripts.NOTE, scripts.MARK,
            )
        }  # fmt: skip
        self._paused_until = 0.0
        self._turn = asyncio.Lock()  # of searches

    async def close(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    # --- lists ---------------------------------------------------------------------------------------------------------

    async def find(self, query: auctions.Query, *, wait_seconds: float | None = None) -> Page:
        """One page of the lots that match `query`. A search waits so long for its turn, by default SEARCH_WAIT_SECONDS. Raises
        TooManySearches."""
        search = index.search_of(query)
        if not search.is_filtered:
            return await self._find(search)
        (page,) = await self._find_in_turn([search], wait_seconds)
        return page

    async def count(self, query: auctions.Query, *, formats: Sequence[str], soon: tuple[int, int]) -> Facets:
        """The counts beside a list; `soon` is when lots end that end soon. Raises TooManySearches."""
        changes: list[dict[str, Any]] = [{"format": name, "limit": 0} for name in formats]
        changes.append({"ends_within": soon, "limit": 0})
        if query.currency:
            all_prices = {"min_price": None, "max_price": None, "limit": 1}
            changes += [all_prices | {"order": order} for order in ("price", "-price")]
        queries = [msgspec.structs.replace(query, skip=0, after=None, **change) for change in changes]
        pages = await self._find_in_turn([index.search_of(one) for one in queries])
        totals = [page.total for page in pages]
        ends = [index.ask_of(page.items[0]) for page in pages[len(formats) + 1 :] if page.items]
        return Facets(
            formats={name: total for name, total in zip(formats, totals, strict=False) if total},
            ending_soon=totals[len(formats)],
            prices=(ends[0], ends[1]) if ends else None,
        )

    async def _find(self, search: index.Search) -> Page:
        complete, total, rows, stocks, score, last_id = await self._run(
            scripts.FIND,
            msgspec.json.encode(search),
            msgspec.json.encode(msgspec.structs.replace(search, skip=0, limit=0, after=())),
            scripts.RESULT_MS,
            scripts.MAX_WORDS_FOUND,
            scripts.MAX_LOTS_SEARCHED,
            scripts.MAX_PHRASES_LOOKED_AT,
        )
        last = cursors.Place(score.decode(), last_id.decode()) if last_id else None
        return Page(_items(rows, stocks), total, complete=bool(complete), last=last)

    async def _find_in_turn(
        self, searches: Sequence[index.Search], wait_seconds: float | None = None
    ) -> list[Page]:
        """Searches of one process take turns, with pauses between them, so that they use SEARCH_SHARE of Redis at most."""
        try:
            async with asyncio.timeout(SEARCH_WAIT_SECONDS if wait_seconds is None else wait_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise TooManySearches from None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return [await self._find(search) for search in searches]
        finally:
            loop.call_later(pause_after(loop.time() - began), self._turn.release)

    async def find_own(self, user_id: str, *, skip: int, limit: int) -> OwnPage:
        """A page of the auctions that the user acted in, the one with the latest act first."""
        answer = await self._run(scripts.OWN, user_id, skip, limit, OWN_SECONDS)
        if not answer:
            return OwnPage()
        epoch, *rest = answer
        if not rest:
            return OwnPage(epoch.decode())
        return OwnPage(epoch.decode(), rest[0], [auction_id.decode() for auction_id in rest[1:]])

    async def fill_own(self, epoch: str, user_id: str, last_acts: Mapping[str, int]) -> None:
        """Keep the auctions that the user acted in, each with the time of the last act, as the log was read after `find_own` had
        named `epoch`."""
        arguments = [value for auction_id, at in last_acts.items() for value in (at, auction_id)]
        await self._run(scripts.OWN_FILLED, epoch, user_id, *arguments)

    # --- what the relay does -----------------------------------------------------------------------------------------

    async def put(self, lots: Sequence[index.Lot]) -> int:
        """Keep these lots, each unless a later mark of it is there; how many were new."""
        new = 0
        for start in range(0, len(lots), LOTS_PER_CALL):
            texts = [msgspec.json.encode(lot) for lot in lots[start : start + LOTS_PER_CALL]]
            new += await self._run(scripts.PUT, *texts)
        return new

    async def put_stock(self, product_id: str, *, version: int, available: int) -> None:
        """Keep what inventory reported of a product, unless a later version is there."""
        await self._run(scripts.STOCK, product_id, version, available)

    async def note(self, epoch: str, acts: Iterable[tuple[str, int, str]]) -> None:
        """Note (user, time, auction) of what is published, for those users whose auctions are kept."""
        noted = list(acts)
        for start in range(0, len(noted), ACTS_PER_CALL):
            arguments = [value for act in noted[start : start + ACTS_PER_CALL] for value in act]
            await self._run(scripts.NOTE, epoch, *arguments)

    async def marker(self) -> Marker:
        """The marker, and which run of Redis answers."""

        async def read() -> Marker:
            fields: Any = await self._redis.hgetall(self._marker)
            server = (await self._redis.info("server"))["run_id"]
            text = {name.decode(): value.decode() for name, value in fields.items()}
            return Marker(
                server,
                text.get("epoch", ""),
                text.get("complete") == "1",
                text.get("server", ""),
                "handed_over" in text,
            )

        return await self._guard(read)

    async def begin_epoch(self, epoch: str, *, server: str) -> None:
        """From now on `epoch` is noted. A catalogue that is complete stays so."""

        async def begin() -> None:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(self._marker, mapping={"epoch": epoch, "server": server})
                pipeline.hdel(self._marker, "handed_over")
                await pipeline.execute()

        await self._guard(begin)

    async def take_over(self) -> bool:
        """Go on with the epoch that another relay has handed over; False: it is taken already."""
        return bool(await self._guard(lambda: self._redis.hdel(self._marker, "handed_over")))

    async def mark(self, epoch: str, field: Literal["complete", "handed_over"]) -> bool:
        """Set a field of the marker, unless the epoch has changed; whether it is set."""
        return bool(await self._run(scripts.MARK, epoch, field))

    async def empty(self) -> int:
        """Delete the catalogue, its marker first; how many keys it had."""

        async def delete() -> int:
            deleted = await self._redis.delete(self._marker)
            keys: list[bytes] = []
            async for key in self._redis.scan_iter(match=f"{self._prefix}*", count=1000):
                keys.append(key)
            for start in range(0, len(keys), 1000):
                deleted += await self._redis.unlink(*keys[start : start + 1000])
            return int(deleted)

        return await self._guard(delete)

    @property
    def _marker(self) -> str:
        return f"{self._prefix}marker"

    async def _run(self, text: str, *arguments: Any) -> Any:
        script = self._scripts[text]
        return await self._guard(lambda: script(keys=[self._prefix], args=arguments))

    async def _guard(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        if time.monotonic() < self._paused_until:
            raise errors.Unavailable("Redis does not answer.")
        try:
            return await ask()
        except (redis.RedisError, OSError) as error:
            if isinstance(error, redis.RedisError) and failure.classify(error) is not failure.Fate.OUTAGE:
                raise
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("catalogue_unavailable", error=repr(error))
            raise errors.Unavailable("Redis does not answer.") from error


def pause_after(seconds: float) -> float:
    """How long the searches of a process pause after one that took so long."""
    return min(seconds * (1 / SEARCH_SHARE - 1), MAX_PAUSE_SECONDS)


def _items(rows: bytes, stocks: bytes) -> list[dict[str, Any]]:
    """The items of a list. Of a listing whose units are set aside at the sale no more are left than inventory has."""
    items: list[dict[str, Any]] = msgspec.json.decode(rows)
    for item, stock in zip(items, stocks.split(b"\n"), strict=False):  # no item: one empty line
        if stock:
            item["quantity_left"] = min(item["quantity_left"], int(stock.split()[1]))
    return items
