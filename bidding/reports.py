"""What other apps have reported and a bid needs to know: who has a usable card (orders), how much stock a product has
(inventory). Handlers write the reports to the store; the web process reads them here.

No bid causes a read of its own: those that wait at the same time share one, and a usable card is remembered for
CARD_SECONDS. So a new card counts as soon as its event is handled, and a declined one stops its bidder within
CARD_SECONDS; until then the strike at the sale limits what such a bid can do. Use this within one event loop.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

from auction_project.kernel.contracts import events
from bidding.rules import commands
from bidding.store import mongo
from bidding.store import reports as stored_reports

CARD_SECONDS = 5.0
MAX_REMEMBERED = 100_000
MAX_RESERVED = 500  # sales whose reservation is remembered with a product's stock

_T = TypeVar("_T")


class _Shared(Generic[_T]):
    """Reads single keys, all that are requested in one turn of the loop with one read."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, _T]]]) -> None:
        self._read = read
        self._waiting: dict[str, asyncio.Future[_T | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> _T | None:
        """What is stored under `key`. Raises errors.Unavailable."""
        future = self._waiting.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_soon(self._begin)
            future = self._waiting[key] = loop.create_future()
        return await asyncio.shield(future)

    def _begin(self) -> None:
        task = asyncio.get_running_loop().create_task(self._fetch())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self) -> None:
        waiting, self._waiting = self._waiting, {}
        try:
            values = await self._read(list(waiting))
        except Exception as error:
            for future in waiting.values():
                future.set_exception(error)
                future.exception()  # its client may have gone
            return
        for key, future in waiting.items():
            future.set_result(values.get(key))


class Cards:
    """Who has a usable card."""

    def __init__(self, log_store: mongo.MongoStore) -> None:
        self._usable_until: dict[str, float] = {}

        async def read(user_ids: Sequence[str]) -> Mapping[str, bool]:
            return dict.fromkeys(await log_store.reports.usable_cards(user_ids), True)

        self._reads = _Shared(read)

    def is_known_usable(self, user_id: str) -> bool:
        """Whether the user had a usable card within the last CARD_SECONDS, so that no read is needed."""
        return self._usable_until.get(user_id, 0.0) > time.monotonic()

    async def has_usable(self, user_id: str) -> bool:
        """Whether the user has a usable card. Raises errors.Unavailable."""
        if self.is_known_usable(user_id):
            return True
        now = time.monotonic()
        if not await self._reads.get(user_id):
            return False
        if len(self._usable_until) >= MAX_REMEMBERED:
            self._usable_until.clear()
        self._usable_until[user_id] = now + CARD_SECONDS
        return True


class Stock:
    """How much a product has; None where inventory has not reported it."""

    def __init__(self, log_store: mongo.MongoStore) -> None:
        self._reads = _Shared(log_store.reports.stock_of)

    async def of(self, product_id: str) -> commands.Stock | None:
        """The stock of this product. Raises errors.Unavailable."""
        report = await self._reads.get(product_id)
        return commands.Stock(report.available, frozenset(report.reserved)) if report else None

    async def of_all(self, product_ids: Collection[str]) -> dict[str, commands.Stock | None]:
        """The stock of each of these products. Raises errors.Unavailable."""
        ids = list(dict.fromkeys(product_ids))
        return dict(zip(ids, await asyncio.gather(*map(self.of, ids)), strict=True))


async def record_cards(log_store: mongo.MongoStore, changes: Sequence[events.CardChanged]) -> None:
    """Keep what orders has reported, of each user one change, unless the stored report is as new. Raises
    errors.Unavailable."""
    await asyncio.gather(
        *(
            log_store.reports.save_card(change.user_id, usable=change.usable, version=change.version)
            for change in changes
        )
    )


async def record_stock(log_store: mongo.MongoStore, changes: Sequence[events.StockChanged]) -> None:
    """Keep what inventory has reported, unless the stored report is as new: one write for each product. Raises
    errors.Unavailable."""
    product_ids = list({change.product_id: None for change in changes})
    stored = await log_store.reports.stock_of(product_ids)
    newest = dict(stored)
    for change in sorted(changes, key=lambda change: change.version):
        report = newest.get(change.product_id)
        if report is not None and report.version >= change.version:
            continue
        reserved = report.reserved if report else ()
        if change.sale_id is not None:
            reserved = (*reserved, change.sale_id)[-MAX_RESERVED:]
        newest[change.product_id] = stored_reports.ReportedStock(
            version=change.version, available=change.available, reserved=reserved
        )
    await asyncio.gather(
        *(
            log_store.reports.save_stock(product_id, newest[product_id])
            for product_id in product_ids
            if newest[product_id] is not stored.get(product_id)
        )
    )
