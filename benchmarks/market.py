"""Buyers, lots and purchases for all scenarios: rows through the services, lots and bids over HTTP."""

import asyncio
import contextlib
import itertools
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from auction_project.kernel import ids, instants, tokens
from auction_project.kernel.contracts import events
from auction_project.tools.load import crowd, http
from inventory import models as stock
from inventory import services as inventory
from notifications import services as notifications
from orders import services as orders
from sagas import models as sagas

ACCEPTS = "4242424242424242"  # a test number of the simulated provider
WAIT_SECONDS = 180.0
POLL_SECONDS = 0.05
RETRY_SECONDS = 0.1
REQUESTS_AT_ONCE = 8  # of users, which the web process works on; it answers 503 to those that wait too long
TOKEN_SECONDS = 7200
LOT_SECONDS = 7200
UNITS_OF_PRODUCT, LOTS_OF_PRODUCT = 9000, 100


class Buyer(msgspec.Struct, frozen=True):
    """A user of the API; `authorization` is the header's line."""

    user_id: str
    authorization: str


class Sale(msgspec.Struct, frozen=True):
    """A purchase that counts; `answered` in seconds since 1970 UTC."""

    sale_id: str
    answered: float


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
            barred=False,
            now=now,
            created_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
        notifications.follow_account(
            account=events.AccountChanged(
                user_id=user_id, email=f"{user_id}@example.org", email_verified=True, created_at=0, roles=("bidder",),
                closed=False, version=1,
            )
        )  # fmt: skip
        buyers.append(Buyer(user_id, _authorization(user_id, "bidder")))
    return buyers


def _authorization(user_id: str, role: str) -> str:
    token = tokens.sign(sub=user_id, roles=[role], created_at=0, now=time.time(), seconds=TOKEN_SECONDS)
    return f"Authorization: Bearer {token}\r\n"


def shelve(count: int, *, units: int = UNITS_OF_PRODUCT) -> list[str]:
    """The ids of new products, each with so many units."""
    now, product_ids = datetime.now(UTC), [ids.new_id() for _ in range(count)]
    place = stock.Warehouse.objects.order_by("priority").values_list("code", flat=True)[0]
    for product_id in product_ids:
        inventory.create_product(
            product_id=product_id, sku=product_id[:12], title="Bench piece", description="", condition="NEW",
            owner_id="house", actor="bench", now=now,
        )  # fmt: skip
        inventory.receive_stock(
            key=product_id, product_id=product_id, warehouse=place, quantity=units, actor="bench", now=now
        )
    return product_ids


