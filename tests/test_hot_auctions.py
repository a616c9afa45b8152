"""Many at once, on two web processes: a hot auction, the last unit of a product, the last second of a lot."""

import asyncio
import hashlib
import json
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auction_project.tools.load import http
from tests import house as houses
from tests.house import House, Person

BIDDERS, BIDDING_SECONDS = 16, 4
BUYERS = 50
LATE_BIDS, LATE_CONNECTIONS, LATE_SECONDS = 500, 50, 1.0
_canonical = msgspec.json.Encoder(order="sorted")


@pytest.fixture(scope="module")
def webs(house: House) -> Iterator[list[str]]:
    """The addresses of two processes that take bids. A gateway would give all bids of an auction to one of them."""
    house.stack.scale("bids", 2)
    yield [f"http://127.0.0.1:{house.stack[name].port}" for name in house.stack.copies("bids")]
    house.stack.scale("bids", 1)


def chain_of(house: House, auction_id: str) -> list[dict[str, Any]]:
    """The whole public log, checked as any reader can: no gap, each entry follows its predecessor, each hash is right."""
    entries: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        path = f"/api/v1/auctions/{auction_id}/history"
        page = house.http.get(path, params={"after": after, "limit": 500}).json()
        entries += page["entries"]
        after = page["next"]
    previous = "0" * 64
    for seq, entry in enumerate(entries, start=1):
        assert (entry["seq"], entry["prev"]) == (seq, previous)
        public = {name: value for name, value in entry.items() if name != "hash"}
        assert hashlib.sha256(_canonical.encode(public)).hexdigest() == entry["hash"]
        previous = entry["hash"]
    return entries


def bids_of(entries: list[dict[str, Any]]) -> dict[int, str]:
    """The hashes of the accepted bids by seq. A leader's change of the maximum counts as a bid."""
    kinds = ("bid", "maximum_changed")
    return {entry["seq"]: entry["hash"] for entry in entries if entry["facts"]["kind"] in kinds}


