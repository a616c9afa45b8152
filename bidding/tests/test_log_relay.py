"""The relay of the bid log over the memory broker and a real store: in order, without a gap, again after a crash."""

import time

import msgspec
import pytest

from auction_project.kernel import contracts, instants
from auction_project.kernel.messaging import broker as brokers
from bidding import rules, runtime
from bidding.publishing import messages as log_messages
from bidding.publishing import publisher
from bidding.publishing import refill as log_refill
from bidding.publishing import relay as log_relay
from bidding.publishing.pace import PACE
from bidding.rules import commands, kinds, snapshots
from bidding.store import bid_log
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, T0
from bidding.tests.relaying import published, resealed, step_until
from bidding.tests.stored import a_document, bids_on
from bidding.writer.clocks import Clocks


def test_a_whole_log_is_published_in_order_without_gap(log, relay, transport):
    log.register()
    log.append(bids_on("x", 600).entries)

    step_until(relay, lambda: len(published(transport, "x")) == 603, seconds=30)

    assert published(transport, "x") == list(range(1, 604))


def test_nothing_is_published_twice_by_one_relay(log, relay, transport):
    log.register()
    lot = bids_on("x", 2)
    log.append(lot.entries)
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5])

    for _ in range(30):
        relay.step()

    assert published(transport, "x") == [1, 2, 3, 4, 5]


def test_the_next_batches_are_found_between_two_sweeps(log, make_relay, transport):
    relay = make_relay(sweep_seconds=3600.0)
    log.register()
    lot = bids_on("x", 2)
    log.append(lot.entries, batch="w:1")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5])

    for number in range(2, 40):
        log.append([lot.bid((ANN, BEN)[number % 2], 900_00 + number * 50_00)], batch=f"w:{number}")
        if number % 7 == 0:
            step_until(
                relay, lambda head=lot.state.seq: published(transport, "x") == list(range(1, head + 1))
            )

    step_until(relay, lambda: published(transport, "x") == list(range(1, lot.state.seq + 1)))


def test_a_batch_that_stored_nothing_is_a_hole_that_is_stepped_over(log, make_relay, transport):
    relay = make_relay(sweep_seconds=3600.0)
    log.register()
    lot = bids_on("x", 1)
    log.append(lot.entries, batch="w:1")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])

    log.append([lot.bid(BEN, 900_00)], batch="w:3")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5])


def test_a_bulk_that_becomes_visible_piece_by_piece_is_published_whole(log, make_relay, transport):
    relay = make_relay(sweep_seconds=3600.0)
    log.register()
    x, y = bids_on("x", 1), bids_on("y", 1)
    log.append(x.entries, batch="w:1")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])

    log.append([x.bid(BEN, 900_00)], batch="w:2")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5])
    log.append(y.entries, batch="w:2")
    step_until(relay, lambda: published(transport, "y") == [1, 2, 3, 4])
    log.append([y.bid(BEN, 900_00)], batch="w:3")
    step_until(relay, lambda: published(transport, "y") == [1, 2, 3, 4, 5])


def test_an_entry_that_is_seen_before_its_predecessor_is_published_after_it(log, make_relay, transport):
    relay = make_relay(sweep_seconds=3600.0)
    log.register("v")
    log.register("w")
    lot = bids_on("x", 3)
    log.append(lot.entries[:4], batch="w:1")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])

    log.append(lot.entries[5:], batch="w:2")
    for _ in range(5):
        relay.step()
    assert published(transport, "x") == [1, 2, 3, 4]
    log.append(lot.entries[4:5], batch="v:1")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5, 6])


def test_each_entry_of_a_batch_is_read_once(log, make_relay, transport, monkeypatch):
    relay = make_relay(sweep_seconds=3600.0)
    log.register()
    lot, read = bids_on("x", 4), []
    log.append(lot.entries[:3], batch="w:1")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])
    read_from = log.store.bids.read_from

    async def recording(auction_id, after, limit):
        read.append(after)
        return await read_from(auction_id, after, limit)

    monkeypatch.setattr(log.store.bids, "read_from", recording)
    log.append(lot.entries[3:5], batch="w:2")
    log.append(lot.entries[5:], batch="w:3")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5, 6, 7])

    assert (read, relay._news._kept, relay._news._entries) == ([], 0, {})


def test_a_writer_with_nothing_new_is_asked_for_its_next_numbers_and_no_others(log, make_relay, monkeypatch):
    relay = make_relay(sweep_seconds=3600.0)
    log.register(number=7)
    step_until(relay, lambda: relay._news.writers)
    polls, find = [], log.store.bids.batches

    async def recording(known):
        polls.append(list(known))
        return await find(known)

    monkeypatch.setattr(log.store.bids, "batches", recording)
    for _ in range(3):
        relay.step()

    assert polls == [["w:7", "w:8", "w:9"]] * 3


