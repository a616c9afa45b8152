"""The auction takes bids: the clock opens it when it is due, or the seller or an operator earlier."""

from bidding.rules import refusals
from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden
from bidding.rules.kinds.base import Changes, wrong_status
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status


class Open(Command, frozen=True, kw_only=True):
    """`early`: before the start, which only the seller and an operator may ask for."""

    early: bool = False
    by_operator: bool = False


class Opened(Facts, frozen=True, kw_only=True, tag="opened"):
    """Bids count from here on, until `ends_at` (milliseconds since 1970 UTC) or the end that late bids move it to."""

    ends_at: int


def decide(state: State, command: Open, at: int) -> tuple[Opened, Hidden] | Refusal:
    if state.status is not Status.SCHEDULED:
        return wrong_status(state, "opened")
    terms = state.known_terms
    if command.early:
        if not command.by_operator and command.actor != state.seller_id:
            return refusals.refuse(refusals.NotYourAuction)
    elif at < terms.starts_at:
        return refusals.refuse(refusals.NotDue, due_at=terms.starts_at)
    return Opened(ends_at=terms.ends_at), Hidden(actor=command.actor, salt=command.salt)


def apply(state: State, facts: Opened, hidden: Hidden) -> Changes:
    return {"status": Status.OPEN, "ends_at": facts.ends_at}
