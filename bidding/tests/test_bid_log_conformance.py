"""What the bid log needs of a MongoDB protocol server, checked on the one that MONGODB_URL names. The default run
checks the embedded server; `make services-test` the other one."""

import asyncio
import statistics
import time

import msgspec
import pymongo
import pymongo.errors
import pytest
from django.conf import settings

from auction_project.kernel import errors
from bidding import rules
from bidding.rules import kinds
from bidding.store import bid_log, client, mongo
from bidding.tests import cutting_proxy, lots
from bidding.tests.lots import ANN, BEN, T0
from bidding.tests.stored import a_document, bids_on
from bidding.writer import committer
from bidding.writer.clocks import Clocks

pytestmark = pytest.mark.everywhere


# --- append ------------------------------------------------------------------------------------------------------------


async def test_what_was_appended_is_read_again_exactly(log_store):
    english, listing = bids_on("english", 3), lots.listing()
    listing.bid(ANN, quantity=2)
    listing.settle("lot-4")

    entries = [*english.entries, *listing.entries]
    assert await log_store.bids.append(entries, batch="w:1") == bid_log.Appended(len(entries), conflict=False)

    assert await log_store.bids.read_from("english", 0, 100) == english.entries
    assert await log_store.bids.read_from("lot", 0, 100) == listing.entries


async def test_a_bulk_stops_at_the_first_entry_whose_seq_is_taken_and_the_prefix_is_stored(log_store):
    x, y = bids_on("x", 4), bids_on("y", 4)
    await log_store.bids.append([x.entries[2]], batch="w:1")

    outcome = await log_store.bids.append([*y.entries[:1], *x.entries[:4], *y.entries[1:3]], batch="w:2")

    assert outcome == bid_log.Appended(3, conflict=True)
    assert [e.seq for e in await log_store.bids.read_from("x", 0, 10)] == [1, 2, 3]
    assert [e.seq for e in await log_store.bids.read_from("y", 0, 10)] == [1]


async def test_a_bulk_stops_at_the_first_entry_whose_key_is_taken(log_store):
    lot = bids_on("x", 3)
    again = msgspec.structs.replace(lot.entries[4], seq=7, key=lot.entries[3].key, actor=lot.entries[3].actor)
    await log_store.bids.append(lot.entries, batch="w:1")

    outcome = await log_store.bids.append(
        [again, msgspec.structs.replace(lot.entries[5], seq=8, key="fresh")], batch="w:2"
    )

    assert outcome == bid_log.Appended(0, conflict=True)
    assert set(await log_store.bids.read([("x", 7), ("x", 8)])) == set()


async def test_a_duplicate_of_both_seq_and_key_is_a_conflict_too(log_store):
    lot = bids_on("x", 1)
    await log_store.bids.append(lot.entries, batch="w:1")

    assert await log_store.bids.append(lot.entries, batch="w:1") == bid_log.Appended(0, conflict=True)


async def test_the_largest_bulk_fits(patience, log_store):
    lot = bids_on("x", bid_log.MAX_BULK - 3)

    assert await log_store.bids.append(lot.entries, batch="w:1") == bid_log.Appended(1000, conflict=False)
    assert len(await log_store.bids.read_from("x", 0, 2000)) == 1000


async def test_of_writers_that_want_one_seq_exactly_one_gets_it(log_store):
    rivals = []
    for i in range(16):
        lot = lots.open_lot("x")
        rivals.append(lot.bid(f"{i:032x}", 20_00, key=f"{i}"))

    outcomes = await asyncio.gather(
        *(log_store.bids.append([entry], batch=f"w{i}:1") for i, entry in enumerate(rivals))
    )

    assert sorted(outcome.stored for outcome in outcomes) == [0] * 15 + [1]
    winner = next(entry for entry, outcome in zip(rivals, outcomes, strict=True) if outcome.stored)
    assert await log_store.bids.read([("x", 4)]) == {("x", 4): winner}


# --- indexes -------------------------------------------------------------------------------------------------------------


async def test_the_indexes_are_there_and_the_key_is_unique(log_store, raw):
    by_fields = {
        tuple(name for name, _ in index["key"]): index for index in raw["bids"].index_information().values()
    }

    assert by_fields[("idem",)].get("unique") is True
    assert {("batch",), ("actor",)} <= set(by_fields)
    auctions = {index["key"][0][0] for index in raw["auctions"].index_information().values()}
    assert {"product_id", "due_at", "status", "seller_id", "ended"} <= auctions


