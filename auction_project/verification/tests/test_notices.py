"""N4 finds each notice that contradicts its lot, sale or order, and none that is true."""

from collections import deque
from datetime import UTC, datetime
from typing import Any

import pytest

from auction_project.kernel import ids
from auction_project.verification import notices, world
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, listing, open_lot
from notifications import kinds, models, services

pytestmark = pytest.mark.django_db(databases=["notifications"])

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def violations(lot: lots.Lot, kind: str, user_id: str, about: dict[str, Any], facts: set[str]) -> list[str]:
    """What N4 says of one notice about `lot`; `facts` are those of the order of each of its sales."""
    stores = world.World()
    deque(stores.follow(lot.state.auction_id, lot.state.seq, iter(lot.entries)), maxlen=0)
    stores.facts.update({sale.order_number: facts for sale in stores.sales.values()})
    figures = {"auction_id": lot.state.auction_id, "title": "Lamp", "currency": "EUR"}
    notice = models.Request(
        user_id=user_id, kind=kinds.of(kind), source=kind, data=figures | about, at=0, correlation_id="c"
    )
    services.notify([notice], now=NOW)
    finding = notices.check(stores)
    assert (finding.invariant, finding.checked) == ("N4", 1)
    return list(finding.violations)


def leading() -> lots.Lot:
    """ANN leads, BEN is outbid."""
    lot = open_lot()
    lot.bid(BEN, 30_00)
    lot.bid(ANN, 40_00)
    return lot


def closed(reserve: int | None = None, **terms: Any) -> lots.Lot:
    """ANN's sale is under way (lot-7), BEN is next in line, CID is not; nothing is sold below a `reserve`."""
    lot = open_lot(reserve=reserve, **terms)
    for bidder, maximum in ((CID, 12_00), (BEN, 30_00), (ANN, 40_00)):
        lot.bid(bidder, maximum)
    lot.close()
    return lot


def settled() -> lots.Lot:
    lot = closed()
    lot.settle("lot-7")
    return lot


def awarded() -> lots.Lot:
    """ANN has a day to pay."""
    return closed(pay_within_ms=24 * lots.HOUR)


def paid() -> lots.Lot:
    lot = awarded()
    lot.settle("lot-7")
    return lot


def failed() -> lots.Lot:
    lot = closed()
    lot.fail("lot-7")
    return lot


def cancelled_listing() -> lots.Lot:
    """ANN has bought, BEN's sale is under way."""
    lot = listing()
    lot.bid(ANN)
    lot.settle("lot-4")
    lot.bid(BEN)
    lot.cancel("operator")
    return lot


SALE = {"sale_id": "lot-7", "order_number": ids.order_number("lot-7"), "price": 31_00, "quantity": 1}
BY_KIND: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    # kind: the worlds in which the notice is true, and those in which it is not; (lot, user, about, facts of the order)
    "OUTBID": ([(leading, BEN)], [(leading, ANN)]),
    "LEADING": ([(leading, ANN)], [(leading, BEN), (closed, ANN)]),
    "WON": (
        [(closed, ANN, SALE), (settled, ANN, SALE), (awarded, ANN, SALE)],
        [
            (paid, ANN, SALE),
            (failed, ANN, SALE),
            (closed, BEN, SALE),
            (closed, ANN, SALE | {"price": 40_00}),
            (closed, ANN, SALE | {"quantity": 2}),
            (closed, ANN, SALE | {"sale_id": "lot-9"}),
        ],
    ),
    "LOT_PAID": ([(paid, ANN, SALE)], [(awarded, ANN, SALE)]),
    "NEXT_IN_LINE": ([(closed, BEN)], [(closed, CID), (settled, BEN)]),
    "LOST": ([(settled, BEN)], [(settled, ANN), (closed, BEN), (lambda: closed(90_00), BEN)]),
    "NOT_SOLD": ([(lambda: closed(90_00), BEN)], [(settled, BEN)]),
    "LOT_UNSOLD": ([(lambda: closed(90_00), lots.SELLER)], [(closed, lots.SELLER)]),
    "LOT_SOLD": ([(settled, lots.SELLER, SALE)], [(closed, lots.SELLER, SALE), (failed, lots.SELLER, SALE)]),
    "AUCTION_CANCELLED": (
        [(cancelled_listing, BEN, {"sale_pending": True})],
        [(cancelled_listing, ANN, {"sale_pending": False}), (settled, BEN, {"sale_pending": False})],
    ),
    "ORDER_CONFIRMED": ([(settled, ANN, SALE, {"CONFIRMED"})], [(failed, ANN, SALE, {"CANCELLED"})]),
    "ORDER_CANCELLED": ([(failed, ANN, SALE, {"CANCELLED"})], [(settled, ANN, SALE, {"CONFIRMED"})]),
    "CHECKOUT_UNPAID": ([(failed, ANN, SALE)], [(settled, ANN, SALE), (closed, ANN, SALE)]),
    "PAYMENT_DECLINED": ([(failed, ANN, SALE, {"CANCELLED"})], [(settled, ANN, SALE, {"CONFIRMED"})]),
}


