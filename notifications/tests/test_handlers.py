"""Handlers: which event notifies whom of what; a repeated event changes nothing."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from django.db import transaction

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import broker, consuming, dead_letters, failure
from auction_project.kernel.messaging.backends import memory
from notifications import handlers, kinds, models, redis_clients, selectors, wording
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])

USER, AUCTION, SALE, NUMBER = "c" * 32, "a" * 32, f"{'a' * 32}-7", "GV-AAAA-BBBB-CCCC"
_NOTICE = {"user_id": USER, "auction_id": AUCTION, "seq": 7, "title": "Lamp", "at": 5}
_ORDER = {
    "order_number": NUMBER,
    "sale_id": SALE,
    "auction_id": AUCTION,
    "user_id": USER,
    "amount": 1250,
    "currency": "EUR",
    "title": "Lamp",
}
_STOCK = {
    "product_id": "p",
    "version": 3,
    "title": "Lamp",
    "on_hand": 4,
    "available": 2,
    "reserved": 1,
    "committed": 1,
}
_FAILED = {
    "sale_id": SALE,
    "order_number": NUMBER,
    "auction_id": AUCTION,
    "user_id": USER,
    "detail": "Card refused.",
}

OUTBID = events.Outbid(**_NOTICE, price=1300, minimum=1350, currency="EUR", ends_at=9)
CANCELLED = events.OrderCancelled(**_ORDER, reason="stock_refused")
DECLINED = events.PaymentDeclined(**_ORDER, reason="Card refused.")
FAILED = events.BidFailed(**_FAILED, reason="payment_refused")


def handle(event: events.Event, event_id: str = "event-1") -> None:
    """As the consumer does: inside a transaction."""
    with transaction.atomic(using=models.DATABASE):
        received = consuming.Received(conftest.envelope_of(event, event_id=event_id), event)
        handlers.SUBSCRIPTION.handlers[type(event)]([received])


def notified() -> list[tuple[str, str, dict[str, Any]]]:
    return list(models.Notification.objects.order_by("seq").values_list("user_id", "kind", "data"))


@pytest.mark.parametrize(
    ("event", "kind", "figures"),
    [
        (OUTBID, "OUTBID", {"price": 1300, "minimum": 1350, "currency": "EUR", "ends_at": 9}),
        (events.Leading(**_NOTICE, price=9, currency="EUR", ends_at=9), "LEADING", {"price": 9}),
        (
            events.Won(**_NOTICE, sale_id=SALE, order_number=NUMBER, price=9, currency="EUR"),
            "WON",
            {"order_number": NUMBER, "quantity": 1},
        ),
        (events.Lost(**_NOTICE, price=9, currency="EUR"), "LOST", {"price": 9}),
        (events.AuctionCancelled(**_NOTICE, reason="broken"), "AUCTION_CANCELLED", {"reason": "broken"}),
        (events.OrderConfirmed(**_ORDER), "ORDER_CONFIRMED", {"amount": 1250, "currency": "EUR"}),
        (CANCELLED, "ORDER_CANCELLED", {"reason": "stock_refused"}),
        (DECLINED, "PAYMENT_DECLINED", {"reason": "Card refused."}),
        (FAILED, "ORDER_CANCELLED", {"reason": "payment_refused", "detail": "Card refused."}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_notifies_the_user_it_concerns(
    event: events.Event, kind: str, figures: dict[str, Any]
) -> None:
    handle(event)

    ((user_id, stored_kind, data),) = notified()
    assert (user_id, stored_kind) == (USER, kind)
    assert data.items() >= figures.items()
    assert "user_id" not in data


def test_low_stock_notifies_every_operator() -> None:
    for user_id in ("b" * 32, "a" * 32):
        account = events.AccountChanged(
            user_id=user_id,
            version=1,
            email="x@example.org",
            email_verified=True,
            created_at=0,
            roles=("operator",),
            closed=False,
        )
        handle(account)

    handle(events.StockLow(**_STOCK, threshold=2))

    assert sorted((user_id, kind) for user_id, kind, _ in notified()) == [
        ("a" * 32, "LOW_STOCK"),
        ("b" * 32, "LOW_STOCK"),
    ]


@pytest.mark.parametrize(
    "order", [(CANCELLED, FAILED), (FAILED, CANCELLED)], ids=["order first", "sale first"]
)
def test_the_end_of_an_order_is_one_notification_with_the_reason_that_came_first(
    order: tuple[events.Event, ...],
) -> None:
    for i, event in enumerate(order):
        handle(event, event_id=f"event-{i}")

    ((_, kind, data),) = notified()
    assert (kind, data["reason"]) == ("ORDER_CANCELLED", order[0].reason)


def test_a_requested_listing_is_an_auction_that_can_be_watched() -> None:
    listing = events.ListingRequested(
        auction_id=AUCTION, product_id="p", quantity=1, format="english", allocate="on_listing", requested_by=USER,
        as_operator=False,
    )  # fmt: skip

    handle(listing, event_id="event-1")
    handle(listing, event_id="event-2")

    assert selectors.list_known_auctions([AUCTION, "b" * 32]) == {AUCTION}
    assert notified() == []


def test_a_session_that_ended_is_kept_for_the_streams() -> None:
    handle(events.SessionEnded(user_id=USER, session_id="s1"))

    assert selectors.list_ends([USER]) == {USER: selectors.Ends(False, frozenset({"s1"}))}
    assert notified() == []


def test_every_event_of_a_kind_is_read_and_three_that_notify_no_user() -> None:
    of_kinds = [event_type for kind in kinds.TABLE.values() for event_type in kind.events]

    assert len(of_kinds) == len(set(of_kinds))
    assert all(kind.events for kind in kinds.TABLE.values())
    assert handlers.SUBSCRIPTION.handlers.keys() - set(of_kinds) == {
        events.AccountChanged,
        events.SessionEnded,
        events.ListingRequested,
    }


def test_the_two_groups_read_what_the_design_names() -> None:
    assert handlers.SUBSCRIPTION.topics == (
        "accounts",
        "auction.lots",
        "auction.private",
        "bid-failed",
        "inventory.stock",
        "orders",
    )
    assert handlers.AUCTION_FRAMES.topics == ("auction.log",)
    assert handlers.AUCTION_FRAMES.inbox is None


def test_each_seq_of_the_log_is_framed_by_one_record() -> None:
    records = {each for each in events.BY_NAME.values() if issubclass(each, events.LogRecord)}

    assert records - set(handlers.AUCTION_FRAMES.handlers) == {events.AuctionExtended}


def consume(
    subscription: consuming.Subscription, topic: str, event: events.Event, *, times: int
) -> memory.MemoryBroker:
    """Deliver the same message to a consumer `times` times."""
    transport = memory.MemoryBroker()
    message = contracts.encode(
        event, event_id="e1", source="bidding", time=conftest.NOW, version=0, correlation_id="c" * 32
    )
    transport.append([broker.Message(topic, event.key(), message)] * times)
    loop = consuming.ConsumerLoop(subscription, transport, member="m")
    for _ in range(times):
        loop.step()
    return transport


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_a_message_delivered_twice_is_one_notification(no_wakeup: None) -> None:
    transport = consume(handlers.SUBSCRIPTION, "auction.private", OUTBID, times=2)

    assert len(notified()) == 1
    assert transport.lag("notifications", ["auction.private"]) == 0


def test_frames_need_no_postgresql(auction_id: str, django_assert_num_queries: Callable[..., Any]) -> None:
    with django_assert_num_queries(0, using=models.DATABASE):
        transport = consume(handlers.AUCTION_FRAMES, "auction.log", conftest.bid(auction_id, 1), times=2)

    assert transport.lag("auction-frames", ["auction.log"]) == 0
    assert redis_clients.blocking().llen(redis_clients.frames_key(auction_id)) == 1


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_what_cannot_be_shown_is_a_dead_letter_and_leaves_the_feed_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failure, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(consuming, "POLL_SECONDS", 0.05)
    handle(OUTBID)
    transport = memory.MemoryBroker()
    loop = consuming.ConsumerLoop(handlers.SUBSCRIPTION, transport, member="one")
    unknown = msgspec.structs.replace(OUTBID, currency="XXX")
    transport.append([broker.Message(OUTBID.TOPIC, USER, conftest.encoded(unknown, "event-2"))])

    while transport.lag(handlers.SUBSCRIPTION.group, [OUTBID.TOPIC]):
        loop.step()

    (letter,) = transport.read(dead_letters.topic_of(OUTBID.TOPIC))
    assert dead_letters.decode(letter)[1].error == "KeyError('XXX')"
    assert [kind for _, kind, _ in notified()] == ["OUTBID"]
    assert models.Feed.objects.get(user_id=USER).last_seq == 1


# --- notices that later ones overtake, and emails ---------------------------------------------------------------------

LEADING = events.Leading(**_NOTICE, price=1300, currency="EUR", ends_at=9)
WON = events.Won(**_NOTICE, sale_id=SALE, order_number=NUMBER, price=1300, currency="EUR")
BOUGHT = msgspec.structs.replace(WON, bought=True)
LOST = events.Lost(**_NOTICE, price=1300, currency="EUR")
NEXT = events.NextInLine(**_NOTICE, price=1300, next_price=1000, currency="EUR")
NOT_SOLD = events.NotSold(**_NOTICE, price=1300, currency="EUR", highest=True, missed_by_percent=10)


def not_withdrawn() -> list[str]:
    """The kinds of the notices that are not withdrawn, oldest first."""
    rows = models.Notification.objects.filter(withdrawn_at=None).order_by("seq")
    return list(rows.values_list("kind", flat=True))


def emails() -> list[tuple[str, str]]:
    """(kind, state) of each e-mail, oldest first."""
    rows = models.Email.objects.order_by("notification__seq")
    return list(rows.values_list("notification__kind", "state"))


@pytest.mark.parametrize(
    ("handled", "left"),
    [
        ([OUTBID, LEADING], ["LEADING"]),
        ([LEADING, OUTBID, OUTBID], ["OUTBID"]),
        ([LEADING, WON], ["WON"]),
        ([OUTBID, NEXT, LOST], ["LOST"]),
        ([OUTBID, NEXT, WON], ["WON"]),
        ([OUTBID, NOT_SOLD], ["NOT_SOLD"]),
        ([WON, CANCELLED], ["ORDER_CANCELLED"]),
        ([CANCELLED, WON], ["ORDER_CANCELLED"]),
    ],
)
def test_a_notice_withdraws_those_that_it_overtakes(handled: list[events.Event], left: list[str]) -> None:
    for number, event in enumerate(handled):
        handle(event, f"event-{number}")

    assert not_withdrawn() == left
    assert models.Notification.objects.count() == len(handled)


def test_a_notice_of_another_lot_withdraws_nothing() -> None:
    handle(OUTBID, "event-1")
    handle(msgspec.structs.replace(LOST, auction_id="b" * 32), "event-2")

    assert not_withdrawn() == ["OUTBID", "LOST"]


def test_the_email_of_a_withdrawn_notice_is_dropped() -> None:
    handle(OUTBID, "event-1")
    handle(LOST, "event-2")

    assert emails() == [("OUTBID", "DROPPED"), ("LOST", "PENDING")]


def test_the_answer_to_the_readers_own_bid_is_not_mailed() -> None:
    handle(msgspec.structs.replace(OUTBID, own_bid=True))
    handle(LEADING, "event-2")

    assert (len(notified()), emails()) == (2, [])


@pytest.mark.parametrize(
    "order",
    list(itertools.permutations((BOUGHT, DECLINED, FAILED))),
    ids=lambda order: ", ".join(type(event).__name__ for event in order),
)
def test_a_declined_purchase_is_three_notices_and_one_email(order: tuple[events.Event, ...]) -> None:
    for number, event in enumerate(order):
        handle(event, f"event-{number}")

    assert len(notified()) == 3
    assert emails() == [("ORDER_CANCELLED", "PENDING")]


def test_a_win_is_mailed() -> None:
    handle(WON)

    assert emails() == [("WON", "PENDING")]


@pytest.mark.parametrize("is_back", ["reads", "bids"])
def test_outbid_is_mailed_once_a_lot_until_the_reader_is_back(is_back: str) -> None:
    handle(OUTBID, "event-1")
    handle(OUTBID, "event-2")
    assert [kind for kind, _ in emails()] == ["OUTBID"]

    if is_back == "reads":
        models.Feed.objects.filter(user_id=USER).update(read_seq=2)
    else:
        handle(LEADING, "event-3")
    handle(OUTBID, "event-4")

    assert [kind for kind, _ in emails()] == ["OUTBID", "OUTBID"]


def test_the_notice_of_an_unsold_lot_hides_its_reserve() -> None:
    handle(NOT_SOLD)

    (_, kind, data) = notified()[0]
    text = kinds.of(kind).text_of(wording.public(data))
    assert text == "“Lamp” was not sold: your highest bid missed the reserve by less than 10 %"


def test_the_seller_is_notified_of_sales_and_of_unsold_lots() -> None:
    handle(events.LotSold(**_NOTICE, sale_id=SALE, price=2600, currency="EUR", quantity=2), "event-1")
    handle(events.LotUnsold(**_NOTICE, bids=0, reserve_met=True), "event-2")

    texts = [kinds.of(kind).text_of(wording.public(data)) for _, kind, data in notified()]
    assert texts == ["Sold: 2 × “Lamp” for €26.00", "“Lamp” was not sold"]


@pytest.mark.parametrize(
    ("price", "currency", "shown"),
    [
        (1_319_38, "EUR", "€1,319.38"),
        (99, "EUR", "€0.99"),
        (1_250_000, "JPY", "¥1,250,000"),
        (12_50, "CHF", "CHF 12.50"),
    ],
)
def test_an_amount_in_a_text_is_written_as_on_the_pages(price: int, currency: str, shown: str) -> None:
    figures = wording.public({"price": price, "currency": currency, "title": "Lamp"})

    assert kinds.of("LOST").text_of(figures) == f"“Lamp” went to another bidder for {shown}"
