"""A group is tried together, and its members alone only if that fails: the one rule of group commit.

A service takes a sequence of requests and returns one outcome for each, in order. An outcome is a result, or the error
that concerns this member. One request is a group of one, so there is no other way through the code. Nothing waits for a
group to fill: what has gathered goes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure

MAX_MEMBERS = 100  # about a second of work, when all must be tried alone

Member = TypeVar("Member")
Result = TypeVar("Result")

log = logs.get(__name__)


def together(
    members: Sequence[Member], act: Callable[[Sequence[Member]], list[Result | Exception]]
) -> list[Result | Exception]:
    """The outcomes of `act(members)`. When it fails, `act` takes each member alone, so that a poisoned one costs only
    itself; an error of a member alone is its outcome.

    `act` is one transaction: an error leaves nothing behind. An outage concerns all members, and is raised.
    """
    if not members:
        return []
    try:
        return act(members)
    except Exception as error:
        if failure.classify(error) is failure.Fate.OUTAGE:
            raise
        if len(members) == 1:
            return [error]
        log.info("group_split", members=len(members), error=repr(error))
    return [outcome for member in members for outcome in together([member], act)]


def split(members: Sequence[Member]) -> Iterator[Sequence[Member]]:
    """Groups of at most MAX_MEMBERS, in order."""
    return (members[start : start + MAX_MEMBERS] for start in range(0, len(members), MAX_MEMBERS))


def only(outcomes: Sequence[Result | Exception]) -> Result:
    """The result of a group of one. Raises its error, and ValueError for any other number of outcomes."""
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
