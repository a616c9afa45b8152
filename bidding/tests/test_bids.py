"""Bids under the rules, one test a rule, with exact figures (EUR cents; instants in ms)."""

import pytest

from auction_project.kernel import errors, ids
from bidding import rules
from bidding.rules import increments, kinds, log
from bidding.tests import lots
from bidding.tests.lots import (
    ANN,
    BEN,
    CID,
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


def placed(outcome):
    """(price, leader, minimum) after a bid."""
    public = facts(outcome)
    return public["price"], public["leader"], public["minimum"]


# --- increments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "increment"),
    [
        (1, 5), (99, 5), (1_00, 25), (4_99, 25), (5_00, 50), (24_99, 50), (25_00, 1_00), (99_99, 1_00), (100_00, 2_50),
        (249_99, 2_50), (250_00, 5_00), (499_99, 5_00), (500_00, 10_00), (999_99, 10_00), (1_000_00, 25_00),
        (2_499_99, 25_00), (2_500_00, 50_00), (4_999_99, 50_00), (5_000_00, 100_00), (10**11, 100_00),
    ],
)  # fmt: skip
def test_the_increment_is_looked_up_at_the_amount_that_it_is_added_to(price, increment):
    assert increments.increment(price) == increment
    assert increments.minimum_above(price) == price + increment


# --- proxy bids ------------------------------------------------------------------------------------------------------


def test_a_first_bid_leads_at_the_starting_price():
    assert placed(open_lot().bid(ANN, 80_00)) == (10_00, "Bidder 1", 10_50)


def test_a_first_bid_of_exactly_the_starting_price_is_enough():
    assert placed(open_lot().bid(ANN, 10_00)) == (10_00, "Bidder 1", 10_50)


def test_a_first_bid_below_the_starting_price_is_refused():
    assert refused_without_effect(open_lot(), "bid", ANN, 9_99) == (
        "bid_too_low",
        {"amount": 9_99, "minimum": 10_00},
    )


def test_a_lower_maximum_raises_the_price_to_itself_plus_its_increment():
    lot = open_lot()
    lot.bid(ANN, 80_00)

    assert placed(lot.bid(BEN, 30_00)) == (31_00, "Bidder 1", 32_00)


def test_the_price_never_exceeds_the_leaders_maximum():
    lot = open_lot()
    lot.bid(ANN, 30_40)

    assert placed(lot.bid(BEN, 30_00)) == (30_40, "Bidder 1", 31_40)


def test_the_winners_maximum_need_exceed_the_losers_by_a_cent_only():
    lot = open_lot()
    lot.bid(ANN, 30_00)

    assert placed(lot.bid(BEN, 30_01)) == (30_01, "Bidder 2", 31_01)


def test_a_higher_maximum_takes_the_lead_one_increment_above_the_loser():
    lot = open_lot()
    lot.bid(ANN, 30_00)

    assert placed(lot.bid(BEN, 90_00)) == (31_00, "Bidder 2", 32_00)


def test_a_tie_leads_the_earlier_at_that_amount_and_the_later_is_outbid_at_once():
    lot = open_lot()
    lot.bid(ANN, 30_00)
    later = lot.bid(BEN, 30_00)

    assert placed(later) == (30_00, "Bidder 1", 31_00)
    assert (lot.state.leader, rules.answer_of(later)["standing"]) == (ANN, "outbid")


def test_below_the_minimum_next_bid_is_refused_and_the_minimum_itself_is_not():
    lot = open_lot()
    lot.bid(ANN, 80_00)
    lot.bid(BEN, 30_00)

    assert refused_without_effect(lot, "bid", CID, 31_99) == (
        "bid_too_low",
        {"amount": 31_99, "minimum": 32_00},
    )
    assert placed(lot.bid(CID, 32_00)) == (33_00, "Bidder 1", 34_00)


def test_raising_ones_own_maximum_moves_no_price_and_need_not_reach_the_minimum():
    lot = open_lot()
    lot.bid(ANN, 10_20)

    assert placed(lot.bid(ANN, 10_30)) == (10_00, "Bidder 1", 10_50)
    assert lot.state.bidders[ANN].maximum == 10_30


def test_ones_own_maximum_again_is_refused():
    lot = open_lot()
    lot.bid(ANN, 20_00)

    assert refused_without_effect(lot, "bid", ANN, 20_00) == ("bid_unchanged", {"amount": 20_00})


