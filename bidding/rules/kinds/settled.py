"""A sale ended well: it is paid, and its order is confirmed."""

from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden
from bidding.rules.formats.base import bids_are_over
from bidding.rules.kinds.base import Changes, no_such_sale
from bidding.rules.refusals import Refusal
from bidding.rules.state import State


class Settle(Command, frozen=True, kw_only=True):
    """The sale that is the command's key ended well."""


class Settled(Facts, frozen=True, kw_only=True, tag="settled"):
    """`ended`: the lot can sell nothing more, and no other sale is under way."""

    sale_id: str
    ended: bool


def decide(state: State, command: Settle, at: int) -> tuple[Settled, Hidden] | Refusal:
    if command.key not in state.open_sales:
        return no_such_sale(command.key)
    is_last = len(state.open_sales) == 1
    ended = is_last and (bids_are_over(state) or state.quantity_left == 0)
    return Settled(sale_id=command.key, ended=ended), Hidden(actor=command.actor, salt=command.salt)


def apply(state: State, facts: Settled, hidden: Hidden) -> Changes:
    sale = state.open_sales[facts.sale_id]
    return {
        "open_sales": state.open_sales.remove(facts.sale_id),
        "sold": state.sold + sale.quantity,
        "selling": state.selling - sale.quantity,
        "buyers": state.buyers.insert(sale.user_id),
        "passed_over": state.passed_over.discard(sale.user_id),
        "ended": facts.ended,
    }
