"""What a kind of entry answers, and the refusals that kinds share. Everything outside of `kinds/` asks the table."""

from collections.abc import Callable
from typing import Any, NamedTuple

from bidding.rules import refusals
from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status

Changes = dict[str, Any]  # fields of the state, with their new values


class Kind(NamedTuple):
    """A kind of entry, as a row of the table.

    `apply(state, facts, hidden)` returns what the state's next entry changes. `decide(state, command, at)` returns the
    facts and the hidden part of the entry that `command` becomes at `at` (milliseconds since 1970 UTC), or a Refusal.
    Both are pure. A kind without a command is one more entry that another kind's command may become.
    """

    facts: type[Facts]
    apply: Callable[[State, Any, Hidden], Changes]
    command: type[Command] | None = None
    decide: Callable[[State, Any, int], tuple[Any, Hidden] | Refusal] | None = None


def wrong_status(state: State, participle: str) -> Refusal:
    """An auction that is in this state cannot be `participle` ("opened")."""
    if state.status is Status.NEW:
        return refusals.refuse(refusals.AuctionNotFound)
    return refusals.refuse(
        refusals.WrongStatus,
        detail=f"An auction that is {state.status.lower()} cannot be {participle}.",
        state=state.status.value,
    )


def no_such_sale(sale_id: str) -> Refusal:
    return refusals.refuse(refusals.NoSuchSale, sale_id=sale_id)
