"""Buyers of lots that leave them time to pay (`catalogue.Piece.pay_minutes`): the crowd pays in the shop, together with other lots
and now and then with something from the shelf. Some forget it, so that the lot goes to the runner-up.

The visitor's account wins two such lots at the beginning, and pays nothing by itself.
"""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import close_old_connections

from auction_project.tools.demo import shop, turns
from auction_project.tools.demo.catalogue import PIECES
from auction_project.tools.demo.client import Client, NoAnswer
from auction_project.tools.demo.seed import Account, House
from orders import models as orders

PAUSE_SECONDS = (3.0, 6.0)
THINKS_SECONDS = 45.0  # after a lot was won
FORGETS = 0.2  # of the lots
ADDS_CHANCE = 0.5  # of something from the shelf
RESERVED_SECONDS = 20.0
VISITOR_PAYS = (
    4.5  # at most, as a multiple of the starting price: above the crowd, below a bid that has to be confirmed
)
ADDRESS = {
    "name": "A Collector",
    "line1": "Gasse 7",
    "postal_code": "1010",
    "city": "Vienna",
    "country": "AT",
}


class Payers:
    """`run()` pays what the crowd has won until it is cancelled. With a `pace` above 1 they think that much shorter."""

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
        self._accounts: dict[str, Account] = {account.user_id: account for account in house.of("bidder")}
        self._visitor = Client(url, house.of("you")[0])
        self._url = url
        self._window = window
        self._wanted = {piece.sku: piece.start for piece in PIECES if piece.pay_minutes >= 24 * 60}
        self._products = house.products
        self._failures = failures
        self._random = random.Random(seed)  # noqa: S311 - buyers, not a secret
        self._has_begun = False
        self._thinks = timedelta(seconds=THINKS_SECONDS / pace)

    async def run(self) -> None:
        await asyncio.gather(self._keep(self.pay), self._keep(self.bid_for_visitor))

    async def close(self) -> None:
        await self._visitor.close()

    async def _keep(self, turn: Any) -> None:
        await turns.keep_taking(
            turn, pause=lambda: self._random.uniform(*PAUSE_SECONDS), failures=self._failures
        )

    async def bid_for_visitor(self) -> None:
        """Bid once on each lot that the visitor is to win, unless they have won before. Raises client.NoAnswer."""
        if not self._has_begun:
            self._has_begun = True
            if (await self._visitor.get("/api/v1/bids/mine"))["total"]:
                self._wanted.clear()
        for sku, start in list(self._wanted.items()):
            lot_id = self._window.lot_of(self._products[sku])
            if lot_id is None:
                continue
            body = {"amount": f"{start * VISITOR_PAYS / 100:.2f}", "currency": "EUR"}
            status, answer = await self._visitor.post(f"/api/v1/auctions/{lot_id}/bids", body)
            if status != 201:
                raise NoAnswer(answer.get("code", status))
            del self._wanted[sku]

    async def pay(self) -> None:
        """Let one buyer pay all that they have won. Raises client.NoAnswer, django.db.OperationalError."""
        user_id = await asyncio.to_thread(_payer, list(self._accounts), datetime.now(UTC) - self._thinks)
        if user_id is None:
            return
        client = Client(self._url, self._accounts[user_id])
        try:
            await self._pay(client)
        finally:
            await client.close()

    async def _pay(self, client: Client) -> None:
        if not (await client.get("/api/v1/addresses"))["items"]:
            await client.post("/api/v1/addresses", ADDRESS)
        if self._random.random() < ADDS_CHANCE:
            await self._add(client)
        cart = await client.get("/api/v1/cart")
        body = {
            "awards": [award["id"] for award in cart["awards"] if not _is_forgotten(award["id"])],
            "lines": [
                {name: line[name] for name in ("product_id", "quantity", "price")}
                for line in cart["lines"]
                if line["problem"] is None
            ],
            "currency": "EUR",
        }
        status, checkout = await client.post("/api/v1/checkouts", body)
        if status != 201:
            raise NoAnswer(checkout.get("code", status))
        path = f"/api/v1/checkouts/{checkout['id']}"
        deadline = asyncio.get_running_loop().time() + RESERVED_SECONDS
        while checkout["status"] == "RESERVING" and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.5)
            checkout = await client.get(path)
        if checkout["status"] == "RESERVED":
            await client.post(f"{path}/payment", {})

    async def _add(self, client: Client) -> None:
        """Put one unit from the shelf into the cart."""
        offers = [offer for offer in (await client.get("/api/v1/offers"))["items"] if offer["available"]]
        if offers:
            offer = self._random.choice(offers)
            line = {"quantity": 1, "price": offer["price"], "currency": offer["currency"]}
            await client.put(f"/api/v1/cart/lines/{offer['product_id']}", line)


def _is_forgotten(award_id: str) -> bool:
    """The same answer each time."""
    return random.Random(award_id).random() < FORGETS  # noqa: S311 - no secret


def _payer(user_ids: list[str], before: datetime) -> str | None:
    """One of these who has won a lot by then, and has not forgotten it. Runs in a thread."""
    close_old_connections()
    due = orders.Award.objects.filter(
        state=orders.AwardState.DUE, user_id__in=user_ids, awarded_at__lte=before
    )
    awards = due.order_by("awarded_at").values_list("pk", "user_id")
    return next((str(user_id) for award_id, user_id in awards if not _is_forgotten(award_id)), None)
