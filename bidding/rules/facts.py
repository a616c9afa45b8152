"""What entries are made of: the bases of all kinds, and the facts of the two kinds that a format decides.

The facts of every other kind stand in the module of that kind (`kinds`). Amounts are minor units of the auction's
currency, instants are milliseconds since 1970 UTC, bidders appear under an alias. Hashes are taken over all fields, so
the fields of a kind that is in a log never change.
"""

from typing import Literal

import msgspec

Next = Literal["runner_up", "back_on_sale", "relist", "nothing"]


class Facts(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What an entry makes public. Each kind of entry has one type; its tag is the kind's name in the log."""


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry commits to. Before the close only the house and the entry's own actor may see it.

    `maximum` and `reserve` are minor units; `buyer` is the id of the user who gets the sale that the entry makes;
    `reason` is why a sale failed. A new kind makes do with these fields, because the commitment of every entry covers
    them all.
    """

    actor: str
    salt: str
    maximum: int | None = None
    reserve: int | None = None
    buyer: str | None = None
    reason: str | None = None


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """A sale that an entry makes; `buyer` is an alias, `price` the total of `quantity` units."""

    sale_id: str
    buyer: str
    price: int
    quantity: int


class Bid(Facts, frozen=True, kw_only=True, tag="bid"):
    """A bid and all that follows from it: the visible price, the leader's alias, the new end.

    `price` is the visible price after the bid, and `minimum` the least next bid; on a buy_now listing both are the
    price of a unit, and `sale` is the purchase. `bids` counts the public bids, this one included.
    """

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


class SaleFailed(Facts, frozen=True, kw_only=True, tag="sale_failed"):
    """A sale was undone, and `next` says what follows: a runner-up gets the new `sale`; `relist_as` is the id of the
    auction that lists the lot again.

    `leader` (an alias) and `price` are what the remaining bids give. Why the sale failed is hidden, because it is the
    buyer's own affair.
    """

    sale_id: str
    next: Next
    leader: str
    price: int
    reserve_met: bool
    quantity_left: int
    ended: bool
    sale: Sale | None = None
    relist_as: str | None = None
