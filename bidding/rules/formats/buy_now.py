"""Buy now: a fixed price and a quantity; each bid is a sale. Units that inventory has reported as gone are not sold."""

from collections.abc import Container, Iterator
from typing import Any

from auction_project.kernel import money
from bidding.rules import refusals
from bidding.rules.commands import FailSale, PlaceBid
from bidding.rules.facts import Bid, Hidden, SaleFailed
from bidding.rules.formats.base import (
    BUYERS_FAULT,
    Failure,
    Flaw,
    Format,
    Result,
    Standing,
    bids_are_over,
    sale_of,
)
from bidding.rules.refusals import Refusal
from bidding.rules.state import OpenSale, State, Status
from bidding.rules.terms import Allocation, Terms


class BuyNow:
    name = "buy_now"
    label = "Buy now"
    summary = "Fixed price; every purchase is final."
    allocation: Allocation = "on_sale"
    sells_by_bid = True

    def flaws(self, terms: Terms, reserve: int | None) -> Iterator[Flaw]:
        if reserve is not None:
            yield "reserve_price", "left out: a fixed price has no reserve"

    def first_price(self, terms: Terms) -> int:
        return terms.start_price

    def minimum(self, state: State) -> int:
        """The price of one unit."""
        return state.known_terms.start_price

    def decide_bid(self, state: State, command: PlaceBid, at: int) -> Bid | Refusal:
        terms = state.known_terms
        total = terms.start_price * command.quantity
        left = state.units_left(command.stock)
        refusal = _refuse(command, total, left)
        if refusal is not None:
            return refusal
        buyer = state.next_alias(command.actor)
        return Bid(
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
            sale=sale_of(state, buyer=buyer, price=total, quantity=command.quantity),
        )

    def winner(self, state: State) -> str:
        return ""

    def decide_failure(self, state: State, command: FailSale, sale: OpenSale) -> Failure:
        """While the listing runs, the units are for sale again if the buyer was at fault; else they leave the
        listing."""
        back = state.status in (Status.OPEN, Status.SOLD_OUT) and command.reason in BUYERS_FAULT
        left = state.quantity_left + (sale.quantity if back else 0)
        is_last = len(state.open_sales) == 1
        facts = SaleFailed(
            sale_id=command.key,
            next="back_on_sale" if back else "nothing",
            leader="",
            price=state.price,
            reserve_met=True,
            quantity_left=left,
            ended=is_last and (bids_are_over(state) or left == 0),
        )
        return facts, None

    def apply_failure(self, state: State, facts: SaleFailed, hidden: Hidden) -> dict[str, Any]:
        """A sold-out listing opens again for units that are back. It is unsold if it ends without a sale."""
        if state.status is not Status.SOLD_OUT:
            return {}
        if facts.quantity_left:
            return {"status": Status.OPEN}
        return {"status": Status.CLOSED if facts.ended and not state.sold else Status.SOLD_OUT}

    def result_without(self, state: State, struck: Container[str]) -> Result | None:
        return None

    def standing(self, state: State, user_id: str) -> Standing:
        """How the last purchase of `user_id` stands."""
        return "bought" if user_id in state.buying or user_id not in state.passed_over else "failed"

    def losers(self, state: State) -> list[str]:
        return []

    def concerned_by_cancellation(self, state: State) -> set[str]:
        """Only the buyers whose sale is still under way: a sale that is paid stays."""
        return state.buying


def _refuse(command: PlaceBid, total: int, left: int) -> Refusal | None:
    if command.amount is not None and command.amount != total:
        return refusals.refuse(refusals.PriceDiffers, field="amount", amount=command.amount, price=total)
    if total > money.MAX_MINOR_UNITS:
        return refusals.refuse(
            refusals.AmountOutOfRange,
            detail="The total of a purchase is bounded: buy fewer units at once.",
            field="quantity",
            amount=total,
            maximum=money.MAX_MINOR_UNITS,
        )
    if command.quantity > left:
        return refusals.refuse(
            refusals.SoldOut,
            detail=f"Only {left} left." if left else "Sold out.",
            field="quantity",
            quantity_left=left,
        )
    return None


FORMAT: Format = BuyNow()
