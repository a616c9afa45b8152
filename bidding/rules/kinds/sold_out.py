"""A listing's own sales used up the stock, although the listing had promised more. It comes of inventory's `Cancel`."""

from bidding.rules.facts import Facts, Hidden
from bidding.rules.kinds.base import Changes
from bidding.rules.state import State, Status


class SoldOut(Facts, frozen=True, kw_only=True, tag="sold_out"):
    """Nothing is left. `ended`: no sale is under way either."""

    ended: bool


def apply(state: State, facts: SoldOut, hidden: Hidden) -> Changes:
    return {"status": Status.SOLD_OUT, "quantity_left": 0, "ended": facts.ended}
