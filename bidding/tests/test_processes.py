"""Two real web processes on one store: sixteen bidders on one hot auction, and a storm in the last second of a lot.
Afterwards every invariant of the bid log is checked against what the bidders were told.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import msgspec
import pytest
from django.conf import settings as django_settings

from bidding import checks, rules, runtime
from bidding.tests import web
from bidding.tests.test_bid_endpoint import open_auction

ROOT = Path(__file__).resolve().parents[2]
BIDDERS = [f"{i:032x}" for i in range(1, 17)]
READY_SECONDS = 60.0
RETRIES = 40


@pytest.fixture
def processes(bid_log, database_name, tmp_path):
    """The URLs of two web processes."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(a_web_process(database_name, tmp_path / f"web-{i}.log")) for i in range(2)]


@contextlib.contextmanager
def a_web_process(database_name, output):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "MONGODB_DATABASE": database_name,
        "MONGODB_URL": django_settings.MONGODB_URL,
        "REDIS_URL": django_settings.REDIS_URL,
        "JWT_PRIVATE_KEY": django_settings.JWT_PRIVATE_KEY,
        "DJANGO_SETTINGS_MODULE": "auction_project.settings.test",
    }
    command = [sys.executable, "manage.py", "web", "--port", str(port)]
    with output.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=written, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(f"{url}/livez"):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield url
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()


pytestmark = pytest.mark.faults


def _answers(url):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=2).status_code == 200
    return False


class Crowd:
    """Bidders that keep every answer; a 503 is asked again under the same key."""

    def __init__(self, urls, auction_id, path):
        self._urls, self._auction_id, self._path = urls, auction_id, path
        self._headers = {bidder: web.bearer(bidder) for bidder in BIDDERS}
        self._lines = []

    async def bid(self, client, bidder, amount, key, *, url=None):
        body = {"amount": f"{amount / 100:.2f}", "currency": "EUR"}
        sent = int(time.time() * 1000)
        for attempt in range(RETRIES):
            target = url or self._urls[(hash(key) + attempt) % 2]
            response = await client.post(
                f"{target}/api/v1/auctions/{self._auction_id}/bids",
                json=body,
                headers={**self._headers[bidder], "Idempotency-Key": key},
            )
            if response.status_code != 503:
                break
            await asyncio.sleep(0.1)
        answered = int(time.time() * 1000)
        self._lines.append(
            {
                "auction_id": self._auction_id,
                "actor": bidder,
                "key": key,
                "at_sent": sent,
                "at_answered": answered,
                "body": body,
                "status": response.status_code,
                "answer": response.json(),
            }
        )
        return response

    def statuses(self):
        return {
            status: sum(line["status"] == status for line in self._lines)
            for status in {x["status"] for x in self._lines}
        }

    def codes(self):
        return {line["answer"].get("code", "accepted") for line in self._lines}

    def findings(self):
        self._path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in self._lines))
        return {finding.invariant: finding for finding in checks.check(self._path)}


def a_client():
    return httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=600))


def assert_all_hold(findings):
    assert {name: found.violations for name, found in findings.items() if found.violations} == {}


def test_two_processes_sixteen_bidders_one_hot_auction(processes, tmp_path):
    auction = open_auction("7" * 32)
    crowd = Crowd(processes, auction, tmp_path / "answers.jsonl")

    async def bidder(client, number):
        rng = random.Random(number)
        price = 10_00
        for i in range(25):
            response = await crowd.bid(
                client, BIDDERS[number], price + rng.randrange(-500, 6000), f"{number}-{i}"
            )
            price = (
                int(float(response.json().get("price", response.json().get("minimum", "10"))) * 100) or price
            )
            if rng.random() < 0.1:  # a careless client: the same key again, at the other process
                await crowd.bid(client, BIDDERS[number], price, f"{number}-{i}")

    async def all_bid():
        async with a_client() as client:
            await asyncio.gather(*(bidder(client, number) for number in range(16)))

    asyncio.run(all_bid())

    findings = crowd.findings()
    assert_all_hold(findings)
    assert set(crowd.statuses()) <= {201, 409, 422}
    assert findings["B1"].checked > 50
    assert findings["B4"].checked > findings["B1"].checked
    entries = runtime.call(runtime.current().store.read_from(auction, 0, 10_000))
    assert rules.verify_chain(entries) is None
    assert rules.fold(auction, entries) == runtime.look(auction)


