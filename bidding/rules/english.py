"""English: ascending, proxy bids. A bid carries a hidden maximum; the visible price is what the second maximum forces.

RULES: a first bid leads at the starting price; a tie goes to the earlier; the leader's own change moves no price unless
it meets the reserve; lowering goes down to the visible price. Unusual bids are confirmed first.
"""

import heapq
from collections.abc import Container

import msgspec

from bidding.rules import increments, log
from bidding.rules.commands import PlaceBid
from bidding.rules.refusals import Refusal
from bidding.rules.state import Bidder, State
from bidding.rules.terms import extended_end

UNUSUAL_FACTOR = 5  # a bid above this many times the minimum is confirmed
FAR_ABOVE_MINIMUM, LOWERS_MAXIMUM = "far_above_minimum", "lowers_maximum"


def decide_bid(state: State, command: PlaceBid, at: int) -> log.Bid | Refusal:
    """The facts of the bid, or why not. The auction is open and the bidder is not the seller."""
    terms = state.known_terms
    if command.amount is None or command.currency is None:
        return Refusal(rule="amount_missing", detail="Send amount and currency.", field="amount")
    if command.quantity != 1:
        return Refusal(rule="quantity_not_allowed", detail="One lot, one unit.", field="quantity")
    refusal = _refuse_amount(state, command.actor, command.amount) or _ask_first(state, command)
    if refusal is not None:
        return refusal
    is_own_change = state.leader == command.actor
    leader, price = _contest(state, command.actor, command.amount)
    leading_maximum = command.amount if leader == command.actor else state.bidders[leader].maximum
    reserve_met = state.reserve is None or leading_maximum >= state.reserve
    if state.reserve is not None and reserve_met:
        price = max(price, state.reserve)
    alias = state.next_alias(command.actor)
    facts = log.MaximumChanged if is_own_change else log.Bid
    return facts(
        bidder=alias,
        leader=alias if leader == command.actor else state.alias_of(leader),
        currency=terms.currency,
        price=price,
        minimum=increments.minimum_above(price, table=terms.increments),
        ends_at=state.ends_at if is_own_change else extended_end(terms, ends_at=state.ends_at, at=at),
        previous_ends_at=state.ends_at,
        reserve_met=reserve_met,
        bids=state.bids if is_own_change else state.bids + 1,
        quantity_left=state.quantity_left,
    )


def _refuse_amount(state: State, bidder: str, amount: int) -> Refusal | None:
    own = state.bidders.get(bidder)
    if state.leader == bidder and own is not None:
        if amount < state.price:
            return _too_low(amount, state.price, "Your maximum cannot go below the visible price.")
        if amount == own.maximum:
            return Refusal(
                rule="bid_unchanged", detail="This is your maximum already.", figures={"amount": amount}
            )
    elif amount < state.minimum:
        return _too_low(amount, state.minimum, "The bid is below the minimum next bid.")
    return None


def _ask_first(state: State, command: PlaceBid) -> Refusal | None:
    """An amount that is more likely a slip than a wish is confirmed before it counts."""
    assert command.amount is not None  # noqa: S101 - checked by the caller
    if state.leader == command.actor and command.amount < (maximum := state.bidders[command.actor].maximum):
        because, detail = LOWERS_MAXIMUM, "This lowers your maximum."
        figures = {"maximum": maximum}
    elif command.amount > UNUSUAL_FACTOR * state.minimum:
        because, detail = FAR_ABOVE_MINIMUM, "This is more than five times the minimum bid."
        figures = {"minimum": state.minimum}
    else:
        return None
    if command.confirmed == because:
        return None
    return Refusal(
        rule="confirmation_required",
        detail=detail,
        field="amount",
        figures={"because": because, "amount": command.amount, **figures},
    )


def _too_low(amount: int, minimum: int, detail: str) -> Refusal:
    return Refusal(
        rule="bid_too_low", detail=detail, field="amount", figures={"amount": amount, "minimum": minimum}
    )


def _contest(state: State, bidder: str, amount: int) -> tuple[str, int]:
    """Who leads after the bid and at what price, the reserve left aside."""
    terms = state.known_terms
    if not state.leader:
        return bidder, terms.start_price
    if state.leader == bidder:
        return bidder, state.price
    standing = state.bidders[state.leader].maximum
    if amount > standing:
        price = increments.contested(winner=amount, loser=standing, table=terms.increments)
        return bidder, max(price, state.price)
    price = increments.contested(winner=standing, loser=amount, table=terms.increments)
    return state.leader, max(price, state.price)


class Result(msgspec.Struct, frozen=True):
    """Who leads, at what price, and whether the reserve is met."""

    user_id: str
    maximum: int
    price: int
    reserve_met: bool


def result_without(state: State, struck: Container[str]) -> Result | None:
    """The result as if the bids of `struck` had never been made; None when no other bid is left.

    The price is what the two highest remaining maxima force, so it never depends on a bidder who cannot pay.
    """
    left = ((bidder, user_id) for user_id, bidder in state.bidders.items() if user_id not in struck)
    highest = heapq.nsmallest(2, left, key=_rank)
    if not highest:
        return None
    terms, reserve = state.known_terms, state.reserve
    (first, user_id), *others = highest
    price = terms.start_price
    if others:
        price = increments.contested(winner=first.maximum, loser=others[0][0].maximum, table=terms.increments)
    reserve_met = reserve is None or first.maximum >= reserve
    if reserve is not None and reserve_met:
        price = max(price, reserve)
    return Result(user_id, first.maximum, price, reserve_met)


def _rank(found: tuple[Bidder, str]) -> tuple[int, int]:
    return -found[0].maximum, found[0].seq