def test_the_sweep_finds_what_batch_numbers_missed(log, relay, transport):
    log.register(number=1000)
    log.append(bids_on("x", 1).entries, batch="unregistered:1")
    log.append(bids_on("y", 1).entries, batch="w:7")

    step_until(relay, lambda: published(transport, "x") == published(transport, "y") == [1, 2, 3, 4])


def test_a_relay_that_dies_between_append_and_mark_repeats_but_never_skips(log, transport, monkeypatch):
    log.register()
    lot = bids_on("x", 2)
    log.append(lot.entries)
    first = log_relay.LogRelay(transport, readers={})
    monkeypatch.setattr(publisher.failpoints, "reach", _die)
    with pytest.raises(_Death):
        step_until(first, lambda: False)
    monkeypatch.undo()
    log.append([lot.bid(ANN, 900_00)], batch="w:2")

    when_its_lease_is_over = Clocks(now=lambda: instants.now() + PACE.lease_ms)
    second = log_relay.LogRelay(transport, readers={}, clocks=when_its_lease_is_over)
    step_until(second, lambda: published(transport, "x")[-1:] == [6])

    assert published(transport, "x") == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6]


def test_a_double_is_recognised_by_its_id(log, transport):
    lot = bids_on("x", 2)
    lot.close()
    messages = [log_messages.follow(rules.State("x"), lot.entries)[1] for _ in range(2)]

    ids = [
        [contracts.decode(m.value)[0].id for _, of_entry in logged for m in of_entry] for logged in messages
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


class _Death(BaseException):
    pass


def _die(_name):
    raise _Death


def test_one_relay_works_and_another_takes_over_when_it_has_gone(log, transport):
    log.register()
    first, second = log_relay.LogRelay(transport, readers={}), log_relay.LogRelay(transport, readers={})
    first.step()
    lot = bids_on("x", 1)
    log.append(lot.entries)
    second.step()
    assert published(transport, "x") == []
    step_until(first, lambda: published(transport, "x") == [1, 2, 3, 4])

    runtime.call(first._documents.save_all())
    began = time.monotonic()
    log.append([lot.bid(BEN, 900_00)], batch="w:2")
    step_until(second, lambda: published(transport, "x")[-1:] == [5], seconds=10)

    assert time.monotonic() - began < 5.0
    assert published(transport, "x") == [1, 2, 3, 4, 5]


def test_a_relay_that_slept_while_another_led_begins_from_what_is_stored(log, transport):
    log.register()
    ahead_ms = 0
    first = log_relay.LogRelay(transport, readers={}, clocks=Clocks(now=lambda: instants.now() + ahead_ms))
    later = Clocks(now=lambda: instants.now() + 10_000)
    second = log_relay.LogRelay(transport, readers={}, clocks=later)
    lot = bids_on("x", 1)
    log.append(lot.entries)
    step_until(first, lambda: published(transport, "x") == [1, 2, 3, 4])
    runtime.call(first._documents.save_all())
    log.append([lot.bid(BEN, 900_00)], batch="w:2")
    step_until(second, lambda: published(transport, "x") == [1, 2, 3, 4, 5])
    second.close()

    ahead_ms = 20_000
    log.append([lot.bid(ANN, 1900_00)], batch="w:3")
    step_until(first, lambda: published(transport, "x")[-1] == 6)

    assert published(transport, "x") == [1, 2, 3, 4, 5, 6]


def test_the_document_is_the_fold_at_the_mark_and_snapshot_plus_tail_is_the_whole_fold(log, relay, transport):
    log.register()
    lot = bids_on("x", 5)
    log.append(lot.entries)
    step_until(relay, lambda: log.document("x").mark == 8)
    saved = log.document("x")
    for i in range(5):
        lot.bid((ANN, BEN)[i % 2], 900_00 + i * 50_00)
    log.append(lot.entries[8:], batch="w:2")

    assert (saved.status, saved.bids, saved.price, saved.due_at) == ("OPEN", 5, 325_00, T0 + lots.HOUR + 50)
    state = rules.load(rules.Snapshot(saved.snapshot))
    assert state == rules.fold("x", lot.entries[:8])
    for entry in lot.entries[8:]:
        state = rules.apply(state, entry)
    assert state == rules.fold("x", lot.entries) == runtime.look("x")


def test_the_pieces_of_a_snapshot_follow_the_log_and_a_lost_one_costs_no_second_publication(
    log, make_relay, transport, monkeypatch
):
    monkeypatch.setattr(snapshots, "PIECE_BIDDERS", 2)
    monkeypatch.setattr(bid_log, "READ_CHUNK", 2)
    log.register()
    lot = lots.open_lot("x")
    for i in range(9):
        lot.bid((ANN, BEN, "c" * 32, "d" * 32, "e" * 32)[i % 5], 20_00 + i * 100_00, at=T0 + i)
    log.append(lot.entries)
    first = make_relay(entries_per_read=3, save_seconds=0.0)
    step_until(first, lambda: log.document("x").mark == 12)
    first.close()
    document, snapshot = log.call(log.store.auctions.get_with_snapshot("x"))
    assert (len(document.pieces), rules.load(snapshot)) == (2, lot.state)

    log.call(log.store.auctions._pieces.delete_many({"auction_id": "x"}))
    log.append([lot.bid(ANN, 2_000_00)], batch="w:2")
    transport.wipe()  # what comes now was not published before
    transport.begin_epoch(log_messages.SOURCE)
    second = make_relay(entries_per_read=3, save_seconds=0.0)
    step_until(second, lambda: log.document("x").mark == 13)

    assert published(transport, "x") == [13]
    _, snapshot = log.call(log.store.auctions.get_with_snapshot("x"))
    assert rules.load(snapshot) == lot.state == runtime.look("x")


def test_an_emptied_transport_is_filled_again_though_nothing_is_new(log, relay, transport):
    log.register()
    now = instants.now()
    lot = lots.open_lot("x")
    young = [msgspec.structs.replace(entry, at=now) for entry in lot.entries]
    log.append(resealed(young))
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])

    transport.wipe()
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])
    before = list(transport.read("auction.log"))
    for _ in range(5):
        relay.step()
    assert list(transport.read("auction.log")) == before


