"""What a format answers: the protocol, and what the formats share. Code outside `formats/` asks the object."""

from collections.abc import Container, Iterator
from typing import Any, Literal, Protocol

import msgspec

from auction_project.kernel import ids
from bidding.rules.commands import FailSale, PlaceBid
from bidding.rules.facts import Bid, Hidden, Sale, SaleFailed
from bidding.rules.refusals import Refusal
from bidding.rules.state import OpenSale, State, Status
from bidding.rules.terms import Allocation, Terms

BUYERS_FAULT = ("payment_refused", "risk_refused", "unpaid")

Failure = tuple[SaleFailed, str | None]  # the facts of the entry, and the user who buys next
Flaw = tuple[str, str]  # a field of the terms, and what it must be
Standing = Literal[
    "none", "leading", "outbid", "won", "bought", "next_in_line", "lost", "not_sold", "failed", "cancelled"
]


class Result(msgspec.Struct, frozen=True):
    """Who leads, with which maximum, at what price (both minor units), and whether the reserve is met."""

    user_id: str
    maximum: int
    price: int
    reserve_met: bool


class Format(Protocol):
    """A kind of auction. Prices and amounts are minor units; instants are milliseconds since 1970 UTC."""

    @property
    def name(self) -> str:
        """Its name in the terms, in the log and in the API."""

    @property
    def label(self) -> str:
        """For people, in one or two words."""

    @property
    def summary(self) -> str:
        """For people who choose a format: one sentence."""

    @property
    def allocation(self) -> Allocation:
        """When inventory sets units aside, if the terms do not say."""

    @property
    def sells_by_bid(self) -> bool:
        """Whether each accepted bid is a sale, and the listing ends when nothing is left. Else the highest bid wins at
        the end."""

    def flaws(self, terms: Terms, reserve: int | None) -> Iterator[Flaw]:
        """What this format does not allow in the terms, beside the bounds of all formats."""

    def first_price(self, terms: Terms) -> int:
        """The visible price before the first bid; 0: there is none."""

    def minimum(self, state: State) -> int:
        """The least next bid."""

    def decide_bid(self, state: State, command: PlaceBid, at: int) -> Bid | Refusal:
        """The facts of the bid, or why not. The auction is open, and the bidder may bid."""

    def winner(self, state: State) -> str:
        """The id of the user who gets the lot at the end; "" if no one does."""

    def decide_failure(self, state: State, command: FailSale, sale: OpenSale) -> Failure:
        """What follows when `sale` is undone: the facts, and the id of the user who gets a new sale, if one does."""

    def apply_failure(self, state: State, facts: SaleFailed, hidden: Hidden) -> dict[str, Any]:
        """The fields of the state that a failed sale changes in this format alone."""

    def result_without(self, state: State, struck: Container[str]) -> Result | None:
        """The result as if `struck` had never bid; None if no other bid counts."""

    def standing(self, state: State, user_id: str) -> Standing:
        """How a bidder stands."""

    def losers(self, state: State) -> list[str]:
        """The bidders who did not get the lot, sorted: they receive a notice that it went to another bidder, or to no
        one."""

    def concerned_by_cancellation(self, state: State) -> set[str]:
        """The bidders whose bids a cancellation makes void."""


def next_in_line(form: Format, state: State) -> Result | None:
    """Who gets the lot if its sale that is under way fails; None when the lot would go to no other bidder."""
    result = form.result_without(state, {*state.passed_over, *state.buying})
    return result if result is not None and result.reserve_met else None


def bids_are_over(state: State) -> bool:
    """Whether the auction can take no bid any more."""
    return state.status in (Status.CLOSED, Status.CANCELLED)


def sale_of(state: State, *, buyer: str, price: int, quantity: int = 1) -> Sale:
    """The sale that the next entry makes; `buyer` is an alias, `price` the total."""
    return Sale(
        sale_id=ids.sale_id(state.auction_id, state.seq + 1), buyer=buyer, price=price, quantity=quantity
    )
