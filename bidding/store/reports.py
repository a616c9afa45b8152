"""The collections `cards` and `stock`: what orders and inventory have reported, the newest version of each."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pymongo.errors

from bidding.store import client


class ReportedStock(msgspec.Struct, frozen=True, kw_only=True):
    """A product's stock as inventory reported it at `version`."""

    version: int
    available: int  # units
    reserved: tuple[str, ...] = ()  # ids of the latest sales whose units are set aside, the oldest first


class Reports:
    """What other apps have reported. Each method raises errors.Unavailable."""

    def __init__(self, database: client.Database) -> None:
        self._cards = database["cards"]
        self._stock = database["stock"]

    async def save_card(self, user_id: str, *, usable: bool, version: int) -> None:
        """Keep the newest state of a user's card."""
        await _keep_newest(self._cards, user_id, {"usable": usable, "version": version})

    async def usable_cards(self, user_ids: Sequence[str]) -> set[str]:
        """Those of the users who have a usable card."""
        return {row["_id"] for row in await client.read_by_ids(self._cards, user_ids) if row["usable"]}

    async def save_stock(self, product_id: str, stock: ReportedStock) -> None:
        """Keep the newest stock of a product."""
        await _keep_newest(self._stock, product_id, msgspec.to_builtins(stock))

    async def stock_of(self, product_ids: Sequence[str]) -> dict[str, ReportedStock]:
        """The stock of those products that inventory has reported."""
        rows = await client.read_by_ids(self._stock, product_ids)
        return {row["_id"]: msgspec.convert(row, ReportedStock) for row in rows}


async def _keep_newest(collection: client.Collection, key: str, fields: dict[str, Any]) -> None:
    older = {"_id": key, "version": {"$lt": fields["version"]}}
    if (await client.guard(collection.replace_one(older, fields))).matched_count:
        return
    try:
        await client.guard(collection.insert_one(fields | {"_id": key}))
    except pymongo.errors.DuplicateKeyError:
        # The stored state is as new, or an older one was inserted meanwhile.
        await client.guard(collection.replace_one(older, fields))