def test_a_refill_leaves_out_what_is_older_than_seven_days(log, relay, transport):
    log.register()
    now, week = instants.now(), 7 * 24 * 3600 * 1000
    lot = lots.open_lot("x")
    times = (now - week - 60_000, now - week + 60_000, now)
    log.append(
        resealed([msgspec.structs.replace(e, at=at) for e, at in zip(lot.entries, times, strict=True)])
    )
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])

    step_until(relay, lambda: log.document("x").mark == 3)

    transport.wipe()
    refill = log_refill.Refill(transport, since=now - week, readers={})
    while refill.step():
        pass

    assert (refill.messages, published(transport, "x")) == (2, [2, 3])


def test_a_transport_that_is_emptied_in_the_middle_of_a_refill_is_refilled_whole(
    log, relay, transport, monkeypatch
):
    log.register()
    now = instants.now()
    for auction_id in ("x", "y"):
        lot = lots.open_lot(auction_id)
        log.append(
            resealed([msgspec.structs.replace(e, at=now) for e in lot.entries]), batch=f"w:{auction_id}"
        )
    step_until(relay, lambda: published(transport, "y") == [1, 2, 3])
    transport.wipe()
    append, wiped = transport.append, []

    def wipe_after_the_first(messages, *, source=None):
        append(messages, source=source)
        if messages and not wiped:
            wiped.append(True)
            transport.wipe()

    monkeypatch.setattr(transport, "append", wipe_after_the_first)
    step_until(relay, lambda: published(transport, "x") == published(transport, "y") == [1, 2, 3], seconds=10)
    with pytest.raises(brokers.EpochMissing):
        transport.append([], source="another")


def test_the_committers_own_batches_reach_the_transport(log, relay, transport):
    """End to end in one process: commands through the runtime, events out of the broker."""
    now = instants.now()
    log.call(log.store.auctions.insert(a_document("x")))
    terms = lots.terms(starts_at=now, ends_at=now + lots.HOUR)
    common = {"auction_id": "x", "salt": "s", "at": now}
    for command in (
        kinds.Request(**common, actor=lots.SELLER, key="k", terms=terms),
        kinds.Schedule(
            **common,
            actor="event",
            key="e",
            title="t",
            text="",
            thumbnail="",
            seller_id=lots.SELLER,
            stock_version=1,
        ),
        commands.PlaceBid(**common, actor=ANN, key="1", amount=20_00, currency="EUR", has_card=True),
        commands.PlaceBid(**common, actor=BEN, key="1", amount=40_00, currency="EUR", has_card=True),
    ):
        assert isinstance(runtime.submit(command), rules.Entry)

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4, 5])
    private = [contracts.decode(record.value)[1] for record in transport.read("auction.private")]
    assert sorted((type(event).__name__, event.user_id, event.seq) for event in private) == [
        ("Leading", ANN, 4),
        ("Leading", BEN, 5),
        ("Outbid", ANN, 5),
    ]
