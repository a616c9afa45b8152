"""What keeps the relay of the bid log going: every step is bounded, and one broken auction does not affect the others."""

import time

import msgspec
import pymongo
import pytest
from django.conf import settings as gavel

from auction_project.kernel import errors, instants
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging.backends import memory
from bidding import metrics, runtime
from bidding.publishing import messages as log_messages
from bidding.publishing import news
from bidding.publishing import refill as log_refill
from bidding.publishing import relay as log_relay
from bidding.publishing.pace import Pace
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN
from bidding.tests.relaying import published, resealed, step_until
from bidding.tests.stored import bids_on
from bidding.writer.clocks import Clocks

NEVER = 3600.0
WEEK_MS = 7 * 24 * 3600 * 1000


@pytest.fixture
def raw(log, database_name):
    """The collection itself, to edit the database by hand."""
    with pymongo.MongoClient(gavel.MONGODB_URL) as client:
        yield client[database_name]["bids"]


# --- one pass a step -----------------------------------------------------------------------------------------------


class _Growing(memory.MemoryBroker):
    """While it takes messages, `grow` is called."""

    def append(self, messages, *, source=None):
        super().append(messages, source=source)
        if messages:
            self.grow()


def test_a_lot_that_grows_as_fast_as_it_is_published_does_not_keep_the_step_from_ending(log):
    log.register()
    transport = _Growing()
    transport.begin_epoch(log_messages.SOURCE)
    # Each step asks the writers, whether the relay can hear them already or not.
    pace = Pace(sweep_seconds=NEVER, entries_per_read=4, heard_poll_seconds=0.0, unheard_poll_seconds=0.0)
    relay = log_relay.LogRelay(transport, readers={}, pace=pace)
    hot, quiet = bids_on("hot", 1), bids_on("quiet", 1)
    grown = []

    def grow():
        bids = [hot.bid((BEN, ANN)[i % 2], 500_00 + (len(grown) * 4 + i) * 100_00) for i in range(4)]
        grown.append(bids)
        assert len(grown) < 50, "the step has no end"
        log.append(bids, batch="unregistered:1")

    transport.grow = grow
    log.append(hot.entries)
    relay.step()
    relay.step()
    assert published(transport, "hot") == [1, 2, 3, 4]
    log.append(quiet.entries, batch="w:2")

    for _ in range(8):
        relay.step()

    assert published(transport, "quiet") == [1, 2, 3, 4]
    assert published(transport, "hot") == list(range(1, len(published(transport, "hot")) + 1))
    assert len(grown) <= 9
    assert log.document("hot").mark >= 4


def test_a_pass_ends_when_its_time_is_over_and_the_next_one_begins_with_those_that_waited(
    log, make_relay, transport
):
    relay = make_relay(publish_seconds=0.0, auctions_per_read=1)
    log.register()
    for auction_id in ("a", "b", "c"):
        log.append(lots.open_lot(auction_id).entries)

    relay.step()
    seen, unpublished = [], []
    for _ in range(3):
        relay.step()
        seen.append([auction_id for auction_id in ("a", "b", "c") if published(transport, auction_id)])
        unpublished.append(metrics.entries_unpublished._value.get())

    assert seen == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert unpublished == [2 * len(lots.open_lot("b").entries), len(lots.open_lot("c").entries), 0]


# --- the sweep -----------------------------------------------------------------------------------------------------


def test_the_sweep_compares_a_slice_a_step_and_misses_no_auction(log, make_relay, transport):
    relay = make_relay(page_auctions=3, slice_auctions=2)
    log.register()
    for auction_id in "abcde":
        log.append(lots.open_lot(auction_id).entries, batch="unregistered:1")

    seen = []
    for _ in range(5):
        relay.step()
        seen.append("".join(auction_id for auction_id in "abcde" if published(transport, auction_id)))

    assert seen == ["", "ab", "abc", "abcde", "abcde"]


