"""What can be done to an auction besides bidding, one function each. Each sends a command to the committer.

Handlers pass the id of the event as key, so that a repeat gets the stored outcome. A Refusal is raised as an error, unless
it says that the auction has moved on (`_unless_overtaken`).
"""

import contextlib
import hashlib
import secrets
from typing import Any

import msgspec

from auction_project.kernel import errors, ids, logs
from auction_project.kernel.contracts import events
from bidding import reports, rules, runtime
from bidding.rules import commands, kinds, log
from bidding.store import auctions
from bidding.writer import failures

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
        due_at=terms.starts_at,
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


def schedule_auction(*, event_id: str, accepted: events.LotAccepted, now: int) -> None:
    """Inventory accepted the lot."""
    _unless_overtaken(
        kinds.Schedule(
            auction_id=accepted.auction_id,
            actor=commands.EVENT,
            key=event_id,
            at=now,
            title=accepted.title,
            text=accepted.text,
            thumbnail=accepted.thumbnail,
            seller_id=accepted.owner_id,
            stock_version=accepted.version,
            **_origin(),
        )
    )


def refuse_auction(*, event_id: str, auction_id: str, reason: str, now: int) -> None:
    """Inventory refused the lot: `reason` is the code of its LotRefused."""
    _unless_overtaken(_cancel_by_inventory(event_id, auction_id, _REFUSED.get(reason, reason), None, now))


def cancel_for_lost_stock(*, event_id: str, auction_id: str, reason: str, now: int) -> None:
    """Units that were set aside for the lot are gone. The event of a relisted lot may come before its listing; then inventory
    refuses that."""
    try:
        _unless_overtaken(_cancel_by_inventory(event_id, auction_id, reason, None, now))
    except errors.NotFound:
        logger.info("overtaken", command="Cancel", auction_id=auction_id, rule="auction_not_found")


def cancel_depleted_auctions(*, event_id: str, product_id: str, stock_version: int, now: int) -> None:
    """Nothing of the product is left: cancel those of its listings that are older than this event."""
    for document in runtime.call(runtime.current().store.auctions.of_product(product_id)):
        if rules.formats.FORMATS[document.format].sells_by_bid:
            _unless_overtaken(_cancel_by_inventory(event_id, document.id, "Sold out.", stock_version, now))


def record_card(*, user_id: str, usable: bool, version: int) -> None:
    """Keep what orders reported: whether the user has a usable card. Raises errors.Unavailable."""
    runtime.call(runtime.current().store.reports.save_card(user_id, usable=usable, version=version))


def record_stock(*, product_id: str, available: int, version: int, sale_id: str | None) -> None:
    """Keep what inventory reported: the available units of a product. Raises errors.Unavailable."""
    runtime.call(
        reports.record_stock(
            runtime.current().store, product_id, available=available, version=version, sale_id=sale_id
        )
    )
    with contextlib.suppress(
        errors.Unavailable
    ):  # the relay fills the catalogue again after an outage of Redis
        runtime.call(runtime.current().catalogue.put_stock(product_id, version=version, available=available))


def settle_sale(*, sale_id: str, now: int) -> None:
    """The sale's saga has succeeded. Raises errors.Refused when the auction has no such sale."""
    auction_id, _ = ids.auction_of_sale(sale_id)
    _submit(kinds.Settle(auction_id=auction_id, actor=commands.SAGAS, key=sale_id, at=now, **_origin()))


def fail_sale(*, sale_id: str, reason: str, now: int) -> None:
    """The sale's saga was undone. Raises errors.Refused when the auction has no such sale."""
    auction_id, _ = ids.auction_of_sale(sale_id)
    _submit(
        commands.FailSale(
            auction_id=auction_id, actor=commands.SAGAS, key=sale_id, at=now, reason=reason, **_origin()
        )
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


def _cancel_by_inventory(
    event_id: str, auction_id: str, reason: str, stock_version: int | None, now: int
) -> kinds.Cancel:
    return kinds.Cancel(
        auction_id=auction_id,
        actor=commands.EVENT,
        key=event_id,
        at=now,
        reason=reason,
        by="inventory",
        stock_version=stock_version,
        **_origin(),
    )


def _origin() -> dict[str, Any]:
    """What each command carries besides its arguments: a salt, and the id of the request that it comes from."""
    return {"salt": secrets.token_hex(16), "correlation_id": logs.correlation_id()}


def _submit(command: commands.Command) -> log.Entry:
    outcome = runtime.submit(command)
    if isinstance(outcome, rules.Refusal):
        raise outcome.error()
    return outcome


def _unless_overtaken(command: commands.Command) -> None:
    """Submit. A refusal because the auction has moved on is logged; any other is raised."""
    outcome = runtime.submit(command)
    if isinstance(outcome, rules.Refusal):
        if outcome.rule not in _OVERTAKEN:
            raise outcome.error()
        logger.info(
            "overtaken", command=type(command).__name__, auction_id=command.auction_id, rule=outcome.rule
        )
