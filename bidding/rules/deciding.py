"""`decide` and `apply`: the two functions that everything else is built on. The table of `kinds` says how.

One command is exactly one entry. `due_command` is what the clock has to do: any writer that looks at a due auction
opens or closes it with that command, so the clock role only wakes writers up.
"""

from collections.abc import Iterable

import msgspec

from bidding.rules import commands, kinds, log
from bidding.rules.kinds.closed import CLOSE_GRACE_MS
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status


def decide(state: State, command: commands.Command) -> log.Entry | Refusal:
    """The entry that `command` becomes, or why not. Its time is its arrival, raised to the log's last time."""
    at = max(command.at, state.at)
    decided = kinds.DECIDE[type(command)](state, command, at)
    if isinstance(decided, Refusal):
        currency = state.terms.currency if state.terms else ""
        return msgspec.structs.replace(decided, seq=state.seq, hash=state.hash, currency=currency)
    facts, hidden = decided
    return log.seal(
        auction_id=state.auction_id,
        seq=state.seq + 1,
        at=at,
        actor=command.actor,
        key=command.key,
        request=command.request(),
        facts=facts,
        hidden=hidden,
        prev=state.hash,
        correlation_id=command.correlation_id,
    )


def due_at(state: State) -> int | None:
    """When the auction opens or closes next (milliseconds since 1970 UTC); None if it never does."""
    if state.status is Status.SCHEDULED:
        return state.known_terms.starts_at
    if state.status is Status.OPEN and not state.ended:
        return state.ends_at + CLOSE_GRACE_MS
    return None


def due_command(state: State, *, at: int, salt: str) -> kinds.Open | kinds.Close:
    """The clock's command for an auction whose `due_at` has come."""
    kind, key = (kinds.Open, "open") if state.status is Status.SCHEDULED else (kinds.Close, "close")
    return kind(auction_id=state.auction_id, actor=commands.CLOCK, key=key, at=at, salt=salt)


def apply(state: State, entry: log.Entry) -> State:
    """The state after `entry`, which must be the next one of this log."""
    facts = entry.facts
    changes = kinds.APPLY[type(facts)](state, facts, entry.hidden)
    return msgspec.structs.replace(state, seq=entry.seq, hash=entry.hash, at=entry.at, **changes)


def fold(auction_id: str, entries: Iterable[log.Entry]) -> State:
    """The state after `entries`, which are the whole log from seq 1 on."""
    state = State(auction_id)
    for entry in entries:
        state = apply(state, entry)
    return state