def test_a_sweep_that_always_fails_does_not_keep_the_news_from_being_published(
    log, relay, transport, monkeypatch
):
    async def too_slow(**_which):
        raise errors.Unavailable("MongoDB: timed out")

    monkeypatch.setattr(log.store.auctions, "unfinished_marks", too_slow)
    log.register()
    lot = bids_on("x", 1)
    log.append(lot.entries, batch="w:1")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])
    log.append([lot.bid(BEN, 900_00)], batch="w:2")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5])


def test_writers_that_are_long_gone_are_forgotten_in_the_store_too(log, relay):
    long_ago = instants.now() - news.WRITER_KEPT_MS - 60_000
    log.call(log.store.writers.register("gone", batch_number=7, now=long_ago))
    log.register("living")

    relay.step()

    assert set(log.call(log.store.writers.living(since=0))) == {"living"}


# --- unreadable logs -----------------------------------------------------------------------------------------------


def test_an_unreadable_log_is_logged_and_set_aside_and_holds_up_no_other(log, transport, raw, caplog):
    ahead = [0.0]
    clocks = Clocks(monotonic=lambda: time.monotonic() + ahead[0])
    relay = log_relay.LogRelay(transport, readers={}, clocks=clocks, pace=Pace(sweep_seconds=0.0))
    log.register()
    for auction_id in ("x", "y", "z", "sound"):
        log.append(bids_on(auction_id, 1).entries, batch="unregistered:1")  # the sweep alone finds them
    first_of_z = raw.find_one({"_id": f"z:{1:012d}"})
    second = {auction_id: raw.find_one({"_id": f"{auction_id}:{2:012d}"}) for auction_id in "xy"}
    raw.update_one({"_id": f"x:{2:012d}"}, {"$set": {"prev": "0" * 64}})
    raw.update_one({"_id": f"y:{2:012d}"}, {"$set": {"facts": {"kind": "invented"}}})
    raw.update_one({"_id": f"z:{1:012d}"}, {"$unset": {"facts": ""}})

    for _ in range(12):
        relay.step()

    assert published(transport, "sound") == [1, 2, 3, 4]
    assert [published(transport, auction_id) for auction_id in "xyz"] == [[], [], []]
    logged = [record.msg for record in caplog.records if "log_is_unreadable" in str(record.msg)]
    assert sorted(line["auction_id"] for line in logged) == ["x", "y", "z"]

    for document in (first_of_z, *second.values()):
        raw.replace_one({"_id": document["_id"]}, document)
    ahead[0] = relay._pace.set_aside_seconds
    step_until(relay, lambda: all(published(transport, auction_id) == [1, 2, 3, 4] for auction_id in "xyz"))


def test_an_auction_without_its_document_is_set_aside(log, relay, transport):
    log.register()
    orphan = lots.open_lot("orphan")
    log.call(log.store.bids.append(orphan.entries, batch="w:1"))
    log.append(bids_on("x", 1).entries, batch="w:2")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])

    assert published(transport, "orphan") == []


# --- saving --------------------------------------------------------------------------------------------------------


def test_one_document_that_cannot_be_saved_holds_up_no_other_and_is_saved_later(log, relay, monkeypatch):
    save, failed = log.store.auctions.save_progress, []

    async def fail_at_first(document, pieces):
        if document.id == "x" and not failed:
            failed.append(document.mark)
            raise errors.Unavailable("MongoDB: timed out")
        return await save(document, pieces)

    monkeypatch.setattr(log.store.auctions, "save_progress", fail_at_first)
    log.register()
    for auction_id in ("x", "y"):
        log.append(bids_on(auction_id, 1).entries)

    step_until(relay, lambda: log.document("y").mark == 4)
    assert (failed, log.document("x").mark) == ([4], 0)
    step_until(relay, lambda: log.document("x").mark == 4)


