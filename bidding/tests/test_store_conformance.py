"""What the bid log needs of a MongoDB protocol server, checked on the one that MONGODB_URL names. The default run checks the
embedded server; `make services-test` the other one."""

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
from bidding.rules import commands, kinds, snapshots
from bidding.store import auctions, bid_log, client, mongo
from bidding.tests import cutting_proxy, lots
from bidding.tests.lots import ANN, BEN, T0
from bidding.writer import committer, heartbeat
from bidding.writer.clocks import Clocks

pytestmark = pytest.mark.everywhere


def bids_on(auction_id, count):
    """A whole log with `count` bids."""
    lot = lots.open_lot(auction_id)
    for i in range(count):
        lot.bid((ANN, BEN)[i % 2], 20_00 + i * 100_00, at=T0 + i)
    return lot


@pytest.fixture
def patience(monkeypatch):
    """Time for a busy machine, where it is not the time that is tested."""
    monkeypatch.setattr(client, "OPERATION_SECONDS", 20.0)


@pytest.fixture
def raw(log_store, database_name):
    """The server without our code between."""
    with pymongo.MongoClient(settings.MONGODB_URL) as client:
        yield client[database_name]


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

    assert await log_store.bids.auctions_of_actor(ANN, 100) == ["z", "x"]
    assert await log_store.bids.auctions_of_actor(ANN, 1) == ["z"]
    assert await log_store.bids.auctions_of_actor("nobody", 100) == []


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


async def test_a_server_that_hangs_is_unknown_or_unavailable_within_its_time(proxied):
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


async def test_a_refused_connection_is_unavailable(database_name):
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
    futures = [writer.submit(a_bid(ANN, 20_00 + i * 1_000, f"{i}")) for i in range(5)]
    await at_least(1, log_store, "x", 3)
    proxy.lose = "nothing"
    entries = await asyncio.wait_for(asyncio.gather(*futures), 5)

    await writer.stop()
    assert [entry.seq for entry in entries] == [4, 5, 6, 7, 8]
    stored = await log_store.bids.read_from("x", 0, 20)
    assert (stored[3:], rules.verify_chain(stored)) == (entries, None)


def a_bid(actor, amount, key):
    return commands.PlaceBid(
        auction_id="x",
        actor=actor,
        key=key,
        at=T0,
        salt="s",
        amount=amount,
        currency="EUR",
        has_card=True,
        confirmed="far_above_minimum",
    )


# --- the auctions' documents ---------------------------------------------------------------------------------------------------


def a_document(auction_id, **changes):
    plain = {
        "product_id": "p",
        "requested_by": lots.SELLER,
        "format": "english",
        "currency": "EUR",
        "starts_at": T0,
        "ends_at": T0 + lots.HOUR,
        "created_at": T0,
        "due_at": T0,
    }
    return auctions.AuctionDocument(id=auction_id, **(plain | changes))


async def test_an_auction_is_inserted_once(log_store):
    assert await log_store.auctions.insert(a_document("x", title="first")) is True
    assert await log_store.auctions.insert(a_document("x", title="second")) is False
    assert (await log_store.auctions.get("x")) == a_document("x", title="first")
    with pytest.raises(errors.NotFound):
        await log_store.auctions.get("y")


async def test_progress_never_goes_backwards_and_a_snapshot_comes_back_as_it_was(log_store):
    lot = lots.listing()
    lot.bid(ANN, quantity=2)
    await log_store.auctions.insert(a_document("lot"))
    newer = a_document(
        "lot", mark=4, status="OPEN", ended=True, due_at=None, snapshot=rules.dump(lot.state).head
    )

    assert await log_store.auctions.save_progress(newer, {}) is True
    assert await log_store.auctions.save_progress(a_document("lot", mark=3, status="SCHEDULED"), {}) is False
    assert await log_store.auctions.save_progress(newer, {}) is True
    assert await log_store.auctions.get("lot") == newer
    assert rules.load((await log_store.auctions.load_snapshots(["lot", "nowhere"]))["lot"]) == lot.state
    assert await log_store.auctions.save_progress(a_document("nowhere", mark=1), {}) is False


def a_crowd(auction_id, size):
    """An open lot that `size` bidders have bid on, one after the other."""
    lot = lots.open_lot(auction_id)
    for i in range(size):
        lot.bid(f"{i:032d}", 20_00 + i * 100_00, at=T0 + i)
    return lot


def a_save(lot, dumper):
    """The document of a lot as the relay would save it now, with the changed pieces."""
    dump = dumper.dump(lot.state)
    document = a_document(lot.state.auction_id, mark=lot.state.seq, snapshot=dump.head, pieces=dump.saved_at)
    return document, dump.pieces


