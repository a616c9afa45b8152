"""What the documents beside the bid log need of a MongoDB protocol server, checked on the one that MONGODB_URL names. The
default run checks the embedded server; `make services-test` the other one."""

import asyncio

import pytest

from auction_project.kernel import errors
from bidding import rules
from bidding.rules import snapshots
from bidding.store import auctions
from bidding.tests import lots
from bidding.tests.lots import ANN, T0
from bidding.tests.stored import a_document
from bidding.writer import heartbeat

pytestmark = pytest.mark.everywhere


# --- the auctions' documents ---------------------------------------------------------------------------------------------------


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


async def test_the_ids_of_all_auctions_are_read_in_pages(log_store, monkeypatch):
    limits, marks = [], log_store.auctions.marks

    async def recording(*, skip, limit):
        limits.append((skip, limit))
        return await marks(skip=skip, limit=limit)

    monkeypatch.setattr(auctions, "PAGE_IDS", 2)
    monkeypatch.setattr(log_store.auctions, "marks", recording)
    for auction_id in "cadbe":
        await log_store.auctions.insert(a_document(auction_id))

    assert await log_store.auctions.all_ids() == ["a", "b", "c", "d", "e"]
    assert limits == [(0, 2), (2, 2), (4, 2), (5, 2)]


# --- reports ---------------------------------------------------------------------------------------------------------------------


async def test_of_the_first_two_reports_of_a_user_at_once_the_newer_one_stays(log_store, raw, monkeypatch):
    cards = log_store.reports._cards
    insert = cards.insert_one

    async def insert_too_late(fields):
        raw["cards"].insert_one({"_id": ANN, "usable": True, "version": 1})
        return await insert(fields)

    monkeypatch.setattr(cards, "insert_one", insert_too_late)
    await log_store.reports.save_card(ANN, usable=False, version=2)

    assert await log_store.reports.usable_cards([ANN]) == set()


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


async def test_a_lease_is_renewed_also_after_its_end_unless_another_has_had_it(log_store):
    assert await log_store.leases.renew("relay", "one", until=200) is False
    assert await log_store.leases.hold("relay", "one", now=100, until=200) is True
    assert await log_store.leases.renew("relay", "one", until=300) is True
    assert await log_store.leases.hold("relay", "two", now=300, until=400) is False
    assert await log_store.leases.hold("relay", "two", now=301, until=400) is True
    assert await log_store.leases.renew("relay", "one", until=500) is False
    assert await log_store.leases.hold("relay", "one", now=401, until=500) is True


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