@pytest.mark.everywhere
def test_sixteen_bidders_on_two_web_processes_share_one_log(
    house: House, webs: list[str], tmp_path: Path
) -> None:
    auction_id = house.new_auction(house.new_product(stock=1), card_required=False)
    files = [tmp_path / f"answers-{number}.jsonl" for number in range(BIDDERS)]
    bidders = [
        _start_bidder(house, webs[number % 2], auction_id, 1000 + 1300 * number, file)
        for number, file in enumerate(files)
    ]
    assert [bidder.wait(120) for bidder in bidders] == [0] * BIDDERS

    entries = chain_of(house, auction_id)
    answers = [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
    accepted = [a["answer"] for mine in answers for a in mine if a["status"] == 201]
    assert {answer["seq"]: answer["hash"] for answer in accepted} == bids_of(entries)
    assert len(accepted) == len(bids_of(entries))
    assert {a["status"] for mine in answers for a in mine} <= {201, 409}
    for web in (0, 1):
        assert any(a["status"] == 201 for mine in answers[web::2] for a in mine)

    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test is over."})
    together = tmp_path / "answers.jsonl"
    together.write_text("".join(file.read_text() for file in files))
    house.assert_verified("--answers", str(together))


def _start_bidder(
    house: House, url: str, auction_id: str, start: int, answers: Path
) -> "subprocess.Popen[bytes]":
    arguments = [url, auction_id, str(start), str(BIDDING_SECONDS), str(answers)]
    command = [sys.executable, "-m", "tests.hot_bidder", *arguments]
    return subprocess.Popen(command, cwd=houses.ROOT, env=house.stack.environment)


def test_the_last_unit_of_a_product_goes_to_exactly_one_of_fifty_buyers(
    house: House, webs: list[str]
) -> None:
    buyers = house.new_accounts(BUYERS)
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, format="buy_now", quantity=BUYERS)
    answers: list[int] = []
    ready = threading.Barrier(BUYERS)

    def buy(buyer: Person) -> None:
        ready.wait()
        answers.append(buyer.buy(auction_id).status_code)

    threads = [threading.Thread(target=buy, args=(buyer,)) for buyer in buyers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(answers) <= {201, 409}
    sales = "SELECT status, count(*) FROM sagas_saga WHERE auction_id = %s GROUP BY status"
    house.wait_until(
        lambda: (
            sum(count for _, count in house.rows("sagas", sales, auction_id)) == answers.count(201)
            and not {"RUNNING", "COMPENSATING"}
            & {status for status, _ in house.rows("sagas", sales, auction_id)}
        ),
        "all sagas to end",
        seconds=120,
    )
    ends = dict(house.rows("sagas", sales, auction_id))
    undone = answers.count(201) - 1  # none, unless a purchase came before the event of the stock
    assert ends == {"COMPLETED": 1} | ({"COMPENSATED": undone} if undone else {})
    money = "SELECT count(*) FROM orders_payment WHERE auction_id = %s AND state = 'CAPTURED'"
    assert house.value("orders", money, auction_id) == 1
    house.wait_until(lambda: house.auction(auction_id)["undecided_sales"] == 0, "the log to record all ends")
    auction = house.auction(auction_id)
    # Sold out unit by unit, or cancelled when the stock was gone.
    assert (auction["ended"], auction["sold"]) == (True, 1)
    product = house.operator.get(f"/api/v1/products/{product_id}").json()
    assert (product["available"], product["reserved"], product["committed"]) == (0, 0, 1)


def test_a_lot_with_500_bids_in_its_last_second_closes_once(house: House, webs: list[str]) -> None:
    bidders = house.new_accounts(10)
    product_id = house.new_product(stock=1)
    auction_id = house.new_auction(product_id, seconds=10, relistings_left=0, start_price="20000.00")
    bidders[0].bid(auction_id, "20000.00")
    ends_at = house.auction(auction_id)["ends_at"]

    answers = asyncio.run(_bid_late(webs, bidders, auction_id, ends_at))
    house.wait_until(lambda: house.auction(auction_id)["ended"], "the lot to be sold")

    entries = chain_of(house, auction_id)
    kinds = Counter(entry["facts"]["kind"] for entry in entries)
    accepted = {answer["seq"]: answer["hash"] for status, answer in answers if status == 201}
    assert (kinds["closed"], kinds["settled"]) == (1, 1)
    closed = next(entry["seq"] for entry in entries if entry["facts"]["kind"] == "closed")
    bids = bids_of(entries)
    assert len(answers) == LATE_BIDS
    assert accepted.items() <= bids.items()
    assert len(bids) == len(accepted) + 1
    assert max(bids) < closed
    refused = {(answer["code"], answer.get("because")) for status, answer in answers if status != 201}
    too_late = {("bid_too_low", None), ("auction_closed", None), ("confirmation_required", "lowers_maximum")}
    # When a leader's lower bid comes after the higher one, it would lower the maximum.
    assert refused <= too_late
    last = next(entry["facts"] for entry in entries if entry["seq"] == max(bids))
    assert house.auction(auction_id)["leader"] == last["leader"]


async def _bid_late(
    webs: list[str], bidders: list[Person], auction_id: str, ends_at: int
) -> list[tuple[int, dict[str, Any]]]:
    """LATE_BIDS bids with rising amounts, spread over the last second and both processes; status and body of each."""
    answers: list[tuple[int, dict[str, Any]]] = []

    async def bid_some(connection: int) -> None:
        link = await http.connect(*http.loopback_address(webs[connection % 2]))
        headers = bidders[connection % len(bidders)].headers["Authorization"]
        for number in range(connection, LATE_BIDS, LATE_CONNECTIONS):
            due = ends_at / 1000 - LATE_SECONDS + LATE_SECONDS * number / LATE_BIDS
            await asyncio.sleep(max(0.0, due - time.time()))
            body = {"amount": f"{20_110 + 110 * number}.00", "currency": "EUR"}  # none is unusually high
            request = http.post(
                f"/api/v1/auctions/{auction_id}/bids",
                "127.0.0.1",
                f"Authorization: {headers}\r\nIdempotency-Key: {uuid.uuid4().hex}\r\n",
                json.dumps(body).encode(),
            )
            status, answer = await link.send(request)
            answers.append((status, json.loads(answer)))
        link.close()

    await asyncio.gather(*(bid_some(connection) for connection in range(LATE_CONNECTIONS)))
    return answers
