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
        (
            events.SavedSearchMatched(
                user_id=USER,
                search_id="s",
                search="brass, among the lots",
                product_id="p",
                title="Lamp",
                slug="",
                price=1000,
                currency="EUR",
                auction_id=AUCTION,
            ),
            "SEARCH_MATCHED",
            {"auction_id": AUCTION, "price": 1000, "search": "brass, among the lots"},
        ),
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


UNPAID = events.CheckoutUnpaid(
    checkout_id="d" * 32,
    sale_id=f"{'d' * 32}-1",
    order_number=NUMBER,
    user_id=USER,
    title="Lamp",
    reason="payment_refused",
    detail="Card refused.",
    pay_by_at=1_772_366_390_250,
)
_OF_CHECKOUT = {"auction_id": "", "sale_id": UNPAID.sale_id}


@pytest.mark.parametrize("is_last", [False, True])
def test_the_buyer_of_a_checkout_reads_once_that_its_payment_failed(is_last: bool) -> None:
    of_sagas = events.BidFailed(
        **_FAILED | _OF_CHECKOUT, checkout_id=UNPAID.checkout_id, reason="payment_refused"
    )
    others = [msgspec.structs.replace(DECLINED, **_OF_CHECKOUT), of_sagas]

    for number, event in enumerate([*others, UNPAID] if is_last else [UNPAID, *others]):
        handle(event, f"event-{number}")

    ((_, kind, data),) = notified()
    assert (kind, data["pay_by_at"]) == ("CHECKOUT_UNPAID", UNPAID.pay_by_at)


@pytest.mark.parametrize("is_last", [False, True])
def test_an_unpaid_checkout_overtakes_the_notice_of_its_cancelled_order(is_last: bool) -> None:
    cancelled = msgspec.structs.replace(CANCELLED, **_OF_CHECKOUT)

    for number, event in enumerate([cancelled, UNPAID] if is_last else [UNPAID, cancelled]):
        handle(event, f"event-{number}")

    standing = models.Notification.objects.filter(withdrawn_at=None)
    assert list(standing.values_list("kind", flat=True)) == ["CHECKOUT_UNPAID"]


PAID = events.OrderConfirmed(
    order_number="GV-BBBB-BBBB-BBBB",
    sale_id=f"{'d' * 32}-3",
    auction_id="",
    checkout_id=UNPAID.checkout_id,
    user_id=USER,
    amount=1250,
    currency="EUR",
    title="Lamp",
)


@pytest.mark.parametrize("is_last", [True, False])
def test_a_paid_checkout_overtakes_the_notices_of_its_failed_payments_and_their_mails(is_last: bool) -> None:
    second = msgspec.structs.replace(UNPAID, sale_id=f"{'d' * 32}-2", order_number="GV-CCCC-CCCC-CCCC")

    for number, event in enumerate([UNPAID, second, PAID] if is_last else [PAID, UNPAID, second]):
        handle(event, f"event-{number}")

    standing = models.Notification.objects.filter(withdrawn_at=None)
    assert list(standing.values_list("kind", flat=True)) == ["ORDER_CONFIRMED"]
    mails = models.Email.objects.filter(state=models.EmailState.PENDING)
    assert [mail.notification.kind for mail in mails] == ["ORDER_CONFIRMED"]


def test_a_paid_checkout_overtakes_no_notice_of_another_one_and_an_order_of_an_auction_none() -> None:
    of_auction = msgspec.structs.replace(PAID, checkout_id="", order_number="GV-DDDD-DDDD-DDDD")
    of_another = msgspec.structs.replace(PAID, checkout_id="e" * 32)

    happened = [(UNPAID, "1"), (of_another, "2"), (of_auction, "3")]
    handlers.SUBSCRIPTION.handlers[type(UNPAID)](
        [
            consuming.Received(conftest.envelope_of(event, event_id=event_id), event)
            for event, event_id in happened
        ]
    )

    assert models.Notification.objects.filter(withdrawn_at=None).count() == 3


def new_operator(user_id: str) -> events.AccountChanged:
    return events.AccountChanged(
        user_id=user_id,
        version=1,
        email="x@example.org",
        email_verified=True,
        created_at=0,
        roles=("operator",),
        closed=False,
    )


