"""`manage.py verify` tells the truth: it holds on sound stores, and each invariant that crosses apps is named when it is
broken in the raw data. (Each app's own invariants are broken in the tests of its `checks.py`.)

Raw data is broken in the running stack's stores and put back after each look; nothing else happens there meanwhile.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pymongo
import pytest
import redis
from django.conf import settings

from auction_project import contracts
from auction_project.contracts import events, names
from auction_project.messaging import broker as brokers
from tests import house as houses
from tests.house import House

DECLINES = "4000000000000002"

pytestmark = pytest.mark.faults


class Sales(msgspec.Struct, frozen=True):
    """One sale that ended well and one that was undone, of one listing that is over."""

    auction_id: str
    product_id: str
    done: str
    undone: str

    @property
    def words(self) -> dict[str, str]:
        """What a statement may name in braces."""
        return {
            "auction": self.auction_id,
            "product": self.product_id,
            "done": self.done,
            "undone": self.undone,
            "order": names.order_number(self.done),
            "undone_order": names.order_number(self.undone),
        }


@pytest.fixture(scope="module")
def sales(house: House) -> Sales:
    buyer, decliner = house.new_accounts(1)[0], house.new_account("bidder", card=DECLINES)
    product_id = house.new_product(stock=2)
    auction_id = house.new_auction(product_id, format="buy_now", quantity=2)
    undone = decliner.buy(auction_id).json()["sale_id"]
    house.wait_until(lambda: house.auction(auction_id)["undecided_sales"] == 0, "the first sale to be undone")
    done = buyer.buy(auction_id).json()["sale_id"]
    house.wait_until(lambda: house.auction(auction_id)["sold"] == 1, "the second sale to end well")
    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test begins."})
    house.assert_verified()
    return Sales(auction_id, product_id, done, undone)


def violations(house: House, directory: Path, *arguments: str) -> dict[str, list[str]]:
    """What the command finds, by invariant; it must exit with 1 exactly when it finds something."""
    found = house.verify("--json", str(directory / "report.json"), *arguments)
    assert found.returncode in (0, 1), found.stdout + found.stderr
    report = json.loads((directory / "report.json").read_text())
    broken = {f["invariant"]: f["violations"] for f in report["findings"] if f["violations"]}
    assert found.returncode == (1 if broken else 0)
    assert all(f"{invariant:<4} VIOLATED {len(texts)}" in found.stdout for invariant, texts in broken.items())
    return broken


@contextlib.contextmanager
def broken_rows(alias: str, statements: list[str], undo: list[str]) -> Iterator[None]:
    """Do what no service and no constraint lets anybody do, and put it back."""
    _execute(alias, statements)
    try:
        yield
    finally:
        _execute(alias, undo)


def _execute(alias: str, statements: list[str]) -> None:
    tables = ("orders_payment", "orders_orderfact", "inventory_move", "inventory_reservation", "sagas_saga")
    with houses.connect(alias) as connection, connection.transaction():
        mine = [table for table in tables if table.startswith(alias)]
        for table in mine:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in mine:
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())


# By name: the invariant, the database, what breaks it, what puts it back, and a part of what is then said.
BREAKS: dict[str, tuple[str, str, list[str], list[str], str]] = {
    "a completed sale whose money went back": (
        "S1",
        "orders",
        ["UPDATE orders_payment SET state = 'REFUNDED' WHERE order_number = '{order}'"],
        ["UPDATE orders_payment SET state = 'CAPTURED' WHERE order_number = '{order}'"],
        "completed, but its payment is REFUNDED",
    ),
    "a completed sale whose order is not confirmed": (
        "S1",
        "orders",
        ["UPDATE orders_orderfact SET kind = 'CANCELLED' WHERE order_id = '{order}' AND kind = 'CONFIRMED'"],
        ["UPDATE orders_orderfact SET kind = 'CONFIRMED' WHERE order_id = '{order}' AND kind = 'CANCELLED'"],
        "completed, but its order's facts are ['CANCELLED', 'PLACED']",
    ),
    "a completed sale whose stock was given back": (
        "S1",
        "inventory",
        ["UPDATE inventory_reservation SET state = 'RELEASED' WHERE holder = '{done}'"],
        ["UPDATE inventory_reservation SET state = 'COMMITTED' WHERE holder = '{done}'"],
        "completed, but its stock is RELEASED",
    ),
    "an undone sale that keeps its stock": (
        "S1",
        "inventory",
        ["UPDATE inventory_reservation SET state = 'HELD' WHERE holder = '{undone}'"],
        ["UPDATE inventory_reservation SET state = 'RELEASED' WHERE holder = '{undone}'"],
        "undone, but its stock is HELD",
    ),
    "a saga about another price than its sale": (
        "S1",
        "sagas",
        ["UPDATE sagas_saga SET price = price + 1 WHERE sale_id = '{done}'"],
        ["UPDATE sagas_saga SET price = price - 1 WHERE sale_id = '{done}'"],
        "its saga is about",
    ),
    "an effect that happened twice": (
        "S3",
        "inventory",
        [
            "INSERT INTO inventory_move (product_id, kind, quantity, source, source_warehouse_id, destination,"
            " destination_warehouse_id, version, reference, reason, actor, at) SELECT product_id, kind, quantity, source,"
            " source_warehouse_id, destination, destination_warehouse_id, version, reference, 'twice', actor, at"
            " FROM inventory_move WHERE reference = 'sale:{done}' AND kind = 'COMMIT'"
        ],
        ["DELETE FROM inventory_move WHERE reference = 'sale:{done}' AND reason = 'twice'"],
        "COMMIT: 2 times",
    ),
    "a sale that lost its saga": (
        "S6",
        "sagas",
        [
            "UPDATE sagas_saga SET sale_id = 'lost' WHERE sale_id = '{done}'",
            "UPDATE sagas_sagastep SET saga_id = 'lost' WHERE saga_id = '{done}'",
        ],
        [
            "UPDATE sagas_saga SET sale_id = '{done}' WHERE sale_id = 'lost'",
            "UPDATE sagas_sagastep SET saga_id = '{done}' WHERE saga_id = 'lost'",
        ],
        "sale {done} has no saga",
    ),
    "an end that nobody was told": (
        "E1",
        "sagas",
        ["UPDATE sagas_outbox SET type = 'Gone' WHERE key = '{done}' AND type = 'SaleSettled'"],
        ["UPDATE sagas_outbox SET type = 'SaleSettled' WHERE key = '{done}' AND type = 'Gone'"],
        "{done} changed without SaleSettled",
    ),
    "stock that moved in silence": (
        "E1",
        "inventory",
        ["UPDATE inventory_outbox SET type = 'Gone' WHERE key = '{product}' AND type = 'StockChanged'"],
        ["UPDATE inventory_outbox SET type = 'StockChanged' WHERE key = '{product}' AND type = 'Gone'"],
        "stock of {product} moved without StockChanged",
    ),
    "an event that was begun and not finished": (
        "E3",
        "orders",
        [
            "INSERT INTO orders_once (key, state, outcome, created_at) VALUES ('event:half', 'STARTED', '{{}}', now())"
        ],
        ["DELETE FROM orders_once WHERE key = 'event:half'"],
        "orders: event:half is STARTED",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_invariant_is_named(house: House, sales: Sales, name: str, tmp_path: Path) -> None:
    invariant, alias, statements, undo, text = BREAKS[name]
    words = sales.words
    arguments = ("--settled",) if invariant == "S6" else ()

    with broken_rows(alias, [s.format(**words) for s in statements], [s.format(**words) for s in undo]):
        found = violations(house, tmp_path, *arguments)

    assert any(text.format(**words) in violation for violation in found[invariant])


def test_a_lot_that_sold_more_than_it_had_is_named(house: House, sales: Sales, tmp_path: Path) -> None:
    with _bids(house) as bids:
        first = bids.find_one({"_id": f"{sales.auction_id}:000000000001"})
        assert first is not None
        smaller = {**first, "facts": {**first["facts"], "terms": {**first["facts"]["terms"], "quantity": 0}}}
        bids.replace_one({"_id": first["_id"]}, smaller)
        try:
            found = violations(house, tmp_path)
        finally:
            bids.replace_one({"_id": first["_id"]}, first)

    assert any(f"auction {sales.auction_id}: 1 sold" in violation for violation in found["I4"])
    assert any("1 units in confirmed orders of 0 listed" in violation for violation in found["I4"])


@contextlib.contextmanager
def _bids(house: House) -> Iterator[Any]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(settings.MONGODB_URL)
    try:
        yield client[house.stack.environment["MONGODB_DATABASE"]]["bids"]
    finally:
        client.close()


def test_events_of_one_key_out_of_order_are_named(house: House, sales: Sales, tmp_path: Path) -> None:
    early = events.AuctionOpened(auction_id=sales.auction_id, seq=2, at=0, hash="0" * 64, ends_at=0)
    with _appended(house, early, event_id=f"{sales.auction_id}:2:Late", source="bidding", version=2):
        found = violations(house, tmp_path)

    assert found == {
        "E2": [f"auction.log: {sales.auction_id}:2:Late of {sales.auction_id} came after a later one"]
    }


@contextlib.contextmanager
def _appended(
    house: House, event: events.Event, *, event_id: str, source: str, version: int
) -> Iterator[None]:
    """An event that no source made, until the look is over."""
    if settings.KAFKA_BOOTSTRAP_SERVERS:
        pytest.skip("what Kafka holds cannot be taken out again")
    body = contracts.encode(
        event,
        event_id=event_id,
        source=source,
        time=datetime.now(UTC),
        version=version,
        correlation_id="0" * 32,
    )
    transport = brokers.from_settings()
    transport.append([brokers.Message(event.TOPIC, event.key(), body)])
    (record,) = [record for record in transport.read(event.TOPIC) if record.value == body]
    transport.close()
    try:
        yield
    finally:
        prefix = f"{settings.EVENTS_NAMESPACE}:events" if settings.EVENTS_NAMESPACE else "events"
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            assert client.xdel(f"{prefix}:{record.topic}:{record.partition}", record.position) == 1


def test_a_group_that_stands_still_is_named(house: House, sales: Sales) -> None:
    house.stack["consume"].kill()
    late = events.AuctionOpened(auction_id=sales.auction_id, seq=10**6, at=0, hash="0" * 64, ends_at=0)
    with _appended(house, late, event_id=f"{sales.auction_id}:1000000:X", source="test", version=0):
        found = house.shell(
            "from auction_project import invariants; import json;"
            "report = invariants.verify(settle_seconds=0.0, answers=None);"
            "print(json.dumps({f.invariant: f.violations for f in report.findings if f.violations}))"
        )
    house.stack["consume"].start()
    house.stack.wait_ready()

    assert json.loads(found) == {"E4": ["group auction-frames has 1 messages before it"]}


def test_on_a_live_system_an_unfinished_sale_is_set_aside_and_counted(house: House, tmp_path: Path) -> None:
    buyer = house.new_accounts(1)[0]
    auction_id = house.new_auction(house.new_product(stock=1), format="buy_now")
    house.stack["worker"].kill()
    sale_id = buyer.buy(auction_id).json()["sale_id"]
    saga = "SELECT status FROM sagas_saga WHERE sale_id = %s"
    house.wait_until(lambda: house.value("sagas", saga, sale_id) == "RUNNING", "the saga to begin")

    found = house.verify("--json", str(tmp_path / "report.json"))

    assert found.returncode == 0, found.stdout
    assert json.loads((tmp_path / "report.json").read_text())["set_aside"] == 1
    assert "set aside as unfinished: 1 sales" in found.stdout
    house.stack["worker"].start()
    house.stack.wait_ready()
    house.wait_until(lambda: house.auction(auction_id)["sold"] == 1, "the sale to end well")


def test_a_store_that_is_away_is_no_verdict(house: House) -> None:
    found = subprocess.run(
        [sys.executable, "manage.py", "verify"],
        cwd=houses.ROOT,
        env={**house.stack.environment, "MONGODB_URL": "mongodb://127.0.0.1:1"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert found.returncode == 2
    assert "a store is away" in found.stderr
