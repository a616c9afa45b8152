"""Simulated bidders: each looks round, bids on what it fancies a little above the minimum, and buys now and then."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any

import httpx

from auction_project.demo.client import Client
from auction_project.demo.seed import Account, House

PAUSE_SECONDS = (0.4, 2.2)
BUY_CHANCE = 0.12
EAGER_BUY_CHANCE = 0.6
_EAGER = ("declined@gavel.example", "risky@gavel.example", "slow@gavel.example", "late@gavel.example")


class Crowd:
    """All simulated bidders. `answers` counts what they were told: accepted, or the code of the refusal."""

    def __init__(self, url: str, house: House, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        self._bidders = [
            _Bidder(url, account, seed + number, self.answers)
            for number, account in enumerate(house.of("bidder"))
        ]

    async def run(self) -> None:
        await asyncio.gather(*(bidder.run() for bidder in self._bidders))

    async def close(self) -> None:
        for bidder in self._bidders:
            await bidder.client.close()


class _Bidder:
    def __init__(self, url: str, account: Account, seed: int, answers: Counter[str]) -> None:
        self.client = Client(url, account)
        self._answers = answers
        self._random = random.Random(seed)  # noqa: S311 - a crowd, not a secret
        self._buys = EAGER_BUY_CHANCE if account.email in _EAGER else BUY_CHANCE
        self._taste = self._random.uniform(1.2, 4.0)

    async def run(self) -> None:
        """Bid until cancelled; an outage is waited out."""
        while True:
            await asyncio.sleep(self._random.uniform(*PAUSE_SECONDS))
            try:
                await self._turn()
            except httpx.HTTPError as error:
                self._answers[f"no answer ({type(error).__name__})"] += 1
                await asyncio.sleep(1.0)

    async def _turn(self) -> None:
        buys = self._random.random() < self._buys
        wanted = "buy_now" if buys else "english"
        lots = (await self.client.get("/api/v1/auctions", status="OPEN", format=wanted))["items"]
        if not lots:
            return
        lot = self._random.choice(lots[:6] if not buys else lots)
        body = {"quantity": 1} if buys else self._bid(lot)
        if body is None:
            return
        status, answer = await self.client.post(f"/api/v1/auctions/{lot['id']}/bids", body)
        self._answers["accepted" if status == 201 else str(answer.get("code", status))] += 1

    def _bid(self, lot: dict[str, Any]) -> dict[str, Any] | None:
        """A maximum somewhat above the minimum, as long as the piece is worth it to this bidder."""
        minimum = float(lot["minimum"])
        start = float(lot["start_price"])
        if minimum > start * self._taste:
            return None
        maximum = minimum * self._random.choice((1.0, 1.0, 1.05, 1.1, 1.25))
        return {"amount": f"{maximum:.2f}", "currency": lot["currency"]}


async def run_until(stop: asyncio.Event, *tasks: Any) -> None:
    """Run coroutines until `stop`, or until one of them fails."""
    running = [asyncio.create_task(task) for task in tasks]
    waiter = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*running, waiter], return_when=asyncio.FIRST_COMPLETED)
    for task in (*running, waiter):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*running, waiter, return_exceptions=True)
    for task in done:
        if task is not waiter:
            task.result()