def test_a_maximum_can_be_lowered_to_the_visible_price_and_no_further():
    lot = open_lot()
    lot.bid(ANN, 80_00)
    lot.bid(BEN, 30_00)

    assert refused_without_effect(lot, "bid", ANN, 30_99) == (
        "bid_too_low",
        {"amount": 30_99, "minimum": 31_00},
    )
    assert placed(lot.bid(ANN, 31_00)) == (31_00, "Bidder 1", 32_00)
    assert placed(lot.bid(BEN, 40_00)) == (32_00, "Bidder 2", 33_00)


def test_a_raised_maximum_leads_against_a_later_equal_one():
    lot = open_lot()
    lot.bid(ANN, 40_00)
    lot.bid(BEN, 40_00)
    lot.bid(ANN, 50_00)

    assert placed(lot.bid(CID, 50_00)) == (50_00, "Bidder 1", 51_00)


def test_a_leader_who_lowers_the_maximum_to_a_later_equal_one_still_leads():
    """No other bidder reached an amount before the leader did, so the leader keeps the priority of the bid that took
    the lead."""
    lot = open_lot()
    lot.bid(ANN, 40_00)
    lot.bid(BEN, 40_00)
    lot.bid(ANN, 50_00)

    assert placed(lot.bid(ANN, 40_00)) == (40_00, "Bidder 1", 41_00)
    assert lot.state.bidders[ANN] == rules.state.Bidder("Bidder 1", 40_00, 4)
    lot.bid(CID, 60_00)
    lot.close()
    assert lot.fail("lot-9").hidden.buyer == ANN


def test_an_outbid_bidder_who_returns_keeps_the_alias():
    lot = open_lot()
    lot.bid(ANN, 20_00)
    lot.bid(BEN, 30_00)

    assert placed(lot.bid(ANN, 60_00)) == (31_00, "Bidder 1", 32_00)
    assert len(lot.state.bidders) == 2


# --- the reserve -----------------------------------------------------------------------------------------------------


def test_below_the_reserve_the_price_goes_its_usual_way_and_the_reserve_is_not_met():
    lot = open_lot(reserve=60_00)

    assert (*placed(lot.bid(ANN, 59_99)), lot.state.reserve_met) == (10_00, "Bidder 1", 10_50, False)
    assert (*placed(lot.bid(BEN, 20_00)), lot.state.reserve_met) == (20_50, "Bidder 1", 21_00, False)


def test_a_maximum_that_meets_the_reserve_lifts_the_price_to_it():
    lot = open_lot(reserve=60_00)

    assert (*placed(lot.bid(ANN, 60_00)), lot.state.reserve_met) == (60_00, "Bidder 1", 61_00, True)


def test_raising_ones_own_maximum_to_the_reserve_lifts_the_price():
    lot = open_lot(reserve=60_00)
    lot.bid(ANN, 20_00)

    assert (*placed(lot.bid(ANN, 75_00)), lot.state.reserve_met) == (60_00, "Bidder 1", 61_00, True)


def test_above_the_reserve_the_price_is_the_contested_one():
    lot = open_lot(reserve=60_00)
    lot.bid(ANN, 90_00)

    assert placed(lot.bid(BEN, 70_00)) == (71_00, "Bidder 1", 72_00)


def test_an_unmet_reserve_sells_nothing():
    lot = open_lot(reserve=60_00)
    lot.bid(ANN, 30_00)

    closed = facts(lot.close())
    assert (closed["winner"], closed["sale"], closed["ended"], closed["reserve_met"]) == (
        "",
        None,
        True,
        False,
    )


# --- who, what and when ------------------------------------------------------------------------------------------------


def test_a_seller_cannot_bid_on_the_own_lot():
    assert refused_without_effect(open_lot(), "bid", SELLER, 20_00) == ("own_lot", {})