async def test_a_snapshot_in_pieces_is_whole_whenever_the_relay_dies_and_is_never_believed_without_a_piece(
    log_store, raw, monkeypatch
):
    monkeypatch.setattr(snapshots, "PIECE_BIDDERS", 2)
    lot = a_crowd("lot", 7)
    await log_store.auctions.insert(a_document("lot"))
    dumper = rules.Dumper(lot.state)
    first, pieces = a_save(lot, dumper)
    assert await log_store.auctions.save_progress(first, pieces) is True
    dumper.saved_at, before = first.pieces, lot.state
    assert (len(pieces), raw["snapshot_pieces"].count_documents({})) == (3, 3)
    entry = lot.bid(f"{2:032d}", 5_000_00)
    dumper.note(before, [entry], lot.state)
    second, pieces = a_save(lot, dumper)
    assert list(pieces) == [1]

    await log_store.auctions._insert_pieces(
        [{"_id": f"lot:1:{second.mark}", "auction_id": "lot", "text": pieces[1]}]
    )  # the relay dies here: the document names the pieces from before
    assert rules.load((await log_store.auctions.load_snapshots(["lot"]))["lot"]) == before

    assert await log_store.auctions.save_progress(second, pieces) is True
    await log_store.auctions.delete_old_pieces(second)
    document, snapshot = await log_store.auctions.get_with_snapshot("lot")
    assert (document, rules.load(snapshot)) == (second, lot.state)
    assert raw["snapshot_pieces"].count_documents({}) == 3

    raw["snapshot_pieces"].delete_one({"_id": f"lot:0:{first.mark}"})
    assert await log_store.auctions.get_with_snapshot("lot") == (second, None)
    assert await log_store.auctions.load_snapshots(["lot"]) == {"lot": None}


async def test_pieces_of_another_relay_at_the_mark_and_later_are_not_deleted(log_store, raw):
    raw["snapshot_pieces"].insert_many(
        {"_id": f"lot:0:{seq}", "auction_id": "lot", "text": ""} for seq in (3, 4, 5)
    )

    await log_store.auctions.delete_old_pieces(a_document("lot", mark=4))

    assert {row["_id"] for row in raw["snapshot_pieces"].find()} == {"lot:0:4", "lot:0:5"}


async def test_due_auctions_are_those_with_a_due_time_that_has_come(log_store):
    for name, due_at in (("early", T0 - 1), ("now", T0), ("late", T0 + 1), ("never", None)):
        await log_store.auctions.insert(a_document(name, due_at=due_at))

    assert await log_store.auctions.due(before=T0 + 1, limit=10) == [("early", T0 - 1), ("now", T0)]
    assert await log_store.auctions.due(before=T0 + 1, skip=1, limit=1) == [("now", T0)]
    assert await log_store.auctions.due(before=T0 + 1, skip=2, limit=1) == []


async def test_lists_filter_search_sort_and_page(log_store):
    for i in range(6):
        await log_store.auctions.insert(
            a_document(
                f"a{i}",
                status="OPEN" if i < 4 else "CLOSED",
                ended=i == 5,
                format="english" if i % 2 else "buy_now",
                title=f"Sextant (No. {i}) 100%",
                seller_id="s1" if i < 3 else "s2",
                ends_at=T0 + i,
                product_id="p1" if i in (4, 5) else "p2",
            )
        )
    await log_store.auctions.insert(a_document("requested"))

    async def listed(**query):
        documents, total = await log_store.auctions.search(auctions.Query(**query))
        return [document.id for document in documents], total

    assert await listed() == (["a0", "a1", "a2", "a3", "a4", "a5"], 6)
    assert await listed(unlisted=True, status="NEW") == (["requested"], 1)
    assert await listed(order="-ends_at", skip=1, limit=2) == (["a4", "a3"], 6)
    assert await listed(status="OPEN", format="english") == (["a1", "a3"], 2)
    assert await listed(seller_id="s2", status="CLOSED") == (["a4", "a5"], 2)
    assert await listed(search="(no. 3)") == (["a3"], 1)
    assert await listed(search="sextant .*") == ([], 0)
    assert await listed(status="NEW") == ([], 0)
    assert [d.id for d in await log_store.auctions.of_product("p1", skip=0, limit=9)] == ["a4", "a5"]
    assert [d.id for d in await log_store.auctions.of_product("p1", skip=1, limit=1)] == ["a5"]
    assert len(await log_store.auctions.all_ids()) == 7


async def test_lots_without_a_title_are_listed_only_when_asked_for(log_store):
    refused = {"status": "CANCELLED", "requested_by": "s1"}
    await log_store.auctions.insert(a_document("refused", **refused))
    await log_store.auctions.insert(a_document("waiting", status="REQUESTED", requested_by="s2"))
    await log_store.auctions.insert(a_document("listed", status="OPEN", title="Sextant", seller_id="s1"))

    async def listed(**query):
        documents, total = await log_store.auctions.search(auctions.Query(order="starts_at", **query))
        assert total == len(documents)
        return sorted(document.id for document in documents)

    assert await listed() == ["listed"]
    assert await listed(status="CANCELLED") == []
    assert await listed(unlisted=True) == ["listed", "refused", "waiting"]
    assert await listed(seller_id="s1") == ["listed"]
    assert await listed(seller_id="s1", unlisted=True) == ["listed", "refused"]


