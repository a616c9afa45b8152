"""The life of an auction under the rules: its terms, opening, closing, cancelling, the log. Exact figures."""

import pytest

from bidding import rules
from bidding.rules import commands
from bidding.tests import lots
from bidding.tests.lots import (
    ANN,
    BEN,
    HOUR,
    MINUTE,
    OPERATOR,
    SELLER,
    T0,
    facts,
    listing,
    open_lot,
    refused_without_effect,
)

END = T0 + HOUR


# --- opening and closing -----------------------------------------------------------------------------------------------


def test_the_clock_opens_at_the_start_and_not_before():
    lot = lots.Lot()
    lot.request()
    lot.schedule()

    assert refused_without_effect(lot, "open", at=T0 - 1) == ("not_due", {"due_at": T0})
    assert facts(lot.open(at=T0)) == {"kind": "opened", "ends_at": END}


def test_only_operators_and_the_seller_open_early():
    for actor, by_operator in ((SELLER, False), (OPERATOR, True)):
        lot = lots.Lot()
        lot.request()
        lot.schedule()
        assert refused_without_effect(lot, "open", at=T0 - 1, actor=ANN, early=True) == (
            "not_your_auction",
            {},
        )
        lot.open(at=T0 - 1, actor=actor, early=True, by_operator=by_operator)
        assert lot.state.status is rules.Status.OPEN


def test_an_auction_opens_and_closes_once():
    lot = open_lot()
    assert refused_without_effect(lot, "open") == ("wrong_status", {"state": "OPEN"})
    lot.close()
    assert refused_without_effect(lot, "close") == ("wrong_status", {"state": "CLOSED"})
    assert refused_without_effect(lot, "schedule") == ("wrong_status", {"state": "CLOSED"})


def test_the_close_waits_for_the_end_as_it_is_now():
    lot = open_lot()
    lot.bid(ANN, 20_00, at=END - 1)

    assert refused_without_effect(lot, "close", at=END + MINUTE) == (
        "not_due",
        {"due_at": END + 2 * MINUTE - 1},
    )


def test_the_winner_buys_at_the_visible_price():
    lot = open_lot()
    lot.bid(ANN, 80_00)
    lot.bid(BEN, 30_00)

    closed = lot.close()
    assert facts(closed) == {
        "kind": "closed",
        "winner": "Bidder 1",
        "price": 31_00,
        "reserve_met": True,
        "quantity_left": 0,
        "ended": False,
        "sale": {"sale_id": "lot-6", "buyer": "Bidder 1", "price": 31_00, "quantity": 1},
    }
    assert closed.hidden.buyer == ANN


def test_a_lot_without_bids_closes_and_has_ended():
    closed = facts(open_lot().close())

    assert (closed["winner"], closed["price"], closed["sale"], closed["ended"], closed["quantity_left"]) == (
        "",
        0,
        None,
        True,
        1,
    )


def test_when_the_clock_opens_and_closes():
    lot = lots.Lot()
    assert rules.due_at(lot.state) is None
    lot.request()
    assert rules.due_at(lot.state) is None
    lot.schedule()
    assert rules.due_at(lot.state) == T0
    lot.open()
    assert rules.due_at(lot.state) == END + 50
    lot.close()
    assert rules.due_at(lot.state) is None


# --- terms --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_price": 0}, "start_price"),
        ({"start_price": 10**11 + 1}, "start_price"),
        ({"quantity": 0, "format": "buy_now"}, "quantity"),
        ({"quantity": 10_001, "format": "buy_now"}, "quantity"),
        ({"ends_at": T0}, "ends_at"),
        ({"ends_at": T0 - HOUR, "starts_at": T0 - 2 * HOUR}, "ends_at"),
        ({"ends_at": T0 + 90 * 24 * HOUR + 1}, "ends_at"),
        ({"reserve": 9_99}, "reserve_price"),
        ({"reserve": 10**11 + 1}, "reserve_price"),
        ({"pay_within_ms": 59_999}, "pay_within_minutes"),
        ({"pay_within_ms": 7 * 24 * HOUR + 1}, "pay_within_minutes"),
        ({"pay_within_ms": HOUR, "allocate": "on_sale"}, "allocate"),
    ],
)
def test_terms_out_of_bounds_are_refused_with_their_field(changes, field):
    lot = lots.Lot()
    outcome = lot.request(**changes)

    assert (outcome.rule, outcome.field, lot.state) == ("terms_invalid", field, rules.State("lot"))


def test_an_auction_is_requested_once():
    lot = lots.Lot()
    lot.request()

    assert refused_without_effect(lot, "request") == ("already_requested", {})


# --- cancelling -----------------------------------------------------------------------------------------------------------


def test_an_operator_cancels_with_bids_the_seller_only_without():
    lot = open_lot()
    assert refused_without_effect(lot, "cancel", "seller", actor=ANN) == ("not_your_auction", {})
    lot.bid(ANN, 20_00)
    assert refused_without_effect(lot, "cancel", "seller", actor=SELLER) == ("has_bids", {"bids": 1})

    assert facts(lot.cancel("operator")) == {
        "kind": "cancelled",
        "reason": "It broke.",
        "by": "operator",
        "ended": True,
    }
    assert refused_without_effect(lot, "cancel", "operator") == ("wrong_status", {"state": "CANCELLED"})


