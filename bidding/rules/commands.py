"""What can be asked of an auction, imperative. Every command names who asks (`actor`) and his `key`: a second command
with both is a repeat. `at` is its arrival in milliseconds; `salt` hides what the entry commits to.

Actors: a user's id, `clock`, `event` (key: event id), `sagas` (key: sale id).
"""

import hashlib

import msgspec

from bidding.rules import log
from bidding.rules.terms import Terms

CLOCK, EVENT, SAGAS = "clock", "event", "sagas"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What all commands carry."""

    auction_id: str
    actor: str
    key: str
    at: int
    salt: str
    correlation_id: str = ""

    @property
    def idempotency(self) -> str:
        """The unique string of auction, actor and key."""
        return log.idempotency(self.auction_id, self.actor, self.key)

    def request(self) -> str:
        """A digest of what was asked, so that a key with another body is noticed."""
        body = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _NOT_ASKED}
        encoded = msgspec.json.encode([type(self).__name__, body], order="sorted")
        return hashlib.sha256(encoded).hexdigest()[:32]


_NOT_ASKED = frozenset({"auction_id", "actor", "key", "at", "salt", "correlation_id"})


class Request(Command, frozen=True, kw_only=True):
    terms: Terms
    reserve: int | None = None


class Schedule(Command, frozen=True, kw_only=True):
    """Inventory accepted the lot: from here on the fold knows title, text, thumbnail and seller."""

    title: str
    text: str
    thumbnail: str
    seller_id: str
    stock_version: int


class Open(Command, frozen=True, kw_only=True):
    """By the clock when due, or early by an operator or the seller (`early`)."""

    early: bool = False
    by_operator: bool = False


class Stock(msgspec.Struct, frozen=True):
    """A product's stock as inventory last reported it: `available` units, after it reserved those of the sales `reserved`."""

    available: int
    reserved: frozenset[str] = frozenset()


class PlaceBid(Command, frozen=True, kw_only=True):
    """English: `amount` is the hidden maximum. Buy now: `quantity`; an `amount` must equal the total.

    The edge adds what it knows: whether the bidder has a usable card and is an operator, which question the bidder has
    confirmed (a `because` of `confirmation_required`), and the product's stock (None: unknown).
    """

    amount: int | None = None
    currency: str | None = None
    quantity: int = 1
    has_card: bool = False
    is_operator: bool = False
    confirmed: str = ""
    stock: Stock | None = None

    def request(self) -> str:
        return f"{self.amount}/{self.currency}/{self.quantity}"


class Cancel(Command, frozen=True, kw_only=True):
    """`by`: an operator may always, the seller while there is no bid, `inventory` when the lot or its stock is refused;
    a depletion carries the stock's version."""

    reason: str
    by: str
    stock_version: int | None = None


class Close(Command, frozen=True, kw_only=True):
    pass


class Settle(Command, frozen=True, kw_only=True):
    """The sale that is the command's key ended well."""


class FailSale(Command, frozen=True, kw_only=True):
    """The sale that is the command's key was undone."""

    reason: str
