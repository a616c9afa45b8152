"""Sale -> confirmed order, and sagas per second, on the whole stack; buyers, listings and purchases for other
benchmarks."""

import asyncio
import secrets
import time
from datetime import UTC, datetime

import httpx
import msgspec

from auction_project.kernel import ids, instants, tokens
from auction_project.kernel.contracts import events
from benchmarks import processes
from inventory import models as stock
from inventory import services as inventory
from notifications import services as notifications
from orders import services as orders
from sagas import models as sagas

STEADY_RATE, STEADY_SECONDS = 4, 20  # well below what two cores do: the time of a sale, not of a queue
BURST = 200
BUYERS = 200
STOCK = 9000
WAIT_SECONDS = 180.0
OPEN_POLLS = 300
ACCEPTS = "4242424242424242"  # a test number of the simulated provider


class Buyer(msgspec.Struct, frozen=True):
    """A user of the API; `authorization` is the header."""

    user_id: str
    authorization: str


def run() -> dict[str, float]:
    """p50 and p99 in seconds from the answer to the bid until the order is confirmed; sagas per second of a burst."""
    with processes.whole() as running:
        return asyncio.run(_measure(running.url))


async def _measure(url: str) -> dict[str, float]:
    buyers = await asyncio.to_thread(make_buyers, BUYERS)
    auction_id = await listing(url, auction_format="buy_now", quantity=STOCK)
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as http:
        began = time.monotonic()
        tasks = []
        for number in range(STEADY_RATE * STEADY_SECONDS):
            await asyncio.sleep(max(0.0, began + number / STEADY_RATE - time.monotonic()))
            tasks.append(asyncio.create_task(buy(http, auction_id, buyers[number % BUYERS])))
        steady = [sale for sale in await asyncio.gather(*tasks) if sale]
        waits = sorted(await asyncio.to_thread(wait_for_ends, steady))
        began = time.time()
        burst = await asyncio.gather(*(buy(http, auction_id, buyers[n % BUYERS]) for n in range(BURST)))
        await asyncio.to_thread(wait_for_ends, [sale for sale in burst if sale])
        last = await asyncio.to_thread(_last_end)
    return {
        f"sale -> order p50 s, {STEADY_RATE} sales/s": waits[len(waits) // 2],
        f"sale -> order p99 s, {STEADY_RATE} sales/s": waits[int(len(waits) * 0.99)],
        f"sagas/s, {BURST} at once": len(burst) / (last - began),
    }


def make_buyers(count: int, *, card: str = ACCEPTS) -> list[Buyer]:
    """Buyers with a card, whose accounts are old enough for the risk check."""
    now = datetime.now(UTC)
    buyers = []
    for _ in range(count):
        user_id = ids.new_id()
        orders.set_card(user_id=user_id, number=card, now=now)
        orders.record_account(
            user_id=user_id,
            version=1,
            email_verified=True,
            closed=False,
            now=now,
            created_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
        notifications.follow_account(
            account=events.AccountChanged(
                user_id=user_id, email=f"{user_id}@example.org", email_verified=True, created_at=0, roles=("bidder",),
                closed=False, version=1,
            )
        )  # fmt: skip
        token = tokens.sign(sub=user_id, roles=["bidder"], created_at=0, now=time.time(), seconds=3600)
        buyers.append(Buyer(user_id, f"Bearer {token}"))
    return buyers


async def listing(url: str, *, auction_format: str, quantity: int, start_price: str = "10.00") -> str:
    """An open auction of a new product with that much stock. It takes bids without a card on file."""
    product_id, now = ids.new_id(), datetime.now(UTC)

    def shelve() -> None:
        inventory.create_product(
            product_id=product_id, sku=product_id[:12], title="Bench piece", description="", condition="NEW",
            owner_id="house", actor="bench", now=now,
        )  # fmt: skip
        place = stock.Warehouse.objects.order_by("priority").values_list("code", flat=True)[0]
        inventory.receive_stock(
            key=product_id, product_id=product_id, warehouse=place, quantity=quantity, actor="bench", now=now
        )

    await asyncio.to_thread(shelve)
    token = tokens.sign(sub=ids.new_id(), roles=["operator"], created_at=0, now=time.time(), seconds=300)
    start = instants.now()
    body = {
        "product_id": product_id, "format": auction_format, "currency": "EUR", "start_price": start_price, "card_required": False,
        "quantity": quantity, "starts_at": start, "ends_at": start + 3_600_000,
    }  # fmt: skip
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as http:
        auction_id = str((await http.post("/api/v1/auctions", json=body)).raise_for_status().json()["id"])
        for _ in range(OPEN_POLLS):
            if (await http.get(f"/api/v1/auctions/{auction_id}")).json()["status"] == "OPEN":
                break
            await asyncio.sleep(0.1)
    return auction_id


async def bid(
    http: httpx.AsyncClient, auction_id: str, bidder: Buyer, body: dict[str, object]
) -> dict[str, object] | None:
    """The answer to a bid that counts; None when it was refused (an overloaded machine may answer 503)."""
    headers = {"Authorization": bidder.authorization, "Idempotency-Key": secrets.token_hex(8)}
    answer = await http.post(f"/api/v1/auctions/{auction_id}/bids", json=body, headers=headers)
    return dict(answer.json()) if answer.status_code == 201 else None


async def buy(http: httpx.AsyncClient, auction_id: str, buyer: Buyer) -> tuple[str, float] | None:
    """Buy one unit: the id of the sale, and when the answer came (seconds since 1970 UTC)."""
    answer = await bid(http, auction_id, buyer, {"quantity": 1})
    return (str(answer["sale_id"]), time.time()) if answer else None


def wait_for_ends(bought: list[tuple[str, float]]) -> list[float]:
    """Seconds from each answer to the end of its saga. Raises TimeoutError after WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    sale_ids = [sale_id for sale_id, _ in bought]
    while time.monotonic() < deadline:
        ended = dict(
            sagas.Saga.objects.filter(pk__in=sale_ids, finished_at__isnull=False).values_list(
                "pk", "finished_at"
            )
        )
        if len(ended) == len(sale_ids):
            return [ended[sale_id].timestamp() - answered for sale_id, answered in bought]
        time.sleep(0.2)
    raise TimeoutError(f"{len(sale_ids) - len(ended)} sales have not ended")


def _last_end() -> float:
    return float(
        sagas.Saga.objects.filter(finished_at__isnull=False).latest("finished_at").finished_at.timestamp()
    )
