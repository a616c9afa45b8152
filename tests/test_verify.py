"""`manage.py verify` reports no violation on sound stores, and names each invariant across apps that the raw data breaks. (The
tests of each app's `invariants.py` break the app's own.)

The tests break raw data in the running stack's stores and restore it after each report. Nothing else happens there
meanwhile.
"""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pymongo
import pytest
import redis
from django.conf import settings

from auction_project.kernel import contracts, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import transport as transports
from auction_project.verification import words
from tests import house as houses
from tests.house import House

DECLINES = "4000000000000002"
DEAD_LETTER = (
    'INSERT INTO messaging_deadletter (digest, status, topic, key, "group", event_type, event_id, partition, position,'
    " error, attempts, times, first_at, last_at, value, whole_bytes) VALUES ('dead', '{status}', '{topic}', '{key}',"
    " 'sagas', '', '{event_id}', 0, '1', 'boom', 5, 1, now(), now(), '', 0)"
)
FORGET_DEAD_LETTER = [
    "DELETE FROM messaging_replay WHERE by = 'test'",
    "DELETE FROM messaging_deadletter WHERE digest = 'dead'",
]


class Sales(msgspec.Struct, frozen=True):
    """One completed sale and one that was undone, of one cancelled listing."""

    auction_id: str
    product_id: str
    done: str
    undone: str

    @property
    def names(self) -> dict[str, str]:
        """The names that a statement may use in braces."""
        return {
            "auction": self.auction_id,
            "product": self.product_id,
            "done": self.done,
            "undone": self.undone,
            "order": ids.order_number(self.done),
            "undone_order": ids.order_number(self.undone),
        }


@pytest.fixture(scope="module")
def sales(house: House) -> Sales:
    buyer, decliner = house.new_accounts(1)[0], house.new_account("bidder", card=DECLINES)
    product_id = house.new_product(stock=2)
    auction_id = house.new_auction(product_id, format="buy_now", quantity=2)
    undone = decliner.buy(auction_id).json()["sale_id"]
    house.wait_until(lambda: house.auction(auction_id)["undecided_sales"] == 0, "the first sale to be undone")
    done = buyer.buy(auction_id).json()["sale_id"]
    house.wait_until(lambda: house.auction(auction_id)["sold"] == 1, "the second sale to complete")
    house.operator.post(f"/api/v1/auctions/{auction_id}/cancel", {"reason": "The test begins."})
    house.assert_verified()
    return Sales(auction_id, product_id, done, undone)


def violations(house: House, *, settle_seconds: float | None = None) -> dict[str, list[str]]:
    """By invariant. With `settle_seconds`, unfinished sales are not set aside."""
    return dict(house.call("violations", settle_seconds=settle_seconds))


@contextlib.contextmanager
def broken_rows(alias: str, statements: list[str], undo: list[str]) -> Iterator[None]:
    """Change rows as no service and no constraint permits, and restore them at the end of the block."""
    _execute(alias, statements)
    try:
        yield
    finally:
        _execute(alias, undo)


def _execute(alias: str, statements: list[str]) -> None:
    tables = ("orders_payment", "orders_orderfact", "inventory_move", "inventory_reservation", "sagas_saga")
    with houses.connect(alias) as connection, connection.transaction():
        own = [table for table in tables if table.startswith(alias)]
        for table in own:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in own:
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())


