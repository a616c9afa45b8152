"""What a writer has stored is announced after it was acknowledged: each entry once, in order, and nothing else."""

import pytest

from auction_project.kernel.contracts import events
from bidding.publishing import events as log_events
from bidding.tests import lots, scripted_store
from bidding.tests.lots import ANN, BEN, CID, bid
from bidding.tests.scripted_store import Step
from bidding.writer import committer
from bidding.writer.clocks import Clocks

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def announced(scripted):
    """The announced entries so far; each was in the store by then."""
    return []


@pytest.fixture
async def writer(scripted, announced):
    def on_stored(stored):
        for proposal in stored:
            entry = proposal.entry
            assert scripted.entries[entry.auction_id, entry.seq] == entry
            assert proposal.after.seq == entry.seq
            announced.append(entry)

    made = committer.Committer(scripted, clocks=Clocks(now=lambda: scripted_store.NOW), on_stored=on_stored)
    made.start()
    yield made
    await made.stop()


async def test_a_stored_entry_is_announced_and_a_refusal_is_not(writer, announced):
    entry = await writer.submit(bid(ANN, 20_00, key="1"))
    await writer.submit(bid(BEN, 5_00, key="2"))
    await writer.submit(bid(ANN, 20_00, key="1"))

    assert announced == [entry]


async def test_an_entry_of_unknown_outcome_is_announced_once_it_is_found(writer, scripted, announced):
    scripted.script.append(Step(unknown=True))

    entry = await writer.submit(bid(ANN, 20_00))

    assert announced == [entry]


async def test_an_entry_that_lost_its_race_is_announced_with_the_seq_that_it_got(writer, scripted, announced):
    scripted.script.append(Step(foreign=scripted_store.another_bid(BEN, 15_00)))

    entry = await writer.submit(bid(ANN, 20_00))

    assert (announced, entry.seq) == ([entry], 5)


def test_the_public_record_of_a_bid_hides_the_maximum_and_the_bidder():
    lot = lots.open_lot("x")
    lot.bid(ANN, 98_765_43)
    entry = lot.bid(CID, 54_321_98)

    record = log_events.public_record(entry, lot.state)

    assert isinstance(record, events.BidPlaced)
    shown = repr(record)
    assert not any(secret in shown for secret in ("9876543", ANN, BEN, CID))
