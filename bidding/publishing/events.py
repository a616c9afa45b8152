"""Which events an entry of the bid log means: a pure function of the entry and the states before and after it.

An entry means one public record, private notices to the users concerned, and what the other apps must know. Event ids
are functions of (auction, seq), so that a consumer recognises an event that is published again.
"""

from collections.abc import Callable, Iterator
from typing import Any

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from bidding import rules
from bidding.rules import kinds, log
from bidding.rules.facts import Facts, Sale

MISSED_BY_STEPS = (5, 10, 25, 50, 100)  # percent; coarse, so that the reserve cannot be computed from it


def of_entry(before: rules.State, entry: log.Entry, after: rules.State) -> Iterator[events.Event]:
    """The events of `entry`, in the order in which they are to be published. The first is its public record."""
    yield from _BY_FACTS[type(entry.facts)](before, entry, after, entry.facts)
    if after.ended and not before.ended:
        facts = entry.facts
        yield events.AuctionEnded(
            auction_id=entry.auction_id,
            product_id=after.known_terms.product_id,
            seq=entry.seq,
            relist_as=facts.relist_as if isinstance(facts, kinds.SaleFailed) else None,
        )


def public_record(entry: log.Entry, after: rules.State) -> events.LogRecord:
    """The public record of `entry`. It does not depend on the state before."""
    record = next(of_entry(after, entry, after))
    assert isinstance(record, events.LogRecord)  # noqa: S101 - each kind begins with it
    return record


def event_id(entry: log.Entry, event: events.Event) -> str:
    """The id of `event`: unique, and the same whenever `entry` is published."""
    suffix = type(event).__name__
    if isinstance(event, events.BidderNotice):
        suffix += f":{event.user_id}"
    return ids.event_id(entry.auction_id, entry.seq, suffix)


def _record(entry: log.Entry) -> dict[str, Any]:
    return {"auction_id": entry.auction_id, "seq": entry.seq, "at": entry.at, "hash": entry.hash}


def _notice(user_id: str, entry: log.Entry, state: rules.State) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "auction_id": entry.auction_id,
        "seq": entry.seq,
        "title": state.title,
        "at": entry.at,
    }


def _sale(entry: log.Entry, state: rules.State, sale: Sale) -> Iterator[events.Event]:
    """A sale: a notice to its buyer, and the start of its saga, or what its buyer pays later."""
    buyer = state.open_sales[sale.sale_id].user_id
    terms = state.known_terms
    number = ids.order_number(sale.sale_id)
    pay_by_at = entry.at + terms.payment_ms if terms.payment_ms else 0
    yield events.Won(
        **_notice(buyer, entry, state),
        sale_id=sale.sale_id,
        order_number=number,
        price=sale.price,
        currency=terms.currency,
        quantity=sale.quantity,
        bought=rules.formats.of(state).sells_by_bid,
        pay_by_at=pay_by_at,
    )
    names: dict[str, Any] = {
        "sale_id": sale.sale_id,
        "order_number": number,
        "user_id": buyer,
        "auction_id": entry.auction_id,
        "currency": terms.currency,
    }
    line = events.SaleLine(
        product_id=terms.product_id,
        quantity=sale.quantity,
        price=sale.price,
        title=state.title,
        owner_id=state.seller_id or "",
    )
    if pay_by_at:
        yield events.SaleAwarded(**names, line=line, pay_by_at=pay_by_at)
    else:
        yield events.SaleConfirmed(**names, price=sale.price, title=state.title, lines=(line,))


def _requested(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Requested
) -> Iterator[events.Event]:
    terms = facts.terms
    yield events.AuctionRequested(**_record(entry))
    yield events.ListingRequested(
        auction_id=entry.auction_id,
        product_id=terms.product_id,
        quantity=terms.quantity,
        format=terms.format,
        allocate=terms.allocate,
        requested_by=entry.actor,
        as_operator=terms.as_operator,
        relists=terms.relist_of,
        currency=terms.currency,
        start_price=terms.start_price,
    )


def _scheduled(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Scheduled
) -> Iterator[events.Event]:
    terms = after.known_terms
    yield events.AuctionScheduled(
        **_record(entry), title=facts.title, opens_at=terms.starts_at, ends_at=terms.ends_at
    )


def _opened(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Opened
) -> Iterator[events.Event]:
    yield events.AuctionOpened(**_record(entry), ends_at=facts.ends_at)


def _bid(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Bid
) -> Iterator[events.Event]:
    yield events.BidPlaced(
        **_record(entry),
        bidder=facts.bidder,
        price=facts.price,
        currency=facts.currency,
        minimum=facts.minimum,
        leader=facts.leader,
        bids=facts.bids,
        ends_at=facts.ends_at,
        reserve_met=facts.reserve_met,
        quantity_left=facts.quantity_left,
        quantity=facts.sale.quantity if facts.sale else 0,
        sale_id=facts.sale.sale_id if facts.sale else None,
    )
    if facts.ends_at != facts.previous_ends_at:
        yield events.AuctionExtended(
            **_record(entry), ends_at=facts.ends_at, previous_ends_at=facts.previous_ends_at
        )
    if facts.sale is not None:
        yield from _sale(entry, after, facts.sale)
        return
    money: dict[str, Any] = {"price": facts.price, "currency": facts.currency, "ends_at": facts.ends_at}
    outbid = before.leader if after.leader == entry.actor else entry.actor
    if after.leader == entry.actor and before.leader != entry.actor:
        yield events.Leading(**_notice(entry.actor, entry, after), **money)
    if outbid and outbid != after.leader:
        yield events.Outbid(
            **_notice(outbid, entry, after),
            minimum=facts.minimum,
            own_bid=outbid == entry.actor,
            **money,
        )


