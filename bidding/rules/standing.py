"""How a bidder stands in an auction: one word from one function, for the API, the pages and the checks.

none          has not bid                     next_in_line  gets the lot if the winner does not pay
leading       has the highest maximum         lost          another bidder bought it
outbid        another maximum is higher       not_sold      the lot ended without a sale
won           the lot is this bidder's        failed        the own sale was undone
bought        bought from a listing           cancelled     the auction was cancelled
"""

from typing import Literal

from bidding.rules import english
from bidding.rules.state import State, Status

Standing = Literal[
    "none", "leading", "outbid", "won", "bought", "next_in_line", "lost", "not_sold", "failed", "cancelled"
]


def standing_of(state: State, user_id: str) -> Standing:
    """The word for `user_id`. A sale counts from its beginning; whether it is paid is the order's to say."""
    if user_id not in state.bidders:
        return "none"
    has_sale = any(sale.user_id == user_id for sale in state.open_sales.values())
    if state.known_terms.format == "buy_now":
        return "bought" if has_sale or user_id in state.buyers else "failed"
    if has_sale or user_id in state.buyers:
        return "won"
    if user_id in state.passed_over:
        return "failed"
    if state.status is Status.OPEN:
        return "leading" if state.leader == user_id else "outbid"
    if state.status is Status.CANCELLED:
        return "cancelled"
    if not state.open_sales:
        return "lost" if state.sold else "not_sold"
    return "next_in_line" if next_in_line(state) == user_id else "lost"


def next_in_line(state: State) -> str:
    """Who gets the lot if its sale that is under way fails; "" when the lot would go to no other bidder."""
    result = english.result_without(
        state, {*state.passed_over, *(sale.user_id for sale in state.open_sales.values())}
    )
    return result.user_id if result is not None and result.reserve_met else ""
