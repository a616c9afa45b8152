"""Which events an entry of the bid log becomes: a pure function of the entry and the states before and after it.

One public record a seq, private notices to the bidders concerned, and what the other apps must know. Their ids are
functions of (auction, seq), so publishing again yields recognisable doubles.
"""

from collections.abc import Callable, Iterator
from typing import Any

from auction_project.contracts import events, names
from bidding import rules
from bidding.rules import log


def of_entry(before: rules.State, entry: log.Entry, after: rules.State) -> Iterator[events.Event]:
    """The events of `entry`, in the order in which they are to be published."""
    yield from _BY_FACTS[type(entry.facts)](before, entry, after, entry.facts)
    if after.ended and not before.ended:
        facts = entry.facts
        yield events.AuctionEnded(
            auction_id=entry.auction_id,
            product_id=after.known_terms.product_id,
            seq=entry.seq,
            relist_as=facts.relist_as if isinstance(facts, log.SaleFailed) else None,
        )


def event_id(entry: log.Entry, event: events.Event) -> str:
    suffix = type(event).__name__
    if isinstance(event, events.BidderNotice):
        suffix += f":{event.user_id}"
    return names.event_id(entry.auction_id, entry.seq, suffix)


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


def _sale(entry: log.Entry, state: rules.State, sale: log.Sale) -> Iterator[events.Event]:
    """A sale: the buyer is told that he won, the saga starts."""
    buyer = state.open_sales[sale.sale_id].user_id
    terms = state.known_terms
    number = names.order_number(sale.sale_id)
    yield events.Won(
        **_notice(buyer, entry, state),
        sale_id=sale.sale_id,
        order_number=number,
        price=sale.price,
        currency=terms.currency,
        quantity=sale.quantity,
    )
    yield events.SaleConfirmed(
        sale_id=sale.sale_id,
        order_number=number,
        product_id=terms.product_id,
        quantity=sale.quantity,
        user_id=buyer,
        price=sale.price,
        currency=terms.currency,
        auction_id=entry.auction_id,
        title=state.title,
    )


def _requested(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.Requested
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
    )


def _scheduled(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.Scheduled
) -> Iterator[events.Event]:
    terms = after.known_terms
    yield events.AuctionScheduled(
        **_record(entry), title=facts.title, opens_at=terms.starts_at, ends_at=terms.ends_at
    )


def _opened(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.Opened
) -> Iterator[events.Event]:
    yield events.AuctionOpened(**_record(entry), ends_at=facts.ends_at)


def _bid(before: rules.State, entry: log.Entry, after: rules.State, facts: log.Bid) -> Iterator[events.Event]:
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
    money = {"price": facts.price, "currency": facts.currency, "ends_at": facts.ends_at}
    outbid = before.leader if after.leader == entry.actor else entry.actor
    if after.leader == entry.actor and before.leader != entry.actor:
        yield events.Leading(**_notice(entry.actor, entry, after), **money)
    if outbid and outbid != after.leader:
        yield events.Outbid(**_notice(outbid, entry, after), minimum=facts.minimum, **money)


def _cancelled(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.Cancelled
) -> Iterator[events.Event]:
    yield events.AuctionWithdrawn(**_record(entry), reason=facts.reason)
    for user_id in sorted({*after.bidders.keys(), after.seller_id or after.requested_by} - {"house"}):
        yield events.AuctionCancelled(**_notice(user_id, entry, after), reason=facts.reason)


def _closed(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.Closed
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
    if after.known_terms.format == "english":
        winner = entry.hidden.buyer
        for user_id in sorted(user_id for user_id in after.bidders if user_id != winner):
            yield events.Lost(**_notice(user_id, entry, after), price=facts.price, currency=currency)


def _settled(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.Settled
) -> Iterator[events.Event]:
    yield events.LotSettled(**_record(entry), sale_id=facts.sale_id, ended=facts.ended)


def _sale_failed(
    before: rules.State, entry: log.Entry, after: rules.State, facts: log.SaleFailed
) -> Iterator[events.Event]:
    yield events.LotSaleFailed(
        **_record(entry),
        sale_id=facts.sale_id,
        next=facts.next,
        quantity_left=facts.quantity_left,
        ended=facts.ended,
    )
    if facts.sale is not None:
        yield from _sale(entry, after, facts.sale)


_BY_FACTS: dict[
    type[log.Facts], Callable[[rules.State, log.Entry, rules.State, Any], Iterator[events.Event]]
] = {
    log.Requested: _requested,
    log.Scheduled: _scheduled,
    log.Opened: _opened,
    log.Bid: _bid,
    log.Cancelled: _cancelled,
    log.Closed: _closed,
    log.Settled: _settled,
    log.SaleFailed: _sale_failed,
}
