"""English: ascending, proxy bids. A bid carries a hidden maximum; the second highest maximum sets the visible price.

A first bid leads at the starting price. The earlier of two equal maxima leads. A leader who changes the own maximum
moves the price only if the new maximum is the first to meet the reserve, and can lower it to the visible price. The
bidder confirms an unusual bid before it counts.
"""

import heapq
from collections.abc import Container, Iterator
from typing import Any

from auction_project.kernel import ids
from bidding.rules import increments, refusals
from bidding.rules.commands import FailSale, PlaceBid
from bidding.rules.facts import Bid, Hidden, MaximumChanged, Next, Sale, SaleFailed
from bidding.rules.formats.base import (
    BUYERS_FAULT,
    Failure,
    Flaw,
    Format,
    Result,
    Standing,
    next_in_line,
    sale_of,
)
from bidding.rules.refusals import Refusal
from bidding.rules.state import Bidder, OpenSale, State, Status
from bidding.rules.terms import Allocation, Terms, extended_end

UNUSUAL_FACTOR = 5  # a bid above this many times the minimum is confirmed
FAR_ABOVE_MINIMUM, LOWERS_MAXIMUM = "far_above_minimum", "lowers_maximum"


class English:
    name = "english"
    label = "Auction"
    summary = "Bids rise; the highest maximum wins at the end."
    allocation: Allocation = "on_listing"
    sells_by_bid = False

    def flaws(self, terms: Terms, reserve: int | None) -> Iterator[Flaw]:
        if terms.quantity != 1:
            yield "quantity", "1 in an english auction"

    def first_price(self, terms: Terms) -> int:
        return 0

    def minimum(self, state: State) -> int:
        terms = state.known_terms
        if not state.leader:
            return terms.start_price
        return increments.minimum_above(state.price, table=terms.increments)

    def decide_bid(self, state: State, command: PlaceBid, at: int) -> Bid | Refusal:
        terms = state.known_terms
        if command.amount is None or command.currency is None:
            return refusals.refuse(refusals.AmountMissing, field="amount")
        if command.quantity != 1:
            return refusals.refuse(refusals.QuantityNotAllowed, field="quantity")
        minimum = self.minimum(state)
        refusal = _refuse_amount(state, command.actor, command.amount, minimum) or _require_confirmation(
            state, command, command.amount, minimum
        )
        if refusal is not None:
            return refusal
        is_own_change = state.leader == command.actor
        leader, price = _contest(state, command.actor, command.amount)
        leading_maximum = command.amount if leader == command.actor else state.bidders[leader].maximum
        reserve_met = state.reserve is None or leading_maximum >= state.reserve
        if state.reserve is not None and reserve_met:
            price = max(price, state.reserve)
        alias = state.next_alias(command.actor)
        facts = MaximumChanged if is_own_change else Bid
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

    def winner(self, state: State) -> str:
        return state.leader if state.reserve_met else ""

    def decide_failure(self, state: State, command: FailSale, sale: OpenSale) -> Failure:
        """When the buyer is at fault, the bids of that buyer are struck and the result is computed again without them.
        The next bidder buys at that price if it meets the reserve; else the lot is listed again if a relisting is
        left."""
        follow: Next = "nothing"
        buyer: str | None = None
        next_sale: Sale | None = None
        relist_as: str | None = None
        price, reserve_met = state.price, state.reserve_met
        if command.reason in BUYERS_FAULT and state.status is Status.CLOSED:
            result = self.result_without(state, state.passed_over.insert(sale.user_id))
            price = result.price if result else 0
            reserve_met = result.reserve_met if result else state.reserve is None
            if result is not None and result.reserve_met:
                buyer, follow = result.user_id, "runner_up"
                next_sale = sale_of(state, buyer=state.alias_of(buyer), price=result.price)
            elif state.known_terms.relistings_left > 0:
                follow, relist_as = "relist", ids.relisted_auction_id(state.auction_id, state.seq + 1)
        facts = SaleFailed(
            sale_id=command.key,
            next=follow,
            leader=state.alias_of(buyer) if buyer else "",
            price=price,
            reserve_met=reserve_met,
            quantity_left=0,
            ended=next_sale is None,
            sale=next_sale,
            relist_as=relist_as,
        )
        return facts, buyer

    def apply_failure(self, state: State, facts: SaleFailed, hidden: Hidden) -> dict[str, Any]:
        return {"leader": hidden.buyer or "", "reserve_met": facts.reserve_met}

    def result_without(self, state: State, struck: Container[str]) -> Result | None:
        """The two highest remaining maxima set the price, so it never depends on a bidder who cannot pay."""
        remaining = ((bidder, user_id) for user_id, bidder in state.bidders.items() if user_id not in struck)
        highest = heapq.nsmallest(2, remaining, key=_rank)
        if not highest:
            return None
        terms, reserve = state.known_terms, state.reserve
        (first, user_id), *others = highest
        price = terms.start_price
        if others:
            price = increments.contested(
                winner=first.maximum, loser=others[0][0].maximum, table=terms.increments
            )
        reserve_met = reserve is None or first.maximum >= reserve
        if reserve is not None and reserve_met:
            price = max(price, reserve)
        return Result(user_id, first.maximum, price, reserve_met)

    def standing(self, state: State, user_id: str) -> Standing:
        buying = state.buying
        if user_id in buying or user_id in state.buyers:
            return "won"
        if user_id in state.passed_over:
            return "failed"
        if state.status is Status.OPEN:
            return "leading" if state.leader == user_id else "outbid"
        if state.status is Status.CANCELLED:
            return "cancelled"
        if not buying:
            return "lost" if state.sold else "not_sold"
        result = next_in_line(self, state)
        return "next_in_line" if result is not None and result.user_id == user_id else "lost"

    def losers(self, state: State) -> list[str]:
        """The bidders who neither bought the lot nor had a sale of their own undone."""
        return sorted(
            user_id
            for user_id in state.bidders
            if user_id not in state.buyers and user_id not in state.passed_over
        )

    def concerned_by_cancellation(self, state: State) -> set[str]:
        return set(state.bidders.keys())


