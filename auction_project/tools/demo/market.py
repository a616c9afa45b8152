"""Keeps lots open: lists every piece that has stock, and lists it again some time after its lot is over.

A sold-out piece waits until the clerk has received more. Now and then the last prints turn out to be broken at the very
moment when a collector buys one, so that a sale fails for lack of stock.
"""

import asyncio
import random
import uuid
from collections import Counter
from typing import Any

from auction_project.kernel import instants
from auction_project.tools.demo import shop, storeroom, turns
from auction_project.tools.demo.catalogue import PIECES, Piece
from auction_project.tools.demo.client import Client, NoAnswer
from auction_project.tools.demo.seed import House

FIRST_END_SECONDS = 25
END_STEP_SECONDS = 15
LATER_SECONDS = (180, 600)
BUY_NOW_SECONDS = 3600
CHECK_SECONDS = (3.0, 6.0)
RESTOCK_SECONDS = (60.0, 180.0)  # after the market has seen that a piece is sold out
BREAKAGE_SECONDS = (240.0, 480.0)
SOFT_CLOSE = {"window_ms": 6_000, "extension_ms": 6_000, "cap_total_ms": 30_000}
_OVER = ("CLOSED", "CANCELLED", "SOLD_OUT")


class Market:
    """`run()` lists and relists until it is cancelled. The operator lists the house's pieces, a seller their own."""

    def __init__(
        self,
        url: str,
        house: House,
        window: shop.Window,
        failures: Counter[str],
        *,
        seed: int,
        pace: float = 1.0,
    ) -> None:
        self._clients = {
            "house": Client(url, house.of("operator")[0]),
            "seller": Client(url, house.of("seller")[0]),
        }
        self._collector = Client(url, house.of("collector")[0])
        self._products = house.products
        self._window = window
        self._failures = failures
        self._random = random.Random(seed)  # noqa: S311 - a market, not a secret
        self._pace = pace
        self._lots: dict[str, str] = {}  # by SKU: the last lot
        self._pending: dict[
            str, tuple[str, dict[str, Any]]
        ] = {}  # by SKU: key and body that wait for an answer
        self._restock_at: dict[str, float] = {}
        self._first_ends = FIRST_END_SECONDS

    async def run(self) -> None:
        """Look after each piece by itself, so that a failure of one holds up no other."""
        scarce = next(piece for piece in PIECES if piece.scarce)
        await asyncio.gather(
            *(self._keep(self._carer(piece), CHECK_SECONDS) for piece in PIECES),
            self._keep(self._carer_of_breakage(scarce), self._breakage_seconds),
        )

    async def close(self) -> None:
        for client in (*self._clients.values(), self._collector):
            await client.close()

    async def _keep(self, turn: Any, seconds: tuple[float, float]) -> None:
        await turns.keep_taking(turn, pause=lambda: self._random.uniform(*seconds), failures=self._failures)

    @property
    def _breakage_seconds(self) -> tuple[float, float]:
        return (BREAKAGE_SECONDS[0] / self._pace, BREAKAGE_SECONDS[1] / self._pace)

    def _carer(self, piece: Piece) -> Any:
        async def look_after() -> None:
            await self.look_after(piece)

        return look_after

    def _carer_of_breakage(self, piece: Piece) -> Any:
        async def look() -> None:
            await self.break_last_units(piece)

        return look

    async def look_after(self, piece: Piece) -> None:
        """List a piece that has no lot, if there are units. Raises client.NoAnswer, django.db.OperationalError."""
        product_id = self._products[piece.sku]
        if (lot_id := self._window.lot_of(product_id)) is not None:
            self._lots[piece.sku] = lot_id
        elif piece.sku in self._pending or await self._is_over(piece):
            if piece.sku not in self._pending and not await self._has_units(piece, product_id):
                return
            await self._list(piece)

    async def _is_over(self, piece: Piece) -> bool:
        """Whether the last lot is over, with all its sales that no buyer has time to pay."""
        if piece.sku not in self._lots:
            return True
        lot = await self._clients["house"].get(f"/api/v1/auctions/{self._lots[piece.sku]}")
        return lot["status"] in _OVER and bool(piece.pay_minutes or not lot["undecided_sales"])

    async def _has_units(self, piece: Piece, product_id: str) -> bool:
        """Whether any unit is free. Some time after the last one was sold, the clerk receives more."""
        if await asyncio.to_thread(storeroom.free_units, product_id):
            return True
        now = asyncio.get_running_loop().time()
        due = self._restock_at.setdefault(
            piece.sku, now + self._random.uniform(*RESTOCK_SECONDS) / self._pace
        )
        if now < due:
            return False
        await asyncio.to_thread(
            storeroom.receive,
            product_id,
            piece.stock,
            key=f"demo:{piece.sku}:{uuid.uuid4().hex}",
            reason="More of it came in.",
            now=instants.moment(instants.now()),
        )
        del self._restock_at[piece.sku]
        return True

    async def _list(self, piece: Piece) -> None:
        """Request a lot. A request without an answer is sent again under the same key."""
        key, body = self._pending.setdefault(piece.sku, (uuid.uuid4().hex, self._terms(piece)))
        status, answer = await self._clients[piece.owner].post("/api/v1/auctions", body, key)
        del self._pending[piece.sku]
        if status != 201:
            raise NoAnswer(answer.get("code", status))
        self._lots[piece.sku] = answer["id"]

    def _terms(self, piece: Piece) -> dict[str, Any]:
        starts_at = instants.now()
        body: dict[str, Any] = {
            "product_id": self._products[piece.sku],
            "format": "buy_now" if piece.buy_now else "english",
            "currency": "EUR",
            "start_price": f"{piece.start / 100:.2f}",
            "quantity": piece.listed,
            "starts_at": starts_at,
            "ends_at": starts_at + self._seconds(piece) * 1000,
            "soft_close": SOFT_CLOSE,
            "relistings_left": 0,
        }
        if piece.pay_minutes:
            body |= {"pay_within_minutes": piece.pay_minutes, "allocate": "on_listing"}
        if piece.reserve is not None:
            body["reserve_price"] = f"{piece.reserve / 100:.2f}"
        return body

    def _seconds(self, piece: Piece) -> int:
        """How long a lot is open: the first ones end soon, one after the other."""
        if piece.buy_now:
            return BUY_NOW_SECONDS
        if piece.sku in self._lots:
            return self._random.randint(*LATER_SECONDS)
        self._first_ends += END_STEP_SECONDS
        return self._first_ends - END_STEP_SECONDS

    async def break_last_units(self, piece: Piece) -> None:
        """Break the free units of an open listing while a collector buys one.

        The bid is taken before the listing has the news of the stock, and the units break before the sale reserves one: both take
        a few milliseconds, and what they are ahead of takes ten times as long. Raises client.NoAnswer,
        django.db.OperationalError, and errors.DomainError when a sale came between.
        """
        product_id = self._products[piece.sku]
        lot_id = self._window.lot_of(product_id)
        if lot_id is None or not await asyncio.to_thread(storeroom.free_units, product_id):
            return
        await asyncio.gather(
            self._collector.post(f"/api/v1/auctions/{lot_id}/bids", {"quantity": 1}),
            asyncio.to_thread(
                storeroom.lose_free_units,
                product_id,
                key=f"demo:{uuid.uuid4().hex}",
                reason="Damaged in the storeroom.",
                now=instants.moment(instants.now()),
            ),
        )
