"""How a bidder stands in an auction: one word from one function, for the API, the pages and `verify`.

none          has not bid                     next_in_line  gets the lot if the winner does not pay
leading       has the highest maximum         lost          another bidder bought it
outbid        another maximum is higher       not_sold      the lot ended without a sale
won           the lot is this bidder's        failed        the own sale was undone
bought        bought from a listing           cancelled     the auction was cancelled
"""

from bidding.rules import formats
from bidding.rules.formats import Standing, base
from bidding.rules.state import State

__all__ = ["Standing", "next_in_line", "standing_of"]


def standing_of(state: State, user_id: str) -> Standing:
    """The standing of `user_id`. A sale counts from its beginning; the order says whether it is paid."""
    return formats.of(state).standing(state, user_id) if user_id in state.bidders else "none"


def next_in_line(state: State) -> formats.Result | None:
    """Who gets the lot if its sale that is under way fails; None when the lot would go to no other bidder."""
    return base.next_in_line(formats.of(state), state)