async def test_a_writer_takes_no_bid_before_the_indexes_are_made(database_name):
    fresh = mongo.MongoStore(settings.MONGODB_URL, database_name)
    await fresh.auctions.insert(a_document("lot"))
    writer = committer.Committer(fresh)
    writer.start()
    request = kinds.Request(
        auction_id="lot", actor=lots.SELLER, key="k", at=T0 - 1, salt="s", terms=lots.terms()
    )

    with pytest.raises(errors.Unavailable):
        await writer.submit(request)
    with pytest.raises(errors.Unavailable, match="migrate_all"):
        await fresh.check_fences()
    await fresh.prepare()
    assert (await writer.submit(request)).seq == 1

    await writer.stop()
    await fresh.close()


async def test_preparing_again_changes_nothing(log_store, raw):
    before = sorted(raw["bids"].index_information())

    await log_store.prepare()

    assert sorted(raw["bids"].index_information()) == before


async def test_the_fences_hold_against_any_client(log_store, raw):
    lot = bids_on("x", 1)
    await log_store.bids.append(lot.entries, batch="w:1")

    for document in (
        {"_id": bid_log.entry_id("x", 4), "idem": "fresh"},
        {"_id": "fresh", "idem": lot.entries[3].idempotency},
    ):
        with pytest.raises(pymongo.errors.DuplicateKeyError):
            raw["bids"].insert_one(document)


# --- reads ---------------------------------------------------------------------------------------------------------------


async def test_point_reads_find_what_is_there_and_nothing_else(log_store):
    x, y = bids_on("x", 60), bids_on("y", 1)
    await log_store.bids.append([*x.entries, *y.entries], batch="w:1")

    stored = await log_store.bids.read([("x", seq) for seq in range(120)] + [("y", 1), ("z", 1)])
    assert sorted(stored) == [("x", seq) for seq in range(1, 64)] + [("y", 1)]
    keys = [entry.idempotency for entry in x.entries[:60]] + ["nobody|nothing|ever"]
    assert await log_store.bids.find(keys) == {entry.idempotency: entry for entry in x.entries[:60]}
    assert await log_store.bids.read_from("x", 60, 2) == x.entries[60:62]
    assert await log_store.bids.read_from("x", 63, 10) == []


async def test_a_batch_names_its_auctions_and_what_stored_nothing_is_a_hole(log_store):
    x, y = bids_on("x", 2), bids_on("y", 1)
    await log_store.bids.append([*x.entries, *y.entries], batch="w:1")
    await log_store.bids.append(x.entries[:1], batch="w:2")
    await log_store.bids.append([x.bid(ANN, 900_00)], batch="w:3")

    batches = await log_store.bids.batches({f"w:{i}": 0 for i in range(1, 100)})
    assert {name: batch.last_seqs for name, batch in batches.items()} == {
        "w:1": {"x": 5, "y": 4},
        "w:3": {"x": 6},
    }
    assert {(e.auction_id, e.seq): e for e in batches["w:1"].entries} == {
        (e.auction_id, e.seq): e for e in [*x.entries[:5], *y.entries]
    }
    assert (await log_store.bids.batches({"w:1": 9, "w:2": 0, "w:3": 1})) == {}
    assert sorted(await log_store.bids.batches({"w:1": 8, "w:3": 0})) == ["w:1", "w:3"]


async def test_the_auctions_of_a_bidder_latest_first(log_store):
    for i, auction in enumerate(("x", "y", "z")):
        lot = lots.open_lot(auction)
        lot.bid(ANN if auction != "y" else BEN, 20_00, at=T0 + 10 * i)
        await log_store.bids.append(lot.entries, batch=f"w:{i}")

    assert list(await log_store.bids.last_acts_of(ANN, 100)) == ["z", "x"]
    assert list(await log_store.bids.last_acts_of(ANN, 1)) == ["z"]
    assert list(await log_store.bids.last_acts_of("nobody", 100)) == []


