"""`decide` and `apply`: the two functions that everything else is built on.

One command is exactly one entry. `due_command` says what the clock is owed: any writer that meets a due auction closes
it with that command, so the clock role is only an alarm.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from auction_project.kernel import ids
from bidding.rules import commands, formats, lifecycle, log, refusals
from bidding.rules.formats.base import Outcome
from bidding.rules.refusals import Refusal
from bidding.rules.state import Bidder, OpenSale, State, Status
from bidding.rules.terms import MAX_AMOUNT, MAX_QUANTITY

_LIFECYCLE: dict[type[commands.Command], Callable[[State, Any, int], Outcome | Refusal]] = {
    commands.Request: lifecycle.decide_request,
    commands.Schedule: lifecycle.decide_schedule,
    commands.Open: lifecycle.decide_open,
    commands.Cancel: lifecycle.decide_cancel,
    commands.Close: lifecycle.decide_close,
    commands.Settle: lifecycle.decide_settle,
    commands.FailSale: lifecycle.decide_fail,
}


def decide(state: State, command: commands.Command) -> log.Entry | Refusal:
    """The entry that `command` becomes, or why not. Its time is its arrival, raised to the log's last time."""
    at = max(command.at, state.at)
    maximum = reserve = buyer = reason = None
    if type(command) is commands.PlaceBid:
        decided: Any = _decide_bid(state, command, at)
        maximum = command.amount
    else:
        decided = _LIFECYCLE[type(command)](state, command, at)
        if not isinstance(decided, Refusal):
            decided, buyer = decided
        if type(command) is commands.Request:
            reserve = command.reserve
        elif type(command) is commands.FailSale:
            reason = command.reason
    if isinstance(decided, Refusal):
        currency = state.terms.currency if state.terms else ""
        return msgspec.structs.replace(decided, seq=state.seq, hash=state.hash, currency=currency)
    return log.seal(
        auction_id=state.auction_id,
        seq=state.seq + 1,
        at=at,
        actor=command.actor,
        key=command.key,
        request=command.request(),
        facts=decided,
        hidden=log.Hidden(
            actor=command.actor,
            salt=command.salt,
            maximum=maximum,
            reserve=reserve,
            buyer=buyer,
            reason=reason,
        ),
        prev=state.hash,
        correlation_id=command.correlation_id,
    )


def _decide_bid(state: State, command: commands.PlaceBid, at: int) -> log.Bid | Refusal:
    """What every format asks first."""
    if state.status is not Status.OPEN or at >= state.ends_at:
        return _not_open(state)
    refusal = _may_not_bid(state, command)
    if refusal is not None:
        return refusal
    terms = state.known_terms
    if command.currency is not None and command.currency != terms.currency:
        return refusals.refuse(
            refusals.CurrencyMismatch,
            detail=f"This auction is held in {terms.currency}.",
            field="currency",
            currency=terms.currency,
        )
    if command.amount is not None and not 0 < command.amount <= MAX_AMOUNT:
        return refusals.refuse(refusals.AmountOutOfRange, field="amount")
    if not 0 < command.quantity <= MAX_QUANTITY:
        return refusals.refuse(refusals.QuantityOutOfRange, field="quantity")
    return formats.of(state).decide_bid(state, command, at)


def _may_not_bid(state: State, command: commands.PlaceBid) -> Refusal | None:
    if command.actor == state.seller_id:
        return refusals.refuse(refusals.OwnLot)
    if command.is_operator and state.seller_id == ids.HOUSE:
        return refusals.refuse(refusals.HouseLot)
    if state.known_terms.card_required and not command.has_card:
        return refusals.refuse(refusals.CardMissing)
    return None


def _not_open(state: State) -> Refusal:
    if state.status is Status.SOLD_OUT:
        return refusals.refuse(refusals.SoldOut, detail="Sold out.", field="quantity", quantity_left=0)
    if state.status is Status.NEW:
        return refusals.refuse(refusals.AuctionNotFound)
    if state.status is Status.CANCELLED:
        return refusals.refuse(refusals.AuctionCancelled, reason=state.reason)
    if state.status in (Status.REQUESTED, Status.SCHEDULED):
        return refusals.refuse(refusals.AuctionNotOpen, starts_at=state.known_terms.starts_at)
    return refusals.refuse(refusals.AuctionClosed, ends_at=state.ends_at)


def due_at(state: State) -> int | None:
    """When the clock has something to do here (milliseconds), if ever."""
    if state.status is Status.SCHEDULED:
        return state.known_terms.starts_at
    if state.status is Status.OPEN and not state.ended:
        return state.ends_at + lifecycle.CLOSE_GRACE_MS
    return None


def due_command(state: State, *, at: int, salt: str) -> commands.Open | commands.Close:
    """The clock's command for an auction whose `due_at` has come. What arrived before the end had CLOSE_GRACE_MS."""
    kind, key = (commands.Open, "open") if state.status is Status.SCHEDULED else (commands.Close, "close")
    return kind(auction_id=state.auction_id, actor=commands.CLOCK, key=key, at=at, salt=salt)


