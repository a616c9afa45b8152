"""What a commit works on: the commands and looks that wait for their outcome, the entries that it proposes, and what one
round over a batch decided. No I/O.
"""

import asyncio
import uuid
from collections.abc import Iterable

import msgspec

from bidding import rules
from bidding.rules import commands, log

Outcome = log.Entry | rules.Refusal | rules.State


class Look(msgspec.Struct, frozen=True):
    """A request for the state of an auction as it is now. `at`: when it arrived, milliseconds since the epoch."""

    auction_id: str
    at: int


class Awaited(asyncio.Future[Outcome]):
    """A future that a disconnected client cannot cancel, because its command is under way and other clients may have joined
    it."""

    def cancel(self, msg: object = None) -> bool:
        return False


class Pending:
    """One command or look under way. `key` is the command's idempotency string; a look has none. `since`: the monotonic time
    at which its client began to wait."""

    __slots__ = ("command", "future", "key", "since")

    def __init__(self, command: commands.Command | Look, key: str | None, since: float) -> None:
        self.command = command
        self.key = key
        self.since = since
        self.future = Awaited()

    def ask_again(self, command: commands.Command, since: float) -> None:
        """The client repeats this command. A stored entry is the answer. If the command was refused or timed out while its
        batch is still under way, it gets a new future: the batch answers it, or passes it on to the next one."""
        if self.future.done() and (
            self.future.exception() or not isinstance(self.future.result(), log.Entry)
        ):
            self.command = command
            self.future = Awaited()
            self.since = since

    def resolve(self, outcome: Outcome) -> None:
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # asyncio logs no error whose client has gone


class Proposal:
    """An entry that is to be stored, with the state after it. `pending` is None without a command: the auction was due to
    open or close."""

    __slots__ = ("after", "entry", "pending")

    def __init__(self, entry: log.Entry, after: rules.State, pending: Pending | None) -> None:
        self.entry = entry
        self.after = after
        self.pending = pending


class Round:
    """What one round over the batch decided: entries to store, and by auction what to answer without one."""

    def __init__(self) -> None:
        self.proposals: list[Proposal] = []
        self.answers: dict[str, list[tuple[Pending, rules.Refusal | rules.State]]] = {}

    def auctions_with_proposals(self) -> set[str]:
        return {proposal.entry.auction_id for proposal in self.proposals}

    def do_what_is_due(self, state: rules.State, at: int) -> rules.State:
        """Open or close the auction if that was due by the instant `at`; the state afterwards."""
        while (due := rules.due_at(state)) is not None and due <= at:
            command = rules.due_command(state, at=at, salt=uuid.uuid4().hex)
            state = self._propose(state, command, None)
        return state

    def do(self, state: rules.State, pending: Pending) -> rules.State:
        """Decide a command, or note the state for a look; the state afterwards."""
        if isinstance(pending.command, commands.Command):
            return self._propose(state, pending.command, pending)
        self.answers.setdefault(state.auction_id, []).append((pending, state))
        return state

    def _propose(self, state: rules.State, command: commands.Command, pending: Pending | None) -> rules.State:
        decided = rules.decide(state, command)
        if isinstance(decided, rules.Refusal):
            if pending is not None:
                self.answers.setdefault(state.auction_id, []).append((pending, decided))
            return state
        after = rules.apply(state, decided)
        self.proposals.append(Proposal(decided, after, pending))
        return after


def is_final(answer: rules.Refusal | rules.State) -> bool:
    """Whether no later entry can change the answer: that of a bid on a cancelled auction."""
    return isinstance(answer, rules.Refusal) and answer.rule == "auction_cancelled"


def failed(error: Exception) -> Awaited:
    """A future that has failed already."""
    future = Awaited()
    future.set_exception(error)
    future.exception()
    return future


def fail_all(batch: Iterable[Pending], error: Exception) -> None:
    for pending in batch:
        pending.fail(error)
