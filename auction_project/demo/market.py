"""Keeps the house open: lists every piece of the catalogue, and lists it anew soon after its lot is over."""

import asyncio
import itertools
import random
from typing import Any

from auction_project import instants
from auction_project.demo.catalogue import PIECES, Piece
from auction_project.demo.client import Client
from auction_project.demo.seed import House

FIRST_END_SECONDS = 25
END_STEP_SECONDS = 15
LATER_SECONDS = (45, 240)
BUY_NOW_SECONDS = 3600
CHECK_SECONDS = 4.0
SOFT_CLOSE = {"window_ms": 6_000, "extension_ms": 6_000, "cap_total_ms": 30_000}


class Market:
    """`run()` lists and relists until it is cancelled. The operator lists the house's pieces, a seller his own."""

    def __init__(self, url: str, house: House, seed: int) -> None:
        self._clients = {
            "house": Client(url, house.of("operator")[0]),
            "seller": Client(url, house.of("seller")[0]),
        }
        self._products = house.products
        self._lots: dict[str, str] = {}
        self._random = random.Random(seed)  # noqa: S311 - a market, not a secret

    async def run(self) -> None:
        lengths = itertools.count(FIRST_END_SECONDS, END_STEP_SECONDS)
        for piece in PIECES:
            await self._list(piece, BUY_NOW_SECONDS if piece.buy_now else next(lengths))
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for piece in PIECES:
                lot = await self._clients["house"].get(f"/api/v1/auctions/{self._lots[piece.sku]}")
                if lot["status"] in ("CLOSED", "CANCELLED") and piece.stock > 3:
                    await self._list(
                        piece, BUY_NOW_SECONDS if piece.buy_now else self._random.randint(*LATER_SECONDS)
                    )

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

    async def _list(self, piece: Piece, seconds: int) -> None:
        starts_at = instants.now()
        body: dict[str, Any] = {
            "product_id": self._products[piece.sku],
            "format": "buy_now" if piece.buy_now else "english",
            "currency": "EUR",
            "start_price": f"{piece.start / 100:.2f}",
            "quantity": piece.listed,
            "starts_at": starts_at,
            "ends_at": starts_at + seconds * 1000,
            "soft_close": SOFT_CLOSE,
            "relistings_left": 0,
        }
        if piece.reserve is not None:
            body["reserve_price"] = f"{piece.reserve / 100:.2f}"
        status, answer = await self._clients[piece.owner].post("/api/v1/auctions", body)
        if status != 201:
            raise RuntimeError(f"{piece.sku} was not listed: {answer}")
        self._lots[piece.sku] = answer["id"]
