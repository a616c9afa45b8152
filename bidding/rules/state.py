"""The state of one auction: the fold of its log, immutable. Maps are persistent: a speculative state shares almost
everything with the committed one, so a writer drops it for free.
"""

import enum
from typing import TYPE_CHECKING, Literal

import msgspec
from rpds import HashTrieMap, HashTrieSet

from bidding.rules.commands import Stock
from bidding.rules.facts import Sale
from bidding.rules.terms import Terms

GENESIS = "0" * 64  # the hash of a log without entries

Outcome = Literal["sold", "sold_out", "unsold", "cancelled"]


class Status(enum.StrEnum):
    """NEW is an auction without entries. CLOSED and CANCELLED are final for bids; `State.ended` also covers the sales.

    SOLD_OUT: every unit of a listing is in a sale. A sale that falls through opens it again, until it has `ended`.
    """

    NEW = "NEW"
    REQUESTED = "REQUESTED"
    SCHEDULED = "SCHEDULED"
    OPEN = "OPEN"
    SOLD_OUT = "SOLD_OUT"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class Bidder(msgspec.Struct, frozen=True):
    """One bidder's highest bid: `maximum` in minor units; `seq` is its priority on a tie, the entry that reached
    `maximum` or took the lead."""

    alias: str
    maximum: int
    seq: int

    @property
    def number(self) -> int:
        """The bidder who bid first has number 1, the next one 2, and so on: the alias ends with it."""
        return int(self.alias.rpartition(" ")[2])


class OpenSale(msgspec.Struct, frozen=True):
    """A sale whose saga has not ended; `price` is its total (minor units)."""

    user_id: str
    price: int
    quantity: int

    @classmethod
    def of(cls, user_id: str, sale: Sale) -> "OpenSale":
        """The sale that an entry made to `user_id`."""
        return cls(user_id, sale.price, sale.quantity)


if TYPE_CHECKING:
    Bidders = HashTrieMap[str, Bidder]
    OpenSales = HashTrieMap[str, OpenSale]
    Users = HashTrieSet[str]
else:  # rpds' classes cannot be subscripted at run time
    Bidders = OpenSales = HashTrieMap
    Users = HashTrieSet


class State(msgspec.Struct, frozen=True):
    """One auction after entry `seq`.

    `at` is the time of that entry, and `ends_at` the end as bids have moved it (milliseconds since 1970 UTC). `price`
    is the visible price and `reserve` the hidden least (minor units); the price of an English auction is 0 before the
    first bid. `leader` is a user's id. `bidders`, `buyers` (paid) and `passed_over` (their last sale failed) are by
    user id, `open_sales` by sale id; `selling` counts the units of these. `ended`: nothing more will happen.
    """

    auction_id: str
    seq: int = 0
    hash: str = GENESIS
    at: int = 0
    status: Status = Status.NEW
    ended: bool = False
    terms: Terms | None = None
    reserve: int | None = None
    requested_by: str = ""
    title: str = ""
    text: str = ""
    thumbnail: str = ""
    seller_id: str = ""
    stock_version: int = 0
    ends_at: int = 0
    price: int = 0
    bids: int = 0
    leader: str = ""
    reserve_met: bool = True
    quantity_left: int = 0
    sold: int = 0
    selling: int = 0
    reason: str = ""
    bidders: Bidders = HashTrieMap()
    open_sales: OpenSales = HashTrieMap()
    passed_over: Users = HashTrieSet()
    buyers: Users = HashTrieSet()

    @property
    def known_terms(self) -> Terms:
        """The terms; an auction past NEW has them."""
        assert self.terms is not None  # noqa: S101 - the rules refuse a NEW auction before they look at its terms
        return self.terms

    @property
    def outcome(self) -> Outcome | None:
        """What became of the lot; None while that is open. A sale counts from its beginning."""
        if self.status is Status.CANCELLED:
            return "cancelled"
        if self.status is Status.SOLD_OUT:
            return "sold_out"
        if self.status is not Status.CLOSED:
            return None
        return "sold" if self.sold or self.open_sales else "unsold"

    @property
    def buying(self) -> set[str]:
        """The users whose sale is under way."""
        return {sale.user_id for sale in self.open_sales.values()}

    def units_left(self, stock: Stock | None = None) -> int:
        """The units that can be bought: those of the listing, or fewer if stock is set aside at the sale and `stock`
        has fewer."""
        if stock is None or self.known_terms.allocate != "on_sale":
            return self.quantity_left
        reserved = (self.open_sales.get(sale_id) for sale_id in stock.reserved)
        waiting = self.selling - sum(sale.quantity for sale in reserved if sale is not None)
        return max(0, min(self.quantity_left, stock.available - waiting))

    def alias_of(self, user_id: str) -> str:
        """The name under which `user_id` appears here; "" for a user who has not bid."""
        bidder = self.bidders.get(user_id)
        return bidder.alias if bidder else ""

    def next_alias(self, user_id: str) -> str:
        """The alias of `user_id`, a new one for a user who has not bid."""
        return self.alias_of(user_id) or f"Bidder {len(self.bidders) + 1}"
