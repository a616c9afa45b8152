"""Every public event, one frozen struct each: what happened, in the past tense, in primitives.

Money is an integer in minor units beside its ISO 4217 currency; instants are milliseconds since the epoch (UTC) in
fields named `…_at`. Each type names its topic and the field that is its key: events of one key keep their order.
Names are unique over all topics.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

FailureReason = Literal[
    "stock_refused", "risk_refused", "payment_refused", "unpaid", "step_failed", "operator"
]
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
    """The auction ended, or a fixed price was taken (`bought`): the sale is on its way. With `pay_by_at`, the buyer pays it in the
    shop until then; 0: the card on file is charged."""

    sale_id: str
    order_number: str
    price: int
    currency: str
    quantity: int = 1
    bought: bool = False
    pay_by_at: int = 0


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


class LotPaid(BidderNotice, frozen=True, kw_only=True):
    """To a buyer who was to pay later (Won.pay_by_at): the sale is paid."""

    sale_id: str
    price: int
    currency: str
    quantity: int = 1


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

    `relists` is the auction that this one follows (AuctionEnded.relist_as): its units pass to this lot. `start_price` is public;
    older events have none, and no `currency`.
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
    currency: str = ""
    start_price: int = 0


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


# --- inventory.offers --------------------------------------------------------------------------------------------


class OfferChanged(Event, frozen=True, kw_only=True):
    """A state event: at what price the product is for sale in the shop. `price` is for one unit.

    An offer that is not `published` cannot be bought. `max_per_order` bounds the units of one order.
    """

    TOPIC: ClassVar[str] = "inventory.offers"
    KEY: ClassVar[str] = "product_id"

    product_id: str
    version: int
    owner_id: str
    title: str
    slug: str
    thumbnail: str
    price: int
    currency: str
    max_per_order: int
    published: bool


# --- saved-searches ----------------------------------------------------------------------------------------------


class SavedSearchMatched(Event, frozen=True, kw_only=True):
    """A product that has come into the shop, or a new lot, is what the user wants to hear of. `search` is what they search for, in
    words. An offer has a `slug`, and a lot an `auction_id`, whose `price` is its start price.
    """

    TOPIC: ClassVar[str] = "saved-searches"
    KEY: ClassVar[str] = "user_id"

    user_id: str
    search_id: str
    search: str
    product_id: str
    title: str
    slug: str
    price: int
    currency: str
    auction_id: str = ""


# --- checkouts: between orders and inventory ---------------------------------------------------------------------


class Checkout(Event, frozen=True, kw_only=True):
    """What every event of a checkout carries."""

    TOPIC: ClassVar[str] = "checkouts"
    KEY: ClassVar[str] = "checkout_id"

    checkout_id: str


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a product."""

    product_id: str
    quantity: int


class CheckoutStarted(Checkout, frozen=True, kw_only=True):
    """Orders asks inventory to reserve all of the units, or none, until `expires_at`.

    `replaces` is the buyer's former checkout, if there is one: what it still has reserved is free, and first for this one.
    """

    user_id: str
    units: tuple[Units, ...]
    expires_at: int
    replaces: str = ""


class CheckoutAbandoned(Checkout, frozen=True, kw_only=True):
    """The buyer gave the checkout up: what it still has reserved is free."""


class CheckoutReserved(Checkout, frozen=True, kw_only=True):
    """Inventory's answer to CheckoutStarted: all units are reserved."""


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """Fewer units of the product are free than were asked for."""

    product_id: str
    asked: int
    available: int


class CheckoutRefused(Checkout, frozen=True, kw_only=True):
    """Inventory's answer to CheckoutStarted when it reserved nothing. No `shortages`: the time was over."""

    shortages: tuple[Shortage, ...]


# --- sales: between bidding, orders and sagas --------------------------------------------------------------------