def test_low_stock_notifies_every_operator() -> None:
    for user_id in ("b" * 32, "a" * 32):
        handle(new_operator(user_id))

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
        "checkouts",
        "inventory.stock",
        "orders",
        "saved-searches",
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


_REQUEST = {"seller_id": "s", "reason": "Scratched."}
ASKED = events.ReturnRequested(**_ORDER, **_REQUEST, request_id="q1", lines=())
ACCEPTED = events.ReturnDecided(**_ORDER, **_REQUEST, request_id="q1", accepted=True)
DECLINED_RETURN = msgspec.structs.replace(ACCEPTED, accepted=False)
KEPT = events.ReturnWithdrawn(**_ORDER, seller_id="s", request_id="q1")
NEXT_ASKED = msgspec.structs.replace(ASKED, request_id="q2")
BACK = events.OrderReturned(**_ORDER, return_id="r", lines=(), reason="Scratched.", request_ids=("q1", "q2"))
OTHER_BACK = msgspec.structs.replace(BACK, request_ids=())


@pytest.mark.parametrize(
    ("handled", "left"),
    [
        ([ASKED, ACCEPTED], ["RETURN_DECIDED"]),
        ([ASKED, ACCEPTED, DECLINED_RETURN], ["RETURN_DECIDED"]),
        ([ASKED, DECLINED_RETURN, NEXT_ASKED], ["RETURN_DECIDED", "RETURN_ASKED"]),
        ([ASKED, NEXT_ASKED, ACCEPTED], ["RETURN_ASKED", "RETURN_DECIDED"]),
        ([ASKED, KEPT], ["RETURN_WITHDRAWN"]),
        ([ASKED, ACCEPTED, KEPT, NEXT_ASKED], ["RETURN_WITHDRAWN", "RETURN_ASKED"]),
        ([ASKED, ACCEPTED, NEXT_ASKED, BACK], ["ORDER_RETURNED"]),
        ([ASKED, OTHER_BACK], ["RETURN_ASKED", "ORDER_RETURNED"]),
    ],
)
def test_a_notice_of_a_return_overtakes_those_of_its_own_request(
    handled: list[events.Event], left: list[str]
) -> None:
    for number, event in enumerate(handled):
        handle(event, f"event-{number}")

    assert not_withdrawn() == left


_TO_SELLER = {
    "order_number": NUMBER,
    "sale_id": SALE,
    "title": "Lamp",
    "quantity": 1,
    "amount": 1250,
    "currency": "EUR",
    "reason": "Scratched.",
}


def test_a_sellers_notice_of_a_return_is_overtaken_and_the_houses_goes_to_its_operators() -> None:
    request = {**_TO_SELLER, "request_id": "q1"}
    for number, event in enumerate(
        (
            events.LinesReturnRequested(**request, user_id=USER),
            events.LinesReturnDecided(**request, user_id=USER, accepted=True),
            events.LinesReturned(**_TO_SELLER, user_id=USER, request_ids=("q1",)),
            events.HouseReturnRequested(**request, user_id="house"),
        )
    ):
        handle(event, f"event-{number}")

    assert not_withdrawn() == ["SALE_RETURNED"]
    assert models.Notification.objects.count() == 3  # there is no operator


def test_what_a_buyer_withdraws_is_nothing_to_answer_any_more() -> None:
    handle(new_operator(USER), "account")
    for number, event in enumerate(
        (
            events.LinesReturnRequested(**_TO_SELLER, user_id=USER, request_id="q1"),
            events.HouseReturnRequested(**_TO_SELLER, user_id="house", request_id="q2"),
            events.LinesReturnWithdrawn(**_TO_SELLER, user_id=USER, request_id="q1"),
            events.HouseReturnWithdrawn(**_TO_SELLER, user_id="house", request_id="q2"),
        )
    ):
        handle(event, f"event-{number}")

    assert not_withdrawn() == ["SALE_RETURN_WITHDRAWN", "HOUSE_RETURN_WITHDRAWN"]


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
