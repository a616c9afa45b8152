"""The table of kinds: what each event becomes, for whom, what it replaces, and that one row makes a kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from notifications import frames, handlers, kinds, models, selectors
from notifications.mail import mailing
from notifications.tests import conftest

EVENTS = {
    "Outbid": "OUTBID",
    "Leading": "LEADING",
    "Won": "WON",
    "LotPaid": "LOT_PAID",
    "NextInLine": "NEXT_IN_LINE",
    "Lost": "LOST",
    "NotSold": "NOT_SOLD",
    "AuctionCancelled": "AUCTION_CANCELLED",
    "OrderConfirmed": "ORDER_CONFIRMED",
    "OrderCancelled": "ORDER_CANCELLED",
    "BidFailed": "ORDER_CANCELLED",
    "CheckoutUnpaid": "CHECKOUT_UNPAID",
    "PaymentDeclined": "PAYMENT_DECLINED",
    "OrderShipped": "ORDER_SHIPPED",
    "OrderDelivered": "ORDER_DELIVERED",
    "OrderRefunded": "ORDER_REFUNDED",
    "OrderReturned": "ORDER_RETURNED",
    "LinesSold": "SOLD",
    "LinesCancelled": "SALE_CANCELLED",
    "LinesShipped": "SALE_SHIPPED",
    "LinesDelivered": "SALE_DELIVERED",
    "LinesReturned": "SALE_RETURNED",
    "ReturnRequested": "RETURN_ASKED",
    "ReturnDecided": "RETURN_DECIDED",
    "LinesReturnRequested": "SALE_RETURN_ASKED",
    "LinesReturnDecided": "SALE_RETURN_DECIDED",
    "HouseReturnRequested": "HOUSE_RETURN_ASKED",
    "HouseReturnDecided": "HOUSE_RETURN_DECIDED",
    "ReturnWithdrawn": "RETURN_WITHDRAWN",
    "LinesReturnWithdrawn": "SALE_RETURN_WITHDRAWN",
    "HouseReturnWithdrawn": "HOUSE_RETURN_WITHDRAWN",
    "LotSold": "LOT_SOLD",
    "LotUnsold": "LOT_UNSOLD",
    "StockLow": "LOW_STOCK",
    "SavedSearchMatched": "SEARCH_MATCHED",
}


def test_each_event_is_the_source_of_one_kind() -> None:
    pairs = [(event_type.__name__, kind.name) for kind in kinds.TABLE.values() for event_type in kind.events]

    assert sorted(pairs) == sorted(EVENTS.items())
    assert {name: kind.name for name, kind in kinds.TABLE.items()} == {name: name for name in kinds.TABLE}
    assert kinds.of("LOW_STOCK").wire_name == "low_stock"


def test_the_name_of_a_kind_fits_the_column() -> None:
    column = models.Notification._meta.get_field("kind")

    assert all(len(name) <= column.max_length for name in kinds.TABLE)


def test_a_notification_is_for_operators_or_for_one_user() -> None:
    assert [kind.name for kind in kinds.TABLE.values() if kind.is_for_operators] == [
        "HOUSE_RETURN_ASKED",
        "HOUSE_RETURN_DECIDED",
        "HOUSE_RETURN_WITHDRAWN",
        "LOW_STOCK",
    ]
    assert all(len(kind.audience) == 1 for kind in kinds.TABLE.values() if kind.is_for_operators)


def test_a_kind_replaces_kinds_of_the_table() -> None:
    replaced = {name for kind in kinds.TABLE.values() for name in kind.replaces}

    of_returns = {
        f"{whose}RETURN_{what}" for whose in ("", "SALE_", "HOUSE_") for what in ("ASKED", "DECIDED")
    }
    of_sales = {"WON", "ORDER_CANCELLED", "SOLD", "CHECKOUT_UNPAID"}
    assert replaced == {"OUTBID", "LEADING", "NEXT_IN_LINE"} | of_sales | of_returns
    assert replaced <= kinds.TABLE.keys()
    assert kinds.ends_of("WON") == [kinds.of("LOT_PAID"), kinds.of("ORDER_CANCELLED")]
    assert kinds.ends_of("SOLD") == [kinds.of("SALE_CANCELLED"), kinds.of("SALE_SHIPPED")]
    assert kinds.ends_of("CHECKOUT_UNPAID") == [kinds.of("ORDER_CONFIRMED")]
    assert kinds.ends_of("OUTBID") == []
    assert kinds.ends_of("RETURN_ASKED") == []  # the next request of an order is not ended by the one before


@pytest.mark.parametrize(
    ("kind", "badge", "mood"),
    [
        ("OUTBID", "Outbid", "bad"),
        ("LEADING", "Leading", "good"),
        ("WON", "Yours", "good"),
        ("LOT_PAID", "Paid", "good"),
        ("NEXT_IN_LINE", "Next in line", "warn"),
        ("LOST", "Not won", ""),
        ("NOT_SOLD", "Not sold", ""),
        ("AUCTION_CANCELLED", "Cancelled", "warn"),
        ("ORDER_CONFIRMED", "Order", "good"),
        ("ORDER_CANCELLED", "Order", "bad"),
        ("PAYMENT_DECLINED", "Payment", "bad"),
        ("CHECKOUT_UNPAID", "Payment", "bad"),
        ("ORDER_SHIPPED", "Shipped", "good"),
        ("ORDER_DELIVERED", "Delivered", "good"),
        ("ORDER_REFUNDED", "Refund", "good"),
        ("ORDER_RETURNED", "Return", ""),
        ("SOLD", "To pack", "good"),
        ("SALE_CANCELLED", "Cancelled", "warn"),
        ("SALE_SHIPPED", "Shipped", "good"),
        ("SALE_DELIVERED", "Delivered", "good"),
        ("SALE_RETURNED", "Return", "warn"),
        ("RETURN_ASKED", "Return", ""),
        ("RETURN_DECIDED", "Return", "warn"),
        ("SALE_RETURN_ASKED", "To answer", "warn"),
        ("SALE_RETURN_DECIDED", "Return", ""),
        ("HOUSE_RETURN_ASKED", "To answer", "warn"),
        ("HOUSE_RETURN_DECIDED", "Return", ""),
        ("RETURN_WITHDRAWN", "Return", ""),
        ("SALE_RETURN_WITHDRAWN", "Return", ""),
        ("HOUSE_RETURN_WITHDRAWN", "Return", ""),
        ("LOT_SOLD", "Sold", "good"),
        ("LOT_UNSOLD", "Not sold", "warn"),
        ("LOW_STOCK", "Stock", "warn"),
        ("SEARCH_MATCHED", "New", ""),
    ],
)
def test_a_kind_has_a_badge_and_a_mood(kind: str, badge: str, mood: str) -> None:
    assert (kinds.of(kind).badge, kinds.of(kind).mood) == (badge, mood)


@pytest.mark.parametrize(
    ("kind", "figures", "text"),
    [
        ("WON", {"title": "Globe", "price": "95.00"}, "You won “Globe” for €95.00"),
        ("WON", {"title": "Lamp", "price": "190.00", "bought": True}, "You bought “Lamp” for €190.00"),
        (
            "WON",
            {"title": "Lamp", "price": "190.00", "quantity": 2, "bought": True},
            "You bought 2 × “Lamp” for €190.00",
        ),
        (
            "SEARCH_MATCHED",
            {"title": "Lamp", "slug": "lamp", "price": "10.00"},
            "New in the shop: “Lamp” for €10.00",
        ),
        (
            "SEARCH_MATCHED",
            {"title": "Brass lamp", "slug": "", "auction_id": "a", "price": "10.00"},
            "New lot: “Brass lamp” at €10.00",
        ),
        (
            "HOUSE_RETURN_ASKED",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 1, "user_id": "house"},
            "A buyer wants to return “Lamp” of order GV-1: accept it or decline it",
        ),
        (
            "HOUSE_RETURN_ASKED",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 1, "user_id": "a" * 32},
            "The seller has not answered the buyer who wants to return “Lamp” of order GV-1: accept it or decline it",
        ),
        ("AUCTION_CANCELLED", {"title": "Globe", "reason": "broken"}, "“Globe” was cancelled: broken"),
        ("AUCTION_CANCELLED", {"title": "", "reason": "No stock."}, "Your lot was cancelled: No stock."),
        (
            "ORDER_CANCELLED",
            {"order_number": "GV-1", "title": "Lamp", "reason": "payment_refused"},
            "Your order GV-1 for “Lamp” was cancelled: the payment was declined",
        ),
        (
            "ORDER_CANCELLED",
            {"order_number": "GV-1", "reason": "broken"},
            "Your order GV-1 was cancelled: broken",
        ),
        (
            "ORDER_SHIPPED",
            {"order_number": "GV-1", "title": "Lamp", "carrier": "Post"},
            "Your order GV-1 for “Lamp” is on its way with Post",
        ),
        (
            "ORDER_DELIVERED",
            {"order_number": "GV-1", "title": "Lamp"},
            "Your order GV-1 for “Lamp” has arrived",
        ),
        (
            "ORDER_REFUNDED",
            {"order_number": "GV-1", "title": "Lamp", "refunded": "25.50", "amount": "125.50"},
            "You get €25.50 back for your order GV-1 for “Lamp”",
        ),
        (
            "ORDER_RETURNED",
            {"order_number": "GV-1", "title": "Lamp"},
            "We have what you sent back of your order GV-1 for “Lamp”",
        ),
        (
            "SOLD",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 2, "amount": "80.00"},
            "Sold: 2 × “Lamp” for €80.00. Pack order GV-1",
        ),
        (
            "SALE_CANCELLED",
            {"order_number": "GV-1", "title": "Lamp"},
            "Do not send order GV-1 for “Lamp”: it was cancelled",
        ),
        (
            "SALE_SHIPPED",
            {"order_number": "GV-1", "title": "Lamp", "carrier": "Post"},
            "We sent order GV-1 for “Lamp” to the buyer with Post",
        ),
        (
            "SALE_DELIVERED",
            {"order_number": "GV-1", "title": "Lamp"},
            "Order GV-1 for “Lamp” has reached the buyer",
        ),
        (
            "SALE_RETURNED",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 1},
            "“Lamp” of order GV-1 came back",
        ),
        (
            "RETURN_ASKED",
            {"order_number": "GV-1", "title": "Lamp"},
            "You asked to return something of your order GV-1 for “Lamp”",
        ),
        (
            "RETURN_DECIDED",
            {"order_number": "GV-1", "title": "Lamp", "accepted": True},
            "Your return for order GV-1 for “Lamp” is accepted",
        ),
        (
            "SALE_RETURN_ASKED",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 2},
            "A buyer wants to return 2 × “Lamp” of order GV-1: accept it or decline it",
        ),
        (
            "HOUSE_RETURN_DECIDED",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 1, "accepted": False},
            "The return of “Lamp” of order GV-1 is declined",
        ),
        (
            "RETURN_WITHDRAWN",
            {"order_number": "GV-1", "title": "Lamp"},
            "You keep what you asked to return of your order GV-1 for “Lamp”",
        ),
        (
            "SALE_RETURN_WITHDRAWN",
            {"order_number": "GV-1", "title": "Lamp", "quantity": 2},
            "The buyer keeps 2 × “Lamp” of order GV-1, and takes the request back",
        ),
        (
            "PAYMENT_DECLINED",
            {"order_number": "GV-1", "title": "Lamp"},
            "The payment for your order GV-1 for “Lamp” was declined",
        ),
        (
            "CHECKOUT_UNPAID",
            {"title": "Lamp", "reason": "payment_refused", "pay_by_at": 1_772_366_390_250},
            "The payment for “Lamp” was declined: pay again with another card until 11:59 UTC",
        ),
        (
            "CHECKOUT_UNPAID",
            {"title": "Lamp", "reason": "payment_refused", "pay_by_at": 0},
            "The payment for “Lamp” was declined",
        ),
        (
            "WON",
            {"title": "Lamp", "price": "80.00", "pay_by_at": 1_772_366_390_250},
            "You won “Lamp” for €80.00: pay it in the shop until 1 March, 11:59 UTC",
        ),
        ("WON", {"title": "Lamp", "price": "80.00", "pay_by_at": 0}, "You won “Lamp” for €80.00"),
        ("LOT_PAID", {"title": "Lamp", "quantity": 2}, "2 × “Lamp” is paid, and yours"),
        (
            "CHECKOUT_UNPAID",
            {"title": "Lamp", "reason": "risk_refused", "pay_by_at": 1_772_366_390_250},
            "“Lamp” could not be ordered: our risk check did not pass",
        ),
    ],
)
def test_the_headline_says_what_happened(kind: str, figures: dict[str, Any], text: str) -> None:
    assert kinds.of(kind).text_of(figures | {"currency": "EUR"}) == text


_OF_A_SALE = {"auction_id": "a1", "order_number": "GV-1"}


@pytest.mark.parametrize(
    ("kind", "figures", "link"),
    [
        ("OUTBID", {"auction_id": "a1"}, "/auctions/a1"),
        ("LOT_SOLD", {"auction_id": "a1", "sale_id": "a1-7"}, "/auctions/a1"),
        ("WON", _OF_A_SALE, "/orders/GV-1"),
        ("WON", _OF_A_SALE | {"pay_by_at": 1_772_366_390_250}, "/cart"),
        ("LOT_PAID", {"auction_id": "a1", "sale_id": "a1-7"}, "/auctions/a1"),
        ("ORDER_CONFIRMED", _OF_A_SALE, "/orders/GV-1"),
        ("ORDER_CANCELLED", _OF_A_SALE, "/auctions/a1"),
        ("PAYMENT_DECLINED", _OF_A_SALE, "/auctions/a1"),
        ("ORDER_CANCELLED", {"auction_id": "", "order_number": "GV-1"}, "/orders/GV-1"),
        ("CHECKOUT_UNPAID", {"checkout_id": "c1", "order_number": "GV-1"}, "/checkout/c1"),
        ("ORDER_SHIPPED", _OF_A_SALE, "/orders/GV-1"),
        ("SOLD", _OF_A_SALE, "/orders/GV-1"),
        ("SALE_CANCELLED", _OF_A_SALE, "/orders/GV-1"),
        ("SALE_SHIPPED", _OF_A_SALE, "/orders/GV-1"),
        ("HOUSE_RETURN_ASKED", _OF_A_SALE, "/orders/GV-1"),
        ("LOW_STOCK", {"product_id": "p1"}, "/admin/inventory/product/p1/change/"),
        ("SEARCH_MATCHED", {"slug": "lamp"}, "/shop/p/lamp"),
        ("SEARCH_MATCHED", {"slug": "lamp", "auction_id": ""}, "/shop/p/lamp"),
        ("SEARCH_MATCHED", {"slug": "", "auction_id": "a1"}, "/auctions/a1"),
    ],
)
def test_a_notification_links_to_what_it_is_about(kind: str, figures: dict[str, Any], link: str) -> None:
    assert kinds.of(kind).link_of(figures) == link


@pytest.mark.parametrize(
    ("kind", "figures", "link"),
    [
        ("WON", {"auction_id": "a1"}, "/auctions/a1"),
        ("ORDER_CANCELLED", {}, "/orders"),
        ("LOST", {}, None),
        ("LOST", {"auction_id": None}, None),
    ],
)
def test_an_old_notification_that_lacks_figures_is_shown_all_the_same(
    kind: str, figures: dict[str, Any], link: str | None
) -> None:
    row = models.Notification(user_id="u", seq=3, kind=kind, data=figures, at=5)

    item = frames.item(row, "e1")

    assert (item["link"], item["badge"]) == (link, kinds.of(kind).badge)
    assert frames.notification(row, "e1").seq == 3


# --- a toy kind -----------------------------------------------------------------------------------------------------


class PriceDropped(events.BidderNotice, frozen=True, kw_only=True):
    """A toy event, to show what a new kind takes."""

    price: int
    currency: str


TOY = kinds.Kind(
    name="PRICE_DROPPED",
    events=(PriceDropped,),
    audience=(kinds.Audience.BIDDER,),
    headline=lambda f: f"“{f.title}” costs {f.money('price')} now",
    badge="Cheaper",
    mood="good",
    template="price_dropped.txt",
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, db: None) -> None:
    """One row and one template."""
    monkeypatch.setitem(kinds.TABLE, TOY.name, TOY)
    directory = tmp_path / "notifications" / "email"
    directory.mkdir(parents=True)
    (directory / TOY.template).write_text(
        '{% extends "notifications/email/base.txt" %}{% block text %}Bid {{ money.price }} or more.{% endblock %}'
    )
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]


@pytest.mark.django_db(databases=["notifications"])
def test_a_kind_of_one_row_is_in_the_feed_the_mail_and_the_api(
    toy: None, user_id: str, client_of: Callable[[str], APIClient]
) -> None:
    event = PriceDropped(
        user_id=user_id, auction_id="a" * 32, seq=7, title="Lamp", at=5, price=1250, currency="EUR"
    )
    envelope = contracts.Envelope(
        id="event-1",
        type="PriceDropped",
        source="tests",
        time=conftest.NOW,
        subject=user_id,
        version=0,
        correlationid="c" * 32,
    )

    for _ in range(2):
        handlers.of_kinds()[PriceDropped]([consuming.Received(envelope, event)])

    (row,) = selectors.list_after(user_id=user_id, seq=0, limit=9)
    (email,) = models.Email.objects.all()
    message = mailing.compose(email.notification, "ada@example.org")
    assert (row.kind, row.source, row.at) == ("PRICE_DROPPED", "event-1", 5)
    assert message.subject == "“Lamp” costs €12.50 now"
    assert message.body.startswith("“Lamp” costs €12.50 now.\n\nBid €12.50 or more.\n\nThe auction: http")
    assert "because you bid on Gavel" in message.body
    (item,) = client_of(user_id).get("/api/v1/notifications").json()["items"]
    assert item == frames.item(row, selectors.get_head(user_id).epoch) | {"read": False}
    assert {name: item[name] for name in ("kind", "text", "badge", "mood", "link")} == {
        "kind": "price_dropped",
        "text": "“Lamp” costs €12.50 now",
        "badge": "Cheaper",
        "mood": "good",
        "link": f"/auctions/{'a' * 32}",
    }
