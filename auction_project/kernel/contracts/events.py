"""Every public event, one frozen struct each: what happened, in the past tense, in primitives.

Money is an integer in minor units beside its ISO 4217 currency; instants are milliseconds since the epoch (UTC) in
fields named `…_at`. Each type names its topic and the field that is its key: events of one key keep their order.
Names are unique over all topics.
"""

from typing import ClassVar, Literal

import msgspec

FailureReason = Literal["stock_refused", "risk_refused", "payment_refused", "step_failed", "operator"]
LotRefusal = Literal[
    "unknown_product",
    "not_owner",
    "invalid_quantity",
    "sold_out",
    "stock_lost",
    "another_product",
    "lot_ended",
]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all events. `TOPIC` is where they are published; `KEY` names the field that is their key."""

    TOPIC: ClassVar[str]
    KEY: ClassVar[str]

    def key(self) -> str:
        """The value of the key."""
        return str(getattr(self, self.KEY))


# --- auction.log: one public record per entry of the bid log; bidders appear under an alias -----------------------


class LogRecord(Event, frozen=True, kw_only=True):
    """What every record of the public log carries."""

    TOPIC: ClassVar[str] = "auction.log"
    KEY: ClassVar[str] = "auction_id"

    auction_id: str
    seq: int
    at: int
    hash: str


class AuctionRequested(LogRecord, frozen=True, kw_only=True):
    """A lot was proposed; it is not for sale yet."""


class AuctionScheduled(LogRecord, frozen=True, kw_only=True):
    """Inventory accepted the lot."""

    title: str
    opens_at: int
    ends_at: int


class AuctionOpened(LogRecord, frozen=True, kw_only=True):
    """Bids are taken from here on."""

    ends_at: int


class BidPlaced(LogRecord, frozen=True, kw_only=True):
    """A bid was accepted. `price` is the visible price after it; `leader` an alias."""

    bidder: str
    price: int
    currency: str
    minimum: int
    leader: str
    bids: int
    ends_at: int
    reserve_met: bool
    quantity_left: int
    quantity: int = 0
    sale_id: str | None = None


class MaximumChanged(LogRecord, frozen=True, kw_only=True):
    """The leader changed their own maximum, which is no public bid.

    `bids` and the end stay, and the price moves only when the reserve is met.
    """

    price: int
    currency: str
    minimum: int
    leader: str
    bids: int
    ends_at: int
    reserve_met: bool


class AuctionExtended(LogRecord, frozen=True, kw_only=True):
    """Derived from the same entry as a BidPlaced: the soft close moved the end."""

    ends_at: int
    previous_ends_at: int


class AuctionClosed(LogRecord, frozen=True, kw_only=True):
    """No more bids. `winner` is an alias; it is empty if there was no bid or the reserve was not met."""

    winner: str
    price: int
    currency: str
    reserve_met: bool


class AuctionWithdrawn(LogRecord, frozen=True, kw_only=True):
    """The auction was cancelled, or its lot was refused."""

    reason: str


class AuctionSoldOut(LogRecord, frozen=True, kw_only=True):
    """The stock of a listing is used up by its own sales. It opens again if one of them is undone."""

    ended: bool


class LotSettled(LogRecord, frozen=True, kw_only=True):
    """A sale of the lot ended well."""

    sale_id: str
    ended: bool


class LotSaleFailed(LogRecord, frozen=True, kw_only=True):
    """A sale of the lot was undone. `next` says what follows, `leader` and `price` who leads now and at what price.

    The reason is private to the buyer.
    """

    sale_id: str
    next: Literal["runner_up", "back_on_sale", "relist", "nothing"]
    quantity_left: int
    ended: bool
    leader: str = ""
    price: int = 0
    currency: str = ""


# --- auction.private: to one bidder ------------------------------------------------------------------------------


class BidderNotice(Event, frozen=True, kw_only=True):
    """What every message to one bidder carries."""

    TOPIC: ClassVar[str] = "auction.private"
    KEY: ClassVar[str] = "user_id"

    user_id: str
    auction_id: str
    seq: int
    title: str
    at: int


class Outbid(BidderNotice, frozen=True, kw_only=True):
    """Another bidder leads. `minimum` is the least that the next bid must offer.

    `own_bid`: the bidder's own new bid was not enough.
    """

    price: int
    minimum: int
    currency: str
    ends_at: int
    own_bid: bool = False


class Leading(BidderNotice, frozen=True, kw_only=True):
    """The bidder leads, by this bid or because another was withdrawn."""

    price: int
    currency: str
    ends_at: int


class Won(BidderNotice, frozen=True, kw_only=True):
    """The auction ended, or a fixed price was taken (`bought`): the sale is on its way."""

    sale_id: str
    order_number: str
    price: int
    currency: str
    quantity: int = 1
    bought: bool = False


class Lost(BidderNotice, frozen=True, kw_only=True):
    """The auction ended and another bidder won, at `price`."""

    price: int
    currency: str


class NotSold(BidderNotice, frozen=True, kw_only=True):
    """The auction ended below the reserve, at `price`.

    Only the highest bidder reads by how much their maximum missed it: by less than `missed_by_percent` of the reserve,
    which rounds up so that the reserve stays hidden.
    """

    price: int
    currency: str
    highest: bool = False
    missed_by_percent: int | None = None


class NextInLine(BidderNotice, frozen=True, kw_only=True):
    """The auction ended and another bidder won. If the payment fails, this bidder gets the lot at `next_price`."""

    price: int
    next_price: int
    currency: str


class AuctionCancelled(BidderNotice, frozen=True, kw_only=True):
    """The auction was cancelled. With `sale_pending`, the bidder's own sale still goes on; else no bid counts."""

    reason: str
    sale_pending: bool = False


