"""The kinds of entries, one module each: its command, its facts, `decide` and `apply`.

A new kind is a module, its facts in `AnyFacts`, and a row of the table.

The command and the facts of a bid and of a failed sale stand in `commands` and `facts`, because the formats make them and
five kinds ask the formats: here they would close a circle of imports. To open it, each kind would need a protocol of what
it asks of a format, and each `decide` and `apply` the format as one more argument.
"""

from bidding.rules.commands import FailSale, PlaceBid
from bidding.rules.facts import Bid, MaximumChanged, SaleFailed
from bidding.rules.kinds import (
    bid,
    cancelled,
    closed,
    opened,
    requested,
    sale_failed,
    scheduled,
    settled,
    sold_out,
)
from bidding.rules.kinds.base import Kind
from bidding.rules.kinds.cancelled import Cancel, Cancelled
from bidding.rules.kinds.closed import Close, Closed
from bidding.rules.kinds.opened import Open, Opened
from bidding.rules.kinds.requested import Request, Requested
from bidding.rules.kinds.scheduled import Schedule, Scheduled
from bidding.rules.kinds.settled import Settle, Settled
from bidding.rules.kinds.sold_out import SoldOut

__all__ = [
    "APPLY",
    "DECIDE",
    "KINDS",
    "AnyFacts",
    "Bid",
    "Cancel",
    "Cancelled",
    "Close",
    "Closed",
    "MaximumChanged",
    "Open",
    "Opened",
    "Request",
    "Requested",
    "SaleFailed",
    "Schedule",
    "Scheduled",
    "Settle",
    "Settled",
    "SoldOut",
]

AnyFacts = (
    Requested
    | Scheduled
    | Opened
    | Bid
    | MaximumChanged
    | SoldOut
    | Cancelled
    | Closed
    | Settled
    | SaleFailed
)

KINDS = (
    Kind(Requested, requested.apply, Request, requested.decide),
    Kind(Scheduled, scheduled.apply, Schedule, scheduled.decide),
    Kind(Opened, opened.apply, Open, opened.decide),
    Kind(Bid, bid.apply, PlaceBid, bid.decide),
    Kind(MaximumChanged, bid.apply),  # the leader's PlaceBid
    Kind(SoldOut, sold_out.apply),  # inventory's Cancel
    Kind(Cancelled, cancelled.apply, Cancel, cancelled.decide),
    Kind(Closed, closed.apply, Close, closed.decide),
    Kind(Settled, settled.apply, Settle, settled.decide),
    Kind(SaleFailed, sale_failed.apply, FailSale, sale_failed.decide),
)
DECIDE = {kind.command: kind.decide for kind in KINDS if kind.command and kind.decide}
APPLY = {kind.facts: kind.apply for kind in KINDS}
