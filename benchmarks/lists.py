"""Lists and searches of open lots at LOTS lots, and what 40 clients that list cost the bids beside them.

The lots are put into the catalogue directly, and a web process alone is measured. Each list differs in page, size and order,
every fourth has a filter or a word, and each client has an address of its own. Each word is in a quarter of the titles. Searches
come one after the other with SEARCH_PAUSE_SECONDS between them, because those of one process take turns with pauses.
"""

import asyncio
import itertools
import random
import time
from urllib import parse

import msgspec

from auction_project.kernel import ids, instants
from auction_project.tools.load import crowd, http
from benchmarks import figures, market, processes
from benchmarks.figures import Figure
from bidding import runtime
from bidding.catalogue import index
from bidding.store import auctions

LOTS = (5_000, 20_000)
LISTS = SEARCHES = 200
SEARCH_PAUSE_SECONDS = 0.05
AUCTIONS = 100
CLIENTS = 40
BIDS_PER_SECOND, BID_CONNECTIONS, SECONDS = 100, 16, 10.0
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
    cpu_ms: float


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

    async def run(
        self, *, count: int | None = None, until: float = float("inf"), pause_seconds: float = 0.0
    ) -> None:
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
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
        link.close()

    def _request(self, number: int) -> bytes:
        chance = self._chance
        query = f"status=OPEN&page={chance.randint(1, 40)}&page_size={chance.randint(10, 60)}"
        query += f"&order={chance.choice(_ORDERS)}"
        if number % 4 == 3:
            query += chance.choice(("&format=english", f"&q={chance.choice(_WORDS)}", "&seller=seller-7"))
        return self._get(f"?{query}")

    def _get(self, rest: str) -> bytes:
        return f"GET /api/v1/auctions{rest} HTTP/1.1\r\n{self._head}".encode()


class _Searcher(_Lister):
    """Each kind of search in turn: words, a beginning, a phrase, and a word with filters."""

    def _request(self, number: int) -> bytes:
        one, other = self._chance.sample(_WORDS, 2)
        query = (
            {"q": f"{one} {other}"},
            {"q": one[: self._chance.randint(2, 3)]},
            {"q": f'"{one} {other}"', "order": "relevance"},
            {"q": one, "format": "english", "currency": "EUR", "min_price": "20.00", "order": "price"},
        )[number % 4]
        return self._get("?" + parse.urlencode({"status": "OPEN", **query}))


class _Typist(_Lister):
    """Suggestions for what is typed: a beginning, also after a word."""

    def _request(self, number: int) -> bytes:
        one, other = self._chance.sample(_WORDS, 2)
        return self._get(
            "/suggestions?" + parse.urlencode({"q": (one[:2], f"{one} {other[:2]}")[number % 2]})
        )


def _search_alone(client: _Lister) -> list[float]:
    """Milliseconds of each search; the first ones warm up."""
    asyncio.run(client.run(count=SEARCHES, pause_seconds=SEARCH_PAUSE_SECONDS))
    assert len(client.milliseconds) == SEARCHES, f"{client.refused} searches were refused"
    return client.milliseconds[SEARCHES // 20 :]


def _list_alone(server: processes.Server) -> Listed:
    asyncio.run(_Lister(server.url, 0).run(count=LISTS // 4))
    lister, cpu = _Lister(server.url, 0), server.cpu_seconds()
    asyncio.run(lister.run(count=LISTS))
    assert len(lister.milliseconds) == LISTS, f"{lister.refused} lists were refused"
    return Listed(
        p50_ms=figures.percentile(lister.milliseconds, 50),
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


def _bids_beside(server: processes.Server, targets: list[crowd.Target]) -> list[Figure]:
    """The same bids without and with CLIENTS that list."""
    bidders, p99, failed, lists = crowd.make_bidders(500, now=time.time()), {}, {}, {}
    for clients in (0, CLIENTS):
        risen = market.raised(targets, clients * 10**7)
        listers = [_Lister(server.url, client) for client in range(clients)]
        tally = asyncio.run(_bid(server, risen, bidders, listers))
        p99[clients] = 1000 * figures.percentile(tally.latencies, 99)
        failed[clients] = float(sum(tally.outcomes.values()) - tally.accepted)
        lists[clients] = sum(len(lister.milliseconds) for lister in listers) / SECONDS
    return [
        Figure(
            name=f"bids beside {CLIENTS} clients that list, p99",
            value=p99[CLIENTS],
            unit="ms",
            beside="without",
            reference=p99[0],
            goal=figures.at_most_of_reference(1.2),
        ),
        Figure(
            name=f"bids beside {CLIENTS} clients that list, not accepted",
            value=failed[CLIENTS],
            beside="without",
            reference=failed[0],
            goal=figures.at_most(0),
        ),
        Figure(name=f"lists/s of {CLIENTS} clients beside bids", value=lists[CLIENTS]),
    ]


def run() -> list[Figure]:
    with processes.whole(environment={"TRUSTED_PROXY_COUNT": "1"}) as house:
        targets = asyncio.run(market.open_targets(house.url, AUCTIONS))
        with house.only("web"):
            listed = {}
            for count in LOTS:
                put_lots(count)
                listed[count] = _list_alone(house.web)
            searches = _search_alone(_Searcher(house.web.url, 0))
            suggestions = _search_alone(_Typist(house.web.url, 1))
            beside = _bids_beside(house.web, targets)
            runtime.call(runtime.current().catalogue.empty())
        few = listed[LOTS[0]]
        measured = []
        for count, figure in listed.items():
            reference = few if count != LOTS[0] else None
            measured += _figures(f"a list of {count:,} open lots", figure, reference)
        list_ms = listed[LOTS[-1]].p50_ms
        measured += _search_figures(f"a search of {LOTS[-1]:,} open lots", searches, list_ms)
        measured += _search_figures(
            f"suggestions for a search of {LOTS[-1]:,} open lots", suggestions, list_ms
        )
        return house.verified(measured + beside)


def _figures(name: str, listed: Listed, few: Listed | None) -> list[Figure]:
    beside = f"of {LOTS[0]:,}" if few else ""
    return [
        Figure(
            name=f"{name}, p50",
            value=listed.p50_ms,
            unit="ms",
            beside=beside,
            reference=few.p50_ms if few else None,
            goal=figures.at_most(20),
        ),
        Figure(
            name=f"{name}, CPU of the web process",
            value=listed.cpu_ms,
            unit="ms",
            beside=beside,
            reference=few.cpu_ms if few else None,
        ),
    ]


def _search_figures(name: str, times: list[float], list_ms: float) -> list[Figure]:
    return [
        Figure(
            name=f"{name}, p{percent}",
            value=figures.percentile(times, percent),
            unit="ms",
            beside="a list, p50",
            reference=list_ms,
            goal=figures.at_most(50) if percent == 99 else None,
        )
        for percent in (50, 99)
    ]