class SaleLine(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` units of one product for `price` in all. A sale has one line for each product. `owner_id` sells it; it is
    empty in a message from before lines had owners. `auction_id`: the line is a lot that a checkout pays."""

    product_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    price: int
    title: str
    owner_id: str = ""
    auction_id: str = ""


class Sale(Event, frozen=True, kw_only=True):
    """What every event of a sale carries. A sale is of an auction, or of a checkout: the other id is empty."""

    KEY: ClassVar[str] = "sale_id"

    sale_id: str
    order_number: str
    user_id: str
    auction_id: str = ""
    checkout_id: str = ""


class SaleAwarded(Sale, frozen=True, kw_only=True):
    """A bid became a sale that its buyer pays in the shop until `pay_by_at`, with others if they like. SaleSettled says that they
    have paid, BidFailed that they have not."""

    TOPIC: ClassVar[str] = "sale-awarded"

    line: SaleLine
    currency: str
    pay_by_at: int


class SaleConfirmed(Sale, frozen=True, kw_only=True):
    """A bid or a paid checkout became a sale: the saga starts here. `price` is the total: all lines and `shipping`.

    `product_id` and `quantity`: a message from before sales had lines names its one product so.
    """

    TOPIC: ClassVar[str] = "sale-confirmed"

    price: int
    currency: str
    lines: tuple[SaleLine, ...] = ()
    shipping: int = 0
    title: str = ""
    product_id: str = ""
    quantity: int = 0

    def __post_init__(self) -> None:
        if not self.lines:
            line = SaleLine(
                product_id=self.product_id, quantity=self.quantity, price=self.price, title=self.title
            )
            msgspec.structs.force_setattr(self, "lines", (line,))


class SaleSettled(Sale, frozen=True, kw_only=True):
    """The sale ended well: the order is confirmed and paid."""

    TOPIC: ClassVar[str] = "sale-settled"


class BidFailed(Sale, frozen=True, kw_only=True):
    """The sale was undone completely. `detail` is for people."""

    TOPIC: ClassVar[str] = "bid-failed"

    reason: FailureReason
    detail: str = ""
    title: str = ""


class CheckoutUnpaid(Checkout, frozen=True, kw_only=True):
    """A payment of the checkout has failed, and its sale was undone. `detail` is for people.

    The buyer may pay again before `pay_by_at`; 0: the time is over, and nothing is reserved any more.
    """

    user_id: str
    sale_id: str
    order_number: str
    title: str
    reason: FailureReason
    detail: str = ""
    pay_by_at: int = 0


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
    """The order is final: it is paid, and its stock is committed. `checkout_id`: of an order of the shop; else empty."""

    checkout_id: str = ""


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """The order was undone. `reason` is for people.

    `was_confirmed`: it had been paid and its stock committed; the money goes back, and the units are free again.
    """

    reason: str
    was_confirmed: bool = False


class OrderShipped(OrderEvent, frozen=True, kw_only=True):
    """The lines of one seller are on their way to the buyer, whole. `lines` are what the parcel holds."""

    seller_id: str
    carrier: str
    tracking_number: str
    lines: tuple[Units, ...]


class OrderDelivered(OrderEvent, frozen=True, kw_only=True):
    """The lines of one seller have reached the buyer."""

    seller_id: str


class OrderRefunded(OrderEvent, frozen=True, kw_only=True):
    """`refunded` of a confirmed order's money went back to the buyer's card, `refunded_total` with earlier refunds.

    `reason` is for people.
    """

    refund_id: str
    refunded: int
    refunded_total: int
    reason: str


class ReturnedUnits(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a product came back. Those that are `damaged` are not for sale."""

    product_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    damaged: bool = False


class OrderReturned(OrderEvent, frozen=True, kw_only=True):
    """Units that were shipped have come back, which ends the buyer's requests `request_ids`. `reason` is for people."""

    return_id: str
    lines: tuple[ReturnedUnits, ...]
    reason: str
    request_ids: tuple[str, ...] = ()


class ReturnRequested(OrderEvent, frozen=True, kw_only=True):
    """The buyer asks to return units of one seller's lines. `reason` is for people."""

    request_id: str
    seller_id: str
    lines: tuple[Units, ...]
    reason: str


class ReturnDecided(OrderEvent, frozen=True, kw_only=True):
    """The buyer's request to return units is accepted or declined. `reason` is for people; an acceptance may have none.

    What was accepted may still be declined, when nothing came back.
    """

    request_id: str
    seller_id: str
    accepted: bool
    reason: str


class ReturnWithdrawn(OrderEvent, frozen=True, kw_only=True):
    """The buyer keeps what they asked to return, which may have been accepted."""

    request_id: str
    seller_id: str


class SellerNotice(Event, frozen=True, kw_only=True):
    """What every message to a seller about their lines of an order carries. `amount` is the total of these lines."""

    TOPIC: ClassVar[str] = "orders"
    KEY: ClassVar[str] = "order_number"

    order_number: str
    sale_id: str
    user_id: str
    title: str
    quantity: int
    amount: int
    currency: str


class LinesSold(SellerNotice, frozen=True, kw_only=True):
    """The lines of an order of the shop are paid: the seller packs them."""


class LinesCancelled(SellerNotice, frozen=True, kw_only=True):
    """The order was cancelled before it was shipped: the seller keeps the lines. `reason` is for people."""

    reason: str


class LinesShipped(SellerNotice, frozen=True, kw_only=True):
    """An operator has handed the lines to a carrier: the seller does not send them."""

    carrier: str
    tracking_number: str


class LinesDelivered(SellerNotice, frozen=True, kw_only=True):
    """An operator has noted that the lines have reached the buyer."""


class LinesReturned(SellerNotice, frozen=True, kw_only=True):
    """Units of the lines have come back from the buyer, which ends the requests `request_ids`. `quantity` and `amount` are theirs;
    `reason` is for people."""

    reason: str
    request_ids: tuple[str, ...] = ()


class ReturnNotice(SellerNotice, frozen=True, kw_only=True):
    """What every message about a buyer's request to return units carries. `quantity` and `amount` are of these units; `reason` is for
    people."""

    request_id: str
    reason: str


class LinesReturnRequested(ReturnNotice, frozen=True, kw_only=True):
    """The buyer asks to return units of the seller's lines: the seller answers."""


class LinesReturnDecided(ReturnNotice, frozen=True, kw_only=True):
    """The seller or an operator has accepted or declined the request."""

    accepted: bool


class LinesReturnWithdrawn(ReturnNotice, frozen=True, kw_only=True):
    """The buyer keeps what they asked to return: there is nothing to answer. `reason` is that of the request."""


class HouseReturnRequested(ReturnNotice, frozen=True, kw_only=True):
    """Operators are asked for an answer: the house sold the units (`user_id` is `house`, or empty in an old order), or their seller,
    `user_id`, has not answered for days."""


class HouseReturnDecided(ReturnNotice, frozen=True, kw_only=True):
    """What operators were asked is accepted or declined, by one of them or by the seller."""

    accepted: bool


class HouseReturnWithdrawn(ReturnNotice, frozen=True, kw_only=True):
    """The buyer keeps what they asked to return. `reason` is that of the request."""


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


class DeviceSeen(Event, frozen=True, kw_only=True):
    """The account signed in from a device: since when, and when last, it was seen there. `device` and `address` are keyed hashes,
    of the device and of the network around its address; equal hashes of two accounts are the same device or network."""

    TOPIC: ClassVar[str] = "accounts"
    KEY: ClassVar[str] = "user_id"

    user_id: str
    device: str
    address: str
    first_seen_at: int
    last_seen_at: int


def _concrete(base: type[Event]) -> list[type[Event]]:
    event_types: list[type[Event]] = []
    for child in base.__subclasses__():
        event_types += _concrete(child) or [child]
    return event_types


BY_NAME: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in _concrete(Event)}
TOPICS: tuple[str, ...] = tuple(sorted({event_type.TOPIC for event_type in BY_NAME.values()}))
