"""Entries of the bid log, their public form, and the hash chain over it.

The public form is canonical JSON (RFC 8785: keys sorted, no blanks; only ASCII keys, integers, booleans, strings) of
what everybody may know, the previous entry's hash among it; `hash` is its SHA-256. Who acted and what he hid (maximum,
reserve) is in it only as a salted commitment and lies beside it in `hidden`. Kept test vectors: tests/vectors.json.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from bidding.rules.terms import Terms

GENESIS = "0" * 64
Next = Literal["runner_up", "back_on_sale", "relist", "nothing"]


class Facts(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What an entry makes public, one type a kind."""


class Requested(Facts, frozen=True, kw_only=True, tag="requested"):
    terms: Terms


class Scheduled(Facts, frozen=True, kw_only=True, tag="scheduled"):
    title: str
    text: str
    thumbnail: str
    seller_id: str
    stock_version: int


class Opened(Facts, frozen=True, kw_only=True, tag="opened"):
    ends_at: int


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """A sale that an entry makes; `buyer` is an alias, `price` the total."""

    sale_id: str
    buyer: str
    price: int
    quantity: int


class Bid(Facts, frozen=True, kw_only=True, tag="bid"):
    """All that follows from the bid: the visible price, who leads, the new end. On a buy_now listing it is a sale."""

    bidder: str
    leader: str
    currency: str
    price: int
    minimum: int
    ends_at: int
    previous_ends_at: int
    reserve_met: bool
    bids: int
    quantity_left: int
    sale: Sale | None = None


class MaximumChanged(Bid, frozen=True, kw_only=True, tag="maximum_changed"):
    """The leader changed the own maximum. It is no public bid: `bids` and `ends_at` stay as they are."""


class SoldOut(Facts, frozen=True, kw_only=True, tag="sold_out"):
    """The sales of a listing used up its stock, although the listing had promised more."""

    ended: bool


class Cancelled(Facts, frozen=True, kw_only=True, tag="cancelled"):
    reason: str
    by: str
    ended: bool


class Closed(Facts, frozen=True, kw_only=True, tag="closed"):
    """`winner` is an alias or empty."""

    winner: str
    price: int
    reserve_met: bool
    quantity_left: int
    ended: bool
    sale: Sale | None = None


class Settled(Facts, frozen=True, kw_only=True, tag="settled"):
    sale_id: str
    ended: bool


class SaleFailed(Facts, frozen=True, kw_only=True, tag="sale_failed"):
    """`next` says what follows; a runner-up is a new `sale`; `relist_as` is the next auction's id. `leader` and `price` are
    what the remaining bids give. Why the sale failed is hidden: it is the buyer's own affair."""

    sale_id: str
    next: Next
    leader: str
    price: int
    reserve_met: bool
    quantity_left: int
    ended: bool
    sale: Sale | None = None
    relist_as: str | None = None


AnyFacts = (
    Requested
    | Scheduled
    | Opened
    | Bid
    | MaximumChanged
    | SoldOut
    | Cancelled
    | Closed
    | Settled
    | SaleFailed
)


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What the entry commits to and only the house and its actor may see before the close."""

    actor: str
    salt: str
    maximum: int | None = None
    reserve: int | None = None
    buyer: str | None = None
    reason: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decided command. `request` is the digest of what was asked; `correlation_id` is outside the hash."""

    auction_id: str
    seq: int
    at: int
    actor: str
    key: str
    request: str
    facts: AnyFacts
    hidden: Hidden
    commitment: str
    prev: str
    hash: str
    correlation_id: str = ""

    @property
    def kind(self) -> str:
        return str(type(self.facts).__struct_config__.tag)

    @property
    def idempotency(self) -> str:
        return idempotency(self.auction_id, self.actor, self.key)


class PublicForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is hashed, and what the history shows beside the hash."""

    auction_id: str
    seq: int
    at: int
    commitment: str
    facts: AnyFacts
    prev: str
    v: int = 1


def idempotency(auction_id: str, actor: str, key: str) -> str:
    """The unique string of auction, actor and key: the guard against doubles, and bidding's inbox."""
    return f"{auction_id}|{actor}|{key}"


_canonical = msgspec.json.Encoder(order="sorted")


def seal(
    *,
    auction_id: str,
    seq: int,
    at: int,
    actor: str,
    key: str,
    request: str,
    facts: AnyFacts,
    hidden: Hidden,
    prev: str,
    correlation_id: str,
) -> Entry:
    """The entry, chained to `prev`."""
    committed = commitment(hidden)
    form = PublicForm(auction_id=auction_id, seq=seq, at=at, commitment=committed, facts=facts, prev=prev)
    return Entry(
        auction_id=auction_id,
        seq=seq,
        at=at,
        actor=actor,
        key=key,
        request=request,
        facts=facts,
        hidden=hidden,
        commitment=committed,
        prev=prev,
        hash=hash_of(form),
        correlation_id=correlation_id,
    )


def commitment(hidden: Hidden) -> str:
    """SHA-256 over the canonical JSON of what is hidden, salt included."""
    return hashlib.sha256(_canonical.encode(hidden)).hexdigest()


def public_form(entry: Entry) -> PublicForm:
    return PublicForm(
        auction_id=entry.auction_id,
        seq=entry.seq,
        at=entry.at,
        commitment=entry.commitment,
        facts=entry.facts,
        prev=entry.prev,
    )


def hash_of(form: PublicForm) -> str:
    return hashlib.sha256(_canonical.encode(form)).hexdigest()


def verify_chain(entries: Iterable[Entry], *, prev: str = GENESIS, seq: int = 0) -> str | None:
    """The first flaw of a log from (`seq`, `prev`) on, in words, or None."""
    for entry in entries:
        seq += 1
        if entry.seq != seq:
            return f"seq {entry.seq} where {seq} belongs"
        if entry.prev != prev:
            return f"entry {seq} does not follow its predecessor"
        if commitment(entry.hidden) != entry.commitment:
            return f"entry {seq}: what is hidden is not what was committed to"
        if hash_of(public_form(entry)) != entry.hash:
            return f"entry {seq}: its hash is not that of its public form"
        prev = entry.hash
    return None


def answer_of(entry: Entry) -> dict[str, Any]:
    """What the one who asked is told: a function of the entry, so that a repeat is told the same."""
    facts = entry.facts
    answer: dict[str, Any] = {
        "auction_id": entry.auction_id,
        "seq": entry.seq,
        "hash": entry.hash,
        "at": entry.at,
    }
    if isinstance(facts, Bid):
        answer |= {
            "standing": "bought" if facts.sale else "leading" if facts.bidder == facts.leader else "outbid",
            "bidder": facts.bidder,
            "currency": facts.currency,
            "price": facts.price,
            "minimum": facts.minimum,
            "ends_at": facts.ends_at,
            "reserve_met": facts.reserve_met,
            "quantity_left": facts.quantity_left,
            "sale_id": facts.sale.sale_id if facts.sale else None,
        }
    return answer
