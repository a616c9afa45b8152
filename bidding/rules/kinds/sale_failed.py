"""A sale was undone: the format decides what follows. Why it failed is hidden, and so is the user who buys next.

The command is `commands.FailSale`, and the facts are `facts.SaleFailed`. `kinds` says why they do not stand here.
"""

from bidding.rules import formats
from bidding.rules.commands import FailSale
from bidding.rules.facts import Hidden, SaleFailed
from bidding.rules.kinds.base import Changes, no_such_sale
from bidding.rules.refusals import Refusal
from bidding.rules.state import OpenSale, State


def decide(state: State, command: FailSale, at: int) -> tuple[SaleFailed, Hidden] | Refusal:
    sale = state.open_sales.get(command.key)
    if sale is None:
        return no_such_sale(command.key)
    facts, buyer = formats.of(state).decide_failure(state, command, sale)
    return facts, Hidden(actor=command.actor, salt=command.salt, buyer=buyer, reason=command.reason)


def apply(state: State, facts: SaleFailed, hidden: Hidden) -> Changes:
    failed = state.open_sales[facts.sale_id]
    open_sales = state.open_sales.remove(facts.sale_id)
    selling = state.selling - failed.quantity
    if facts.sale is not None and hidden.buyer is not None:
        open_sales = open_sales.insert(facts.sale.sale_id, OpenSale.of(hidden.buyer, facts.sale))
        selling += facts.sale.quantity
    return {
        "open_sales": open_sales,
        "selling": selling,
        "passed_over": state.passed_over.insert(failed.user_id),
        "quantity_left": facts.quantity_left,
        "ended": facts.ended,
        "price": facts.price,
        **formats.of(state).apply_failure(state, facts, hidden),
    }
