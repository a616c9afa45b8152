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
    "NextInLine": "NEXT_IN_LINE",
    "Lost": "LOST",
    "NotSold": "NOT_SOLD",
    "AuctionCancelled": "AUCTION_CANCELLED",
    "OrderConfirmed": "ORDER_CONFIRMED",
    "OrderCancelled": "ORDER_CANCELLED",
    "BidFailed": "ORDER_CANCELLED",
    "PaymentDeclined": "PAYMENT_DECLINED",
    "LotSold": "LOT_SOLD",
    "LotUnsold": "LOT_UNSOLD",
    "StockLow": "LOW_STOCK",
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
    assert [kind.name for kind in kinds.TABLE.values() if kind.is_for_operators] == ["LOW_STOCK"]
    assert all(len(kind.audience) == 1 for kind in kinds.TABLE.values() if kind.is_for_operators)


def test_a_kind_replaces_kinds_of_the_table() -> None:
    replaced = {name for kind in kinds.TABLE.values() for name in kind.replaces}

    assert replaced == {"OUTBID", "LEADING", "NEXT_IN_LINE", "WON"}
    assert replaced <= kinds.TABLE.keys()
    assert kinds.ends_of("WON") == ["ORDER_CANCELLED"]
    assert kinds.ends_of("OUTBID") == []


@pytest.mark.parametrize(
    ("kind", "badge", "mood"),
    [
        ("OUTBID", "Outbid", "bad"),
        ("LEADING", "Leading", "good"),
        ("WON", "Yours", "good"),
        ("NEXT_IN_LINE", "Next in line", "warn"),
        ("LOST", "Not won", ""),
        ("NOT_SOLD", "Not sold", ""),
        ("AUCTION_CANCELLED", "Cancelled", "warn"),
        ("ORDER_CONFIRMED", "Order", "good"),
        ("ORDER_CANCELLED", "Order", "bad"),
        ("PAYMENT_DECLINED", "Payment", "bad"),
        ("LOT_SOLD", "Sold", "good"),
        ("LOT_UNSOLD", "Not sold", "warn"),
        ("LOW_STOCK", "Stock", "warn"),
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
            "PAYMENT_DECLINED",
            {"order_number": "GV-1", "title": "Lamp"},
            "The payment for your order GV-1 for “Lamp” was declined",
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
        ("ORDER_CONFIRMED", _OF_A_SALE, "/orders/GV-1"),
        ("ORDER_CANCELLED", _OF_A_SALE, "/auctions/a1"),
        ("PAYMENT_DECLINED", _OF_A_SALE, "/auctions/a1"),
        ("LOW_STOCK", {"product_id": "p1"}, "/admin/inventory/product/p1/change/"),
    ],
)
def test_a_notification_links_to_what_it_is_about(kind: str, figures: dict[str, Any], link: str) -> None:
    assert kinds.of(kind).link_of(figures) == link


@pytest.mark.parametrize(
    ("kind", "figures", "link"),
    [
        ("WON", {"auction_id": "a1"}, "/auctions/a1"),
        ("ORDER_CANCELLED", {"order_number": "GV-1"}, "/orders"),
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
