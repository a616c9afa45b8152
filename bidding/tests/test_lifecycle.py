"""The life of an auction under the rules but for its bids: opening, closing, what becomes of a sale, buy now, cancelling."""

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
    OPERATOR,
    SELLER,
    T0,
    facts,
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


def test_operators_and_the_seller_open_early_and_nobody_else():
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
    assert refused_without_effect(lot, "open") == ("wrong_status", {"status": "OPEN"})
    lot.close()
    assert refused_without_effect(lot, "close") == ("wrong_status", {"status": "CLOSED"})
    assert refused_without_effect(lot, "schedule") == ("wrong_status", {"status": "CLOSED"})


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


def test_what_the_clock_is_owed():
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


# --- what becomes of a sale -----------------------------------------------------------------------------------------------


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


def test_the_runner_up_chain_each_at_his_own_highest_bid_the_earlier_first_then_relisting():
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
        ("runner_up", ("Bidder 3", 70_00), False),
        ("runner_up", ("Bidder 1", 20_00), False),
        ("relist", None, True),
    ]
    assert [entry.hidden.buyer for entry in lot.entries[-4:]] == [BEN, CID, DOT, None]


def test_nobody_below_the_reserve_is_a_runner_up():
    lot = three_bidders(reserve=60_00)
    lot.fail("lot-8")
    lot.fail("lot-9")

    assert facts(lot.fail("lot-10"))["next"] == "relist"


def test_a_relisting_has_an_id_that_follows_from_auction_and_seq():
    lot = open_lot()
    lot.bid(ANN, 20_00)
    lot.close()

    assert facts(lot.fail("lot-5"))["relist_as"] == lots.names.relisted_auction_id("lot", 6)


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


def listing(quantity=3, **changes):
    return open_lot(format="buy_now", quantity=quantity, allocate="on_sale", **changes)


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


def test_a_listing_with_nothing_left_ends_with_its_last_sale_and_the_clock_has_nothing_to_do():
    lot = listing(quantity=2)
    lot.bid(ANN)
    lot.bid(BEN)
    lot.settle("lot-4", at=T0 + 5 * MINUTE)
    assert (lot.state.ended, lot.state.status) == (False, "OPEN")

    assert facts(lot.settle("lot-5", at=T0 + 5 * MINUTE))["ended"] is True
    assert (lot.state.status, rules.due_at(lot.state)) == ("CLOSED", None)
    assert refused_without_effect(lot, "bid", CID) == ("auction_closed", {"ends_at": END})


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


def test_buy_now_has_no_reserve_and_english_no_quantity():
    for changes, field in (
        ({"format": "buy_now", "reserve": 20_00}, "reserve_price"),
        ({"quantity": 2}, "quantity"),
    ):
        lot = lots.Lot()
        outcome = lot.request(**changes)
        assert (outcome.rule, outcome.field, lot.state.seq) == ("terms_invalid", field, 0)


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
    ],
)
def test_terms_out_of_bounds_are_refused_with_their_field(changes, field):
    lot = lots.Lot()
    outcome = lot.request(**changes)

    assert (outcome.rule, outcome.field, outcome.kind, lot.state) == (
        "terms_invalid",
        field,
        "invalid",
        rules.State("lot"),
    )


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
    assert refused_without_effect(lot, "cancel", "operator") == ("wrong_status", {"status": "CANCELLED"})


def test_the_seller_cancels_while_there_is_no_bid():
    lot = open_lot()
    lot.cancel("seller", actor=SELLER)

    assert lot.state.status is rules.Status.CANCELLED


def test_a_closed_auction_cannot_be_cancelled():
    lot = open_lot()
    lot.close()

    assert refused_without_effect(lot, "cancel", "operator") == ("wrong_status", {"status": "CLOSED"})


def test_pending_sales_of_a_cancelled_listing_run_to_their_end():
    lot = listing()
    lot.bid(ANN)
    lot.bid(BEN)
    assert facts(lot.cancel("operator"))["ended"] is False
    assert facts(lot.settle("lot-4"))["ended"] is False

    found = facts(lot.fail("lot-5"))
    assert (found["next"], found["ended"], lot.state.status) == ("nothing", True, "CANCELLED")


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


# --- the log --------------------------------------------------------------------------------------------------------------


def test_time_never_decreases_within_a_log():
    lot = open_lot()
    lot.bid(ANN, 20_00, at=T0 + 500)
    lot.bid(BEN, 30_00, at=T0 + 400)

    assert [entry.at for entry in lot.entries[-2:]] == [T0 + 500, T0 + 500]


def test_what_is_asked_has_a_digest_without_time_salt_and_origin():
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