async def test_point_reads_at_30000_entries_take_at_most_3_times_those_at_1000(patience, database_name):
    """Two databases on one server, asked in turn, so that a busy machine is busy for both; the median of many."""
    few, many = [
        mongo.MongoStore(settings.MONGODB_URL, f"{database_name}{suffix}") for suffix in ("", "_many")
    ]
    for log_store, lots_count in ((few, 1), (many, 30)):
        await log_store.prepare()
        for number in range(lots_count):
            entries = bids_on(f"lot-{number}", 997).entries
            size = 100 if number in (0, lots_count - 1) else 1000  # small batches where one is asked for
            for start in range(0, 1000, size):
                bulk = entries[start : start + size]
                assert await log_store.bids.append(bulk, batch=f"w{number}:{start}") == bid_log.Appended(
                    size, conflict=False
                )
    key = (await few.bids.read([("lot-0", 500)]))["lot-0", 500].idempotency.partition("|")[2]
    last = f"lot-{29}"
    key_of_last = (await many.bids.read([(last, 500)]))[last, 500].idempotency
    reads = {
        "_id": (lambda: few.bids.read([("lot-0", 777)]), lambda: many.bids.read([(last, 777)])),
        "idem": (lambda: few.bids.find([f"lot-0|{key}"]), lambda: many.bids.find([key_of_last])),
        "batch": (
            lambda: few.bids.batches({"w0:300": 0}),
            lambda: many.bids.batches({"w29:300": 0}),
        ),
        "50 by _id": (
            lambda: few.bids.read_from("lot-0", 400, 50),
            lambda: many.bids.read_from(last, 400, 50),
        ),
        "absent _id": (lambda: few.bids.read([("lot-0", 1001)]), lambda: many.bids.read([(last, 1001)])),
    }

    ratios = {}
    for name, (small, large) in reads.items():
        times: tuple[list[float], list[float]] = ([], [])
        for i in range(80):
            for ask, kept in zip((small, large), times, strict=True):
                began = time.perf_counter()
                result = await ask()
                if i >= 10:
                    kept.append(time.perf_counter() - began)
                assert bool(result) is (name != "absent _id")
        ratios[name] = statistics.median(times[1]) / statistics.median(times[0])
    for log_store in (few, many):
        await log_store.close()
    with pymongo.MongoClient(settings.MONGODB_URL) as client:
        client.drop_database(f"{database_name}_many")
    assert max(ratios.values()) <= 3.0, ratios


# --- unknown outcomes ----------------------------------------------------------------------------------------------


@pytest.fixture
async def proxied(database_name, log_store):
    """A store behind a proxy that can lose answers, connected already."""
    async with cutting_proxy.CuttingProxy(settings.MONGODB_URL) as proxy:
        cut_store = mongo.MongoStore(proxy.url, database_name)
        await cut_store.check_fences()
        yield proxy, cut_store
        proxy.lose = "nothing"
        await cut_store.close()


async def at_least(count, log_store, auction_id, after):
    """Wait until so many entries after that seq are stored."""
    async with asyncio.timeout(5):
        while len(await log_store.bids.read_from(auction_id, after, 10)) < count:  # noqa: ASYNC110 - a condition of the store
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("lose", "stands"), [("answers", 5), ("requests", 0)])
async def test_a_killed_connection_leaves_the_outcome_unknown_and_nothing_is_sent_twice(
    proxied, log_store, lose, stands
):
    proxy, cut_store = proxied
    proxy.lose = lose

    with pytest.raises(bid_log.OutcomeUnknown):
        await cut_store.bids.append(bids_on("x", 2).entries, batch="w:1")

    await at_least(stands, log_store, "x", 0)
    assert len(await log_store.bids.read_from("x", 0, 10)) == stands


async def test_a_server_that_hangs_is_unknown_or_unavailable_within_its_time(monkeypatch, proxied):
    monkeypatch.setattr(client, "OPERATION_SECONDS", 0.3)
    proxy, cut_store = proxied
    proxy.lose = "time"

    for operation in (
        cut_store.bids.append(bids_on("x", 2).entries, batch="w:1"),
        cut_store.bids.read([("x", 1)]),
        cut_store.check_fences(),
    ):
        began = time.monotonic()
        with pytest.raises(errors.Unavailable):
            await operation
        assert time.monotonic() - began < client.OPERATION_SECONDS + 0.3


async def test_a_refused_connection_is_unavailable(monkeypatch, database_name):
    monkeypatch.setattr(client, "OPERATION_SECONDS", 0.3)
    cut_store = mongo.MongoStore("mongodb://127.0.0.1:1/?directConnection=true", database_name)

    for operation in (
        cut_store.bids.append(bids_on("x", 0).entries, batch="w:1"),
        cut_store.bids.find(["k"]),
        cut_store.clock_offset_ms(),
    ):
        with pytest.raises(errors.Unavailable):
            await operation
    await cut_store.close()


async def test_a_committer_over_lost_answers_stores_each_bid_once(proxied, log_store):
    """The real server, lost answers: what was stored is recognised by its hash."""
    proxy, cut_store = proxied
    await log_store.auctions.insert(a_document("x"))
    await log_store.bids.append(lots.open_lot("x").entries, batch="w:1")
    writer = committer.Committer(cut_store, clocks=Clocks(now=lambda: T0))
    writer.start()
    await writer.look("x")

    proxy.lose = "answers"
    futures = [writer.submit(lots.bid(ANN, 20_00 + i * 1_000, key=f"{i}", at=T0)) for i in range(5)]
    await at_least(1, log_store, "x", 3)
    proxy.lose = "nothing"
    entries = await asyncio.wait_for(asyncio.gather(*futures), 5)

    await writer.stop()
    assert [entry.seq for entry in entries] == [4, 5, 6, 7, 8]
    stored = await log_store.bids.read_from("x", 0, 20)
    assert (stored[3:], rules.verify_chain(stored)) == (entries, None)
