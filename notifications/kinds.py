"""The kinds of notifications: TABLE holds one row for each, and everything that depends on the kind reads it there.

The handlers take a kind's events, audience and source from its row; the feed what it replaces; the e-mail its template
and when it goes; REST, the streams and the pages its headline, badge, mood and link. A new kind is one more row.
Knows nothing of the tables in the database, which hold a kind by its name.
"""

import enum
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from auction_project.kernel import contracts, ids, reasons
from auction_project.kernel.contracts import events
from notifications import wording

Mood = Literal["", "good", "bad", "warn"]
Subject = Literal["auction_id", "sale_id", "checkout_id", "request_id"]


class Audience(enum.Enum):
    """Who gets a notification. The values complete the last sentence of its e-mail: "because you ... on Gavel"."""

    BIDDER = "bid"
    SELLER = "sell"
    BUYER = "buy"
    OPERATORS = "run the stock"
    SEARCHER = "saved a search"


class Mailed(enum.Enum):
    """When an e-mail goes for a notification. None ever goes for the answer to the reader's own bid or purchase.

    ONCE_A_LOT is for a call to bid again: one e-mail until the reader has read the feed or bid on the lot again, and none
    after the auction has ended.
    """

    ALWAYS = enum.auto()
    ONCE_A_LOT = enum.auto()
    NEVER = enum.auto()


def _event_id(envelope: contracts.Envelope, _event: events.Event) -> str:
    """The source of most notifications: the event, so that a repeated event adds nothing."""
    return envelope.id


def _order_end(_envelope: contracts.Envelope, event: Any) -> str:
    """The source that OrderCancelled and BidFailed share: an order ends once, whether it was placed by then or not."""
    return f"order:{event.order_number}:cancelled"


def _lot(figures: wording.Figures) -> str | None:
    """The page of the auction."""
    return f"/auctions/{figures.auction_id}" if figures.auction_id else None


def _order(figures: wording.Figures) -> str | None:
    """The page of the order; older notifications of a sale may lack its number."""
    return f"/orders/{figures.order_number}" if figures.order_number else _lot(figures)


def _failed_sale(figures: wording.Figures) -> str:
    """An auction's sale that failed may never have become an order: its lot says what happened."""
    return _lot(figures) or _order(figures) or "/orders"


def _checkout(figures: wording.Figures) -> str:
    """The page on which the buyer pays."""
    return f"/checkout/{figures.checkout_id}"


def _any(_event: Any) -> bool:
    return True


def _has_no_checkout(event: Any) -> bool:
    """Of a failed payment of a checkout, CHECKOUT_UNPAID says more."""
    return not (isinstance(event, events.BidFailed) and event.checkout_id)


def _has_auction(event: Any) -> bool:
    """The same for a declined card."""
    return bool(event.auction_id)


def _news(figures: wording.Figures) -> str:
    """The page of the new lot, or the product in the shop."""
    return _lot(figures) or f"/shop/p/{figures.slug}"


def _sold_return_decided(figures: wording.Figures) -> str:
    return f"The return of {_units(figures)}“{figures.title}” of order {figures.order_number} {_return_decided(figures)}"


def _sold_return_withdrawn(figures: wording.Figures) -> str:
    what = f"{_units(figures)}“{figures.title}” of order {figures.order_number}"
    return f"The buyer keeps {what}, and takes the request back"


def _return_to_answer(figures: wording.Figures) -> str:
    """Of the house's lines, or of those of a seller (`user_id`) who has not answered."""
    what = f"{_units(figures)}“{figures.title}” of order {figures.order_number}"
    if figures.user_id in ("", ids.HOUSE):
        return f"A buyer wants to return {what}: accept it or decline it"
    return f"The seller has not answered the buyer who wants to return {what}: accept it or decline it"


def _news_text(figures: wording.Figures) -> str:
    price = figures.money("price")
    if figures.auction_id:
        return f"New lot: “{figures.title}” at {price}"
    return f"New in the shop: “{figures.title}” for {price}"


