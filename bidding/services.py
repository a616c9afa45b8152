"""What can be done to an auction besides bidding, one function each. Each sends commands to the committer.

What follows from events takes a run of them, so that their entries share one bulk of the log. The id of the event is the key,
so that a repeat gets the stored outcome. A Refusal is raised as an error; but one of what inventory reports, which says that
the auction has moved on, is logged.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from auction_project.kernel import errors, ids, logs
from auction_project.kernel.contracts import Envelope, events
from auction_project.kernel.messaging import consuming
from bidding import reports, rules, runtime
from bidding.rules import commands, kinds, log
from bidding.store import auctions

PAGE_AUCTIONS = 500
GROUP = "bidding"  # of consumers

logger = logs.get(__name__)

# These keys hold a blank, which no Idempotency-Key may, so they never equal that of a bid.
_OPEN_EARLY, _CANCEL = "open early", "cancel for"
# The reason of a lot that inventory refused, for people; the event carries a code.
_REFUSED: Mapping[events.LotRefusal, str] = {
    "unknown_product": "There is no such product.",
    "not_owner": "The product belongs to another seller.",
    "invalid_quantity": "The quantity is out of range.",
    "sold_out": "There is not enough free stock.",
    "stock_lost": "Its units were lost or damaged.",
    "another_product": "The lot before it sold another product.",
    "lot_ended": "The lot before it has given its units back.",
}
_OVERTAKEN = ("auction_not_found", "wrong_status", "stock_news_is_old", "nothing_left", "already_requested")


def request_auction(
    *, auction_id: str, actor: str, key: str, terms: rules.Terms, reserve: int | None, now: int
) -> log.Entry:
    """Request a lot: insert the auction's document, then append entry 1. Inventory answers by an event.

    Raises errors.Invalid (terms), errors.Conflict, errors.KeyReused, errors.Unavailable.
    """
    command = kinds.Request(
        auction_id=auction_id, actor=actor, key=key, at=now, terms=terms, reserve=reserve, **_origin()
    )
    return _entry(_request_all([command])[0])


def open_auction(*, auction_id: str, actor: str, by_operator: bool, now: int) -> log.Entry:
    """Open before the start. Raises errors.Forbidden, errors.Conflict, errors.NotFound, errors.Unavailable."""
    return _submit(
        kinds.Open(
            auction_id=auction_id,
            actor=actor,
            key=_OPEN_EARLY,
            at=now,
            early=True,
            by_operator=by_operator,
            **_origin(),
        )
    )


def cancel_auction(*, auction_id: str, actor: str, by_operator: bool, reason: str, now: int) -> log.Entry:
    """Cancel with a reason. Raises errors.Forbidden, errors.Conflict (bids), errors.NotFound, errors.Unavailable."""
    by = "operator" if by_operator else "seller"
    key = f"{_CANCEL} {hashlib.sha256(reason.encode()).hexdigest()}"  # another reason is another command, and comes too late
    return _submit(
        kinds.Cancel(auction_id=auction_id, actor=actor, key=key, at=now, reason=reason, by=by, **_origin())
    )


def follow_inventory(run: Sequence[consuming.Received], *, now: int) -> None:
    """What inventory reports of lots and stock. A lot that it accepts is listed, and opens at once if its start has passed; one
    that it refuses is cancelled, and so is one whose units are lost, and each older listing of a depleted product."""
    record_stock([one.event for one in run if isinstance(one.event, events.StockChanged)])
    submitted: list[commands.Command] = []
    for one in run:
        submitted += _FOLLOW[type(one.event)](one.envelope, one.event, now)
    # The loss of a relisted lot may come before its listing; then inventory refuses that.
    lost = {one.envelope.id for one in run if isinstance(one.event, events.LotStockLost)}
    for command, outcome in zip(submitted, runtime.submit_all(submitted, then_look=True), strict=True):
        if isinstance(outcome, rules.Refusal) and outcome.rule in _OVERTAKEN:
            rule = outcome.rule
        elif isinstance(outcome, errors.NotFound) and command.key in lost:
            rule = "auction_not_found"
        else:
            _entry(outcome)
            continue
        logger.info("overtaken", command=type(command).__name__, auction_id=command.auction_id, rule=rule)


def record_stock(changes: Sequence[events.StockChanged]) -> None:
    """Keep what inventory reported: the available units of these products. Raises errors.Unavailable."""
    if not changes:
        return
    runtime.call(reports.record_stock(runtime.current().store, changes))
    # After an outage of Redis the relay fills the catalogue again.
    with contextlib.suppress(errors.Unavailable):
        runtime.call(_show_stock({change.product_id: change for change in changes}.values()))


def record_cards(changes: Sequence[events.CardChanged]) -> None:
    """Keep what orders reported: whether these users have a usable card. Raises errors.Unavailable."""
    newest = {change.user_id: change for change in sorted(changes, key=lambda change: change.version)}
    runtime.call(reports.record_cards(runtime.current().store, list(newest.values())))


def end_sales(run: Sequence[consuming.Received], *, now: int) -> None:
    """The sagas of these sales have succeeded (SaleSettled) or were undone (BidFailed); those of checkouts are left alone.
    Raises errors.Refused when an auction has no such sale."""
    _submit_all([_end_of_sale(one.envelope, one.event, now) for one in run if one.event.auction_id])


def relist_auctions(run: Sequence[consuming.Received], *, now: int) -> None:
    """List the lots of these ended auctions again if their events say so, each for as long as it was listed before."""
    requests = [_relisting(one.envelope, one.event, now) for one in run if one.event.relist_as is not None]
    for request, outcome in zip(requests, _request_all(requests), strict=True):
        try:
            _entry(outcome)
        except errors.Conflict:  # also a key that is used, because the times of the terms differ
            logger.info("already_relisted", auction_id=request.auction_id)


def _request_all(requests: Sequence[kinds.Request]) -> list[log.Entry | rules.Refusal | BaseException]:
    """Insert the documents of these auctions, then append their entries 1, which share one bulk; the outcome of each request."""
    if not requests:
        return []
    store = runtime.current().store
    refused: dict[str, rules.Refusal] = {}  # by the idempotency of the request
    for request in requests:
        decided = rules.decide(rules.State(request.auction_id), request)
        if isinstance(decided, rules.Refusal):
            refused[request.idempotency] = decided
    new = [_document(request) for request in requests if request.idempotency not in refused]
    runtime.call(_insert_all(new))
    if refused:
        # A retry gets the answer of the original request, even if the terms have expired since.
        answered = runtime.call(store.bids.find(list(refused)))
        refused = {name: refusal for name, refusal in refused.items() if name not in answered}
    submitted = [request for request in requests if request.idempotency not in refused]
    outcomes = dict(zip((each.idempotency for each in submitted), runtime.submit_all(submitted), strict=True))
    return [refused.get(request.idempotency) or outcomes[request.idempotency] for request in requests]


async def _insert_all(documents: Iterable[auctions.AuctionDocument]) -> None:
    insert = runtime.current().store.auctions.insert
    await asyncio.gather(*map(insert, documents))


def _document(request: kinds.Request) -> auctions.AuctionDocument:
    terms, now = request.terms, request.at
    return auctions.AuctionDocument(
        id=request.auction_id,
        product_id=terms.product_id,
        requested_by=request.actor,
        format=terms.format,
        currency=terms.currency,
        starts_at=terms.starts_at,
        ends_at=terms.ends_at,
        created_at=now,
        due_at=terms.starts_at if terms.starts_at > now else None,  # else it opens when inventory accepts it
        start_price=terms.start_price,
        ask=terms.start_price,
        quantity_left=terms.quantity,
    )


def _relisting(envelope: Envelope, event: events.AuctionEnded, now: int) -> kinds.Request:
    ended = runtime.look(event.auction_id)
    terms = ended.known_terms
    later = now - terms.starts_at
    hard_stop_at = terms.soft_close.hard_stop_at
    again = msgspec.structs.replace(
        terms,
        starts_at=now,
        ends_at=terms.ends_at + later,
        soft_close=msgspec.structs.replace(
            terms.soft_close, hard_stop_at=hard_stop_at + later if hard_stop_at is not None else None
        ),
        relistings_left=terms.relistings_left - 1,
        relist_of=event.auction_id,
        as_operator=True,
    )
    assert event.relist_as is not None  # noqa: S101
    return kinds.Request(
        auction_id=event.relist_as,
        actor=ended.requested_by,
        key=envelope.id,
        at=now,
        terms=again,
        reserve=ended.reserve,
        **_origin(envelope),
    )


async def _show_stock(changes: Iterable[events.StockChanged]) -> None:
    catalogue = runtime.current().catalogue
    for change in changes:
        await catalogue.put_stock(change.product_id, version=change.version, available=change.available)


def _end_of_sale(
    envelope: Envelope, event: events.SaleSettled | events.BidFailed, now: int
) -> commands.Command:
    auction_id, _ = ids.auction_of_sale(event.sale_id)
    common: dict[str, Any] = {
        "auction_id": auction_id,
        "actor": commands.SAGAS,
        "key": event.sale_id,
        "at": now,
        **_origin(envelope),
    }
    if isinstance(event, events.SaleSettled):
        return kinds.Settle(**common)
    return commands.FailSale(**common, reason=event.reason)


def _schedule(envelope: Envelope, event: events.LotAccepted, now: int) -> list[commands.Command]:
    return [
        kinds.Schedule(
            auction_id=event.auction_id,
            actor=commands.EVENT,
            key=envelope.id,
            at=now,
            title=event.title,
            text=event.text,
            thumbnail=event.thumbnail,
            seller_id=event.owner_id,
            stock_version=event.version,
            **_origin(envelope),
        )
    ]


def _cancel_refused(envelope: Envelope, event: events.LotRefused, now: int) -> list[commands.Command]:
    reason = _REFUSED.get(event.reason, event.reason)  # type: ignore[call-overload]
    return [_cancel_by_inventory(envelope, event.auction_id, reason, None, now)]


def _cancel_lost(envelope: Envelope, event: events.LotStockLost, now: int) -> list[commands.Command]:
    return [_cancel_by_inventory(envelope, event.auction_id, event.reason, None, now)]


def _cancel_depleted(envelope: Envelope, event: events.StockDepleted, now: int) -> list[commands.Command]:
    return [
        _cancel_by_inventory(envelope, document.id, "Sold out.", event.version, now)
        for document in _auctions_of_product(event.product_id)
        if not document.ended and rules.formats.FORMATS[document.format].sells_by_bid
    ]


_FOLLOW: dict[type[events.Event], Callable[[Envelope, Any, int], list[commands.Command]]] = {
    events.LotAccepted: _schedule,
    events.LotRefused: _cancel_refused,
    events.LotStockLost: _cancel_lost,
    events.StockDepleted: _cancel_depleted,
    events.StockChanged: lambda _envelope, _event, _now: [],  # recorded
}


def _auctions_of_product(product_id: str) -> Iterator[auctions.AuctionDocument]:
    read = 0
    store = runtime.current().store.auctions
    while page := runtime.call(store.of_product(product_id, skip=read, limit=PAGE_AUCTIONS)):
        yield from page
        read += len(page)


def _cancel_by_inventory(
    envelope: Envelope, auction_id: str, reason: str, stock_version: int | None, now: int
) -> kinds.Cancel:
    return kinds.Cancel(
        auction_id=auction_id,
        actor=commands.EVENT,
        key=envelope.id,
        at=now,
        reason=reason,
        by="inventory",
        stock_version=stock_version,
        **_origin(envelope),
    )


def _origin(envelope: Envelope | None = None) -> dict[str, Any]:
    """What each command carries besides its arguments: a salt, and the ids of the request that it comes from, this one or that
    of an event, and of the span that sends it."""
    salt = secrets.token_hex(16)
    if envelope is None:
        return {"salt": salt, "correlation_id": logs.correlation_id(), "span_id": logs.span_id()}
    span_id = consuming.span_of(GROUP, envelope)
    return {"salt": salt, "correlation_id": envelope.correlationid, "span_id": span_id}


def _submit(command: commands.Command) -> log.Entry:
    return _submit_all([command])[0]


def _submit_all(submitted: Sequence[commands.Command]) -> list[log.Entry]:
    """Submit all before the first has its outcome, so that they share one bulk. The first failure is raised when all have
    theirs; a repeat of the others gets the stored outcome."""
    return [_entry(outcome) for outcome in runtime.submit_all(submitted)]


def _entry(outcome: log.Entry | rules.Refusal | BaseException) -> log.Entry:
    if isinstance(outcome, rules.Refusal):
        raise outcome.error()
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
