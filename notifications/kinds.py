"""The kinds of notifications: TABLE holds one row for each, and everything that depends on the kind reads it there.

The handlers take a kind's events, audience and source from its row; the feed what it replaces; the e-mail its template
and when it goes; REST, the streams and the pages its headline, badge, mood and link. A new kind is one more row.
Knows nothing of the tables in the database, which hold a kind by its name.
"""

import enum
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from auction_project.kernel import contracts, reasons
from auction_project.kernel.contracts import events
from notifications import wording

Mood = Literal["", "good", "bad", "warn"]


class Audience(enum.Enum):
    """Who gets a notification. The values complete the last sentence of its e-mail: "because you ... on Gavel"."""

    BIDDER = "bid"
    SELLER = "sell"
    BUYER = "buy"
    OPERATORS = "run the stock"


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
    """A sale that failed may never have become an order: its lot says what happened."""
    return _lot(figures) or "/orders"


def _product(figures: wording.Figures) -> str:
    """The product in the admin."""
    return f"/admin/inventory/product/{figures.product_id}/change/"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One row: `name` is stored, and is on the wire in lower case.

    The headline is the subject of the e-mail and the text of the feed. `replaces` names the kinds whose earlier
    notifications about the same auction this one puts out of date; `subject` is the figure that both must share.
    `answers_own_bid`: the reader has just bid on the lot.
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
    subject: Literal["auction_id", "sale_id"] = "auction_id"
    answers_own_bid: bool = False

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
            f"You {'bought' if f.bought else 'won'} {_units(f)}“{f.title}” for {f.money('price')}"
        ),
        badge="Yours",
        mood="good",
        link=_order,
        template="won.txt",
        replaces=(*_OF_BIDDING, "NEXT_IN_LINE"),
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
)
TABLE: dict[str, Kind] = {row.name: row for row in _ROWS}


def of(name: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    return TABLE[name]


def ends_of(name: str) -> list[str]:
    """The kinds that end the sale of which the kind `name` is the beginning.

    Beginning and end come on two topics, so that either may arrive first.
    """
    return [kind.name for kind in TABLE.values() if kind.subject == "sale_id" and name in kind.replaces]
