"""The auction's time is over: the format names the winner, who gets a sale. Who that user is stays hidden."""

from bidding.rules import formats, refusals
from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden, Sale
from bidding.rules.formats.base import sale_of
from bidding.rules.kinds.base import Changes, wrong_status
from bidding.rules.refusals import Refusal
from bidding.rules.state import OpenSale, State, Status

CLOSE_GRACE_MS = 50  # so long after the end a writer still decides bids that arrived before it


class Close(Command, frozen=True, kw_only=True):
    """By the clock, once the end has come."""


class Closed(Facts, frozen=True, kw_only=True, tag="closed"):
    """`winner` is an alias, or empty; `price` the visible price (minor units). `ended`: no sale is under way either."""

    winner: str
    price: int
    reserve_met: bool
    quantity_left: int
    ended: bool
    sale: Sale | None = None


def decide(state: State, command: Close, at: int) -> tuple[Closed, Hidden] | Refusal:
    if state.status is not Status.OPEN:
        return wrong_status(state, "closed")
    if at < state.ends_at:
        return refusals.refuse(refusals.NotDue, due_at=state.ends_at)
    winner = formats.of(state).winner(state)
    alias = state.alias_of(winner)
    facts = Closed(
        winner=alias,
        price=state.price,
        reserve_met=state.reserve_met,
        quantity_left=0 if winner else state.quantity_left,
        ended=not winner and not state.open_sales,
        sale=sale_of(state, buyer=alias, price=state.price) if winner else None,
    )
    return facts, Hidden(actor=command.actor, salt=command.salt, buyer=winner or None)


def apply(state: State, facts: Closed, hidden: Hidden) -> Changes:
    changes: Changes = {
        "status": Status.CLOSED,
        "ended": facts.ended,
        "quantity_left": facts.quantity_left,
    }
    sale = facts.sale
    if sale is not None and hidden.buyer is not None:
        changes["open_sales"] = state.open_sales.insert(sale.sale_id, OpenSale.of(hidden.buyer, sale))
        changes["selling"] = state.selling + sale.quantity
    return changes