def _product(figures: wording.Figures) -> str:
    """The product in the admin."""
    return f"/admin/inventory/product/{figures.product_id}/change/"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One row: `name` is stored, and is on the wire in lower case.

    The headline is the subject of the e-mail and the text of the feed. `replaces` names the kinds whose earlier
    notifications this one puts out of date; `subject` is the figure that both must share.
    `answers_own_bid`: the reader has just bid on the lot. `concerns`: which of its events it is about.
    """

    name: str
    events: tuple[type[events.Event], ...]
    audience: tuple[Audience, ...]
    source: Callable[[contracts.Envelope, Any], str] = _event_id
    headline: Callable[[wording.Figures], str]
    badge: str
    mood: Mood = ""
    link: Callable[[wording.Figures], str | None] = _lot
    mailed: Mailed = Mailed.ALWAYS
    template: str
    replaces: tuple[str, ...] = ()
    subject: Subject = "auction_id"
    answers_own_bid: bool = False
    concerns: Callable[[Any], bool] = _any

    @property
    def wire_name(self) -> str:
        return self.name.lower()

    @property
    def is_for_operators(self) -> bool:
        return Audience.OPERATORS in self.audience

    def text_of(self, figures: dict[str, Any]) -> str:
        """The headline, in one line. `figures` in public form; a missing one is left out."""
        return " ".join(self.headline(wording.Figures(figures)).split())

    def link_of(self, figures: dict[str, Any]) -> str | None:
        """The path of the page that the notification is about."""
        return self.link(wording.Figures(figures))


def _missed(figures: wording.Figures) -> str:
    """Only the highest bidder reads by how much the reserve was missed."""
    if not figures.highest:
        return ""
    if not figures.missed_by_percent:
        return ". Your bid was the highest"
    return f": your highest bid missed the reserve by less than {figures.missed_by_percent} %"


def _lot_name(figures: wording.Figures) -> str:
    """A lot that inventory refused has no title, and its seller alone reads about it."""
    return f"“{figures.title}”" if figures.title else "Your lot"


def _for_lot(figures: wording.Figures) -> str:
    """Older notifications of a sale may lack the title."""
    return f" for “{figures.title}”" if figures.title else ""


def _units(figures: wording.Figures) -> str:
    return f"{figures.quantity} × " if figures.quantity not in ("", 1) else ""


def _return_decided(figures: wording.Figures) -> str:
    return "is accepted" if figures.accepted else "is declined"


def _unpaid(figures: wording.Figures) -> str:
    if figures.reason == "payment_refused":
        return f"The payment for “{figures.title}” was declined"
    return f"“{figures.title}” could not be ordered: {reasons.in_words(figures.reason)}"


def _pay_again(figures: wording.Figures) -> str:
    """Another card helps after a refused one, and while the units are kept."""
    may_pay = figures.reason == "payment_refused" and figures.pay_by_at
    return f": pay again with another card until {figures.time('pay_by_at')}" if may_pay else ""


def _pay_later(figures: wording.Figures) -> str:
    """The buyer of a lot whose terms leave them time."""
    return f": pay it in the shop until {figures.day_and_time('pay_by_at')}" if figures.pay_by_at else ""


_OF_BIDDING = ("OUTBID", "LEADING")

_ROWS = (
    Kind(
        name="OUTBID",
        events=(events.Outbid,),
        audience=(Audience.BIDDER,),
        headline=lambda f: f"You were outbid on “{f.title}”: the price is now {f.money('price')}",
        badge="Outbid",
        mood="bad",
        mailed=Mailed.ONCE_A_LOT,
        template="outbid.txt",
        replaces=_OF_BIDDING,
    ),
    Kind(
        name="LEADING",
        events=(events.Leading,),
        audience=(Audience.BIDDER,),
        headline=lambda f: f"You're leading on “{f.title}” at {f.money('price')}",
        badge="Leading",
        mood="good",
        mailed=Mailed.NEVER,
        template="leading.txt",
        replaces=_OF_BIDDING,
        answers_own_bid=True,
    ),
    Kind(
        name="WON",
        events=(events.Won,),
        audience=(Audience.BIDDER,),
        headline=lambda f: (
            f"You {'bought' if f.bought else 'won'} {_units(f)}“{f.title}” for {f.money('price')}{_pay_later(f)}"
        ),
        badge="Yours",
        mood="good",
        link=lambda f: "/cart" if f.pay_by_at else _order(f),
        template="won.txt",
        replaces=(*_OF_BIDDING, "NEXT_IN_LINE"),
    ),
    Kind(
        name="LOT_PAID",
        events=(events.LotPaid,),
        audience=(Audience.BIDDER,),
        headline=lambda f: f"{_units(f)}“{f.title}” is paid, and yours",
        badge="Paid",
        mood="good",
        mailed=Mailed.NEVER,  # the receipt is the e-mail
        template="won.txt",
        replaces=("WON",),
        subject="sale_id",
    ),
    Kind(
        name="NEXT_IN_LINE",
        events=(events.NextInLine,),
        audience=(Audience.BIDDER,),
        headline=lambda f: (
            f"You're next in line for “{f.title}”: if the winner doesn't pay, it is yours for {f.money('next_price')}"
        ),
        badge="Next in line",
        mood="warn",
        template="next_in_line.txt",
        replaces=(*_OF_BIDDING, "NEXT_IN_LINE"),
    ),
    Kind(
        name="LOST",
        events=(events.Lost,),
        audience=(Audience.BIDDER,),
        headline=lambda f: f"“{f.title}” went to another bidder for {f.money('price')}",
        badge="Not won",
        template="lost.txt",
        replaces=(*_OF_BIDDING, "NEXT_IN_LINE"),
    ),
    Kind(
        name="NOT_SOLD",
        events=(events.NotSold,),
        audience=(Audience.BIDDER,),
        headline=lambda f: f"“{f.title}” was not sold{_missed(f)}",
        badge="Not sold",
        template="not_sold.txt",
        replaces=(*_OF_BIDDING, "NEXT_IN_LINE"),
    ),
    Kind(
        name="AUCTION_CANCELLED",
        events=(events.AuctionCancelled,),
        audience=(Audience.BIDDER, Audience.SELLER),
        headline=lambda f: f"{_lot_name(f)} was cancelled: {reasons.in_words(f.reason)}",
        badge="Cancelled",
        mood="warn",
        template="auction_cancelled.txt",
        replaces=_OF_BIDDING,
    ),
    Kind(
        name="ORDER_CONFIRMED",
        events=(events.OrderConfirmed,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"Your order {f.order_number} for “{f.title}” is confirmed",
        badge="Order",
        mood="good",
        link=_order,
        template="order_confirmed.txt",
        replaces=("CHECKOUT_UNPAID",),
        subject="checkout_id",
    ),
    Kind(
        name="ORDER_CANCELLED",
        events=(events.OrderCancelled, events.BidFailed),
        audience=(Audience.BUYER,),
        source=_order_end,
        headline=lambda f: (
            f"Your order {f.order_number}{_for_lot(f)} was cancelled: {reasons.in_words(f.reason)}"
        ),
        badge="Order",
        mood="bad",
        link=_failed_sale,
        template="order_cancelled.txt",
        replaces=("WON",),
        subject="sale_id",
        concerns=_has_no_checkout,
    ),
    Kind(
        name="CHECKOUT_UNPAID",
        events=(events.CheckoutUnpaid,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"{_unpaid(f)}{_pay_again(f)}",
        badge="Payment",
        mood="bad",
        link=_checkout,
        template="checkout_unpaid.txt",
        replaces=("ORDER_CANCELLED",),
        subject="sale_id",
    ),
    Kind(
        name="ORDER_SHIPPED",
        events=(events.OrderShipped,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"Your order {f.order_number}{_for_lot(f)} is on its way with {f.carrier}",
        badge="Shipped",
        mood="good",
        link=_order,
        template="order_shipped.txt",
    ),
    Kind(
        name="ORDER_DELIVERED",
        events=(events.OrderDelivered,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"Your order {f.order_number}{_for_lot(f)} has arrived",
        badge="Delivered",
        mood="good",
        link=_order,
        template="order_delivered.txt",
    ),
    Kind(
        name="ORDER_REFUNDED",
        events=(events.OrderRefunded,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"You get {f.money('refunded')} back for your order {f.order_number}{_for_lot(f)}",
        badge="Refund",
        mood="good",
        link=_order,
        template="order_refunded.txt",
    ),
    Kind(
        name="RETURN_ASKED",
        events=(events.ReturnRequested,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"You asked to return something of your order {f.order_number}{_for_lot(f)}",
        badge="Return",
        link=_order,
        template="return_asked.txt",
    ),
    Kind(
        name="RETURN_DECIDED",
        events=(events.ReturnDecided,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"Your return for order {f.order_number}{_for_lot(f)} {_return_decided(f)}",
        badge="Return",
        mood="warn",
        link=_order,
        template="return_decided.txt",
        replaces=("RETURN_ASKED", "RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="RETURN_WITHDRAWN",
        events=(events.ReturnWithdrawn,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"You keep what you asked to return of your order {f.order_number}{_for_lot(f)}",
        badge="Return",
        link=_order,
        template="return_withdrawn.txt",
        replaces=("RETURN_ASKED", "RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="ORDER_RETURNED",
        events=(events.OrderReturned,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"We have what you sent back of your order {f.order_number}{_for_lot(f)}",
        badge="Return",
        link=_order,
        template="order_returned.txt",
        replaces=("RETURN_ASKED", "RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="SOLD",
        events=(events.LinesSold,),
        audience=(Audience.SELLER,),
        headline=lambda f: (
            f"Sold: {_units(f)}“{f.title}” for {f.money('amount')}. Pack order {f.order_number}"
        ),
        badge="To pack",
        mood="good",
        link=_order,
        template="sold.txt",
    ),
    Kind(
        name="SALE_CANCELLED",
        events=(events.LinesCancelled,),
        audience=(Audience.SELLER,),
        headline=lambda f: f"Do not send order {f.order_number}{_for_lot(f)}: it was cancelled",
        badge="Cancelled",
        mood="warn",
        link=_order,
        template="sale_cancelled.txt",
        replaces=("SOLD",),
        subject="sale_id",
    ),
    Kind(
        name="SALE_SHIPPED",
        events=(events.LinesShipped,),
        audience=(Audience.SELLER,),
        headline=lambda f: f"We sent order {f.order_number}{_for_lot(f)} to the buyer with {f.carrier}",
        badge="Shipped",
        mood="good",
        link=_order,
        template="sale_shipped.txt",
        replaces=("SOLD",),
        subject="sale_id",
    ),
    Kind(
        name="SALE_DELIVERED",
        events=(events.LinesDelivered,),
        audience=(Audience.SELLER,),
        headline=lambda f: f"Order {f.order_number}{_for_lot(f)} has reached the buyer",
        badge="Delivered",
        mood="good",
        link=_order,
        template="sale_delivered.txt",
    ),
    Kind(
        name="SALE_RETURN_ASKED",
        events=(events.LinesReturnRequested,),
        audience=(Audience.SELLER,),
        headline=lambda f: (
            f"A buyer wants to return {_units(f)}“{f.title}” of order {f.order_number}: accept it or decline it"
        ),
        badge="To answer",
        mood="warn",
        link=_order,
        template="return_to_answer.txt",
    ),
    Kind(
        name="SALE_RETURN_DECIDED",
        events=(events.LinesReturnDecided,),
        audience=(Audience.SELLER,),
        headline=_sold_return_decided,
        badge="Return",
        link=_order,
        template="sale_return_decided.txt",
        replaces=("SALE_RETURN_ASKED", "SALE_RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="SALE_RETURN_WITHDRAWN",
        events=(events.LinesReturnWithdrawn,),
        audience=(Audience.SELLER,),
        headline=_sold_return_withdrawn,
        badge="Return",
        link=_order,
        template="sale_return_withdrawn.txt",
        replaces=("SALE_RETURN_ASKED", "SALE_RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="SALE_RETURNED",
        events=(events.LinesReturned,),
        audience=(Audience.SELLER,),
        headline=lambda f: f"{_units(f)}“{f.title}” of order {f.order_number} came back",
        badge="Return",
        mood="warn",
        link=_order,
        template="sale_returned.txt",
        replaces=("SALE_RETURN_ASKED", "SALE_RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="HOUSE_RETURN_ASKED",
        events=(events.HouseReturnRequested,),
        audience=(Audience.OPERATORS,),
        headline=_return_to_answer,
        badge="To answer",
        mood="warn",
        link=_order,
        template="return_to_answer.txt",
    ),
    Kind(
        name="HOUSE_RETURN_DECIDED",
        events=(events.HouseReturnDecided,),
        audience=(Audience.OPERATORS,),
        headline=_sold_return_decided,
        badge="Return",
        link=_order,
        mailed=Mailed.NEVER,
        template="sale_return_decided.txt",
        replaces=("HOUSE_RETURN_ASKED", "HOUSE_RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="HOUSE_RETURN_WITHDRAWN",
        events=(events.HouseReturnWithdrawn,),
        audience=(Audience.OPERATORS,),
        headline=_sold_return_withdrawn,
        badge="Return",
        link=_order,
        template="sale_return_withdrawn.txt",
        replaces=("HOUSE_RETURN_ASKED", "HOUSE_RETURN_DECIDED"),
        subject="request_id",
    ),
    Kind(
        name="PAYMENT_DECLINED",
        events=(events.PaymentDeclined,),
        audience=(Audience.BUYER,),
        headline=lambda f: f"The payment for your order {f.order_number}{_for_lot(f)} was declined",
        badge="Payment",
        mood="bad",
        link=_failed_sale,
        mailed=Mailed.NEVER,  # ORDER_CANCELLED follows, with the same reason
        template="payment_declined.txt",
        concerns=_has_auction,
    ),
    Kind(
        name="LOT_SOLD",
        events=(events.LotSold,),
        audience=(Audience.SELLER,),
        headline=lambda f: f"Sold: {_units(f)}“{f.title}” for {f.money('price')}",
        badge="Sold",
        mood="good",
        template="lot_sold.txt",
    ),
    Kind(
        name="LOT_UNSOLD",
        events=(events.LotUnsold,),
        audience=(Audience.SELLER,),
        headline=lambda f: f"“{f.title}” was not sold{'; we are listing it again' if f.relisted else ''}",
        badge="Not sold",
        mood="warn",
        template="lot_unsold.txt",
    ),
    Kind(
        name="LOW_STOCK",
        events=(events.StockLow,),
        audience=(Audience.OPERATORS,),
        headline=lambda f: f"Low stock: {f.available} of “{f.title}” left",
        badge="Stock",
        mood="warn",
        link=_product,
        template="low_stock.txt",
    ),
    Kind(
        name="SEARCH_MATCHED",
        events=(events.SavedSearchMatched,),
        audience=(Audience.SEARCHER,),
        headline=_news_text,
        badge="New",
        link=_news,
        template="search_matched.txt",
    ),
)
TABLE: dict[str, Kind] = {row.name: row for row in _ROWS}


def of(name: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    return TABLE[name]


def ends_of(name: str) -> list[Kind]:
    """The kinds that end the sale or the checkout of which the kind `name` tells.

    The two come on two topics, so that either may arrive first.
    """
    ends = ("sale_id", "checkout_id")
    return [kind for kind in TABLE.values() if kind.subject in ends and name in kind.replaces]
