"""Buy now: a fixed price, a quantity; a bid is a sale."""

from auction_project.contracts import names
from bidding.rules import log
from bidding.rules.commands import PlaceBid
from bidding.rules.refusals import Refusal
from bidding.rules.state import State


def decide_bid(state: State, command: PlaceBid, at: int) -> log.Bid | Refusal:
    """The facts of the sale, or why not. The auction is open and the buyer is not the seller."""
    terms = state.known_terms
    total = terms.start_price * command.quantity
    if command.amount is not None and command.amount != total:
        return Refusal(
            rule="price_differs",
            detail="The amount is not the price of that quantity.",
            field="amount",
            figures={"amount": command.amount, "price": total},
        )
    if command.quantity > state.quantity_left:
        return Refusal(
            rule="sold_out",
            detail="There are not that many units left.",
            field="quantity",
            figures={"quantity_left": state.quantity_left},
        )
    buyer = state.next_alias(command.actor)
    return log.Bid(
        bidder=buyer,
        leader="",
        currency=terms.currency,
        price=terms.start_price,
        minimum=terms.start_price,
        ends_at=state.ends_at,
        previous_ends_at=state.ends_at,
        reserve_met=True,
        bids=state.bids + 1,
        quantity_left=state.quantity_left - command.quantity,
        sale=log.Sale(
            sale_id=names.sale_id(state.auction_id, state.seq + 1),
            buyer=buyer,
            price=total,
            quantity=command.quantity,
        ),
    )