def test_the_seller_is_the_owner_that_inventory_names_not_the_user_who_requested_the_lot():
    lot = lots.Lot()
    lot.do(
        kinds.Request(
            auction_id="lot", actor=OPERATOR, key="k", at=T0, salt="s", terms=lots.terms(as_operator=True)
        )
    )
    lot.schedule()
    lot.open()

    assert refused_without_effect(lot, "bid", SELLER, 20_00) == ("own_lot", {})
    assert placed(lot.bid(OPERATOR, 20_00)) == (10_00, "Bidder 1", 10_50)


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"amount": 20_00, "currency": "USD"}, "currency_mismatch", "currency"),
        ({"amount": None}, "amount_missing", "amount"),
        ({"amount": 20_00, "quantity": 2}, "quantity_not_allowed", "quantity"),
        ({"amount": 20_00, "quantity": 0}, "quantity_out_of_range", "quantity"),
        ({"amount": 10**11 + 1}, "amount_out_of_range", "amount"),
        ({"amount": 0}, "amount_out_of_range", "amount"),
        ({"amount": -1}, "amount_out_of_range", "amount"),
    ],
)
def test_an_invalid_bid_is_refused_with_its_field(changes, rule, field):
    lot = open_lot()
    outcome = lot.bid(ANN, **changes)

    assert (outcome.rule, outcome.field, lot.state.seq) == (rule, field, 3)
    assert issubclass(outcome.kind, errors.Invalid)


def test_no_bid_before_the_auction_exists_or_opens():
    lot = lots.Lot()
    assert refused_without_effect(lot, "bid", ANN, 20_00) == ("auction_not_found", {})
    lot.request()
    assert refused_without_effect(lot, "bid", ANN, 20_00) == ("auction_not_open", {"starts_at": T0})
    lot.schedule()
    assert refused_without_effect(lot, "bid", ANN, 20_00) == ("auction_not_open", {"starts_at": T0})


@pytest.mark.parametrize(("at", "accepted"), [(END - 1, True), (END, False), (END + 49, False)])
def test_a_bid_is_judged_by_its_arrival(at, accepted):
    lot = open_lot(soft_close=rules.SoftClose(window_ms=0))

    assert isinstance(lot.bid(ANN, 20_00, at=at), log.Entry) is accepted


def test_a_bid_that_arrived_before_the_end_counts_although_it_is_decided_after_it():
    """A bid counts by its arrival (`at`), until the auction is closed."""
    lot = open_lot(soft_close=rules.SoftClose(window_ms=0))
    lot.bid(BEN, 12_00, at=END - 5)

    assert facts(lot.bid(ANN, 20_00, at=END - 9))["price"] == 12_50
    assert lot.entries[-1].at == END - 5


def test_after_the_close_and_after_a_cancellation_there_is_no_bid():
    closed, cancelled = open_lot(), open_lot()
    closed.close()
    cancelled.cancel("operator")

    assert refused_without_effect(closed, "bid", ANN, 20_00) == ("auction_closed", {"ends_at": END})
    assert refused_without_effect(cancelled, "bid", ANN, 20_00) == (
        "auction_cancelled",
        {"reason": "It broke."},
    )


# --- the soft close ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "ends_at"),
    [
        (END - 2 * MINUTE - 1, END),
        (END - 2 * MINUTE, END),
        (END - 2 * MINUTE + 1, END + 1),
        (END - 1, END + 2 * MINUTE - 1),
    ],
)
def test_a_bid_in_the_window_moves_the_end_to_the_extension_after_it(at, ends_at):
    lot = open_lot()

    assert facts(lot.bid(ANN, 20_00, at=at))["ends_at"] == ends_at
    assert lot.state.ends_at == ends_at


def test_a_window_of_0_switches_the_soft_close_off():
    lot = open_lot(soft_close=rules.SoftClose(window_ms=0))

    assert facts(lot.bid(ANN, 20_00, at=END - 1))["ends_at"] == END


def test_a_bid_that_only_moves_the_price_extends_and_the_leaders_own_change_does_not():
    lot = open_lot()
    lot.bid(ANN, 80_00)
    lot.bid(BEN, 20_00, at=END - 60_000)
    assert lot.state.ends_at == END + 60_000

    raised = facts(lot.bid(ANN, 90_00, at=END))

    assert (raised["kind"], raised["bids"], raised["ends_at"]) == ("maximum_changed", 2, END + 60_000)
    assert (lot.state.ends_at, lot.state.bids, lot.state.bidders[ANN].maximum) == (END + 60_000, 2, 90_00)


def test_a_raise_that_meets_the_reserve_moves_the_price_and_neither_the_end_nor_the_count():
    lot = open_lot(reserve=60_00)
    lot.bid(ANN, 50_00)

    raised = facts(lot.bid(ANN, 70_00, at=END - 1))

    assert (raised["price"], raised["reserve_met"], raised["bids"], raised["ends_at"]) == (
        60_00,
        True,
        1,
        END,
    )