def test_the_seller_cancels_while_there_is_no_bid():
    lot = open_lot()
    lot.cancel("seller", actor=SELLER)

    assert lot.state.status is rules.Status.CANCELLED


def test_a_closed_auction_cannot_be_cancelled():
    lot = open_lot()
    lot.close()

    assert refused_without_effect(lot, "cancel", "operator") == ("wrong_status", {"state": "CLOSED"})


def test_pending_sales_of_a_cancelled_listing_run_to_their_end():
    lot = listing()
    lot.bid(ANN)
    lot.bid(BEN)
    assert facts(lot.cancel("operator"))["ended"] is False
    assert facts(lot.settle("lot-4"))["ended"] is False

    failed = facts(lot.fail("lot-5"))
    assert (failed["next"], failed["ended"], lot.state.status) == ("nothing", True, "CANCELLED")


def test_inventorys_refusal_cancels_a_requested_lot():
    lot = lots.Lot()
    lot.request()
    lot.cancel("inventory", actor=commands.EVENT)

    assert (lot.state.status, lot.state.ended) == (rules.Status.CANCELLED, True)


@pytest.mark.parametrize("version", [6, 7])
def test_depletion_news_not_newer_than_the_lot_is_old(version):
    lot = listing()

    assert refused_without_effect(lot, "cancel", "inventory", stock_version=version) == (
        "stock_news_is_old",
        {},
    )


def test_a_newer_depletion_cancels_a_listing_scheduled_or_open_but_no_english_lot():
    scheduled, opened, english = lots.Lot(), listing(), open_lot()
    scheduled.request(format="buy_now", quantity=3)
    assert refused_without_effect(scheduled, "cancel", "inventory", stock_version=8)[0] == "wrong_status"
    scheduled.schedule()
    for lot in (scheduled, opened):
        lot.cancel("inventory", stock_version=8)
        assert lot.state.status is rules.Status.CANCELLED

    assert refused_without_effect(english, "cancel", "inventory", stock_version=8) == (
        "stock_news_is_old",
        {},
    )


def test_a_depletion_leaves_a_sold_out_listing_to_its_sales():
    lot = listing(quantity=2)
    lot.bid(ANN, quantity=2)

    assert refused_without_effect(lot, "cancel", "inventory", stock_version=8) == ("nothing_left", {})

    lot.settle(f"lot-{lot.state.seq}")
    assert (lot.state.status, lot.state.ended, lot.state.sold) == (rules.Status.SOLD_OUT, True, 2)


def test_a_listing_that_sold_what_there_was_is_sold_out_and_not_cancelled():
    lot = listing(quantity=9)
    lot.bid(ANN)

    assert facts(lot.cancel("inventory", stock_version=8)) == {"kind": "sold_out", "ended": False}
    assert (lot.state.status, lot.state.quantity_left, lot.state.outcome) == ("SOLD_OUT", 0, "sold_out")
    assert refused_without_effect(lot, "bid", BEN) == ("sold_out", {"quantity_left": 0})

    assert facts(lot.settle("lot-4"))["ended"] is True
    assert (lot.state.status, lot.state.outcome, rules.due_at(lot.state)) == ("SOLD_OUT", "sold_out", None)
    assert refused_without_effect(lot, "cancel", "operator")[0] == "wrong_status"


# --- the log --------------------------------------------------------------------------------------------------------------


def test_time_never_decreases_within_a_log():
    lot = open_lot()
    lot.bid(ANN, 20_00, at=T0 + 500)
    lot.bid(BEN, 30_00, at=T0 + 400)

    assert [entry.at for entry in lot.entries[-2:]] == [T0 + 500, T0 + 500]


def test_the_digest_of_a_request_leaves_out_time_salt_and_origin():
    one, same, other = (
        commands.PlaceBid(
            auction_id="lot",
            actor=ANN,
            key="k",
            at=at,
            salt=salt,
            correlation_id=salt,
            amount=amount,
            currency="EUR",
        )
        for at, salt, amount in ((1, "a", 5), (2, "b", 5), (1, "a", 6))
    )

    assert one.request() == same.request() != other.request()


def test_the_answer_is_a_function_of_the_entry():
    lot = open_lot()
    entry = lot.bid(ANN, 20_00)

    assert rules.answer_of(entry) == {
        "auction_id": "lot",
        "seq": 4,
        "hash": entry.hash,
        "at": T0 + MINUTE,
        "standing": "leading",
        "bidder": "Bidder 1",
        "currency": "EUR",
        "price": 10_00,
        "minimum": 10_50,
        "ends_at": END,
        "reserve_met": True,
        "quantity_left": 1,
        "sale_id": None,
    }


def test_buy_now_has_no_reserve_and_english_no_quantity():
    for changes, field in (
        ({"format": "buy_now", "reserve": 20_00}, "reserve_price"),
        ({"quantity": 2}, "quantity"),
    ):
        lot = lots.Lot()
        outcome = lot.request(**changes)
        assert (outcome.rule, outcome.field, lot.state.seq) == ("terms_invalid", field, 0)
