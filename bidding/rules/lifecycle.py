"""Everything that happens to an auction but bids: requested, scheduled, opened, cancelled, closed, and what becomes of
its sales. Each function answers the facts of the entry (with who buys, where it makes a sale), or a Refusal.

A repeat of a clock's or event's command is refused quietly: `already`.
"""

from auction_project.kernel import ids
from bidding.rules import commands, english, log
from bidding.rules.refusals import Refusal
from bidding.rules.state import OpenSale, State, Status
from bidding.rules.terms import MAX_AMOUNT, MAX_DURATION_MS, MAX_QUANTITY

CLOSE_GRACE_MS = 50
_BUYERS_FAULT = ("payment_refused", "risk_refused")
_CANCELLABLE = (Status.REQUESTED, Status.SCHEDULED, Status.OPEN, Status.SOLD_OUT)

Outcome = tuple[log.AnyFacts, str | None]  # the facts, and the user who buys


def decide_request(state: State, command: commands.Request, at: int) -> Outcome | Refusal:
    if state.status is not Status.NEW:
        return Refusal(rule="already_requested", detail="This auction exists.")
    terms = command.terms
    checks = (
        (1 <= terms.start_price <= MAX_AMOUNT, "start_price", f"between 1 and {MAX_AMOUNT} minor units"),
        (1 <= terms.quantity <= MAX_QUANTITY, "quantity", f"between 1 and {MAX_QUANTITY}"),
        (terms.format != "english" or terms.quantity == 1, "quantity", "1 in an english auction"),
        (
            terms.start_price * terms.quantity <= MAX_AMOUNT,
            "quantity",
            f"so small that all units together cost at most {MAX_AMOUNT} minor units",
        ),
        (terms.ends_at > max(at, terms.starts_at), "ends_at", "after the start and after now"),
        (terms.ends_at - terms.starts_at <= MAX_DURATION_MS, "ends_at", "at most 90 days after the start"),
        (
            (terms.soft_close.hard_stop_at or terms.ends_at) >= terms.ends_at,
            "soft_close.hard_stop_at",
            "at or after the end",
        ),
        (
            terms.has_reserve == (command.reserve is not None),
            "reserve_price",
            "given exactly when there is a reserve",
        ),
        (
            command.reserve is None or terms.start_price <= command.reserve <= MAX_AMOUNT,
            "reserve_price",
            "at least the starting price",
        ),
        (terms.format == "english" or command.reserve is None, "reserve_price", "for english auctions only"),
    )
    for holds, field, rule in checks:
        if not holds:
            return Refusal(rule="terms_invalid", detail=f"{field} must be {rule}.", field=field)
    return log.Requested(terms=terms), None


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
            return Refusal(rule="not_your_auction", detail="Only the seller or an operator opens it.")
    elif at < terms.starts_at:
        return Refusal(rule="not_due", detail="It is not time yet.", figures={"due_at": terms.starts_at})
    return log.Opened(ends_at=terms.ends_at), None


def decide_cancel(state: State, command: commands.Cancel, at: int) -> Outcome | Refusal:
    if state.ended or state.status not in _CANCELLABLE:
        return _not_now(state, "cancelled")
    if command.by == "seller":
        if command.actor not in (state.seller_id, state.requested_by):
            return Refusal(rule="not_your_auction", detail="Only the seller or an operator cancels it.")
        if state.bids:
            return Refusal(
                rule="has_bids",
                detail="A seller cannot cancel once there is a bid. Ask an operator.",
                figures={"bids": state.bids},
            )
    if command.by == "inventory" and command.stock_version is not None:
        if state.known_terms.format != "buy_now" or command.stock_version <= state.stock_version:
            return Refusal(rule="stock_news_is_old", detail="The lot is newer than that depletion.")
        if state.quantity_left == 0:  # sold out is what depleted the stock: its sales end it
            return Refusal(rule="nothing_left", detail="Every unit of the lot is in a sale.")
        if state.status is Status.REQUESTED:
            return _not_now(state, "cancelled")
        if state.sold or state.open_sales:
            return log.SoldOut(ended=not state.open_sales), None
    return log.Cancelled(reason=command.reason, by=command.by, ended=not state.open_sales), None


