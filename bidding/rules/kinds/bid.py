"""A bid: what every format asks first, then the format decides. The maximum is hidden.

The command is `commands.PlaceBid`; the facts are `facts.Bid`, or `facts.MaximumChanged` when the leader changes the own
maximum. `kinds` says why they do not stand here.
"""

from auction_project.kernel import ids, money
from bidding.rules import formats, refusals
from bidding.rules.commands import PlaceBid
from bidding.rules.facts import Bid, Hidden
from bidding.rules.kinds.base import Changes
from bidding.rules.refusals import Refusal
from bidding.rules.state import Bidder, OpenSale, State, Status
from bidding.rules.terms import MAX_QUANTITY, Terms


def decide(state: State, command: PlaceBid, at: int) -> tuple[Bid, Hidden] | Refusal:
    if state.status is not Status.OPEN or at >= state.ends_at:
        return _not_open(state)
    terms = state.known_terms
    refusal = _may_not_bid(state, terms, command)
    if refusal is not None:
        return refusal
    if command.currency is not None and command.currency != terms.currency:
        return refusals.refuse(
            refusals.CurrencyMismatch,
            detail=f"This auction is held in {terms.currency}.",
            field="currency",
            currency=terms.currency,
        )
    if command.amount is not None and not 0 < command.amount <= money.MAX_MINOR_UNITS:
        return refusals.refuse(refusals.AmountOutOfRange, field="amount")
    if not 0 < command.quantity <= MAX_QUANTITY:
        return refusals.refuse(refusals.QuantityOutOfRange, field="quantity")
    decided = formats.FORMATS[terms.format].decide_bid(state, command, at)
    return (
        decided
        if isinstance(decided, Refusal)
        else (decided, Hidden(actor=command.actor, salt=command.salt, maximum=command.amount))
    )


def apply(state: State, facts: Bid, hidden: Hidden) -> Changes:
    maximum = hidden.maximum or facts.price
    since = state.bidders[hidden.actor].seq if hidden.actor == state.leader else state.seq + 1
    changes: Changes = {
        "bidders": state.bidders.insert(hidden.actor, Bidder(facts.bidder, maximum, since)),
        "price": facts.price,
        "bids": facts.bids,
        "ends_at": facts.ends_at,
        "reserve_met": facts.reserve_met,
    }
    if facts.leader and facts.leader == facts.bidder:
        changes["leader"] = hidden.actor
    sale = facts.sale
    if sale is not None:
        left = state.quantity_left - sale.quantity
        changes["open_sales"] = state.open_sales.insert(sale.sale_id, OpenSale.of(hidden.actor, sale))
        changes["quantity_left"] = left
        changes["selling"] = state.selling + sale.quantity
        if left == 0:
            changes["status"] = Status.SOLD_OUT
    return changes


def _may_not_bid(state: State, terms: Terms, command: PlaceBid) -> Refusal | None:
    if command.actor == state.seller_id:
        return refusals.refuse(refusals.OwnLot)
    if state.seller_id == ids.HOUSE and (command.is_operator or command.actor == state.requested_by):
        return refusals.refuse(refusals.HouseLot)
    if terms.card_required and not command.has_card:
        return refusals.refuse(refusals.CardMissing)
    return None


def _not_open(state: State) -> Refusal:
    if state.status is Status.SOLD_OUT:
        return refusals.refuse(refusals.SoldOut, detail="Sold out.", field="quantity", quantity_left=0)
    if state.status is Status.NEW:
        return refusals.refuse(refusals.AuctionNotFound)
    if state.status is Status.CANCELLED:
        return refusals.refuse(refusals.AuctionCancelled, reason=state.reason)
    if state.status in (Status.REQUESTED, Status.SCHEDULED):
        return refusals.refuse(refusals.AuctionNotOpen, starts_at=state.known_terms.starts_at)
    return refusals.refuse(refusals.AuctionClosed, ends_at=state.ends_at)
