"""The auction is withdrawn, and no bid in it counts; sales that are under way run to their end."""

from bidding.rules import formats, refusals
from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden
from bidding.rules.kinds.base import Changes, wrong_status
from bidding.rules.kinds.sold_out import SoldOut
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status

_CANCELLABLE = (Status.REQUESTED, Status.SCHEDULED, Status.OPEN, Status.SOLD_OUT)


class Cancel(Command, frozen=True, kw_only=True):
    """`by`: an `operator` may always cancel, the `seller` while there is no bid, `inventory` when it refuses the lot or
    its stock is gone; a depletion carries the stock's version."""

    reason: str
    by: str
    stock_version: int | None = None


class Cancelled(Facts, frozen=True, kw_only=True, tag="cancelled"):
    """`reason` is public. `ended`: no sale is under way either."""

    reason: str
    by: str
    ended: bool


def decide(state: State, command: Cancel, at: int) -> tuple[Cancelled | SoldOut, Hidden] | Refusal:
    if state.ended or state.status not in _CANCELLABLE:
        return wrong_status(state, "cancelled")
    if command.by == "seller":
        if command.actor not in (state.seller_id, state.requested_by):
            return refusals.refuse(refusals.NotYourAuction)
        if state.bids:
            return refusals.refuse(refusals.HasBids, bids=state.bids)
    if command.by == "inventory" and command.stock_version is not None:
        if not formats.of(state).sells_by_bid or command.stock_version <= state.stock_version:
            return refusals.refuse(refusals.StockNewsIsOld)
        if state.quantity_left == 0:  # the lot's own sales depleted the stock, and they end the lot
            return refusals.refuse(refusals.NothingLeft)
        if state.status is Status.REQUESTED:
            return wrong_status(state, "cancelled")
        if state.sold or state.open_sales:
            return SoldOut(ended=not state.open_sales), Hidden(actor=command.actor, salt=command.salt)
    return Cancelled(reason=command.reason, by=command.by, ended=not state.open_sales), Hidden(
        actor=command.actor, salt=command.salt
    )


def apply(state: State, facts: Cancelled, hidden: Hidden) -> Changes:
    return {"status": Status.CANCELLED, "reason": facts.reason, "ended": facts.ended}
