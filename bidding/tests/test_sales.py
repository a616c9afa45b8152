"""What becomes of a sale: settled, the runner-up, back on sale, relisting; and sales of a buy_now listing."""

import pytest

from bidding import rules
from bidding.rules import commands
from bidding.tests import lots
from bidding.tests.lots import (
    ANN,
    BEN,
    CID,
    DOT,
    HOUR,
    MINUTE,
    T0,
    facts,
    listing,
    open_lot,
    refused_without_effect,
)

END = T0 + HOUR


# --- what becomes of a sale -----------------------------------------------------------------------------------------------


def struck(*bids, start=10_00, reserve=None):
    """(next, price) after the winner of a lot with these (bidder, maximum) cannot pay."""
    lot = open_lot(start_price=start, reserve=reserve)
    for bidder, maximum in bids:
        lot.bid(bidder, maximum)
    lot.close()
    found = facts(lot.fail(f"lot-{lot.state.seq}"))
    assert (lot.state.price, lot.state.alias_of(lot.state.leader)) == (found["price"], found["leader"])
    return found["next"], found["sale"] and found["sale"]["price"]


@pytest.mark.parametrize(
    ("bids", "reserve", "follows"),
    [
        ([(ANN, 100_00), (BEN, 100_000_00)], None, ("runner_up", 10_00)),
        ([(ANN, 100_00), (CID, 40_00), (BEN, 100_000_00)], None, ("runner_up", 41_00)),
        ([(ANN, 100_00), (CID, 99_80), (BEN, 100_000_00)], None, ("runner_up", 100_00)),
        ([(ANN, 100_00), (BEN, 100_000_00)], 60_00, ("runner_up", 60_00)),
        ([(ANN, 100_00), (BEN, 100_000_00)], 100_01, ("relist", None)),
        ([(BEN, 100_000_00)], None, ("relist", None)),
    ],
)
def test_the_runner_up_pays_the_price_as_if_the_struck_bids_had_never_been_made(bids, reserve, follows):
    assert struck(*bids, reserve=reserve) == follows


def test_the_next_in_line_is_the_earlier_of_equal_maxima_of_the_remaining_bidders():
    lot = three_bidders()

    assert rules.next_in_line(lot.state).user_id == BEN
    assert [rules.standing_of(lot.state, who) for who in (ANN, BEN, CID, DOT)] == [
        "won", "next_in_line", "lost", "lost",
    ]  # fmt: skip

    lot.fail("lot-8")

    assert [rules.standing_of(lot.state, who) for who in (ANN, BEN, CID, DOT)] == [
        "failed", "won", "next_in_line", "lost",
    ]  # fmt: skip


def three_bidders(reserve=None, **changes):
    """ANN 80, BEN 70, CID 70 (later), DOT 20; closed: ANN buys at 71.00."""
    lot = open_lot(reserve=reserve, **changes)
    lot.bid(DOT, 20_00)
    lot.bid(BEN, 70_00)
    lot.bid(CID, 70_00)
    lot.bid(ANN, 80_00)
    lot.close()
    return lot


def test_a_settled_sale_ends_the_lot():
    lot = three_bidders()

    assert facts(lot.settle("lot-8")) == {"kind": "settled", "sale_id": "lot-8", "ended": True}
    assert (lot.state.ended, lot.state.sold, dict(lot.state.open_sales.items())) == (True, 1, {})


def test_the_runner_up_chain_each_at_the_price_without_the_struck_the_earlier_first_then_relisting():
    lot = three_bidders()

    chain = []
    sale = "lot-8"
    for reason in ("payment_refused", "risk_refused", "payment_refused", "payment_refused"):
        found = facts(lot.fail(sale, reason))
        chain.append(
            (
                found["next"],
                found["sale"] and (found["sale"]["buyer"], found["sale"]["price"]),
                found["ended"],
            )
        )
        sale = found["sale"]["sale_id"] if found["sale"] else None

    assert chain == [
        ("runner_up", ("Bidder 2", 70_00), False),
        ("runner_up", ("Bidder 3", 20_50), False),
        ("runner_up", ("Bidder 1", 10_00), False),
        ("relist", None, True),
    ]
    assert [entry.hidden.buyer for entry in lot.entries[-4:]] == [BEN, CID, DOT, None]


def test_a_bidder_below_the_reserve_is_no_runner_up():
    lot = three_bidders(reserve=60_00)
    lot.fail("lot-8")
    lot.fail("lot-9")

    assert facts(lot.fail("lot-10"))["next"] == "relist"


def test_a_relisting_has_an_id_that_follows_from_auction_and_seq():
    lot = open_lot()
    lot.bid(ANN, 20_00)
    lot.close()

    assert facts(lot.fail("lot-5"))["relist_as"] == lots.ids.relisted_auction_id("lot", 6)


def test_without_relistings_left_nothing_follows():
    lot = open_lot(relistings_left=0)
    lot.bid(ANN, 20_00)
    lot.close()

    found = facts(lot.fail("lot-5"))
    assert (found["next"], found["relist_as"], found["ended"]) == ("nothing", None, True)


@pytest.mark.parametrize("reason", ["stock_refused", "step_failed", "operator"])
def test_after_other_failures_nothing_follows(reason):
    lot = three_bidders()

    found = facts(lot.fail("lot-8", reason))
    assert (found["next"], found["sale"], found["ended"]) == ("nothing", None, True)


