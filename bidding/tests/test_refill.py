"""While an emptied transport gets old entries again, the relay goes on: of each auction the old entries come first, then the
new ones, and no auction waits for the old entries of another."""

import pytest

from auction_project.kernel import instants
from auction_project.kernel.messaging import broker as brokers
from bidding.publishing import messages as log_messages
from bidding.publishing import refill as log_refill
from bidding.publishing import relay as log_relay
from bidding.publishing.pace import PACE, Pace
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN
from bidding.tests.relaying import published, step_until
from bidding.tests.stored import bids_on
from bidding.writer.clocks import Clocks

CROWDED, QUIET, NEW = "a", "b", "c"  # in this order the refill goes through them
BIDS = 30
ALL_OF_CROWDED = list(range(1, BIDS + 4))
PIECEMEAL = Pace(
    publish_seconds=0.0,
    refill_seconds=0.0,
    epoch_check_seconds=0.0,
    save_seconds=0.0,
    sweep_rest=0.0,
    refill_step_entries=1,
    refill_page_auctions=1,
)


@pytest.fixture
def relay(log, transport):
    return log_relay.LogRelay(transport, readers={}, pace=PIECEMEAL)


@pytest.fixture
def quiet(log, relay, transport):
    """A lot beside a crowded one. Both were published and saved, and the transport was emptied; its refill has begun."""
    crowded, quiet = bids_on(CROWDED, BIDS), lots.open_lot(QUIET)
    log.register()
    log.append(crowded.entries)
    log.append(quiet.entries)
    step_until(relay, lambda: (log.document(CROWDED).mark, log.document(QUIET).mark) == (BIDS + 3, 3))
    transport.wipe()
    step_until(relay, lambda: published(transport, CROWDED))
    return quiet


def in_order(seqs):
    """The seqs without the repeats."""
    return list(dict.fromkeys(seqs))


def finish(relay):
    step_until(relay, lambda: relay._refill is None)


def test_a_new_bid_comes_after_the_old_entries_of_its_lot_and_before_those_of_others(
    log, relay, transport, quiet
):
    log.append([quiet.bid(ANN, 20_00)], batch="w:2")

    step_until(relay, lambda: 4 in published(transport, QUIET))

    assert published(transport, QUIET) == [1, 2, 3, 4]
    assert len(published(transport, CROWDED)) < BIDS
    finish(relay)
    assert published(transport, QUIET) == [1, 2, 3, 4]
    assert published(transport, CROWDED) == ALL_OF_CROWDED


def test_a_lot_that_is_new_waits_for_nothing(log, relay, transport, quiet):
    log.append(lots.open_lot(NEW).entries, batch="w:2")

    step_until(relay, lambda: published(transport, NEW))

    assert len(published(transport, CROWDED)) < BIDS
    finish(relay)
    assert published(transport, NEW) == [1, 2, 3]


def test_a_relay_that_dies_in_the_middle_of_a_refill_loses_nothing(log, relay, transport, quiet):
    log.append([quiet.bid(ANN, 20_00)], batch="w:2")
    step_until(relay, lambda: log.document(QUIET).mark == 4)
    log.append([quiet.bid(BEN, 40_00)], batch="w:3")

    when_its_lease_is_over = Clocks(now=lambda: instants.now() + PACE.lease_ms)
    heir = log_relay.LogRelay(transport, readers={}, pace=PIECEMEAL, clocks=when_its_lease_is_over)
    step_until(heir, lambda: heir._refill is not None)
    finish(heir)
    step_until(heir, lambda: 5 in published(transport, QUIET))

    assert in_order(published(transport, QUIET)) == [1, 2, 3, 4, 5]
    assert in_order(published(transport, CROWDED)) == ALL_OF_CROWDED
    transport.append([], source=log_messages.SOURCE)  # the epoch has begun


def test_what_was_new_in_a_refill_is_published_again_when_the_transport_is_emptied_in_the_middle_of_it(
    log, relay, transport, quiet
):
    log.append([quiet.bid(ANN, 20_00)], batch="w:2")
    step_until(relay, lambda: log.document(QUIET).mark == 4)
    assert relay._refill is not None

    transport.wipe()
    log.append([quiet.bid(BEN, 40_00)], batch="w:3")
    finish(relay)
    step_until(relay, lambda: 5 in published(transport, QUIET))

    assert published(transport, QUIET) == [1, 2, 3, 4, 5]
    assert published(transport, CROWDED) == ALL_OF_CROWDED


def test_the_refill_waits_for_a_reader_but_not_for_one_that_has_stopped(log, relay, transport, quiet):
    seconds = 0.0
    refill = log_refill.Refill(
        transport,
        since=0,
        readers={"frames": ("auction.log", "orders")},
        clocks=Clocks(monotonic=lambda: seconds),
        pace=Pace(refill_ahead_messages=2, refill_wait_seconds=1.0, refill_step_entries=3),
    )
    transport.wipe()
    transport.begin_epoch(log_refill.EPOCH)
    transport.append([brokers.Message("orders", "k", b"is no business of the refill")] * 9)
    reader = transport.consumer("frames", ["auction.log"], member="m")
    while not refill.messages:
        assert not refill.is_ahead()
        refill.step()

    assert refill.is_ahead()
    first, *_ = reader.poll(0.0)
    reader.acknowledge(first)
    assert not refill.is_ahead()

    refill.step()
    assert refill.is_ahead()
    seconds = 1.0
    assert not refill.is_ahead()