class Links:
    """Keep-alive connections to one address. A request waits for one that is free."""

    def __init__(self, url: str) -> None:
        self._host, self._port = http.loopback_address(url)
        self._free: asyncio.LifoQueue[http.Connection] = asyncio.LifoQueue()

    async def open(self, count: int) -> None:
        for _ in range(count):
            self._free.put_nowait(await http.connect(self._host, self._port))

    def close(self) -> None:
        while not self._free.empty():
            self._free.get_nowait().close()

    async def post(self, path: str, headers: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return await self._send(http.post(path, self._host, headers, msgspec.json.encode(body)))

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body. Status 0: the connection was lost before the answer."""
        return await self._send(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    async def _send(self, request: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body. Status 0: the connection was lost before the answer."""
        link = await self._free.get()
        try:
            if not link.is_open:
                link = await http.connect(self._host, self._port)
            status, body = await link.send(request)
        except OSError:
            return 0, {}
        except BaseException:  # it was given up: the next request must not get its answer
            link.close()
            raise
        finally:
            self._free.put_nowait(link)
        return status, msgspec.json.decode(body) if body else {}


@contextlib.asynccontextmanager
async def links(url: str, count: int = 64) -> AsyncIterator[Links]:
    """`count` connections for the time of the block."""
    opened = Links(url)
    await opened.open(count)
    try:
        yield opened
    finally:
        opened.close()


async def request_lot(to: Links, product_id: str, *, seconds: float = LOT_SECONDS, **terms: Any) -> str:
    """Ask for a lot of the product, by an operator. Raises RuntimeError when it is refused."""
    now = instants.now()
    body = {
        "product_id": product_id, "format": "english", "currency": "EUR", "start_price": "10.00", "card_required": False,
        "starts_at": now, "ends_at": now + int(seconds * 1000), **terms,
    }  # fmt: skip
    headers = f"{_authorization(ids.new_id(), 'operator')}Idempotency-Key: {secrets.token_hex(8)}\r\n"
    status, answer = await answered(lambda: to.post("/api/v1/auctions", headers, body))
    if status != 201:
        raise RuntimeError(f"a lot was refused with {status}: {answer}")
    return str(answer["id"])


async def wait_until_open(to: Links, auction_ids: Sequence[str]) -> None:
    """Wait until each of these auctions is open. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_SECONDS
    for auction_id in auction_ids:
        while (await to.get(f"/api/v1/auctions/{auction_id}"))[1].get("status") != "OPEN":
            if time.monotonic() > deadline:
                raise TimeoutError("a lot does not open")
            await asyncio.sleep(POLL_SECONDS)


async def request_lots(
    to: Links, product_ids: Sequence[str], terms: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Ask for a lot with each of the terms, of these products in turn, REQUESTS_AT_ONCE at a time."""
    turns = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def request(product_id: str, each: Mapping[str, Any]) -> str:
        async with turns:
            return await request_lot(to, product_id, **each)

    return await asyncio.gather(*map(request, itertools.cycle(product_ids), terms))


def shelve_for(lots: int) -> list[str]:
    """Products for so many lots, at most LOTS_OF_PRODUCT of each."""
    return shelve(math.ceil(lots / LOTS_OF_PRODUCT))


async def open_lots(to: Links, count: int, **terms: Any) -> list[str]:
    """Open auctions. They take bids without a card on file."""
    product_ids = await asyncio.to_thread(shelve_for, count)
    auction_ids = await request_lots(to, product_ids, [terms] * count)
    await wait_until_open(to, auction_ids)
    return auction_ids


async def open_listing(to: Links, quantity: int = UNITS_OF_PRODUCT) -> str:
    """A listing at a fixed price, of a new product, which has no other lot."""
    return (await open_lots(to, 1, format="buy_now", quantity=quantity))[0]


async def open_targets(url: str, count: int) -> list[crowd.Target]:
    """Auctions for a crowd, without a soft close."""
    async with links(url, REQUESTS_AT_ONCE) as to:
        auction_ids = await open_lots(to, count, soft_close={"window_ms": 0})
    return [crowd.Target(auction_id, "EUR", 10_00) for auction_id in auction_ids]


def raised(targets: Sequence[crowd.Target], by: int) -> list[crowd.Target]:
    """The same targets, whose bids begin `by` minor units higher."""
    return [crowd.Target(each.auction_id, each.currency, each.start + by) for each in targets]


async def bid(
    to: Links, auction_id: str, bidder: Buyer, body: Mapping[str, Any], *, key: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and answer of one bid."""
    headers = f"{bidder.authorization}Idempotency-Key: {key or secrets.token_hex(8)}\r\n"
    return await to.post(f"/api/v1/auctions/{auction_id}/bids", headers, body)


async def buy(to: Links, auction_id: str, buyer: Buyer) -> Sale | None:
    """Buy one unit; None when it is refused."""
    key = secrets.token_hex(8)
    status, answer = await answered(lambda: bid(to, auction_id, buyer, {"quantity": 1}, key=key))
    return Sale(str(answer["sale_id"]), time.time()) if status == 201 else None


async def answered(send: Callable[[], Awaitable[tuple[int, dict[str, Any]]]]) -> tuple[int, dict[str, Any]]:
    """Send again what gets no answer or 503, as a careful client does. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            status, answer = await send()
            if status not in (0, 503):
                return status, answer
            await asyncio.sleep(RETRY_SECONDS)


async def buy_steadily(
    to: Links, auction_id: str, buyers: Sequence[Buyer], *, count: int, rate: float
) -> list[Sale]:
    """So many purchases at a steady rate a second, whether or not earlier ones are answered; those that count."""
    began, tasks = time.monotonic(), []
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(buy(to, auction_id, buyers[number % len(buyers)])))
    return [sale for sale in await asyncio.gather(*tasks) if sale]


async def wait_until(holds: Callable[[], Awaitable[bool]], *, seconds: float = WAIT_SECONDS) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(POLL_SECONDS)


def wait_for_ends(sales: Sequence[Sale]) -> list[float]:
    """Seconds from each answer to the end of its saga. Raises TimeoutError after WAIT_SECONDS."""
    deadline, ended = time.monotonic() + WAIT_SECONDS, dict[str, datetime]()
    while time.monotonic() < deadline:
        ended |= ends_of([sale.sale_id for sale in sales if sale.sale_id not in ended])
        if len(ended) == len(sales):
            return [ended[sale.sale_id].timestamp() - sale.answered for sale in sales]
        time.sleep(0.2)
    raise TimeoutError(f"{len(sales) - len(ended)} sales have not ended")


def ends_of(sale_ids: Sequence[str]) -> dict[str, datetime]:
    """When the sagas of these sales ended, of those that have."""
    rows = sagas.Saga.objects.filter(pk__in=sale_ids, finished_at__isnull=False)
    return dict(rows.order_by("pk").values_list("pk", "finished_at"))