class LotSold(BidderNotice, frozen=True, kw_only=True):
    """To the seller: a sale of the lot is paid."""

    sale_id: str
    price: int
    currency: str
    quantity: int = 1


class LotUnsold(BidderNotice, frozen=True, kw_only=True):
    """To the seller: the lot ended without a sale. `relisted` says whether it is listed again."""

    bids: int
    reserve_met: bool
    relisted: bool = False


# --- auction.lots: between bidding and inventory -----------------------------------------------------------------


class ListingRequested(Event, frozen=True, kw_only=True):
    """Bidding asks for a lot. `allocate` says when stock is set aside for it; `as_operator`: any owner's product.

    `relists` is the auction that this one follows (AuctionEnded.relist_as): its units pass to this lot.
    """

    TOPIC: ClassVar[str] = "auction.lots"
    KEY: ClassVar[str] = "auction_id"

    auction_id: str
    product_id: str
    quantity: int
    format: str
    allocate: Literal["on_listing", "on_sale"]
    requested_by: str
    as_operator: bool
    relists: str | None = None


class AuctionEnded(Event, frozen=True, kw_only=True):
    """The lot can sell nothing more and no sale of it is undecided. `relist_as`: the auction that follows it."""

    TOPIC: ClassVar[str] = "auction.lots"
    KEY: ClassVar[str] = "auction_id"

    auction_id: str
    product_id: str
    seq: int
    relist_as: str | None = None


# --- inventory.stock ---------------------------------------------------------------------------------------------


class LotAccepted(Event, frozen=True, kw_only=True):
    """The answer to ListingRequested. `owner_id` is the seller; `version` is the product's stock version."""

    TOPIC: ClassVar[str] = "inventory.stock"
    KEY: ClassVar[str] = "product_id"

    auction_id: str
    product_id: str
    owner_id: str
    title: str
    text: str
    thumbnail: str
    version: int


class LotRefused(Event, frozen=True, kw_only=True):
    """The answer to ListingRequested when there can be no lot. `reason` is one of `LotRefusal`, and later versions may add some."""

    TOPIC: ClassVar[str] = "inventory.stock"
    KEY: ClassVar[str] = "product_id"

    auction_id: str
    product_id: str
    reason: str


class LotStockLost(Event, frozen=True, kw_only=True):
    """`quantity` units that were set aside for the lot are broken or gone. `reason` is for people."""

    TOPIC: ClassVar[str] = "inventory.stock"
    KEY: ClassVar[str] = "product_id"

    auction_id: str
    product_id: str
    quantity: int
    reason: str
    version: int


