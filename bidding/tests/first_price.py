"""A toy format, to show what a new one takes: sealed bids, the highest wins and pays what it bid."""

from typing import Any

from bidding.rules import refusals
from bidding.rules.commands import PlaceBid
from bidding.rules.facts import Bid
from bidding.rules.formats import english
from bidding.rules.formats.base import Format
from bidding.rules.refusals import Refusal
from bidding.rules.state import State


class FirstPrice(english.English):
    name: Any = "first_price"
    label: Any = "Sealed bids"

    def minimum(self, state: State) -> int:
        return state.known_terms.start_price

    def decide_bid(self, state: State, command: PlaceBid, at: int) -> Bid | Refusal:
        amount, terms = command.amount or 0, state.known_terms
        if amount < terms.start_price:
            return refusals.refuse(refusals.BidTooLow, field="amount")
        leads = not state.leader or amount > state.bidders[state.leader].maximum
        alias = state.next_alias(command.actor)
        return Bid(
            bidder=alias,
            leader=alias if leads else state.alias_of(state.leader),
            currency=terms.currency,
            price=amount if leads else state.price,
            minimum=terms.start_price,
            ends_at=state.ends_at,
            previous_ends_at=state.ends_at,
            reserve_met=True,
            bids=state.bids + 1,
            quantity_left=1,
        )


FORMAT: Format = FirstPrice()
