"""REST: what an anonymous client, another user, the owner and an operator get; and what no request body may do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from orders import models
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"])

ClientOf = Callable[..., Client]
CARD, ORDERS = "/api/v1/card", "/api/v1/orders"
MILLISECONDS = int(sales.NOW.timestamp() * 1000)


def put(client: Client, body: Any, content_type: str = "application/json") -> Any:
    return client.put(CARD, body, content_type=content_type)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ORDERS),
        ("get", f"{ORDERS}/GV-1"),
        ("get", f"{ORDERS}/statistics"),
        ("get", CARD),
        ("put", CARD),
        ("delete", CARD),
    ],
)
def test_an_anonymous_client_gets_nothing(method: str, path: str) -> None:
    answer = getattr(Client(), method)(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# --- orders ------------------------------------------------------------------------------------------------------


def test_buyers_see_their_order_with_its_status_and_timeline(client_of: ClientOf) -> None:
    sale = sales.sale_with_order()
    sale.assess()
    sale.confirm()

    answer = client_of(sale.user_id).get(f"{ORDERS}/{sale.order_number}")

    assert answer.status_code == 200
    assert answer.json() == {
        "number": sale.order_number,
        "status": "CONFIRMED",
        "title": "A brass sextant",
        "lines": [
            {
                "product_id": "b" * 32,
                "seller_id": "",
                "title": "A brass sextant",
                "quantity": 1,
                "amount": "125.50",
                "auction_id": None,
            },
        ],
        "quantity": 1,
        "shipping": "0.00",
        "amount": "125.50",
        "currency": "EUR",
        "placed_at": MILLISECONDS,
        "sale_id": sale.sale_id,
        "auction_id": sale.auction_id,
        "payment": "CAPTURED",
        "role": "buyer",
        "address": None,
        "shipments": [],
        "refunds": [],
        "refunded": "0.00",
        "returns": [],
        "return_requests": [],
        "returnable": [],
        "possible": ["cancel"],
        "timeline": [
            {"at": MILLISECONDS, "about": "payment", "kind": "STARTED", "detail": ""},
            {"at": MILLISECONDS, "about": "payment", "kind": "CAPTURED", "detail": ""},
            {"at": MILLISECONDS, "about": "order", "kind": "PLACED", "detail": ""},
            {"at": MILLISECONDS, "about": "order", "kind": "CONFIRMED", "detail": ""},
        ],
    }


def test_a_cancelled_order_says_why(client_of: ClientOf) -> None:
    sale = sales.sale_with_order()
    sale.cancel("The stock is gone.")

    body = client_of(sale.user_id).get(f"{ORDERS}/{sale.order_number}").json()

    assert body["status"] == "CANCELLED"
    assert body["timeline"][-1]["detail"] == "The stock is gone."


def test_an_order_of_another_looks_like_none(client_of: ClientOf) -> None:
    sale = sales.sale_with_order()
    stranger = client_of("c" * 32, "bidder", "seller")

    hidden, missing = (stranger.get(f"{ORDERS}/{number}") for number in (sale.order_number, "GV-0000"))

    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json() == missing.json()


def test_an_operator_sees_the_buyer_the_risk_and_what_operators_did(client_of: ClientOf) -> None:
    sale = sales.sale_with_order()
    reasons = sale.assess().as_reasons()
    sale.payment().fact("RESOLVED", now=sales.NOW, detail="ada: It hangs.").save()

    seen = client_of("c" * 32, "operator").get(f"{ORDERS}/{sale.order_number}").json()
    own = client_of(sale.user_id).get(f"{ORDERS}/{sale.order_number}").json()

    assert seen["user_id"] == sale.user_id
    assert seen["risk"] == {"score": 55, "limit": 80, "reasons": reasons}
    assert "ada: It hangs." in [line["detail"] for line in seen["timeline"]]
    assert not {"user_id", "risk"} & set(own)
    assert "RESOLVED" not in [line["kind"] for line in own["timeline"]]


@pytest.mark.parametrize("number", ["%00", "GV-1%00", "x" * 500, "..", "GV'--", "%F0%9F%98%80"])
def test_a_number_that_cannot_be_one_is_not_found(client_of: ClientOf, number: str) -> None:
    assert client_of("u" * 32, "operator").get(f"{ORDERS}/{number}").status_code == 404


def test_my_orders_are_mine_newest_first_and_paged(client_of: ClientOf) -> None:
    user_id = "u" * 32
    numbers = []
    for i in range(5):
        sale = sales.new_sale(user_id=user_id)
        sale.place(now=sales.NOW + timedelta(minutes=i))
        numbers.append(sale.order_number)
    sales.sale_with_order()

    pages = [client_of(user_id).get(ORDERS, {"page": page, "page_size": 2}).json() for page in (1, 2, 3, 4)]

    assert [[item["number"] for item in page["items"]] for page in pages] == [
        [numbers[4], numbers[3]],
        [numbers[2], numbers[1]],
        [numbers[0]],
        [],
    ]
    assert {(page["total"], page["pages"]) for page in pages} == {(5, 3)}
    assert [page["page"] for page in pages] == [1, 2, 3, 4]


def test_the_list_says_whether_there_is_an_order_of_mine_by_that_number(client_of: ClientOf) -> None:
    mine, under_way, anothers = sales.sale_with_order(), sales.new_sale(), sales.sale_with_order()
    client = client_of(mine.user_id)
    numbers = [sale.order_number for sale in (mine, under_way, anothers)]

    answers = [client.get(ORDERS, {"number": number}).json() for number in numbers]

    assert [[item["number"] for item in page["items"]] for page in answers] == [[numbers[0]], [], []]
    assert client.get(ORDERS, {"number": "GV'--"}).json()["field"] == "number"


def test_operators_list_only_their_own_orders(client_of: ClientOf) -> None:
    sales.sale_with_order()

    assert client_of("c" * 32, "operator").get(ORDERS).json() == {
        "items": [],
        "page": 1,
        "pages": 0,
        "total": 0,
    }


def test_the_list_filters_by_status(client_of: ClientOf) -> None:
    placed, confirmed, cancelled = (sales.sale_with_order(user_id="u" * 32) for _ in range(3))
    confirmed.confirm()
    cancelled.cancel()

    for sale, status in ((placed, "PLACED"), (confirmed, "CONFIRMED"), (cancelled, "CANCELLED")):
        [item] = client_of("u" * 32).get(ORDERS, {"status": status}).json()["items"]
        assert (item["number"], item["status"]) == (sale.order_number, status)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("page", "0"),
        ("page", "-1"),
        ("page", "1e30"),
        ("page", "1" + "0" * 30),
        ("page", "NaN"),
        ("page_size", "101"),
        ("page_size", "x"),
        ("status", "PAID"),
        ("status", "\x00"),
        ("role", ""),
        ("page", ""),
    ],
)
def test_a_query_out_of_bounds_is_400_and_names_the_field(
    client_of: ClientOf, field: str, value: str
) -> None:
    answer = client_of("u" * 32).get(ORDERS, {field: value})

    assert (answer.status_code, answer.json()["field"]) == (400, field)


# --- statistics --------------------------------------------------------------------------------------------------


def test_statistics_are_for_operators(client_of: ClientOf) -> None:
    answer = client_of("u" * 32, "bidder", "seller").get(f"{ORDERS}/statistics")

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_statistics_count_and_sum_by_status_and_currency_and_by_day(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders import api

    monkeypatch.setattr(api.timezone, "now", lambda: sales.NOW)
    first, second = sales.sale_with_order(), sales.sale_with_order(amount=100)
    first.confirm()
    second.confirm()
    sales.sale_with_order(amount=5000, currency="JPY").cancel()
    sales.new_sale().place(now=sales.NOW - timedelta(days=1))
    sales.new_sale().place(now=sales.NOW - timedelta(days=30))

    body = client_of("o" * 32, "operator").get(f"{ORDERS}/statistics").json()
    today = client_of("o" * 32, "operator").get(f"{ORDERS}/statistics", {"days": 1}).json()

    assert body["since"] == MILLISECONDS - (29 * 24 + 12) * 3600 * 1000
    assert body["by_status"] == [
        {"status": "CANCELLED", "currency": "JPY", "orders": 1, "amount": "5000"},
        {"status": "CONFIRMED", "currency": "EUR", "orders": 2, "amount": "126.50"},
        {"status": "PLACED", "currency": "EUR", "orders": 1, "amount": "125.50"},
    ]
    assert body["by_day"] == [
        {"day": "2026-11-21", "status": "CANCELLED", "currency": "JPY", "orders": 1, "amount": "5000"},
        {"day": "2026-11-21", "status": "CONFIRMED", "currency": "EUR", "orders": 2, "amount": "126.50"},
        {"day": "2026-11-20", "status": "PLACED", "currency": "EUR", "orders": 1, "amount": "125.50"},
    ]
    assert today["by_day"] == body["by_day"][:2]


@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_statistics_have_a_bound(client_of: ClientOf, days: str) -> None:
    answer = client_of("o" * 32, "operator").get(f"{ORDERS}/statistics", {"days": days})

    assert (answer.status_code, answer.json()["field"]) == (400, "days")


# --- the card ----------------------------------------------------------------------------------------------------


def test_buyers_put_see_replace_and_remove_their_own_card_and_no_other(client_of: ClientOf) -> None:
    mine, other = client_of("u" * 32), client_of("c" * 32)

    assert mine.get(CARD).status_code == 404
    assert put(mine, {"number": "4000 0000 0000 0002"}).status_code == 200
    answer = put(mine, {"number": "4242424242424242"})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "brand": "Gavel Test",
            "last4": "4242",
            "behaviour": "accepts",
            "usable": True,
            "unusable_reason": None,
        },
    )
    assert mine.get(CARD).json() == answer.json()
    assert (other.get(CARD).status_code, other.delete(CARD).status_code) == (404, 404)
    assert mine.delete(CARD).status_code == 204
    assert mine.delete(CARD).status_code == 404


def test_a_card_that_is_asked_for_as_optional_may_be_missing(client_of: ClientOf) -> None:
    client = client_of("u" * 32)

    assert client.get(CARD).status_code == 404
    missing = client.get(f"{CARD}?optional=true")
    assert (missing.status_code, missing.content) == (204, b"")
    assert put(client, {"number": "4242424242424242"}).status_code == 200
    assert client.get(f"{CARD}?optional=true").json() == client.get(CARD).json()


def test_a_suspended_card_says_why_until_the_same_number_is_put_in_again(client_of: ClientOf) -> None:
    mine = client_of("u" * 32)
    put(mine, {"number": "4242424242424242"})
    models.Card.suspend([models.Card.objects.get()], now=sales.NOW)

    assert [mine.get(CARD).json()[name] for name in ("usable", "unusable_reason")] == [False, "declined"]
    answer = put(mine, {"number": "4242424242424242"})

    assert [answer.json()[name] for name in ("usable", "unusable_reason")] == [True, None]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "number"),
        ({"number": None}, "number"),
        ({"number": ""}, "number"),
        ({"number": "4111111111111111"}, "number"),
        ({"number": 4242424242424242}, "number"),
        ({"number": ["4242424242424242"]}, "number"),
        ({"number": {"a": 1}}, "number"),
        ({"number": "4242\x004242"}, "number"),
        ({"number": "4" * 100_0}, "number"),
        ({"number": "4242424242424242", "user_id": "c" * 32}, "user_id"),
        ('{"number": NaN}', None),
        ('{"number": "4242"', None),
        ("[]", None),
        ('"4242424242424242"', None),
        ("", "number"),
    ],
)
def test_a_body_that_is_no_test_card_is_400_and_changes_nothing(
    client_of: ClientOf, body: Any, field: str | None
) -> None:
    client = client_of("u" * 32)
    put(client, {"number": "4242424242424242"})
    before = models.Card.objects.values().get()

    answer = put(client, body)

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert field is None or answer.json()["field"] == field
    assert models.Card.objects.values().get() == before


def test_another_content_type_is_415(client_of: ClientOf) -> None:
    assert (
        put(client_of("u" * 32), "number=4242424242424242", "application/x-www-form-urlencoded").status_code
        == 415
    )
    assert models.Card.objects.count() == 0