class StockState(Event, frozen=True, kw_only=True):
    """A state event: the figures of one product over all warehouses, at its stock `version`."""

    TOPIC: ClassVar[str] = "inventory.stock"
    KEY: ClassVar[str] = "product_id"

    product_id: str
    version: int
    title: str
    on_hand: int
    available: int
    reserved: int
    committed: int


class StockChanged(StockState, frozen=True, kw_only=True):
    """The figures have changed. `sale_id`: the sale whose units this change reserved."""

    sale_id: str | None = None


class StockLow(StockState, frozen=True, kw_only=True):
    """Available crossed the product's threshold downwards."""

    threshold: int


class StockDepleted(StockState, frozen=True, kw_only=True):
    """Available + reserved reached 0."""


# --- sales: between bidding, orders and sagas --------------------------------------------------------------------


class SaleConfirmed(Event, frozen=True, kw_only=True):
    """A bid became a sale: the saga starts here. `price` is the total for `quantity` units."""

    TOPIC: ClassVar[str] = "sale-confirmed"
    KEY: ClassVar[str] = "sale_id"

    sale_id: str
    order_number: str
    product_id: str
    quantity: int
    user_id: str
    price: int
    currency: str
    auction_id: str
    title: str = ""


class SaleSettled(Event, frozen=True, kw_only=True):
    """The sale ended well: the order is confirmed and paid."""

    TOPIC: ClassVar[str] = "sale-settled"
    KEY: ClassVar[str] = "sale_id"

    sale_id: str
    order_number: str
    auction_id: str
    user_id: str


class BidFailed(Event, frozen=True, kw_only=True):
    """The sale was undone completely. `detail` is for people."""

    TOPIC: ClassVar[str] = "bid-failed"
    KEY: ClassVar[str] = "sale_id"

    sale_id: str
    order_number: str
    auction_id: str
    user_id: str
    reason: FailureReason
    detail: str = ""
    title: str = ""


# --- orders ------------------------------------------------------------------------------------------------------


class OrderEvent(Event, frozen=True, kw_only=True):
    """What every event of an order carries. `amount` is the order's total."""

    TOPIC: ClassVar[str] = "orders"
    KEY: ClassVar[str] = "order_number"

    order_number: str
    sale_id: str
    auction_id: str
    user_id: str
    amount: int
    currency: str
    title: str = ""


class OrderConfirmed(OrderEvent, frozen=True, kw_only=True):
    """The order is final: it is paid, and its stock is committed."""


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """The order was undone. `reason` is for people."""

    reason: str


class PaymentCaptured(OrderEvent, frozen=True, kw_only=True):
    """The money was taken."""


class PaymentDeclined(OrderEvent, frozen=True, kw_only=True):
    """The money was not taken and will not be."""

    reason: str


class PaymentRefunded(OrderEvent, frozen=True, kw_only=True):
    """The money was given back."""


# --- cards -------------------------------------------------------------------------------------------------------


class CardChanged(Event, frozen=True, kw_only=True):
    """A state event: whether the user has a usable card on file. A declined payment makes its card unusable."""

    TOPIC: ClassVar[str] = "cards"
    KEY: ClassVar[str] = "user_id"

    user_id: str
    version: int
    usable: bool


# --- accounts ----------------------------------------------------------------------------------------------------


class AccountChanged(Event, frozen=True, kw_only=True):
    """A state event: the account as it is now. A closed account has no roles."""

    TOPIC: ClassVar[str] = "accounts"
    KEY: ClassVar[str] = "user_id"

    user_id: str
    version: int
    email: str
    email_verified: bool
    created_at: int
    roles: tuple[str, ...]
    closed: bool


class SessionEnded(Event, frozen=True, kw_only=True):
    """A session was ended: the streams that it opened end, too. `session_id` is the access token's claim `session`."""

    TOPIC: ClassVar[str] = "accounts"
    KEY: ClassVar[str] = "user_id"

    user_id: str
    session_id: str


def _concrete(base: type[Event]) -> list[type[Event]]:
    event_types: list[type[Event]] = []
    for child in base.__subclasses__():
        event_types += _concrete(child) or [child]
    return event_types


BY_NAME: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in _concrete(Event)}
TOPICS: tuple[str, ...] = tuple(sorted({event_type.TOPIC for event_type in BY_NAME.values()}))