def apply(state: State, entry: log.Entry) -> State:
    """The state after `entry`, which must be the next one of this log."""
    facts = entry.facts
    changes = _APPLY[type(facts)](state, entry, facts)
    return msgspec.structs.replace(state, seq=entry.seq, hash=entry.hash, at=entry.at, **changes)


def fold(auction_id: str, entries: Iterable[log.Entry]) -> State:
    state = State(auction_id)
    for entry in entries:
        state = apply(state, entry)
    return state


def _apply_requested(_state: State, entry: log.Entry, facts: log.Requested) -> dict[str, Any]:
    terms, reserve = facts.terms, entry.hidden.reserve
    return {
        "status": Status.REQUESTED,
        "terms": terms,
        "reserve": reserve,
        "requested_by": entry.actor,
        "reserve_met": reserve is None,
        "ends_at": terms.ends_at,
        "quantity_left": terms.quantity,
        "price": formats.FORMATS[terms.format].first_price(terms),
    }


def _apply_scheduled(_state: State, _entry: log.Entry, facts: log.Scheduled) -> dict[str, Any]:
    return {
        "status": Status.SCHEDULED,
        "title": facts.title,
        "text": facts.text,
        "thumbnail": facts.thumbnail,
        "seller_id": facts.seller_id,
        "stock_version": facts.stock_version,
    }


def _apply_opened(_state: State, _entry: log.Entry, facts: log.Opened) -> dict[str, Any]:
    return {"status": Status.OPEN, "ends_at": facts.ends_at}


def _apply_bid(state: State, entry: log.Entry, facts: log.Bid) -> dict[str, Any]:
    maximum = entry.hidden.maximum or facts.price
    since = state.bidders[entry.actor].seq if entry.actor == state.leader else entry.seq
    changes: dict[str, Any] = {
        "bidders": state.bidders.insert(entry.actor, Bidder(facts.bidder, maximum, since)),
        "price": facts.price,
        "bids": facts.bids,
        "ends_at": facts.ends_at,
        "reserve_met": facts.reserve_met,
    }
    if facts.leader and facts.leader == facts.bidder:
        changes["leader"] = entry.actor
    if facts.sale is not None:
        left = state.quantity_left - facts.sale.quantity
        changes["open_sales"] = _with_sale(state, entry.actor, facts.sale)
        changes["quantity_left"] = left
        if left == 0:
            changes["status"] = Status.SOLD_OUT
    return changes


def _apply_sold_out(_state: State, _entry: log.Entry, facts: log.SoldOut) -> dict[str, Any]:
    return {"status": Status.SOLD_OUT, "quantity_left": 0, "ended": facts.ended}


def _apply_cancelled(_state: State, _entry: log.Entry, facts: log.Cancelled) -> dict[str, Any]:
    return {"status": Status.CANCELLED, "reason": facts.reason, "ended": facts.ended}


def _apply_closed(state: State, entry: log.Entry, facts: log.Closed) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "status": Status.CLOSED,
        "ended": facts.ended,
        "quantity_left": facts.quantity_left,
    }
    if facts.sale is not None and entry.hidden.buyer is not None:
        changes["open_sales"] = _with_sale(state, entry.hidden.buyer, facts.sale)
    return changes


def _apply_settled(state: State, _entry: log.Entry, facts: log.Settled) -> dict[str, Any]:
    sale = state.open_sales[facts.sale_id]
    return {
        "open_sales": state.open_sales.remove(facts.sale_id),
        "sold": state.sold + sale.quantity,
        "buyers": state.buyers.insert(sale.user_id),
        "ended": facts.ended,
    }


def _apply_sale_failed(state: State, entry: log.Entry, facts: log.SaleFailed) -> dict[str, Any]:
    failed = state.open_sales[facts.sale_id]
    open_sales = state.open_sales.remove(facts.sale_id)
    if facts.sale is not None and entry.hidden.buyer is not None:
        open_sales = open_sales.insert(facts.sale.sale_id, _open_sale(entry.hidden.buyer, facts.sale))
    return {
        "open_sales": open_sales,
        "passed_over": state.passed_over.insert(failed.user_id),
        "quantity_left": facts.quantity_left,
        "ended": facts.ended,
        "price": facts.price,
        **formats.of(state).apply_failure(state, entry, facts),
    }


def _with_sale(state: State, user_id: str, sale: log.Sale) -> Any:
    return state.open_sales.insert(sale.sale_id, _open_sale(user_id, sale))


def _open_sale(user_id: str, sale: log.Sale) -> OpenSale:
    return OpenSale(user_id, sale.price, sale.quantity)


_APPLY: dict[type[log.Facts], Callable[[State, log.Entry, Any], dict[str, Any]]] = {
    log.Requested: _apply_requested,
    log.Scheduled: _apply_scheduled,
    log.Opened: _apply_opened,
    log.Bid: _apply_bid,
    log.MaximumChanged: _apply_bid,
    log.SoldOut: _apply_sold_out,
    log.Cancelled: _apply_cancelled,
    log.Closed: _apply_closed,
    log.Settled: _apply_settled,
    log.SaleFailed: _apply_sale_failed,
}
