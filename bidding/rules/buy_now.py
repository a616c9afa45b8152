"""Buy now: a fixed price, a quantity; a bid is a sale. Nothing is sold that inventory has reported as gone."""

from auction_project.kernel import ids
from bidding.rules import log
from bidding.rules.commands import PlaceBid
from bidding.rules.refusals import Refusal
from bidding.rules.state import State
from bidding.rules.terms import MAX_AMOUNT


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
    if total > MAX_AMOUNT:
        return Refusal(
            rule="amount_out_of_range",
            detail="The total of a purchase is bounded: buy fewer units at once.",
            field="quantity",
            figures={"amount": total, "maximum": MAX_AMOUNT},
        )
    left = state.units_left(command.stock)
    if command.quantity > left:
        return Refusal(
            rule="sold_out",
            detail=f"Only {left} left." if left else "Sold out.",
            field="quantity",
            figures={"quantity_left": left},
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
        quantity_left=left - command.quantity,
        sale=log.Sale(
            sale_id=ids.sale_id(state.auction_id, state.seq + 1),
            buyer=buyer,
            price=total,
            quantity=command.quantity,
        ),
    )