def _maximum_changed(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.MaximumChanged
) -> Iterator[events.Event]:
    yield events.MaximumChanged(
        **_record(entry),
        price=facts.price,
        currency=facts.currency,
        minimum=facts.minimum,
        leader=facts.leader,
        bids=facts.bids,
        ends_at=facts.ends_at,
        reserve_met=facts.reserve_met,
    )


def _sold_out(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.SoldOut
) -> Iterator[events.Event]:
    yield events.AuctionSoldOut(**_record(entry), ended=facts.ended)


def _cancelled(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Cancelled
) -> Iterator[events.Event]:
    """Notices go to the bidders and to the seller; of a listing's buyers only to those whose sale is still under
    way."""
    yield events.AuctionWithdrawn(**_record(entry), reason=facts.reason)
    buying = after.buying
    bidders = rules.formats.of(after).concerned_by_cancellation(after)
    for user_id in sorted({*bidders, after.seller_id or after.requested_by} - {ids.HOUSE}):
        yield events.AuctionCancelled(
            **_notice(user_id, entry, after), reason=facts.reason, sale_pending=user_id in buying
        )


def _closed(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Closed
) -> Iterator[events.Event]:
    currency = after.known_terms.currency
    yield events.AuctionClosed(
        **_record(entry),
        winner=facts.winner,
        price=facts.price,
        currency=currency,
        reserve_met=facts.reserve_met,
    )
    if facts.sale is not None:
        yield from _sale(entry, after, facts.sale)
        yield from _next_in_line(entry, after)
    elif after.outcome == "unsold":
        yield from _unsold(entry, after, relisted=False)


def _settled(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.Settled
) -> Iterator[events.Event]:
    """The sale is paid: notices go to the seller, to a buyer who was to pay later and, of an English auction, to all other bidders."""
    yield events.LotSettled(**_record(entry), sale_id=facts.sale_id, ended=facts.ended)
    sale = before.open_sales[facts.sale_id]
    money: dict[str, Any] = {"price": sale.price, "currency": after.known_terms.currency}
    of_sale = {"sale_id": facts.sale_id, "quantity": sale.quantity, **money}
    if after.known_terms.payment_ms:
        yield events.LotPaid(**_notice(sale.user_id, entry, after), **of_sale)
    if after.seller_id != ids.HOUSE:
        yield events.LotSold(**_notice(after.seller_id, entry, after), **of_sale)
    for user_id in rules.formats.of(after).losers(after):
        yield events.Lost(**_notice(user_id, entry, after), **money)


def _sale_failed(
    before: rules.State, entry: log.Entry, after: rules.State, facts: kinds.SaleFailed
) -> Iterator[events.Event]:
    yield events.LotSaleFailed(
        **_record(entry),
        sale_id=facts.sale_id,
        next=facts.next,
        quantity_left=facts.quantity_left,
        ended=facts.ended,
        leader=facts.leader,
        price=facts.price,
        currency=after.known_terms.currency,
    )
    if facts.sale is not None:
        yield from _sale(entry, after, facts.sale)
        yield from _next_in_line(entry, after)
    elif after.ended and after.outcome == "unsold":
        yield from _unsold(entry, after, relisted=facts.relist_as is not None)


def _next_in_line(entry: log.Entry, after: rules.State) -> Iterator[events.Event]:
    """A notice to the bidder who gets the lot if the sale that begins here fails."""
    result = rules.next_in_line(after)
    if result is not None:
        yield events.NextInLine(
            **_notice(result.user_id, entry, after),
            price=after.price,
            next_price=result.price,
            currency=after.known_terms.currency,
        )


def _unsold(entry: log.Entry, after: rules.State, *, relisted: bool) -> Iterator[events.Event]:
    """The lot ended without a sale: notices go to its bidders and to its seller."""
    currency = after.known_terms.currency
    form = rules.formats.of(after)
    result = form.result_without(after, after.passed_over)
    for user_id in form.losers(after):
        is_highest = result is not None and user_id == result.user_id
        yield events.NotSold(
            **_notice(user_id, entry, after),
            price=after.price,
            currency=currency,
            highest=is_highest,
            missed_by_percent=_missed_by(result.maximum, after.reserve) if result and is_highest else None,
        )
    if after.seller_id != ids.HOUSE:
        yield events.LotUnsold(
            **_notice(after.seller_id, entry, after),
            bids=after.bids,
            reserve_met=after.reserve_met,
            relisted=relisted,
        )


def _missed_by(maximum: int, reserve: int | None) -> int | None:
    """By how many percent of the reserve the maximum missed it, rounded up to a step; None if it met the reserve."""
    if reserve is None or maximum >= reserve:
        return None
    missed = (reserve - maximum) * 100 / reserve
    return next(step for step in MISSED_BY_STEPS if missed <= step)


_BY_FACTS: dict[type[Facts], Callable[[rules.State, log.Entry, rules.State, Any], Iterator[events.Event]]] = {
    kinds.Requested: _requested,
    kinds.Scheduled: _scheduled,
    kinds.Opened: _opened,
    kinds.Bid: _bid,
    kinds.MaximumChanged: _maximum_changed,
    kinds.SoldOut: _sold_out,
    kinds.Cancelled: _cancelled,
    kinds.Closed: _closed,
    kinds.Settled: _settled,
    kinds.SaleFailed: _sale_failed,
}
