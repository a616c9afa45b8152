"""Steady traffic in a process of its own: bids on many lots, purchases, and sockets that watch the lots.

`python -m tests.traffic` reads one JSON line, the Plan; writes "running" once its sockets watch; and ends at the end of its
input, with the Report on its output. Its clients are careful: a request that gets no answer, or 503, is sent again under
its key after Retry-After; a socket that closes is opened again, and asks for what follows the last entry it has.
"""

import asyncio
import functools
import itertools
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import websockets

from auction_project.kernel import money
from auction_project.tools.load import answers as records
from auction_project.tools.load import crowd, http

if TYPE_CHECKING:
    from tests.house import House

REPORT = os.environ.get("GAVEL_RELIABILITY", "")  # the file that `make chaos` writes; "" in `make test`
ROOT = Path(__file__).resolve().parents[1]
UNITS, BUYERS = 5_000, 20
SETTLE_SECONDS = 240.0  # two cores may take that long for what they did not settle under load
WORKERS = 64  # requests of one kind in flight
RETRY_SECONDS = 0.1  # after no answer
CONNECTING_AT_ONCE = 25
CONNECT_SECONDS = 60.0
CATCH_UP_SECONDS = 30.0


class Plan(msgspec.Struct, frozen=True):
    """What to do. Bidders and buyers are ids of users; lots begin at `start_price` (minor units of EUR)."""

    url: str
    answers: str  # a file, as `manage.py load` writes it
    lots: list[str]
    bidders: list[str]
    bids_per_second: float
    listing: str
    buyers: list[str]
    sales_per_second: float
    sockets: int
    start_price: int = 1_000_00


def plan(
    house: "House", answers: Path, *, lots: int, bids_per_second: float, sales_per_second: float, sockets: int
) -> Plan:
    """A plan with lots that need no card, and a listing that accounts with cards buy from."""
    product_id = house.new_product(stock=lots)
    return Plan(
        url=house.url,
        answers=str(answers),
        lots=[
            house.new_auction(product_id, start_price="1000.00", card_required=False, seconds=3600)
            for _ in range(lots)
        ],
        bidders=[
            house.stranger().user_id for _ in range(2 * lots - 1)
        ],  # odd, so that the bidders of a lot change
        bids_per_second=bids_per_second,
        listing=house.new_auction(
            house.new_product(stock=UNITS), format="buy_now", quantity=UNITS, seconds=3600, start_price="5.00"
        ),
        buyers=[buyer.user_id for buyer in house.new_accounts(BUYERS)],
        sales_per_second=sales_per_second,
        sockets=sockets,
    )


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """One request: when it was sent (monotonic, seconds), how long it took, and the answer. Status 0: no answer.

    `number` is that of the attempt under its key; `retry_after` is in seconds, -1 without the header.
    """

    kind: str
    sent: float
    seconds: float
    status: int
    retry_after: float
    number: int


class Report(msgspec.Struct, frozen=True):
    """`reconnects`: when a socket had closed (monotonic). `gaps`: entries that a socket did not get in order. `behind`:
    sockets that lacked an entry of their lot in the end. `sales`: by id of the sale, when it was acknowledged (Unix time).
    """

    attempts: list[Attempt]
    reconnects: list[float]
    gaps: int
    behind: int
    sales: dict[str, float]

    def of(self, kind: str, *, since: float = 0.0, until: float = float("inf")) -> list[Attempt]:
        """The attempts of a kind that ended in that time."""
        return [
            each for each in self.attempts if each.kind == kind and since <= each.sent + each.seconds < until
        ]


