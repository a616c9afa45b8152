"""What can be done to an auction besides bidding, one function each. Each sends commands to the committer.

What follows from events takes a run of them, so that their entries share one bulk of the log. The id of the event is the key,
so that a repeat gets the stored outcome. A Refusal is raised as an error, unless it says that the auction has moved on
(`_submit_unless_overtaken`).
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from auction_project.kernel import errors, ids, logs
from auction_project.kernel.contracts import Envelope, events
from bidding import reports, rules, runtime
from bidding.rules import commands, kinds, log
from bidding.store import auctions
from bidding.writer import failures

PAGE_AUCTIONS = 500

_E = TypeVar("_E", bound=events.Event)
Received = tuple[Envelope, _E]

logger = logs.get(__name__)

# These keys hold a blank, which no Idempotency-Key may, so they never equal that of a bid.
_OPEN_EARLY, _CANCEL = "open early", "cancel for"
# The reason of a lot that inventory refused, for people; the event carries a code.
_REFUSED = {
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

    Raises errors.Invalid (terms), errors.Conflict, failures.KeyReused, errors.Unavailable.
    """
    document = auctions.AuctionDocument(
        id=auction_id,
        product_id=terms.product_id,
        requested_by=actor,
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
    command = kinds.Request(
        auction_id=auction_id, actor=actor, key=key, at=now, terms=terms, reserve=reserve, **_origin()
    )
    log_store = runtime.current().store
    refusal = rules.decide(rules.State(auction_id), command)
    if not isinstance(refusal, rules.Refusal):
        runtime.call(log_store.auctions.insert(document))
    elif not runtime.call(log_store.bids.find([command.idempotency])):
        # A retry gets the answer of the original request, even if the terms have expired since.
        raise refusal.error()
    return _submit(command)


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


def schedule_auctions(accepted: Sequence[Received[events.LotAccepted]], *, now: int) -> None:
    """Inventory accepted these lots. Those whose start has passed open at once."""
    _submit_unless_overtaken(
        [
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
            for envelope, event in accepted
        ],
        then_look=True,
    )


def refuse_auctions(refused: Sequence[Received[events.LotRefused]], *, now: int) -> None:
    """Inventory refused these lots: the reason of each is a code."""
    _submit_unless_overtaken(
        [
            _cancel_by_inventory(
                envelope, event.auction_id, _REFUSED.get(event.reason, event.reason), None, now
            )
            for envelope, event in refused
        ]
    )


def cancel_for_lost_stock(lost: Sequence[Received[events.LotStockLost]], *, now: int) -> None:
    """Units that were set aside for these lots are gone. The event of a relisted lot may come before its listing; then
    inventory refuses that."""
    _submit_unless_overtaken(
        [
            _cancel_by_inventory(envelope, event.auction_id, event.reason, None, now)
            for envelope, event in lost
        ],
        or_missing=True,
    )


def cancel_depleted_auctions(depleted: Sequence[Received[events.StockDepleted]], *, now: int) -> None:
    """Nothing of these products is left: cancel those of their listings that are older than these events."""
    _submit_unless_overtaken(
        [
            _cancel_by_inventory(envelope, document.id, "Sold out.", event.version, now)
            for envelope, event in depleted
            for document in _auctions_of_product(event.product_id)
            if not document.ended and rules.formats.FORMATS[document.format].sells_by_bid
        ]
    )


def record_cards(changes: Sequence[events.CardChanged]) -> None:
    """Keep what orders reported: whether these users have a usable card. Raises errors.Unavailable."""
    newest = {change.user_id: change for change in sorted(changes, key=lambda change: change.version)}
    runtime.call(reports.record_cards(runtime.current().store, list(newest.values())))


def record_stock(changes: Sequence[events.StockChanged]) -> None:
    """Keep what inventory reported: the available units of these products. Raises errors.Unavailable."""
    runtime.call(reports.record_stock(runtime.current().store, changes))


def settle_sales(settled: Sequence[Received[events.SaleSettled]], *, now: int) -> None:
    """The sagas of these sales have succeeded. Raises errors.Refused when an auction has no such sale."""
    _submit_all(
        [
            kinds.Settle(
                auction_id=ids.auction_of_sale(event.sale_id)[0],
                actor=commands.SAGAS,
                key=event.sale_id,
                at=now,
                **_origin(envelope),
            )
            for envelope, event in settled
        ]
    )


def fail_sales(failed: Sequence[Received[events.BidFailed]], *, now: int) -> None:
    """The sagas of these sales were undone. Raises errors.Refused when an auction has no such sale."""
    _submit_all(
        [
            commands.FailSale(
                auction_id=ids.auction_of_sale(event.sale_id)[0],
                actor=commands.SAGAS,
                key=event.sale_id,
                at=now,
                reason=event.reason,
                **_origin(envelope),
            )
            for envelope, event in failed
        ]
    )


def relist_auction(*, event_id: str, auction_id: str, relist_as: str, now: int) -> None:
    """List the lot of an ended auction again, for as long as it was listed before."""
    ended = runtime.look(auction_id)
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
        relist_of=auction_id,
        as_operator=True,
    )
    try:
        request_auction(
            auction_id=relist_as,
            actor=ended.requested_by,
            key=event_id,
            terms=again,
            reserve=ended.reserve,
            now=now,
        )
    except (errors.Conflict, failures.KeyReused):
        logger.info("already_relisted", auction_id=relist_as)


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
    """What each command carries besides its arguments: a salt, and the id of the request that it comes from, this one or that
    of an event."""
    correlation_id = envelope.correlationid if envelope else logs.correlation_id()
    return {"salt": secrets.token_hex(16), "correlation_id": correlation_id}


def _submit(command: commands.Command) -> log.Entry:
    return _submit_all([command])[0]


def _submit_all(submitted: Sequence[commands.Command]) -> list[log.Entry]:
    """Submit all before the first has its outcome, so that they share one bulk. The first failure is raised when all have
    theirs; a repeat of the others gets the stored outcome."""
    entries: list[log.Entry] = []
    for outcome in runtime.submit_all(submitted):
        if isinstance(outcome, rules.Refusal):
            raise outcome.error()
        if isinstance(outcome, BaseException):
            raise outcome
        entries.append(outcome)
    return entries


def _submit_unless_overtaken(
    submitted: Sequence[commands.Command], *, or_missing: bool = False, then_look: bool = False
) -> None:
    """As `_submit_all`; but a refusal because the auction has moved on is logged, and `or_missing` that there is none."""
    for command, outcome in zip(submitted, runtime.submit_all(submitted, then_look=then_look), strict=True):
        if isinstance(outcome, rules.Refusal):
            rule = outcome.rule
            if rule not in _OVERTAKEN:
                raise outcome.error()
        elif or_missing and isinstance(outcome, errors.NotFound):
            rule = "auction_not_found"
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            continue
        logger.info("overtaken", command=type(command).__name__, auction_id=command.auction_id, rule=rule)
