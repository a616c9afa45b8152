"""English: ascending, proxy bids. A bid carries a hidden maximum; the visible price is what the second maximum forces.

RULES: a first bid leads at the starting price; a tie goes to the earlier; the leader's own change moves no price unless
it meets the reserve; lowering goes down to the visible price.
"""

from bidding.rules import increments, log
from bidding.rules.commands import PlaceBid
from bidding.rules.refusals import Refusal
from bidding.rules.state import Bidder, State
from bidding.rules.terms import extended_end


def decide_bid(state: State, command: PlaceBid, at: int) -> log.Bid | Refusal:
    """The facts of the bid, or why not. The auction is open and the bidder is not the seller."""
    terms = state.known_terms
    if command.amount is None or command.currency is None:
        return Refusal(rule="amount_missing", detail="Send amount and currency.", field="amount")
    if command.quantity != 1:
        return Refusal(rule="quantity_not_allowed", detail="One lot, one unit.", field="quantity")
    refusal = _refuse_amount(state, command.actor, command.amount)
    if refusal is not None:
        return refusal
    leader, price = _contest(state, command.actor, command.amount)
    leading_maximum = command.amount if leader == command.actor else state.bidders[leader].maximum
    reserve_met = state.reserve is None or leading_maximum >= state.reserve
    if state.reserve is not None and reserve_met:
        price = max(price, state.reserve)
    alias = state.next_alias(command.actor)
    return log.Bid(
        bidder=alias,
        leader=alias if leader == command.actor else state.alias_of(leader),
        currency=terms.currency,
        price=price,
        minimum=increments.minimum_above(price, table=terms.increments),
        ends_at=extended_end(terms, ends_at=state.ends_at, at=at),
        previous_ends_at=state.ends_at,
        reserve_met=reserve_met,
        bids=state.bids + 1,
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


def runner_up(state: State, *, but: str) -> tuple[str, Bidder] | None:
    """The next bidder after `but` and those passed over whose own highest bid meets the reserve; earliest on a tie."""
    best: tuple[str, Bidder] | None = None
    for user_id, bidder in state.bidders.items():
        if user_id == but or user_id in state.passed_over:
            continue
        if state.reserve is not None and bidder.maximum < state.reserve:
            continue
        if best is None or (-bidder.maximum, bidder.seq) < (-best[1].maximum, best[1].seq):
            best = (user_id, bidder)
    return best