class Traffic:
    """The process, as a test starts and stops it. It ends with the block, also of a test that fails."""

    def __init__(self, plan: Plan, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.traffic"],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(plan) + b"\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"running\n"

    def __enter__(self) -> "Traffic":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> Report:
        """Let what is under way end, and return what happened."""
        output, _ = self._process.communicate()
        assert self._process.returncode == 0
        return msgspec.json.decode(output, type=Report)


def assert_settled(house: "House", report: Report) -> None:
    """Each sale that was acknowledged ends as one confirmed order."""
    settled = "SELECT count(*) FROM sagas_saga WHERE sale_id = ANY(%s) AND status = 'COMPLETED'"
    sale_ids = list(report.sales)
    house.wait_until(
        lambda: house.value("sagas", settled, sale_ids) == len(sale_ids),
        "all sales to settle",
        seconds=SETTLE_SECONDS,
    )


class _Client:
    """Requests of one kind at a steady rate, over connections that are kept."""

    def __init__(self, plan: Plan, answers: BinaryIO, attempts: list[Attempt], kind: str) -> None:
        self._plan = plan
        self._address = http.loopback_address(plan.url)
        self._answers = answers
        self._attempts = attempts
        self._kind = kind

    async def run(
        self, requests: Iterator[tuple[str, str, dict[str, Any]]], rate: float, stop: asyncio.Event
    ) -> None:
        """Send the requests (user, auction, body), `rate` a second, until `stop`. A request that is late is sent at once."""
        began, numbers = time.monotonic(), itertools.count()

        async def worker() -> None:
            link: http.Connection | None = None
            for number in numbers:
                pause = began + number / rate - time.monotonic()
                if pause > 0:
                    await asyncio.wait([stopped], timeout=pause)
                if stop.is_set():
                    break
                link = await self._send(link, *next(requests))
            if link is not None:
                link.close()

        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.gather(*(worker() for _ in range(WORKERS)))

    async def _send(
        self, link: http.Connection | None, user: str, auction_id: str, body: dict[str, Any]
    ) -> http.Connection | None:
        """Send a request until it has an answer; the connection to use next."""
        key, sent = uuid.uuid4().hex, time.time()
        for number in itertools.count(1):
            began = time.monotonic()
            status, retry_after, answer = 0, -1.0, b""
            try:
                if link is None or not link.is_open:
                    link = await http.connect(*self._address)
                status, answer = await link.send(self._request(user, auction_id, key, body))
                retry_after = link.retry_after
            except OSError:
                link = None
            self._attempts.append(
                Attempt(self._kind, began, time.monotonic() - began, status, retry_after, number)
            )
            if status not in (0, 503):
                self._note(user, auction_id, key, body, sent, status, answer)
                return link
            await asyncio.sleep(max(RETRY_SECONDS, retry_after))
        raise AssertionError

    def _request(self, user: str, auction_id: str, key: str, body: dict[str, Any]) -> bytes:
        return http.post(
            f"/api/v1/auctions/{auction_id}/bids",
            self._address[0],
            f"{_authorization(user)}Idempotency-Key: {key}\r\n",
            msgspec.json.encode(body),
        )

    def _note(
        self,
        user: str,
        auction_id: str,
        key: str,
        body: dict[str, Any],
        sent: float,
        status: int,
        answer: bytes,
    ) -> None:
        decoded = msgspec.json.decode(answer)
        line = records.line(
            auction_id=auction_id,
            actor=user,
            key=key,
            body=body,
            sent=sent,
            answered=time.time(),
            status=status,
            answer=decoded,
        )
        self._answers.write(line)
        self.noted(status, decoded)

    def noted(self, status: int, answer: Any) -> None:
        """Look at an answer."""


class _Bids(_Client):
    """Each lot's bidders outbid one another."""

    def requests(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for number in itertools.count():
            lot, round_ = number % len(self._plan.lots), number // len(self._plan.lots)
            amount = money.format(self._plan.start_price + crowd.RISE * round_, "EUR")
            bidder = self._plan.bidders[number % len(self._plan.bidders)]
            yield bidder, self._plan.lots[lot], {"amount": amount, "currency": "EUR"}


class _Sales(_Client):
    """Purchases of one unit each."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sales: dict[str, float] = {}

    def requests(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for buyer in itertools.cycle(self._plan.buyers):
            yield buyer, self._plan.listing, {"quantity": 1}

    def noted(self, status: int, answer: Any) -> None:
        if status == 201:
            self.sales[answer["sale_id"]] = time.time()


class _Sockets:
    """Sockets that watch the lots, each one lot."""

    def __init__(self, plan: Plan) -> None:
        self._lots = [plan.lots[number % len(plan.lots)] for number in range(plan.sockets)]
        self._url = plan.url.replace("http", "ws", 1) + "/ws/v1/stream"
        self._last = [0] * plan.sockets
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self.reconnects: list[float] = []
        self.gaps = 0

    async def run(self) -> None:
        self._tasks = [asyncio.ensure_future(self._watch(number)) for number in range(len(self._lots))]
        if not await _holds(lambda: all(self._last), CONNECT_SECONDS):
            raise TimeoutError("a socket got no entry of its lot")

    async def stop(self) -> int:
        """Wait until all sockets of a lot have the same last entry; how many lack it in the end."""
        closed = list(self.reconnects)
        await _holds(lambda: not self._behind(), CATCH_UP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.reconnects = closed
        return self._behind()

    def _behind(self) -> int:
        newest: dict[str, int] = {}
        for lot, last in zip(self._lots, self._last, strict=True):
            newest[lot] = max(newest.get(lot, 0), last)
        return sum(last < newest[lot] for lot, last in zip(self._lots, self._last, strict=True))

    async def _watch(self, number: int) -> None:
        while True:
            try:
                await self._connection(number)
            except (OSError, TimeoutError, websockets.exceptions.WebSocketException):
                await asyncio.sleep(RETRY_SECONDS)

    async def _connection(self, number: int) -> None:
        async with self._connecting:
            socket = await websockets.connect(self._url, open_timeout=10, compression=None)
        async with socket:
            watch = {"type": "watch", "auction_id": self._lots[number], "after": self._last[number]}
            await socket.send(json.dumps(watch))
            try:
                async for text in socket:
                    frame = json.loads(text)
                    if frame["type"] == "auction":
                        self.gaps += frame["seq"] != self._last[number] + 1
                        self._last[number] = frame["seq"]
            finally:
                self.reconnects.append(time.monotonic())


async def _holds(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition, for so long at most; whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - frames come too often for an event each
        await asyncio.sleep(0.05)
    return condition()


@functools.cache
def _authorization(user: str) -> str:
    return crowd.authorization(user, now=time.time())


async def _run(plan: Plan, answers: BinaryIO) -> Report:
    attempts: list[Attempt] = []
    stop = asyncio.Event()
    sockets = _Sockets(plan)
    await sockets.run()
    bids, sales = _Bids(plan, answers, attempts, "bid"), _Sales(plan, answers, attempts, "sale")
    clients = [
        asyncio.ensure_future(bids.run(bids.requests(), plan.bids_per_second, stop)),
        asyncio.ensure_future(sales.run(sales.requests(), plan.sales_per_second, stop)),
    ]
    print("running", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    stop.set()
    await asyncio.gather(*clients)
    behind = await sockets.stop()
    return Report(attempts, sockets.reconnects, sockets.gaps, behind, sales.sales)


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    with Path(plan.answers).open("wb") as answers:
        report = asyncio.run(_run(plan, answers))
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