def test_extensions_end_at_the_cap():
    lot = open_lot(soft_close=rules.SoftClose(cap_total_ms=3 * MINUTE))
    amount = 20_00
    for bidder in (ANN, BEN, ANN, BEN, ANN):
        lot.bid(bidder, amount := amount + 10_00, at=lot.state.ends_at - 1)

    assert lot.state.ends_at == END + 3 * MINUTE
    assert lot.entries[-1].facts.previous_ends_at == END + 3 * MINUTE


def test_extensions_end_at_the_hard_stop():
    lot = open_lot(soft_close=rules.SoftClose(hard_stop_at=END + 30_000))
    lot.bid(ANN, 20_00, at=END - 1)

    assert lot.state.ends_at == END + 30_000


# --- who may bid, and what is confirmed first -------------------------------------------------------------------------


def test_without_a_usable_card_no_bid_counts_unless_the_terms_do_not_ask_for_one():
    assert refused_without_effect(open_lot(), "bid", ANN, 10_00, has_card=False) == ("card_missing", {})

    assert facts(open_lot(card_required=False).bid(ANN, 10_00, has_card=False))["leader"] == "Bidder 1"


def test_an_operator_bids_on_sellers_lots_and_not_on_the_houses():
    sellers, houses = open_lot(), open_lot(seller_id=ids.HOUSE)

    assert facts(sellers.bid(OPERATOR, 10_00, is_operator=True))["leader"] == "Bidder 1"
    assert refused_without_effect(houses, "bid", OPERATOR, 10_00, is_operator=True) == ("house_lot", {})
    assert facts(houses.bid(ANN, 10_00))["leader"] == "Bidder 1"


def test_who_listed_a_lot_of_the_house_does_not_bid_on_it_although_no_operator_any_more():
    houses = open_lot(seller_id=ids.HOUSE)  # requested by SELLER, like all lots of these tests

    assert refused_without_effect(houses, "bid", SELLER, 10_00) == ("house_lot", {})


def test_a_bid_above_five_times_the_minimum_is_confirmed_first():
    lot = open_lot()

    assert facts(lot.bid(ANN, 50_00, confirmed=""))["price"] == 10_00
    assert refused_without_effect(lot, "bid", BEN, 52_51, confirmed="lowers_maximum") == (
        "confirmation_required",
        {"because": "far_above_minimum", "amount": 52_51, "minimum": 10_50},
    )
    assert facts(lot.bid(BEN, 52_51, confirmed="far_above_minimum"))["leader"] == "Bidder 2"


def test_a_confirmed_bid_runs_through_all_rules_again():
    lot = open_lot()
    lot.bid(BEN, 90_00)

    assert refused_without_effect(lot, "bid", ANN, 10_00, confirmed="far_above_minimum") == (
        "bid_too_low",
        {"amount": 10_00, "minimum": 10_50},
    )


def test_lowering_ones_own_maximum_is_confirmed_first():
    lot = open_lot()
    lot.bid(ANN, 40_00)

    assert refused_without_effect(lot, "bid", ANN, 30_00, confirmed="") == (
        "confirmation_required",
        {"because": "lowers_maximum", "amount": 30_00, "maximum": 40_00},
    )
    assert facts(lot.bid(ANN, 30_00, confirmed="lowers_maximum"))["kind"] == "maximum_changed"
    assert (lot.state.bidders[ANN].maximum, lot.state.bids) == (30_00, 1)


@pytest.mark.parametrize(("quantity", "taken"), [(100, True), (101, False)])
def test_the_price_of_all_units_of_a_listing_is_bounded(quantity, taken):
    lot = lots.Lot()

    outcome = lot.request(format="buy_now", start_price=10**9, quantity=quantity)

    assert isinstance(outcome, log.Entry) is taken
    if not taken:
        assert (outcome.rule, outcome.field, lot.entries) == ("terms_invalid", "quantity", [])
        assert outcome.error().detail.endswith("all units together cost at most 1000000000.00 EUR.")


def test_the_price_of_a_purchase_is_bounded():
    lot = lots.listing(100, start_price=10**9)

    assert refused_without_effect(lot, "bid", ANN, quantity=101) == (
        "amount_out_of_range",
        {"amount": 101 * 10**9, "maximum": 10**11},
    )
    assert facts(lot.bid(ANN, quantity=100))["sale"]["price"] == 10**11