async def test_a_price_order_counts_the_start_price_of_lots_without_bids_and_mixes_no_currencies(log_store):
    for auction_id, currency, price, start_price in (
        ("a", "EUR", 90_00, 10_00),
        ("b", "EUR", 0, 50_00),
        ("c", "JPY", 60, 1),
        ("d", "EUR", 20_00, 15_00),
    ):
        money = {
            "currency": currency,
            "price": price,
            "start_price": start_price,
            "ask": price or start_price,
        }
        await log_store.auctions.insert(a_document(auction_id, status="OPEN", title="Sextant", **money))

    async def listed(order):
        documents, _ = await log_store.auctions.search(auctions.Query(order=order))
        return [document.id for document in documents]

    assert await listed("price") == ["d", "b", "a", "c"]
    assert await listed("-price") == ["a", "b", "d", "c"]


async def test_marks_come_in_slices_in_the_order_of_the_ids(log_store):
    for auction_id, mark, ended in (("c", 3, False), ("a", 1, False), ("d", 4, True), ("b", 2, False)):
        await log_store.auctions.insert(a_document(auction_id, mark=mark, ended=ended))

    assert list((await log_store.auctions.marks(skip=0, limit=2)).items()) == [("a", 1), ("b", 2)]
    assert await log_store.auctions.marks(skip=2, limit=2) == {"c": 3, "d": 4}
    assert await log_store.auctions.marks(skip=4, limit=2) == {}
    assert await log_store.auctions.unfinished_marks(skip=0, limit=4) == {"a": 1, "b": 2, "c": 3}
    assert await log_store.auctions.unfinished_marks(skip=3, limit=4) == {}


# --- writers, leases, clock -----------------------------------------------------------------------------------------------------


async def test_writers_are_those_seen_lately(log_store):
    await log_store.writers.register("old", batch_number=5, now=T0)
    await log_store.writers.register("new", batch_number=1, now=T0)
    await log_store.writers.register("new", batch_number=9, now=T0 + 100)

    assert await log_store.writers.living(since=T0) == {"old": 5, "new": 9}
    assert await log_store.writers.living(since=T0 + 1) == {"new": 9}
    assert await log_store.writers.forget(before=T0 + 1) == 1
    assert await log_store.writers.living(since=0) == {"new": 9}


async def test_a_request_to_back_off_counts_for_a_while_and_for_others_only(log_store):
    for writer in ("busy", "crowded"):
        await log_store.writers.register(writer, batch_number=1, now=T0)
    assert await log_store.writers.is_back_off_requested(since=T0, besides="busy") is False

    await log_store.writers.request_back_off("crowded", now=T0 + 5)
    await log_store.writers.register("crowded", batch_number=2, now=T0 + 6)

    assert await log_store.writers.is_back_off_requested(since=T0 + 5, besides="busy") is True
    assert await log_store.writers.is_back_off_requested(since=T0 + 6, besides="busy") is False
    assert await log_store.writers.is_back_off_requested(since=T0, besides="crowded") is False
    assert await log_store.writers.living(since=0) == {"busy": 1, "crowded": 2}


async def test_a_lease_has_one_owner_until_it_ends(log_store):
    assert await log_store.leases.hold("relay", "one", now=100, until=200) is True
    assert await log_store.leases.hold("relay", "two", now=150, until=250) is False
    assert await log_store.leases.hold("relay", "one", now=150, until=300) is True
    assert await log_store.leases.hold("relay", "two", now=300, until=400) is False
    assert await log_store.leases.hold("relay", "two", now=301, until=400) is True
    assert await log_store.leases.hold("relay", "one", now=302, until=500) is False
    assert await log_store.leases.hold("other", "one", now=302, until=500) is True


async def test_the_owner_of_a_lease_leaves_a_number_to_the_next(log_store):
    assert await log_store.leases.note("relay", "one", 5) is False
    assert await log_store.leases.hold("relay", "one", now=100, until=200)
    assert await log_store.leases.noted("relay") == 0

    assert await log_store.leases.note("relay", "one", 7) is True
    assert await log_store.leases.note("relay", "two", 8) is False
    assert await log_store.leases.hold("relay", "two", now=201, until=300)
    assert await log_store.leases.note("relay", "one", 9) is False

    assert await log_store.leases.noted("relay") == 7
    assert await log_store.leases.note("relay", "two", 6) is True
    assert await log_store.leases.noted("relay") == 6


async def test_of_many_that_want_a_lease_one_gets_it(log_store):
    claims = [log_store.leases.hold("relay", f"{i}", now=100, until=200) for i in range(16)]

    assert sorted(await asyncio.gather(*claims)) == [False] * 15 + [True]


async def test_the_clocks_of_one_machine_agree(log_store):
    assert abs(await log_store.clock_offset_ms()) < heartbeat.MAX_CLOCK_OFFSET_MS
