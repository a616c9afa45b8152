"""Ships what was sold: some time after its confirmation each order goes to a carrier, and some time later it arrives.

The seller ships what is theirs, the operator all else, and now and then what the seller has not come to. How long an order waits follows
from its number, so that a demo that was stopped goes on where it was, and visitors find orders in every state.
"""

import random
from collections import Counter
from typing import Any

import msgspec

from auction_project.kernel import instants
from auction_project.tools.demo import turns
from auction_project.tools.demo.client import Client, NoAnswer
from auction_project.tools.demo.seed import House

LOOK_SECONDS = (4.0, 8.0)
SHIP_SECONDS = (30.0, 240.0)  # after the order was placed
ARRIVE_SECONDS = (60.0, 300.0)  # after that
SELLER_CHANCE = 0.8  # that the seller ships what is theirs
ORDERS = 50
CARRIERS = (("Parcel Post", "PP"), ("Swift Couriers", "SC"), ("Van & Sons", "VS"))


class Plan(msgspec.Struct, frozen=True):
    """What becomes of an order: when it is shipped and when it arrives (milliseconds since the epoch), and by whom."""

    ships_at: int
    arrives_at: int
    carrier: str
    tracking_number: str
    by_seller: bool


def plan(order: dict[str, Any], seller_id: str, pace: float) -> Plan:
    """The plan for an order, as the API shows it. It is the same each time."""
    chance = random.Random(order["number"])  # noqa: S311 - a demo, not a secret
    ships_at = order["placed_at"] + int(chance.uniform(*SHIP_SECONDS) * 1000 / pace)
    arrives_at = ships_at + int(chance.uniform(*ARRIVE_SECONDS) * 1000 / pace)
    carrier, letters = chance.choice(CARRIERS)
    number = f"{letters}-{chance.randrange(10**8):08}"
    is_theirs = all(line["seller_id"] == seller_id for line in order["lines"])
    return Plan(ships_at, arrives_at, carrier, number, is_theirs and chance.random() < SELLER_CHANCE)


class Parcels:
    """`run()` ships and delivers until it is cancelled."""

    def __init__(
        self, url: str, house: House, failures: Counter[str], *, seed: int, pace: float = 1.0
    ) -> None:
        seller = house.of("seller")[0]
        self._operator, self._seller = Client(url, house.of("operator")[0]), Client(url, seller)
        self._seller_id = seller.user_id
        self._failures = failures
        self._random = random.Random(seed)  # noqa: S311 - a demo, not a secret
        self._pace = pace

    async def run(self) -> None:
        await turns.keep_taking(
            self.look, pause=lambda: self._random.uniform(*LOOK_SECONDS) / self._pace, failures=self._failures
        )

    async def close(self) -> None:
        for client in (self._operator, self._seller):
            await client.close()

    async def look(self) -> None:
        """Do what is due with the newest orders. Raises client.NoAnswer."""
        now = instants.now()
        for status in ("CONFIRMED", "SHIPPED"):
            listed = await self._operator.get(
                "/api/v1/orders", role="operator", status=status, page_size=ORDERS
            )
            for order in listed["items"]:
                await self._advance(order, plan(order, self._seller_id, self._pace), now)

    async def _advance(self, order: dict[str, Any], planned: Plan, now: int) -> None:
        """Ship or deliver the order, if it is time. A repeat changes nothing, so that a lost answer costs nothing."""
        client = self._seller if planned.by_seller else self._operator
        path = f"/api/v1/orders/{order['number']}"
        if order["status"] == "SHIPPED" and now >= planned.arrives_at:
            status, answer = await client.post(f"{path}/deliveries", {})
        elif order["status"] == "CONFIRMED" and now >= planned.ships_at:
            parcel = {"carrier": planned.carrier, "tracking_number": planned.tracking_number}
            status, answer = await client.post(f"{path}/shipments", parcel)
        else:
            return
        if status not in (201, 409):  # 409: a visitor was faster, or has cancelled it
            raise NoAnswer(answer.get("code", status))