def test_500_bids_in_the_last_second_of_a_lot(processes, tmp_path):
    """No soft close: what arrived before the end and was decided in time stands, the rest is refused, none is lost."""
    seconds = 3.0
    auction = open_auction("8" * 32, lasts_ms=int(seconds * 1000), soft_close=rules.SoftClose(window_ms=0))
    ends_at = runtime.look(auction).ends_at
    crowd = Crowd(processes, auction, tmp_path / "answers.jsonl")

    async def all_bid():
        async with a_client() as client:
            await asyncio.gather(*(client.get(f"{url}/livez") for url in processes for _ in range(20)))
            await asyncio.sleep(max(0.0, ends_at / 1000 - 1.0 - time.time()))
            await asyncio.gather(
                *(
                    later(i / 500, crowd.bid(client, BIDDERS[i % 16], 20_00 + i * 50_00, f"{i}"))
                    for i in range(500)
                )
            )

    async def later(pause, placing):
        await asyncio.sleep(pause)
        return await placing

    asyncio.run(all_bid())
    while (state := runtime.look(auction)).status is rules.Status.OPEN:
        time.sleep(0.05)

    findings = crowd.findings()
    assert_all_hold(findings)
    assert sum(crowd.statuses().values()) == 500
    assert set(crowd.statuses()) <= {201, 409}
    assert crowd.codes() <= {"accepted", "bid_too_low", "auction_closed"}
    assert findings["B1"].checked > 10
    assert (state.status, len(state.open_sales)) == ("CLOSED", 1)
    entries = runtime.call(runtime.current().store.read_from(auction, 0, 10_000))
    assert [entry.kind for entry in entries].count("closed") == 1
    best = max((e for e in entries if e.kind == "bid"), key=lambda e: (e.hidden.maximum, -e.seq))
    assert entries[-1].hidden.buyer == best.actor


def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(bid_log, database_name, tmp_path):
    auction = open_auction("9" * 32)
    with a_web_process(database_name, tmp_path / "survivor.log") as survivor:
        crowd = Crowd([survivor, survivor], auction, tmp_path / "answers.jsonl")

        async def until_it_dies(url, process_id):
            async with a_client() as client:
                placing = [press(client, url, number) for number in range(8)]
                killer = asyncio.get_running_loop().call_later(1.0, os.kill, process_id, signal.SIGKILL)
                await asyncio.gather(*placing)
                killer.cancel()
                await asyncio.gather(
                    *(
                        crowd.bid(client, BIDDERS[n], 9_000_000_00 + n * 1_000_00, f"after-{n}")
                        for n in range(3)
                    )
                )

        async def press(client, url, number):
            for i in range(200):
                try:
                    await crowd.bid(
                        client, BIDDERS[number], 20_00 + (i * 8 + number) * 210_00, f"{number}-{i}", url=url
                    )
                except httpx.HTTPError:
                    await crowd.bid(
                        client, BIDDERS[number], 20_00 + (i * 8 + number) * 210_00, f"{number}-{i}"
                    )
                    return

        with (
            contextlib.suppress(AssertionError),
            a_web_process(database_name, tmp_path / "victim.log") as victim,
        ):
            asyncio.run(until_it_dies(victim, _listener_of(victim)))
        findings = crowd.findings()

    assert_all_hold(findings)
    assert findings["B1"].checked > 10


def _listener_of(url):
    """The id of our child that listens at `url`."""
    port = url.rpartition(":")[2]
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return int(next(line.split()[0] for line in found.splitlines() if f"manage.py web --port {port}" in line))