@pytest.mark.parametrize("end", ["settle", "fail"])
def test_a_sale_that_is_not_undecided_is_refused(end):
    lot = three_bidders()
    lot.settle("lot-8")

    assert refused_without_effect(lot, end, "lot-8") == ("no_such_sale", {"sale_id": "lot-8"})
    assert refused_without_effect(lot, end, "lot-99") == ("no_such_sale", {"sale_id": "lot-99"})


# --- buy now ------------------------------------------------------------------------------------------------------------


def test_a_bid_on_a_buy_now_listing_is_a_sale():
    found = facts(listing().bid(ANN, quantity=2))

    assert found["sale"] == {"sale_id": "lot-4", "buyer": "Bidder 1", "price": 20_00, "quantity": 2}
    assert (found["price"], found["leader"], found["quantity_left"], found["ends_at"]) == (10_00, "", 1, END)


def test_an_amount_must_be_the_total():
    lot = listing()

    assert refused_without_effect(lot, "bid", ANN, 10_00, quantity=2) == (
        "price_differs",
        {"amount": 10_00, "price": 20_00},
    )
    assert facts(lot.bid(ANN, 20_00, quantity=2))["quantity_left"] == 1


def test_more_than_there_is_is_sold_out():
    lot = listing()
    lot.bid(ANN, quantity=2)

    assert refused_without_effect(lot, "bid", BEN, quantity=2) == ("sold_out", {"quantity_left": 1})
    lot.bid(BEN)
    assert refused_without_effect(lot, "bid", CID) == ("sold_out", {"quantity_left": 0})


def test_one_buyer_may_buy_again():
    lot = listing()
    lot.bid(ANN)
    lot.bid(ANN)

    assert (lot.state.quantity_left, len(lot.state.open_sales), len(lot.state.bidders)) == (1, 2, 1)


@pytest.mark.parametrize(
    ("reason", "follows", "left"),
    [
        ("payment_refused", "back_on_sale", 3),
        ("risk_refused", "back_on_sale", 3),
        ("stock_refused", "nothing", 1),
        ("step_failed", "nothing", 1),
        ("operator", "nothing", 1),
    ],
)
def test_a_failed_sale_of_an_open_listing_gives_the_units_back_when_only_the_buyer_failed(
    reason, follows, left
):
    lot = listing()
    lot.bid(ANN, quantity=2)

    found = facts(lot.fail("lot-4", reason, at=T0 + 5 * MINUTE))
    assert (found["next"], found["quantity_left"], found["ended"], lot.state.status) == (
        follows,
        left,
        False,
        "OPEN",
    )


def test_the_standing_of_a_buyer_of_several_units_is_that_of_the_last_purchase():
    lot = listing()
    standings = []
    for end in (lot.settle, lot.fail, lot.settle):
        sale = lot.bid(ANN).facts.sale.sale_id
        standings += [rules.standing_of(lot.state, ANN)]
        end(sale, at=T0 + 5 * MINUTE)
        standings += [rules.standing_of(lot.state, ANN)]

    assert standings == ["bought", "bought", "bought", "failed", "bought", "bought"]
    assert rules.standing_of(lot.state, BEN) == "none"


def test_a_listing_with_nothing_left_ends_with_its_last_sale_and_is_never_due():
    lot = listing(quantity=2)
    lot.bid(ANN)
    lot.bid(BEN)
    lot.settle("lot-4", at=T0 + 5 * MINUTE)
    assert (lot.state.ended, lot.state.status) == (False, "SOLD_OUT")

    assert facts(lot.settle("lot-5", at=T0 + 5 * MINUTE))["ended"] is True
    assert (lot.state.status, rules.due_at(lot.state)) == ("SOLD_OUT", None)
    assert refused_without_effect(lot, "bid", CID) == ("sold_out", {"quantity_left": 0})


def test_a_sold_out_listing_opens_again_when_a_sale_falls_through_and_is_unsold_when_all_stock_is_refused():
    lot = listing(quantity=1)
    lot.bid(ANN)
    lot.fail("lot-4", at=T0 + 5 * MINUTE)
    assert (lot.state.status, lot.state.quantity_left, lot.state.outcome) == ("OPEN", 1, None)

    lot.bid(BEN)
    lot.fail("lot-6", "stock_refused", at=T0 + 6 * MINUTE)
    assert (lot.state.status, lot.state.ended, lot.state.outcome) == ("CLOSED", True, "unsold")


@pytest.mark.parametrize(
    ("available", "reserved", "left"),
    [(3, (), 2), (3, ("lot-4",), 3), (1, (), 0), (0, ("lot-4",), 0), (20, (), 9)],
)
def test_what_is_left_is_what_inventory_has_less_the_sales_that_it_has_not_reserved_yet(
    available, reserved, left
):
    lot = listing(quantity=10)
    lot.bid(ANN)
    stock = commands.Stock(available, frozenset(reserved))

    assert lot.state.units_left(stock) == left
    assert refused_without_effect(lot, "bid", BEN, quantity=left + 1, stock=stock) == (
        "sold_out",
        {"quantity_left": left},
    )
    if left:
        assert facts(lot.bid(BEN, quantity=left, stock=stock))["quantity_left"] == 0
        assert lot.state.quantity_left == 9 - left


def test_a_closed_listing_ends_with_its_last_sale_and_nothing_comes_back_on_sale():
    lot = listing()
    lot.bid(ANN)
    lot.bid(BEN)
    closed = facts(lot.close())
    assert (closed["ended"], closed["quantity_left"], closed["winner"], closed["sale"]) == (
        False,
        1,
        "",
        None,
    )
    assert facts(lot.fail("lot-4"))["next"] == "nothing"

    assert facts(lot.settle("lot-5"))["ended"] is True
