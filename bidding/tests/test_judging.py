"""The judge against logs that the rules never write. Each is sealed, so that only the rule in question is broken."""

import msgspec
import pytest

from auction_project.kernel import ids
from bidding.rules import kinds, log
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, SELLER
from bidding.verification import judging


def sealed(entry, **changes):
    """The entry with other facts, as if the rules had decided them."""
    kept = {
        name: getattr(entry, name)
        for name in ("auction_id", "seq", "at", "actor", "key", "request", "hidden", "prev", "correlation_id")
    }
    facts = changes.pop("facts", None) or msgspec.structs.replace(entry.facts, **changes)
    return log.seal(**kept, facts=facts)


def violations(*entries):
    verdicts = judging.Verdicts()
    judge = judging.Judge(entries[0].auction_id, verdicts)
    for entry in entries:
        judge.see(entry)
    by_name = {name: verdicts.finding(name).violations for name in ("B3", "B5", "B6", "B7", "B9")}
    return {name: words for name, words in by_name.items() if words}


@pytest.fixture
def failed():
    """ANN 100, CID 40, BEN 100,000; BEN wins and cannot pay, so ANN buys at 41.00."""
    lot = lots.open_lot()
    for bidder, maximum in ((ANN, 100_00), (CID, 40_00), (BEN, 100_000_00)):
        lot.bid(bidder, maximum)
    lot.close()
    lot.fail(f"lot-{lot.state.seq}")
    return lot.entries


def test_a_sound_strike_holds(failed):
    assert violations(*failed) == {}


@pytest.mark.parametrize("price", [40_00, 100_00])
def test_b6_a_runner_up_who_pays_another_price_than_the_remaining_bids_give(failed, price):
    *before, last = failed
    sale = msgspec.structs.replace(last.facts.sale, price=price)

    violated = violations(*before, sealed(last, price=price, sale=sale))

    assert list(violated) == ["B6"]
    assert "what follows is" in violated["B6"][0]


def test_b3_a_leaders_own_change_that_moves_the_end_or_counts_as_a_bid():
    lot = lots.open_lot()
    lot.bid(ANN, 20_00)
    lot.bid(ANN, 30_00)
    *before, raised = lot.entries
    assert violations(*lot.entries) == {}

    for changes in ({"ends_at": raised.facts.ends_at + 1}, {"bids": 2}):
        violated = violations(*before, sealed(raised, **changes))
        assert any("moved the end or the count" in words for words in violated["B3"])
    as_bid = kinds.Bid(**{name: getattr(raised.facts, name) for name in kinds.Bid.__struct_fields__})
    assert "it is no bid" in violations(*before, sealed(raised, facts=as_bid))["B3"][0]


def test_b7_the_operator_who_listed_a_lot_of_the_house_bids_on_it():
    lot = lots.open_lot(seller_id=ids.HOUSE)
    lot.bid(ANN, 20_00)
    *before, bid = lot.entries
    assert violations(*lot.entries) == {}

    hidden = msgspec.structs.replace(bid.hidden, actor=SELLER)  # who requests the lots of these tests
    forged = sealed(msgspec.structs.replace(bid, actor=SELLER, hidden=hidden))

    assert "by the operator who listed it" in violations(*before, forged)["B7"][0]
