"""Simulated bidders: each reads the open lots, bids a little above the minimum on those that it likes, and buys now and
then.

They bid seldom, because a buyer of ten lots in ten minutes is refused for risk. The few whose sales are to fail
(`people.Person.buys_every`) only buy, and put their card on file again when it was suspended.
"""

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Coroutine
from typing import IO, Any

from auction_project.kernel import instants
from auction_project.tools.demo import shop, turns
from auction_project.tools.demo.client import Client
from auction_project.tools.demo.seed import Account, House
from auction_project.tools.load import answers as records

PAUSE_SECONDS = (6.0, 24.0)
HURRY_SECONDS = (4.0, 9.0)
BUY_CHANCE = 0.03
TASTES = (1.05, 3.0)  # what a piece is worth to a bidder, as a multiple of its starting price
MAX_FACTOR = 1.25  # of the minimum: far below a bid that has to be confirmed


class Crowd:
    """All simulated bidders. `answers` counts the answers to their bids: accepted, or the code of the refusal. `record` gets each
    answer, for `verify`.

    With a `pace` above 1 they buy that many times as often.
    """

    def __init__(
        self,
        url: str,
        house: House,
        window: shop.Window,
        answers: Counter[str],
        *,
        record: IO[bytes],
        seed: int,
        pace: float = 1.0,
    ) -> None:
        self.answers = answers
        self._bidders = [
            Bidder(
                Client(url, account), account, window, answers, record=record, seed=seed + number, pace=pace
            )
            for number, account in enumerate(house.of("bidder"))
        ]

    async def run(self) -> None:
        await asyncio.gather(*(bidder.run() for bidder in self._bidders))

    async def close(self) -> None:
        for bidder in self._bidders:
            await bidder.client.close()


class Bidder:
    """One simulated bidder."""

    def __init__(
        self,
        client: Client,
        account: Account,
        window: shop.Window,
        answers: Counter[str],
        *,
        record: IO[bytes],
        seed: int,
        pace: float,
    ) -> None:
        self.client = client
        self._user_id = account.user_id
        self._person = account.person
        self._record = record
        self._window = window
        self._answers = answers
        self._random = random.Random(seed)  # noqa: S311 - a crowd, not a secret
        self._pace = pace
        self._hurries = self._person.hurries
        self._maxima: dict[str, float] = {}  # by lot: what this bidder has bid

    async def run(self) -> None:
        """Bid until cancelled, through every outage."""
        await turns.keep_taking(self.take_turn, pause=self._pause, failures=self._answers)

    def _pause(self) -> float:
        if self._person.buys_every is None:
            return self._random.uniform(*PAUSE_SECONDS)
        return self._random.uniform(*(HURRY_SECONDS if self._hurries else self._person.buys_every))

    async def take_turn(self) -> None:
        """Choose a lot and bid. Raises client.NoAnswer."""
        buys = self._person.buys_every is not None or self._random.random() < BUY_CHANCE * self._pace
        chosen = self._purchase() if buys else self._bid()
        if chosen is None:
            return
        lot_id, body = chosen
        key, sent = uuid.uuid4().hex, time.time()
        status, answer = await self.client.post(f"/api/v1/auctions/{lot_id}/bids", body, key)
        self._record.write(
            records.line(
                auction_id=lot_id,
                actor=self._user_id,
                key=key,
                body=body,
                sent=sent,
                answered=time.time(),
                status=status,
                answer=answer,
            )
        )
        code = "accepted" if status == 201 else str(answer.get("code", status))
        self._answers[code] += 1
        if code == "accepted":
            self._hurries = max(0, self._hurries - 1)
        elif code == "card_missing":
            await self.client.put("/api/v1/card", {"number": self._person.card})

    def _purchase(self) -> tuple[str, dict[str, Any]] | None:
        lots = self._window.of_format("buy_now")
        return (self._random.choice(lots)["id"], {"quantity": 1}) if lots else None

    def _bid(self) -> tuple[str, dict[str, Any]] | None:
        """A maximum somewhat above the minimum, on one of the lots that are worth it to this bidder."""
        lots = self._window.of_format("english")
        open_ids = {lot["id"] for lot in lots}
        self._maxima = {lot_id: most for lot_id, most in self._maxima.items() if lot_id in open_ids}
        wanted_lots = [lot for lot in lots if self._wants(lot)]
        if not wanted_lots:
            return None
        lot = self._random.choice(wanted_lots)
        maximum = float(lot["minimum"]) * self._random.choice((1.0, 1.0, 1.05, 1.1, MAX_FACTOR))
        self._maxima[lot["id"]] = maximum
        return lot["id"], {"amount": f"{maximum:.2f}", "currency": lot["currency"]}

    def _wants(self, lot: dict[str, Any]) -> bool:
        """Whether to bid: not while the own maximum still leads, and not above what the piece is worth. The worth
        differs from bidder to bidder, and grows until the end of the lot."""
        minimum = float(lot["minimum"])
        taste = random.Random(f"{self._person.email}:{lot['id']}").uniform(*TASTES)  # noqa: S311 - no secret
        passed = (instants.now() - lot["starts_at"]) / max(1, lot["ends_at"] - lot["starts_at"])
        worth = float(lot["start_price"]) * (TASTES[0] + (taste - TASTES[0]) * passed)
        return minimum > self._maxima.get(lot["id"], 0.0) and minimum <= worth


async def run_until(stop: asyncio.Event, *work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until `stop`, or until one of them fails."""
    running = [asyncio.create_task(one) for one in work]
    waiter = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*running, waiter], return_when=asyncio.FIRST_COMPLETED)
    for task in (*running, waiter):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*running, waiter, return_exceptions=True)
    for task in done:
        if task is not waiter:
            task.result()
