"""Everything that happens to an auction but bids: requested, scheduled, opened, cancelled, closed, and what becomes of
its sales. Each function answers the facts of the entry (with who buys, where it makes a sale), or a Refusal.

A repeat of a clock's or event's command is refused quietly: `already`.
"""

from collections.abc import Iterator

from bidding.rules import commands, formats, log, refusals
from bidding.rules.formats.base import Flaw, Outcome, bids_are_over, sale_of
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status
from bidding.rules.terms import MAX_AMOUNT, MAX_DURATION_MS, MAX_QUANTITY, Terms

CLOSE_GRACE_MS = 50
_CANCELLABLE = (Status.REQUESTED, Status.SCHEDULED, Status.OPEN, Status.SOLD_OUT)


def decide_request(state: State, command: commands.Request, at: int) -> Outcome | Refusal:
    if state.status is not Status.NEW:
        return refusals.refuse(refusals.AlreadyRequested)
    terms = command.terms
    for field, rule in _flaws(terms, command.reserve, at):
        return refusals.refuse(refusals.TermsInvalid, detail=f"{field} must be {rule}.", field=field)
    return log.Requested(terms=terms), None


def _flaws(terms: Terms, reserve: int | None, at: int) -> Iterator[Flaw]:
    """Each field that is out of bounds, with its bound."""
    if terms.format not in formats.FORMATS:
        yield "format", f"one of {', '.join(formats.FORMATS)}"
        return
    hard_stop_at = terms.soft_close.hard_stop_at
    bounds = (
        (1 <= terms.start_price <= MAX_AMOUNT, "start_price", f"between 1 and {MAX_AMOUNT} minor units"),
        (1 <= terms.quantity <= MAX_QUANTITY, "quantity", f"between 1 and {MAX_QUANTITY}"),
        (
            terms.start_price * terms.quantity <= MAX_AMOUNT,
            "quantity",
            f"so small that all units together cost at most {MAX_AMOUNT} minor units",
        ),
        (terms.ends_at > max(at, terms.starts_at), "ends_at", "after the start and after now"),
        (terms.ends_at - terms.starts_at <= MAX_DURATION_MS, "ends_at", "at most 90 days after the start"),
        (
            (hard_stop_at or terms.ends_at) >= terms.ends_at,
            "soft_close.hard_stop_at",
            "at or after the end",
        ),
        (
            terms.has_reserve == (reserve is not None),
            "reserve_price",
            "given exactly when there is a reserve",
        ),
        (
            reserve is None or terms.start_price <= reserve <= MAX_AMOUNT,
            "reserve_price",
            "at least the starting price",
        ),
    )
    yield from ((field, rule) for holds, field, rule in bounds if not holds)
    yield from formats.FORMATS[terms.format].flaws(terms, reserve)


def decide_schedule(state: State, command: commands.Schedule, at: int) -> Outcome | Refusal:
    if state.status is not Status.REQUESTED:
        return _not_now(state, "scheduled")
    facts = log.Scheduled(
        title=command.title,
        text=command.text,
        thumbnail=command.thumbnail,
        seller_id=command.seller_id,
        stock_version=command.stock_version,
    )
    return facts, None


def decide_open(state: State, command: commands.Open, at: int) -> Outcome | Refusal:
    if state.status is not Status.SCHEDULED:
        return _not_now(state, "opened")
    terms = state.known_terms
    if command.early:
        if not command.by_operator and command.actor != state.seller_id:
            return refusals.refuse(refusals.NotYourAuction)
    elif at < terms.starts_at:
        return refusals.refuse(refusals.NotDue, due_at=terms.starts_at)
    return log.Opened(ends_at=terms.ends_at), None


def decide_cancel(state: State, command: commands.Cancel, at: int) -> Outcome | Refusal:
    if state.ended or state.status not in _CANCELLABLE:
        return _not_now(state, "cancelled")
    if command.by == "seller":
        if command.actor not in (state.seller_id, state.requested_by):
            return refusals.refuse(refusals.NotYourAuction)
        if state.bids:
            return refusals.refuse(refusals.HasBids, bids=state.bids)
    if command.by == "inventory" and command.stock_version is not None:
        if not formats.of(state).sells_by_bid or command.stock_version <= state.stock_version:
            return refusals.refuse(refusals.StockNewsIsOld)
        if state.quantity_left == 0:  # sold out is what depleted the stock: its sales end it
            return refusals.refuse(refusals.NothingLeft)
        if state.status is Status.REQUESTED:
            return _not_now(state, "cancelled")
        if state.sold or state.open_sales:
            return log.SoldOut(ended=not state.open_sales), None
    return log.Cancelled(reason=command.reason, by=command.by, ended=not state.open_sales), None


def decide_close(state: State, command: commands.Close, at: int) -> Outcome | Refusal:
    if state.status is not Status.OPEN:
        return _not_now(state, "closed")
    if at < state.ends_at:
        return refusals.refuse(refusals.NotDue, due_at=state.ends_at)
    winner = formats.of(state).winner(state)
    alias = state.alias_of(winner)
    facts = log.Closed(
        winner=alias,
        price=state.price,
        reserve_met=state.reserve_met,
        quantity_left=0 if winner else state.quantity_left,
        ended=not winner and not state.open_sales,
        sale=sale_of(state, buyer=alias, price=state.price) if winner else None,
    )
    return facts, winner or None


def decide_settle(state: State, command: commands.Settle, at: int) -> Outcome | Refusal:
    sale = state.open_sales.get(command.key)
    if sale is None:
        return _no_such_sale(command.key)
    last = len(state.open_sales) == 1
    return log.Settled(
        sale_id=command.key, ended=last and (bids_are_over(state) or state.quantity_left == 0)
    ), None


def decide_fail(state: State, command: commands.FailSale, at: int) -> Outcome | Refusal:
    sale = state.open_sales.get(command.key)
    if sale is None:
        return _no_such_sale(command.key)
    return formats.of(state).decide_failure(state, command, sale)


def _not_now(state: State, wanted: str) -> Refusal:
    if state.status is Status.NEW:
        return refusals.refuse(refusals.AuctionNotFound)
    return refusals.refuse(
        refusals.WrongStatus,
        detail=f"An auction that is {state.status.lower()} cannot be {wanted}.",
        state=state.status.value,
    )


def _no_such_sale(sale_id: str) -> Refusal:
    return refusals.refuse(refusals.NoSuchSale, sale_id=sale_id)
