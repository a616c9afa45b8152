"""The commands of an auction: what all commands carry, and the two commands that a format decides.

Every other command is in the module of its kind (`kinds`). A command names its `actor` and a `key`; a second
command with the same two is a repeat. Actors: a user's id, `clock`, `event` (the key is the event's id), `sagas` (the
key is the sale's id).
"""

import hashlib

import msgspec

CLOCK, EVENT, SAGAS = "clock", "event", "sagas"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What all commands carry. `at` is the arrival (milliseconds since 1970 UTC); the random `salt` protects what the
    entry hides. `span_id`: of what sent it, if its trace is kept and the command is no bid; it is not stored."""

    auction_id: str
    actor: str
    key: str
    at: int
    salt: str
    correlation_id: str = ""
    span_id: str = ""

    @property
    def idempotency(self) -> str:
        """The unique string of auction, actor and key."""
        return idempotency(self.auction_id, self.actor, self.key)

    def request(self) -> str:
        """A digest of the request, which shows when a key comes again with another body."""
        body = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _NOT_REQUESTED}
        encoded = msgspec.json.encode([type(self).__name__, body], order="sorted")
        return hashlib.sha256(encoded).hexdigest()[:32]


_NOT_REQUESTED = frozenset({"auction_id", "actor", "key", "at", "salt", "correlation_id", "span_id"})


def idempotency(auction_id: str, actor: str, key: str) -> str:
    """The unique string of auction, actor and key: the guard against doubles, and bidding's inbox."""
    return f"{auction_id}|{actor}|{key}"


class Stock(msgspec.Struct, frozen=True):
    """A product's stock as inventory last reported it: `available` units, after it reserved those of the sales
    `reserved`."""

    available: int
    reserved: frozenset[str] = frozenset()


class PlaceBid(Command, frozen=True, kw_only=True):
    """English: `amount` (minor units) is the hidden maximum. Buy now: `quantity`; an `amount` must equal the total.

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


class FailSale(Command, frozen=True, kw_only=True):
    """The sale that is the command's key was undone. `reason` is one of `events.FailureReason`."""

    reason: str