@pytest.mark.parametrize(
    ("is_true", "kind", "case"),
    [
        (is_true, kind, case)
        for kind, both in BY_KIND.items()
        for is_true, cases in zip((True, False), both, strict=True)
        for case in cases
    ],
)
def test_a_notice_is_true_of_what_it_is_about_or_named(
    is_true: bool, kind: str, case: tuple[Any, ...]
) -> None:
    make, user_id, *rest = case
    about, facts = (*rest, {}, set())[:2] if rest else ({}, set())

    found = violations(make(), kind, user_id, about, facts)

    subject = about.get("sale_id", "lot")
    assert found == ([] if is_true else [f"{user_id}: {kind} 1 is not true of {subject}"])


@pytest.mark.parametrize(("outcome", "is_true"), [("settled", False), ("sale_failed", True), ("", True)])
def test_a_failed_payment_is_news_until_a_later_one_of_the_checkout_succeeds(
    outcome: str, is_true: bool
) -> None:
    sales = [
        world.Sale(sale_id=f"c-{number}", user_id=ANN, price=1, quantity=1, outcome=ended)
        for number, ended in ((1, "sale_failed"), (2, outcome))
    ]
    data = {"sale_id": "c-1", "title": "Lamp", "reason": "payment_refused", "pay_by_at": 0}
    notice = models.Request(
        user_id=ANN, kind=kinds.of("CHECKOUT_UNPAID"), source="1", data=data, at=0, correlation_id="c"
    )
    services.notify([notice], now=NOW)
    stores = world.World(sales={sale.sale_id: sale for sale in sales})

    found = list(notices.check(stores).violations)

    assert found == ([] if is_true else [f"{ANN}: CHECKOUT_UNPAID 1 is not true of c-1"])


# --- parcels and money that goes back ----------------------------------------------------------------------------------

_ORDER = {
    "order_number": "GV-1",
    "seller_id": "s",
    "refund_id": "r1",
    "return_id": "b1",
    "request_id": "q1",
    "accepted": True,
    "title": "Lamp",
}


OF_ORDERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # kind, what is known of its order when the notice is true, and when it is not
    ("ORDER_SHIPPED", {"parts": {("s", "SHIPPED")}}, {"parts": {("other", "SHIPPED")}}),
    ("ORDER_DELIVERED", {"parts": {("s", "SHIPPED"), ("s", "DELIVERED")}}, {"parts": {("s", "SHIPPED")}}),
    ("SALE_SHIPPED", {"parts": {(ANN, "SHIPPED")}}, {"parts": {("other", "SHIPPED")}}),
    ("SALE_DELIVERED", {"parts": {(ANN, "SHIPPED"), (ANN, "DELIVERED")}}, {"parts": {(ANN, "SHIPPED")}}),
    ("ORDER_REFUNDED", {"given_back": {"r1"}}, {"given_back": {"r2"}}),
    ("ORDER_RETURNED", {"given_back": {"b1"}}, {"given_back": set()}),
    ("SALE_RETURNED", {"given_back": {"b1"}}, {"given_back": set()}),
    *(
        (
            f"{whose}RETURN_ASKED",
            {"requests": {("q1", "ASKED")}},
            {"requests": {("q1", "ACCEPTED"), ("q2", "ASKED")}},
        )
        for whose in ("", "SALE_", "HOUSE_")
    ),
    *(
        (
            f"{whose}RETURN_DECIDED",
            {"requests": {("q1", state)}},
            {"requests": {("q1", "DECLINED"), ("q2", state)}},
        )
        for whose, state in (("", "ACCEPTED"), ("SALE_", "ACCEPTED"), ("HOUSE_", "RETURNED"))
    ),
    *(
        (
            f"{whose}RETURN_WITHDRAWN",
            {"requests": {("q1", "WITHDRAWN")}},
            {"requests": {("q1", "ASKED"), ("q2", "WITHDRAWN")}},
        )
        for whose in ("", "SALE_", "HOUSE_")
    ),
    ("SOLD", {"facts": {"PLACED", "CONFIRMED"}}, {"facts": {"PLACED", "CONFIRMED", "CANCELLED"}}),
    ("SALE_CANCELLED", {"facts": {"CONFIRMED", "CANCELLED"}}, {"facts": {"CONFIRMED"}}),
    ("ORDER_CANCELLED", {"facts": {"CONFIRMED", "CANCELLED"}}, {"facts": {"CONFIRMED"}}),
]


@pytest.mark.parametrize(("kind", "true", "false"), OF_ORDERS)
def test_a_notice_about_a_parcel_or_a_refund_is_true_of_its_order(
    kind: str, true: dict[str, Any], false: dict[str, Any]
) -> None:
    data = {name: value for name, value in _ORDER.items() if name != "seller_id" or kind.startswith("ORDER")}
    notice = models.Request(
        user_id=ANN, kind=kinds.of(kind), source=kind, data=data, at=0, correlation_id="c"
    )
    services.notify([notice], now=NOW)
    found = []
    for known in (true, false):
        stores = world.World()
        for name, value in known.items():
            getattr(stores, name)["GV-1"] = value
        found.append(list(notices.check(stores).violations))

    assert found == [[], [f"{ANN}: {kind} 1 is not true of GV-1"]]


def test_every_kind_that_says_what_became_of_a_lot_or_order_is_checked() -> None:
    checked = BY_KIND.keys() | {kind for kind, _, _ in OF_ORDERS}

    assert checked == notices._HOLDS.keys() == kinds.TABLE.keys() - {"LOW_STOCK", "SEARCH_MATCHED"}
