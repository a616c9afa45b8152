"""Lists of open lots at LOTS lots, and what 40 clients that list cost the bids beside them.

The lots are put into the catalogue directly, and a web process alone is measured. Each list differs in page, size and order,
every fourth has a filter or a word, and each client has an address of its own.
"""

import asyncio
import itertools
import random
import time

import msgspec

from auction_project.kernel import ids, instants
from auction_project.tools.load import crowd, http
from benchmarks import bids, processes
from bidding import runtime
from bidding.catalogue import index
from bidding.store import auctions

LOTS = (5_000, 20_000)
LISTS = 200
CLIENTS = 40
BIDS_PER_SECOND, BID_CONNECTIONS, SECONDS, ROUNDS = 100, 16, 6.0, 3
_WORDS = (
    "brass",
    "silver",
    "rare",
    "old",
    "carved",
    "signed",
    "sextant",
    "clock",
    "vase",
    "lamp",
    "map",
    "globe",
)
_ORDERS = ("ends_at", "-ends_at", "starts_at", "-starts_at", "price", "-price", "-bids")
_SEED = 33


class Listed(msgspec.Struct, frozen=True):
    """Lists of one client: milliseconds, and CPU of the web process for each."""

    p50_ms: float
    p99_ms: float
    cpu_ms: float


class Beside(msgspec.Struct, frozen=True):
    """Bids at a steady rate: milliseconds over all rounds, how many were not accepted, and lists per second beside them."""

    p50_ms: float
    p99_ms: float
    failed: int
    lists_per_second: float


def put_lots(count: int) -> None:
    """The catalogue with `count` open lots and nothing else."""
    chance, now = random.Random(_SEED), instants.now()
    lots = [
        index.lot_of(
            auctions.AuctionDocument(
                id=ids.new_id(),
                product_id=ids.new_id(),
                requested_by="bench",
                seller_id=f"seller-{number % 200}",
                format=("english", "buy_now")[number % 2],
                currency="EUR",
                starts_at=now - number,
                ends_at=now + chance.randrange(3_600_000),
                created_at=now,
                due_at=None,
                status="OPEN",
                title=f"{' '.join(chance.sample(_WORDS, 3))}, No. {number}".capitalize(),
                thumbnail="/media/lot.png",
                start_price=10_00,
                ask=10_00 + chance.randrange(1_000_00),
                bids=chance.randrange(30),
                quantity_left=1,
                mark=3,
            )
        )
        for number in range(count)
    ]

    async def put() -> None:
        catalogue = runtime.current().catalogue
        await catalogue.empty()
        await catalogue.begin_epoch("bench", server="bench")
        await catalogue.put(lots)
        await catalogue.mark("bench", "complete")

    runtime.call(put(), seconds=None)


class _Lister:
    """One client: each of its lists is another one."""

    def __init__(self, url: str, number: int) -> None:
        self._host, self._port = http.loopback_address(url)
        self._head = f"Host: localhost\r\nX-Forwarded-For: 10.0.{number}.1\r\n\r\n"
        self._chance = random.Random(number)
        self.milliseconds: list[float] = []
        self.refused = 0

    async def run(self, *, count: int | None = None, until: float = float("inf")) -> None:
        link = await http.connect(self._host, self._port)
        for number in itertools.count() if count is None else range(count):
            if time.monotonic() >= until:
                break
            began = time.monotonic()
            status, _ = await link.send(self._request(number))
            if status == 200:
                self.milliseconds.append(1000 * (time.monotonic() - began))
            else:
                self.refused += 1
        link.close()

    def _request(self, number: int) -> bytes:
        chance = self._chance
        query = f"status=OPEN&page={chance.randint(1, 40)}&page_size={chance.randint(10, 60)}"
        query += f"&order={chance.choice(_ORDERS)}"
        if number % 4 == 3:
            query += chance.choice(("&format=english", f"&q={chance.choice(_WORDS)}", "&seller=seller-7"))
        return f"GET /api/v1/auctions?{query} HTTP/1.1\r\n{self._head}".encode()


def _list_alone(server: processes.Server) -> Listed:
    asyncio.run(_Lister(server.url, 0).run(count=LISTS // 4))
    lister, cpu = _Lister(server.url, 0), server.cpu_seconds()
    asyncio.run(lister.run(count=LISTS))
    waits = sorted(lister.milliseconds)
    assert len(waits) == LISTS, f"{lister.refused} lists were refused"
    return Listed(
        p50_ms=waits[LISTS // 2],
        p99_ms=waits[int(LISTS * 0.99)],
        cpu_ms=1000 * (server.cpu_seconds() - cpu) / LISTS,
    )


async def _bid(
    server: processes.Server, targets: list[crowd.Target], bidders: list[crowd.Bidder], listers: list[_Lister]
) -> crowd.Tally:
    until = time.monotonic() + SECONDS
    listing = [asyncio.create_task(lister.run(until=until)) for lister in listers]
    load = crowd.Crowd(server.url, targets, bidders, connections=BID_CONNECTIONS)
    tally = await load.run(seconds=SECONDS, rate=BIDS_PER_SECOND)
    await asyncio.gather(*listing)
    return tally


def _bids_beside(server: processes.Server) -> dict[str, Beside]:
    """Round after round without and with CLIENTS that list, so that a slow moment of the machine meets both."""
    targets, bidders = bids.open_auctions(100), crowd.make_bidders(500, now=time.time())
    waits: dict[int, list[float]] = {0: [], CLIENTS: []}
    failed, lists = dict.fromkeys(waits, 0), dict.fromkeys(waits, 0)
    for number in range(ROUNDS):
        for clients in waits:
            start = (2 * number + bool(clients)) * 10**8
            risen = [crowd.Target(each.auction_id, each.currency, each.start + start) for each in targets]
            listers = [_Lister(server.url, client) for client in range(clients)]
            tally = asyncio.run(_bid(server, risen, bidders, listers))
            waits[clients] += tally.latencies
            failed[clients] += sum(tally.outcomes.values()) - tally.accepted
            lists[clients] += sum(len(lister.milliseconds) for lister in listers)
    return {
        f"bids beside {clients} list clients": Beside(
            p50_ms=1000 * sorted(each)[len(each) // 2],
            p99_ms=1000 * sorted(each)[int(len(each) * 0.99)],
            failed=failed[clients],
            lists_per_second=lists[clients] / (ROUNDS * SECONDS),
        )
        for clients, each in waits.items()
    }


def run() -> tuple[dict[int, Listed], dict[str, Beside]]:
    """The lists by the number of lots, and the bids beside none and CLIENTS list clients."""
    with processes.serving(
        "manage.py", "web", path="/livez", environment={"TRUSTED_PROXY_COUNT": "1"}
    ) as server:
        listed = {}
        for count in LOTS:
            put_lots(count)
            listed[count] = _list_alone(server)
        beside = _bids_beside(server)
    runtime.call(runtime.current().catalogue.empty())
    return listed, beside
