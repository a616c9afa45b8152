"""BUYERS buyers check out at once, with LINES lines each, on the whole house with all roles: until the answer, until the units are
reserved, and from the payment until the order is paid. All seconds count from the request of the same buyer.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from auction_project.kernel import money
from benchmarks import figures, market, processes
from benchmarks.figures import Figure
from inventory import services as inventory
from orders import models, services

BUYERS = 50
ALONE, ROUNDS = 20, 8  # each of other buyers, so that the risk check meets first purchases
LINES = 3
PRICE = 1_050  # minor units
CURRENCY = "EUR"
POLL_SECONDS = 0.01
FIGURES = (
    f"checkout, {BUYERS} at once, until the answer",
    f"checkout, {BUYERS} at once, until its units are reserved",
    f"payments, {BUYERS} at once, until the order is paid",
)
ADDRESS = {"name": "Bench", "line1": "Street 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}

Moments = dict[str, datetime]


def run() -> list[Figure]:
    with processes.whole() as house:
        return house.verified(asyncio.run(_measure(house)))


async def _measure(house: processes.House) -> list[Figure]:
    product_ids = await asyncio.to_thread(_offered)
    async with market.links(house.url, BUYERS) as to:
        await _round(to, product_ids, BUYERS)  # warms up
        alone = [await _round(to, product_ids, 1) for _ in range(ALONE)]
        together = [await _round(to, product_ids, BUYERS) for _ in range(ROUNDS)]
    return [
        Figure(
            name=f"{what}, p{percent}",
            value=figures.percentile(_joined(together, place), percent),
            unit="s",
            beside="one alone",
            reference=figures.percentile(_joined(alone, place), percent),
        )
        for place, what in enumerate(FIGURES)
        for percent in (50, 99)
    ]


def _joined(rounds: Sequence[tuple[list[float], ...]], place: int) -> list[float]:
    return [seconds for measured in rounds for seconds in measured[place]]


async def _round(
    to: market.Links, product_ids: Sequence[str], count: int
) -> tuple[list[float], list[float], list[float]]:
    """So many buyers at once. Seconds from each request to its answer, to the reservation; from each payment to its end."""
    buyers = await asyncio.to_thread(_with_carts, product_ids, count)
    began: dict[str, float] = {}

    async def order(buyer: market.Buyer) -> float:
        since = time.time()
        body = {"lines": [_line(one) for one in product_ids], "currency": CURRENCY}
        checkout = await _post(to, "/api/v1/checkouts", buyer, body, 201)
        began[checkout["id"]] = since
        return time.time() - since

    answers = await asyncio.gather(*map(order, buyers))
    reserved = await _moments(began, models.CheckoutState.RESERVED)
    owners = await asyncio.to_thread(_owners, list(began))
    by_user = {buyer.user_id: buyer for buyer in buyers}
    paying = {checkout_id: time.time() for checkout_id in began}

    async def pay(checkout_id: str) -> None:
        paying[checkout_id] = time.time()
        path = f"/api/v1/checkouts/{checkout_id}/payment"
        await _post(to, path, by_user[owners[checkout_id]], {}, 202)

    await asyncio.gather(*map(pay, began))
    paid = await _moments(began, models.CheckoutState.PAID)
    return answers, _since(began, reserved), _since(paying, paid)


async def _post(
    to: market.Links, path: str, buyer: market.Buyer, body: Mapping[str, Any], expected: int
) -> dict[str, Any]:
    headers = f"{buyer.authorization}Idempotency-Key: {secrets.token_hex(8)}\r\n"
    status, answer = await market.answered(
        lambda: to.post(path, headers, body)
    )  # again after 503, under its key
    if status != expected:
        raise RuntimeError(f"{path} was answered with {status}: {answer}")
    return answer


async def _moments(checkout_ids: Mapping[str, float], state: str) -> Moments:
    """When each of the checkouts got into this state. Raises TimeoutError."""
    found: Moments = {}
    async with asyncio.timeout(market.WAIT_SECONDS):
        while len(found) < len(checkout_ids):
            await asyncio.sleep(POLL_SECONDS)
            found |= await asyncio.to_thread(_changed, list(checkout_ids), state)
    return found


def _changed(checkout_ids: Sequence[str], state: str) -> Moments:
    rows = models.Checkout.objects.filter(pk__in=checkout_ids, state=state)
    return dict(rows.values_list("id", "changed_at"))


def _owners(checkout_ids: Sequence[str]) -> dict[str, str]:
    return dict(models.Checkout.objects.filter(pk__in=checkout_ids).values_list("id", "user_id"))


def _since(began: Mapping[str, float], moments: Moments) -> list[float]:
    return [moment.timestamp() - began[checkout_id] for checkout_id, moment in moments.items()]


def _line(product_id: str) -> dict[str, Any]:
    return {"product_id": product_id, "quantity": 1, "price": money.format(PRICE, CURRENCY)}


def _offered() -> list[str]:
    """LINES products that are for sale, as orders knows."""
    product_ids, now = market.shelve(LINES), datetime.now(UTC)
    for product_id in product_ids:
        inventory.set_offer(
            product_id=product_id, price=PRICE, currency=CURRENCY, max_per_order=5, published=True, actor="bench", now=now
        )  # fmt: skip
    deadline = time.monotonic() + market.WAIT_SECONDS
    while models.Offer.objects.filter(pk__in=product_ids).count() < LINES:
        if time.monotonic() > deadline:
            raise TimeoutError("orders does not know the offers")
        time.sleep(market.POLL_SECONDS)
    return product_ids


def _with_carts(product_ids: Sequence[str], count: int) -> list[market.Buyer]:
    """Buyers with an address and a cart of one unit of each product."""
    buyers, now = market.make_buyers(count), datetime.now(UTC)
    for buyer in buyers:
        services.add_address(user_id=buyer.user_id, key="home", fields=ADDRESS, is_default=True, now=now)
        for product_id in product_ids:
            wanted = services.Wanted(product_id=product_id, quantity=1, unit_price=PRICE)
            services.put_cart_line(user_id=buyer.user_id, line=wanted, currency=CURRENCY, now=now)
    return buyers
