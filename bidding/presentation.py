"""Bodies that the REST API shows: amounts as decimal strings, instants in milliseconds, bidders under their alias.

Hidden maxima and the reserve never pass through here, except a bidder's own maximum to that bidder.
"""

from typing import Any

import msgspec

from auction_project.kernel import money
from bidding import rules
from bidding.rules import commands, log
from bidding.rules.refusals import MONEY
from bidding.store import auctions


def auction(state: rules.State, stock: commands.Stock | None = None) -> dict[str, Any]:
    """One auction as it is now. `stock` is what inventory reported, for a listing whose units are set aside at the sale."""
    terms = state.known_terms
    return {
        "id": state.auction_id,
        "seq": state.seq,
        "hash": state.hash,
        "status": state.status.value,
        "ended": state.ended,
        "outcome": state.outcome,
        "format": terms.format,
        "title": state.title,
        "text": state.text,
        "thumbnail": state.thumbnail,
        "currency": terms.currency,
        "price": money.format(state.price, terms.currency) if state.price else None,
        "minimum": money.format(rules.formats.of(state).minimum(state), terms.currency),
        "starts_at": terms.starts_at,
        "ends_at": state.ends_at,
        "bids": state.bids,
        "bidders": len(state.bidders),
        "leader": state.alias_of(state.leader),
        "has_reserve": terms.has_reserve,
        "reserve_met": state.reserve_met,
        "quantity": terms.quantity,
        "quantity_left": state.units_left(stock),
        "sold": state.sold,
        "undecided_sales": len(state.open_sales),
        "seller_id": state.seller_id,
        "product_id": terms.product_id,
        "reason": state.reason,
        "terms": {
            "start_price": money.format(terms.start_price, terms.currency),
            "allocate": terms.allocate,
            "soft_close": msgspec.to_builtins(terms.soft_close),
            "relistings_left": terms.relistings_left,
            "relist_of": terms.relist_of,
            "card_required": terms.card_required,
            "pay_within_minutes": terms.payment_ms // 60_000,
            "rules": terms.rules,
            "increments": terms.increments,
        },
    }


def summary(document: auctions.AuctionDocument, stock: commands.Stock | None = None) -> dict[str, Any]:
    """One auction in a list. It may be half a second old; `seq` says which state it shows."""
    left = document.quantity_left if stock is None else min(document.quantity_left, stock.available)
    return {
        "id": document.id,
        "seq": document.mark,
        "status": document.status,
        "ended": document.ended,
        "outcome": document.outcome,
        "format": document.format,
        "title": document.title,
        "thumbnail": document.thumbnail,
        "currency": document.currency,
        "price": money.format(document.price, document.currency) if document.price else None,
        "minimum": money.format(document.minimum or document.start_price, document.currency),
        "start_price": money.format(document.start_price, document.currency),
        "starts_at": document.starts_at,
        "ends_at": document.ends_at,
        "bids": document.bids,
        "quantity_left": left,
        "seller_id": document.seller_id,
        "product_id": document.product_id,
    }


def answer(entry: log.Entry) -> dict[str, Any]:
    """The answer to the bidder, the same for every repeat. The receipt opens the entry's commitment to its owner: the
    SHA-256 of the canonical JSON of `opening` is `commitment` (docs/bid-log.md)."""
    body = rules.answer_of(entry)
    currency = body.get("currency")
    if currency:
        body["price"] = money.format(body["price"], currency)
        body["minimum"] = money.format(body["minimum"], currency)
    body["receipt"] = {
        "seq": entry.seq,
        "hash": entry.hash,
        "commitment": entry.commitment,
        "opening": msgspec.to_builtins(entry.hidden),
    }
    return body


def standing(state: rules.State, user_id: str) -> dict[str, Any]:
    """How a bidder stands in an auction, for that bidder."""
    own = state.bidders.get(user_id)
    currency = state.known_terms.currency
    if own is None:
        return {
            "auction_id": state.auction_id,
            "seq": state.seq,
            "standing": "none",
            "alias": None,
            "maximum": None,
        }
    return {
        "auction_id": state.auction_id,
        "seq": state.seq,
        "standing": rules.standing_of(state, user_id),
        "alias": own.alias,
        "maximum": money.format(own.maximum, currency),
        "currency": currency,
    }


def history_entry(entry: log.Entry) -> dict[str, Any]:
    """The public form, as it is hashed (so amounts in it are minor units), and the hash."""
    body: dict[str, Any] = msgspec.to_builtins(log.public_form(entry))
    body["hash"] = entry.hash
    return body


def refusal_figures(refusal: rules.Refusal) -> dict[str, Any]:
    """The figures of a refusal for people: money as decimal strings."""
    figures = {
        name: money.format(value, refusal.currency) if name in MONEY and refusal.currency else value
        for name, value in refusal.figures.items()
    }
    if MONEY & figures.keys() and refusal.currency:
        figures["currency"] = refusal.currency
    return figures