# By name: the invariant, the database, what breaks it, what restores it, and a part of the violation.
BREAKS: dict[str, tuple[str, str, list[str], list[str], str]] = {
    "a completed sale whose payment was declined": (
        "S1",
        "orders",
        ["UPDATE orders_payment SET state = 'DECLINED' WHERE order_number = '{order}'"],
        ["UPDATE orders_payment SET state = 'CAPTURED' WHERE order_number = '{order}'"],
        "completed, but its payment is DECLINED",
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
    "an end without its event": (
        "E1",
        "sagas",
        ["UPDATE sagas_outbox SET type = 'Gone' WHERE key = '{done}' AND type = 'SaleSettled'"],
        ["UPDATE sagas_outbox SET type = 'SaleSettled' WHERE key = '{done}' AND type = 'Gone'"],
        "{done} changed without SaleSettled",
    ),
    "a move of stock without its event": (
        "E1",
        "inventory",
        [
            "UPDATE inventory_outbox SET type = 'Gone' WHERE id = (SELECT max(id) FROM inventory_outbox"
            " WHERE key = '{product}' AND type = 'StockChanged')"
        ],
        ["UPDATE inventory_outbox SET type = 'StockChanged' WHERE key = '{product}' AND type = 'Gone'"],
        "stock of {product} moved to version",
    ),
    "a winner without a notification": (
        "N1",
        "notifications",
        [
            "UPDATE notifications_notification SET kind = 'LOST' WHERE kind = 'WON' AND data->>'sale_id' = '{done}'"
        ],
        [
            "UPDATE notifications_notification SET kind = 'WON' WHERE kind = 'LOST' AND data->>'sale_id' = '{done}'"
        ],
        "has no notice of having won sale {done}",
    ),
    "an event that was started and never finished": (
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
def test_a_broken_invariant_is_named(house: House, sales: Sales, name: str) -> None:
    invariant, alias, statements, undo, text = BREAKS[name]
    names = sales.names

    with broken_rows(alias, [s.format(**names) for s in statements], [s.format(**names) for s in undo]):
        broken = violations(house, settle_seconds=0.0 if invariant in ("S6", "N1") else None)

    assert any(text.format(**names) in violation for violation in broken[invariant])


def test_a_sale_that_died_before_its_saga_is_parked_and_not_lost(house: House, sales: Sales) -> None:
    _, alias, statements, undo, _ = BREAKS["a sale that lost its saga"]
    dead_letter = DEAD_LETTER.format(status="WAITING", topic="sale-confirmed", key=sales.done, event_id="e")
    names = sales.names
    with (
        broken_rows(alias, [s.format(**names) for s in statements], [s.format(**names) for s in undo]),
        broken_rows("default", [dead_letter], FORGET_DEAD_LETTER),
    ):
        broken = violations(house, settle_seconds=0.0)

    assert "S6" not in broken
    assert "saga lost has no sale" in broken["S1"]


def test_a_lot_that_sold_more_than_it_had_is_named(house: House, sales: Sales) -> None:
    with _bids(house) as bids:
        first = bids.find_one({"_id": f"{sales.auction_id}:000000000001"})
        assert first is not None
        smaller = {**first, "facts": {**first["facts"], "terms": {**first["facts"]["terms"], "quantity": 0}}}
        bids.replace_one({"_id": first["_id"]}, smaller)
        try:
            broken = violations(house)
        finally:
            bids.replace_one({"_id": first["_id"]}, first)

    assert any(f"auction {sales.auction_id}: 1 sold" in violation for violation in broken["I4"])
    assert any("1 units in confirmed orders of 0 listed" in violation for violation in broken["I4"])


@contextlib.contextmanager
def _bids(house: House) -> Iterator[Any]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(settings.MONGODB_URL)
    try:
        yield client[house.stack.environment["MONGODB_DATABASE"]]["bids"]
    finally:
        client.close()


def test_events_of_one_key_out_of_order_are_named(house: House, sales: Sales) -> None:
    opened = events.AuctionOpened(auction_id=sales.auction_id, seq=2, at=0, hash="0" * 64, ends_at=0)
    late = opened_late(opened, 9), opened_late(opened, 8)
    with _appended(house, *late):
        broken = violations(house)

    assert broken == {
        "E2": [f"auction.log: {sales.auction_id}:8:Late of {sales.auction_id} came after a later one"]
    }


def test_an_event_that_an_operator_replayed_may_come_late(house: House, sales: Sales) -> None:
    opened = events.AuctionOpened(auction_id=sales.auction_id, seq=2, at=0, hash="0" * 64, ends_at=0)
    dead_letter = DEAD_LETTER.format(
        status="REPLAYED", topic="auction.log", key=sales.auction_id, event_id=f"{sales.auction_id}:8:Late"
    )
    replay = (
        "INSERT INTO messaging_replay (dead_letter_id, by, reason, at, sent_at) SELECT id, 'test', 'mended', now(), now()"
        " FROM messaging_deadletter WHERE digest = 'dead'"
    )
    with (
        broken_rows("default", [dead_letter, replay], FORGET_DEAD_LETTER),
        _appended(house, opened_late(opened, 9), opened_late(opened, 8)),
    ):
        broken = violations(house)

    assert broken == {}


def opened_late(event: events.Event, version: int) -> brokers.Message:
    """A message with a version that no source sent."""
    body = contracts.encode(
        event,
        event_id=f"{event.key()}:{version}:Late",
        source="bidding",
        time=datetime.now(UTC),
        version=version,
        correlation_id="0" * 32,
    )
    return brokers.Message(event.TOPIC, event.key(), body)


@contextlib.contextmanager
def _dead(house: House, role: str) -> Iterator[None]:
    """`role` is dead until the end of the block."""
    house.stack[role].kill()
    try:
        yield
    finally:
        house.stack[role].start()
        house.stack.wait_ready()


@contextlib.contextmanager
def _appended(house: House, *messages: brokers.Message) -> Iterator[None]:
    """Messages of one topic in the transport until the end of the block. The relay, which would trim them, is dead meanwhile."""
    with _dead(house, "relay"):
        transport = transports.from_settings()
        transport.append(messages)
        bodies = {message.value for message in messages}
        records = [record for record in transport.read(messages[0].topic) if record.value in bodies]
        transport.close()
        assert len(records) == len(messages)
        try:
            yield
        finally:
            prefix = f"{settings.EVENTS_NAMESPACE}:events" if settings.EVENTS_NAMESPACE else "events"
            with redis.Redis.from_url(settings.REDIS_URL) as client:
                for record in records:
                    assert client.xdel(f"{prefix}:{record.topic}:{record.partition}", record.position) == 1


def test_a_settled_system_is_judged_by_every_invariant(house: House, sales: Sales, tmp_path: Path) -> None:
    file = tmp_path / "report.json"

    house.assert_verified("--json", str(file))

    assert {
        finding["invariant"] for finding in json.loads(file.read_text())["findings"]
    } == words.WORDS.keys()


def test_a_notice_that_contradicts_its_sale_is_named(house: House, sales: Sales) -> None:
    change = "UPDATE notifications_notification SET kind = '{}' WHERE kind = '{}' AND data->>'sale_id' = '{}'"
    broke = change.format("ORDER_CANCELLED", "ORDER_CONFIRMED", sales.done)
    undo = change.format("ORDER_CONFIRMED", "ORDER_CANCELLED", sales.done)

    with broken_rows("notifications", [broke], [undo]):
        broken = violations(house, settle_seconds=30.0)

    (violation,) = broken["N4"]
    assert violation.endswith(f"is not true of {sales.done}")


@pytest.mark.parametrize(
    ("invariant", "spoil"),
    [
        ("D1", "UPDATE orders_deskhour SET amount = amount + 1 WHERE measure = 'ORDER'"),
        ("D2", "UPDATE orders_desklot SET quantity = quantity + 1"),
        ("D2", "UPDATE orders_deskproduct SET on_hand = on_hand + 1"),
        ("D2", "UPDATE orders_desksale SET reason = 'operator' WHERE failed_at IS NOT NULL"),
    ],
    ids=["a sum", "lots", "stock", "undone sales"],
)
def test_a_desk_that_is_wrong_is_named_and_rebuilt(
    house: House, sales: Sales, invariant: str, spoil: str
) -> None:
    _execute("orders", [spoil])

    broken = violations(house, settle_seconds=30.0)
    rebuilt = house.manage("rebuild_desk")

    assert set(broken) == {invariant}
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "the desk is filled: " in rebuilt.stdout
    house.assert_verified()


def test_a_stalled_group_is_named(house: House, sales: Sales) -> None:
    late = events.AuctionOpened(auction_id=sales.auction_id, seq=10**6, at=0, hash="0" * 64, ends_at=0)
    with _dead(house, "consume"), _appended(house, opened_late(late, late.seq)):
        broken = violations(house, settle_seconds=0.0)

    assert broken == {"E4": ["group auction-frames has 1 messages before it"]}


def test_the_command_names_the_broken_invariant_and_exits_with_1(
    house: House, sales: Sales, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    _, alias, statements, undo, text = BREAKS["a completed sale whose stock was given back"]

    with broken_rows(
        alias, [s.format(**sales.names) for s in statements], [s.format(**sales.names) for s in undo]
    ):
        completed = house.manage("verify", "--json", str(file))

    broken = {f["invariant"]: f["violations"] for f in json.loads(file.read_text())["findings"]}
    assert completed.returncode == 1
    assert any(text in violation for violation in broken["S1"])
    assert f"S1   VIOLATED {len(broken['S1'])}" in completed.stdout


def test_on_a_live_system_an_unfinished_sale_is_set_aside_and_counted(house: House, tmp_path: Path) -> None:
    buyer = house.new_accounts(1)[0]
    auction_id = house.new_auction(house.new_product(stock=1), format="buy_now")
    with _dead(house, "worker"):
        sale_id = buyer.buy(auction_id).json()["sale_id"]
        saga = "SELECT status FROM sagas_saga WHERE sale_id = %s"
        house.wait_until(lambda: house.value("sagas", saga, sale_id) == "RUNNING", "the saga to begin")

        completed = house.manage("verify", "--json", str(tmp_path / "report.json"))
        behind = house.call("behind", settle_seconds=0.0)

    assert completed.returncode == 0, completed.stdout
    assert "sales are under way" in behind
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["set_aside"] == 1
    assert {f["invariant"] for f in report["findings"]} == set(words.WORDS)
    in_quiet = [f["checked"] for f in report["findings"] if f["invariant"] in ("E4", "N4")]
    assert in_quiet == [0, 0]
    assert "set aside as unfinished: 1 sales, 0 of them wait for an operator" in completed.stdout
    house.wait_until(lambda: house.auction(auction_id)["sold"] == 1, "the sale to complete")


def test_without_a_store_there_is_no_verdict(house: House) -> None:
    completed = house.manage("verify", MONGODB_URL="mongodb://127.0.0.1:1")

    assert completed.returncode == 2
    assert "a store is unavailable" in completed.stderr
