"""The rules of an auction, pure: no I/O, no clock, no randomness, integer money.

    decide(state, command) -> Entry | Refusal
    apply(state, entry)    -> State

The state is the fold of the log. Each kind of entry is one module of `kinds`: its command, its facts, how it is decided
and what it changes. What differs between formats (who wins, what a bid decides, what follows a failed sale) is one
object each, in `formats`. A rule is found by its name: `increments`, `soft close` in `terms`, `standing`.
"""

from bidding.rules import formats
from bidding.rules.deciding import apply, decide, due_at, due_command, fold
from bidding.rules.log import Entry, answer_of, verify_chain
from bidding.rules.refusals import Refusal
from bidding.rules.snapshots import Dump, Dumper, Snapshot, dump, load
from bidding.rules.standing import Standing, next_in_line, standing_of
from bidding.rules.state import GENESIS, State, Status
from bidding.rules.terms import SoftClose, Terms

__all__ = [
    "GENESIS",
    "Dump",
    "Dumper",
    "Entry",
    "Refusal",
    "Snapshot",
    "SoftClose",
    "Standing",
    "State",
    "Status",
    "Terms",
    "answer_of",
    "apply",
    "decide",
    "due_at",
    "due_command",
    "dump",
    "fold",
    "formats",
    "load",
    "next_in_line",
    "standing_of",
    "verify_chain",
]