def _refuse_amount(state: State, bidder: str, amount: int, minimum: int) -> Refusal | None:
    own = state.bidders.get(bidder)
    if state.leader == bidder and own is not None:
        if amount < state.price:
            return _too_low(amount, state.price, "Your maximum cannot go below the visible price.")
        if amount == own.maximum:
            return refusals.refuse(refusals.BidUnchanged, amount=amount)
    elif amount < minimum:
        return _too_low(amount, minimum, "The bid is below the minimum next bid.")
    return None


def _require_confirmation(state: State, command: PlaceBid, amount: int, minimum: int) -> Refusal | None:
    """Ask back for an amount that is more likely a slip than the bidder's intention."""
    if state.leader == command.actor and amount < (maximum := state.bidders[command.actor].maximum):
        because, detail = LOWERS_MAXIMUM, "This lowers your maximum."
        figures = {"maximum": maximum}
    elif amount > UNUSUAL_FACTOR * minimum:
        because, detail = FAR_ABOVE_MINIMUM, "This is more than five times the minimum bid."
        figures = {"minimum": minimum}
    else:
        return None
    if command.confirmed == because:
        return None
    return refusals.refuse(
        refusals.ConfirmationRequired,
        detail=detail,
        field="amount",
        because=because,
        amount=amount,
        **figures,
    )


def _too_low(amount: int, minimum: int, detail: str) -> Refusal:
    return refusals.refuse(refusals.BidTooLow, detail=detail, field="amount", amount=amount, minimum=minimum)


def _contest(state: State, bidder: str, amount: int) -> tuple[str, int]:
    """Who leads after the bid and at what price, without the reserve."""
    terms = state.known_terms
    if not state.leader:
        return bidder, terms.start_price
    if state.leader == bidder:
        return bidder, state.price
    leading = state.bidders[state.leader].maximum
    if amount > leading:
        price = increments.contested(winner=amount, loser=leading, table=terms.increments)
        return bidder, max(price, state.price)
    price = increments.contested(winner=leading, loser=amount, table=terms.increments)
    return state.leader, max(price, state.price)


def _rank(candidate: tuple[Bidder, str]) -> tuple[int, int]:
    return -candidate[0].maximum, candidate[0].seq


FORMAT: Format = English()