def decide_close(state: State, command: commands.Close, at: int) -> Outcome | Refusal:
    if state.status is not Status.OPEN:
        return _not_now(state, "closed")
    if at < state.ends_at:
        return Refusal(rule="not_due", detail="It is not over yet.", figures={"due_at": state.ends_at})
    sold = state.known_terms.format == "english" and state.leader != "" and state.reserve_met
    sale = _sale(state, state.leader, state.price) if sold else None
    facts = log.Closed(
        winner=state.alias_of(state.leader) if sold else "",
        price=state.price,
        reserve_met=state.reserve_met,
        quantity_left=0 if sold else state.quantity_left,
        ended=not sold and not state.open_sales,
        sale=sale,
    )
    return facts, state.leader if sold else None


def decide_settle(state: State, command: commands.Settle, at: int) -> Outcome | Refusal:
    sale = state.open_sales.get(command.key)
    if sale is None:
        return _no_such_sale(command.key)
    last = len(state.open_sales) == 1
    return log.Settled(
        sale_id=command.key, ended=last and (_bids_are_over(state) or state.quantity_left == 0)
    ), None


def decide_fail(state: State, command: commands.FailSale, at: int) -> Outcome | Refusal:
    sale = state.open_sales.get(command.key)
    if sale is None:
        return _no_such_sale(command.key)
    if state.known_terms.format == "buy_now":
        return _fail_buy_now(state, command, sale), None
    return _fail_english(state, command, sale)


def _fail_buy_now(state: State, command: commands.FailSale, sale: OpenSale) -> log.SaleFailed:
    """While the listing runs, the units are for sale again when only the buyer failed; else they leave it."""
    back = state.status in (Status.OPEN, Status.SOLD_OUT) and command.reason in _BUYERS_FAULT
    left = state.quantity_left + (sale.quantity if back else 0)
    last = len(state.open_sales) == 1
    return log.SaleFailed(
        sale_id=command.key,
        next="back_on_sale" if back else "nothing",
        leader="",
        price=state.price,
        reserve_met=True,
        quantity_left=left,
        ended=last and (_bids_are_over(state) or left == 0),
    )


def _fail_english(state: State, command: commands.FailSale, sale: OpenSale) -> Outcome:
    """When the buyer is at fault, the bids of that buyer are struck and the result is computed again without them: the
    next bidder pays that price, if it meets the reserve; else the lot is listed again; else nothing follows."""
    terms = state.known_terms
    follow: log.Next = "nothing"
    buyer: str | None = None
    next_sale: log.Sale | None = None
    relist_as: str | None = None
    price, reserve_met = state.price, state.reserve_met
    if command.reason in _BUYERS_FAULT and state.status is Status.CLOSED:
        result = english.result_without(state, state.passed_over.insert(sale.user_id))
        price = result.price if result else 0
        reserve_met = result.reserve_met if result else state.reserve is None
        if result is not None and result.reserve_met:
            buyer = result.user_id
            follow, next_sale = "runner_up", _sale(state, buyer, result.price)
        elif terms.relistings_left > 0:
            follow, relist_as = "relist", ids.relisted_auction_id(state.auction_id, state.seq + 1)
    facts = log.SaleFailed(
        sale_id=command.key,
        next=follow,
        leader=state.alias_of(buyer) if buyer else "",
        price=price,
        reserve_met=reserve_met,
        quantity_left=0,
        ended=next_sale is None,
        sale=next_sale,
        relist_as=relist_as,
    )
    return facts, buyer


def _sale(state: State, user_id: str, price: int) -> log.Sale:
    return log.Sale(
        sale_id=ids.sale_id(state.auction_id, state.seq + 1),
        buyer=state.alias_of(user_id),
        price=price,
        quantity=1,
    )


def _bids_are_over(state: State) -> bool:
    return state.status in (Status.CLOSED, Status.CANCELLED)


def _not_now(state: State, wanted: str) -> Refusal:
    if state.status is Status.NEW:
        return Refusal(rule="auction_not_found", detail="There is no such auction.")
    return Refusal(
        rule="wrong_status",
        detail=f"An auction that is {state.status.lower()} cannot be {wanted}.",
        figures={"state": state.status.value},
    )


def _no_such_sale(sale_id: str) -> Refusal:
    return Refusal(
        rule="no_such_sale",
        detail="This auction has no undecided sale of that id.",
        figures={"sale_id": sale_id},
    )
