"""Entries of the bid log, their public form, and the hash chain over it.

The public form is canonical JSON (RFC 8785: keys sorted, no blanks; only ASCII keys, integers, booleans, strings) of
all that is public, with the previous entry's hash; `hash` is its SHA-256. The actor and what the entry hides (maximum,
reserve) are in it only as a salted commitment; they are stored beside it, in `hidden`. Kept test vectors:
tests/vectors.json.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from bidding.rules import commands
from bidding.rules.facts import Bid, Hidden
from bidding.rules.kinds import AnyFacts
from bidding.rules.state import GENESIS


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decided command.

    `at` is when the command arrived (milliseconds since 1970 UTC), and never less than in the entry before. `request`
    is the digest of the command's request. `commitment` and `hash` are 64 hex digits, `prev` is the hash of the entry
    before. The actor, the key, `request` and `correlation_id` are outside the hash; the commitment covers the actor.
    """

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
        """The kind's name in the log, such as `bid`."""
        return str(type(self.facts).__struct_config__.tag)

    @property
    def correlation(self) -> str:
        """The correlation id; one of its own for an entry that nothing but its time has caused."""
        return self.correlation_id or f"{self.auction_id}-{self.seq}"

    @property
    def idempotency(self) -> str:
        """The unique string of auction, actor and key."""
        return commands.idempotency(self.auction_id, self.actor, self.key)


class PublicForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is hashed, and what the history shows beside the hash."""

    auction_id: str
    seq: int
    at: int
    commitment: str
    facts: AnyFacts
    prev: str
    v: int = 1


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
    """SHA-256 (64 hex digits) of the canonical JSON of what is hidden, salt included."""
    return hashlib.sha256(_canonical.encode(hidden)).hexdigest()


def public_form(entry: Entry) -> PublicForm:
    """What of `entry` is hashed."""
    return PublicForm(
        auction_id=entry.auction_id,
        seq=entry.seq,
        at=entry.at,
        commitment=entry.commitment,
        facts=entry.facts,
        prev=entry.prev,
    )


def hash_of(form: PublicForm) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of `form`."""
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
    """The answer to the command: a function of the entry, so that a repeat gets the same. Amounts are minor units."""
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