def test_an_auction_that_moves_on_while_it_is_saved_is_saved_again(log, make_relay, transport, monkeypatch):
    relay = make_relay(save_seconds=0.0)
    save = log.store.auctions.save_progress
    lot = bids_on("x", 1)
    ahead = bids_on("x", 2)

    async def move_on_meanwhile(document, pieces):
        done = await save(document, pieces)
        if document.mark == 4:
            relay._documents.move("x", ahead.state, ahead.entries[4:])
        return done

    monkeypatch.setattr(log.store.auctions, "save_progress", move_on_meanwhile)
    log.register()
    log.append(lot.entries)

    step_until(relay, lambda: log.document("x").mark == 4)

    step_until(relay, lambda: log.document("x").mark == 5)


def test_a_relay_closes_without_the_store(log, relay, transport, monkeypatch):
    async def away(*_what, **_which):
        raise errors.Unavailable("MongoDB: connection refused")

    log.register()
    log.append(bids_on("x", 1).entries)
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])
    monkeypatch.setattr(log.store.auctions, "save_progress", away)
    monkeypatch.setattr(log.store.leases, "hold", away)
    relay._documents._unsaved["x"] = None

    relay.close()
    runtime.current.close()

    assert not runtime.current.is_made


# --- the refill ----------------------------------------------------------------------------------------------------


def _at(lot, *times):
    return resealed(
        [msgspec.structs.replace(entry, at=at) for entry, at in zip(lot.entries, times, strict=True)]
    )


def test_a_refill_comes_in_pieces_and_reads_no_log_that_has_long_been_quiet(
    log, make_relay, transport, monkeypatch
):
    relay = make_relay(
        refill_seconds=0.0, epoch_check_seconds=0.0, refill_step_entries=2, refill_page_auctions=2
    )
    now = instants.now()
    log.register()
    for auction_id, at in (("a", now), ("b", now - WEEK_MS - 60_000), ("c", now)):
        log.append(_at(lots.open_lot(auction_id), at, at, at))
    step_until(relay, lambda: all(log.document(auction_id).mark == 3 for auction_id in "abc"))
    transport.wipe()
    read, reads = log.store.bids.read_from, []

    async def remember(auction_id, after, limit):
        reads.append((auction_id, after, limit))
        return await read(auction_id, after, limit)

    monkeypatch.setattr(log.store.bids, "read_from", remember)
    relay.step()
    steps = 0
    while relay._refill is not None:
        before = len(published(transport, "a")) + len(published(transport, "c"))
        relay.step()
        steps += 1
        assert len(published(transport, "a")) + len(published(transport, "c")) - before <= 2

    assert reads == [("a", 0, 2), ("a", 2, 1), ("c", 0, 2), ("c", 2, 1)]
    assert [published(transport, auction_id) for auction_id in "abc"] == [[1, 2, 3], [], [1, 2, 3]]
    assert steps == 7


def test_a_refill_passes_over_an_unreadable_log(log, relay, transport, raw):
    now = instants.now()
    log.register()
    for auction_id in ("a", "b"):
        log.append(_at(lots.open_lot(auction_id), now, now, now))
    step_until(relay, lambda: all(log.document(auction_id).mark == 3 for auction_id in "ab"))
    raw.update_one({"_id": f"a:{3:012d}"}, {"$set": {"facts": {"kind": "invented"}}})
    transport.wipe()

    step_until(relay, lambda: published(transport, "b") == [1, 2, 3])
    step_until(relay, lambda: relay._refill is None)

    transport.append([], source=log_messages.SOURCE)  # the epoch has begun


def test_a_transport_that_is_emptied_after_the_last_piece_is_noticed(log, relay, transport):
    now = instants.now()
    log.register()
    log.append(_at(lots.open_lot("x"), now, now, now))
    step_until(relay, lambda: log.document("x").mark == 3)
    transport.wipe()
    refill = log_refill.Refill(transport, since=now - WEEK_MS, readers={})
    while refill.messages < 3:
        refill.step()
    assert published(transport, "x") == [1, 2, 3]

    transport.wipe()

    with pytest.raises(brokers.EpochMissing):
        refill.step()
