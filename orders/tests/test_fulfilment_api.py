"""REST of fulfilment: what buyers, sellers, operators and others may do and see, and which orders each of them lists."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from auction_project.kernel import instants
from orders import models, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders", "default"])

ClientOf = Callable[..., Client]
ORDERS = "/api/v1/orders"
SHIPMENT = {"carrier": "Post", "tracking_number": "P1"}
ACTS: dict[str, Any] = {
    "shipments": SHIPMENT,
    "deliveries": {},
    "cancellation": {"reason": "Too late."},
    "refunds": {"amount": "25.50", "reason": "A crack."},
    "returns": {"lines": [{"product_id": sales.LAMP, "quantity": 1}], "reason": "A crack."},
    "return-requests": {"lines": [{"product_id": sales.LAMP, "quantity": 1}], "reason": "A crack."},
}


@pytest.fixture(autouse=True)
def _returns_are_taken(settings: Any) -> None:
    """The sales of these tests are as old as their calendar says."""
    settings.RETURN_DAYS = 36_500


def post(client: Client, number: str, act: str, body: Any = None, key: str | None = "k") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    content = ACTS[act] if body is None else body
    return client.post(f"{ORDERS}/{number}/{act}", content, content_type="application/json", headers=headers)


def ship_all(sale: sales.Sale) -> None:
    services.ship_order(
        order_number=sale.order_number,
        actor=sales.operator(),
        carrier="Post",
        tracking_number="P1",
        now=sales.NOW,
    )


def facts() -> tuple[int, ...]:
    """How much has happened."""
    rows = (
        *(models.Shipment, models.Delivery, models.Return, models.Refund, models.OrderFact),
        *(models.ReturnRequest, models.ReturnRequestFact),
    )
    return tuple(row.objects.count() for row in rows)


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "is_shipped", "buyer", "seller", "operator"),
    [
        ("shipments", False, 403, 201, 201),
        ("deliveries", True, 403, 201, 201),
        ("cancellation", False, 201, 403, 201),
        ("refunds", False, 403, 403, 202),
        ("returns", True, 403, 403, 201),
        ("return-requests", True, 201, 403, 403),
    ],
)
def test_each_does_what_is_theirs_to_do_and_others_find_no_order(
    client_of: ClientOf, act: str, is_shipped: bool, buyer: int, seller: int, operator: int
) -> None:
    is_for_operators = act in ("refunds", "returns")
    for user_id, roles, expected in (
        ("c" * 32, ("bidder", "seller"), 403 if is_for_operators else 404),
        ("", ("bidder",), buyer),
        (sales.SELLER, ("seller",), seller),
        (sales.OPERATOR, ("operator",), operator),
    ):
        sale = sales.confirmed_sale()
        if is_shipped:
            ship_all(sale)
        before = facts()
        assert post(Client(), sale.order_number, act).status_code == 401

        answer = post(client_of(user_id or sale.user_id, *roles), sale.order_number, act)

        assert answer.status_code == expected
        assert (facts() == before) == (expected in (403, 404))


@pytest.mark.parametrize("act", ["refunds", "returns", "return-requests"])
def test_what_moves_money_or_stock_or_asks_for_it_needs_a_key(client_of: ClientOf, act: str) -> None:
    sale = sales.confirmed_sale()
    ship_all(sale)
    is_asked = act == "return-requests"
    client = client_of(sale.user_id) if is_asked else client_of(sales.OPERATOR, "operator")

    answer = post(client, sale.order_number, act, key=None)

    assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")
    first, again = (post(client, sale.order_number, act) for _ in range(2))
    assert first.json() == again.json()
    made = (models.Refund, models.Return, models.ReturnRequest)
    assert sum(table.objects.count() for table in made) == 1


@pytest.mark.parametrize(
    ("act", "body", "field"),
    [
        ("shipments", {}, "carrier"),
        ("shipments", {"carrier": " "}, "carrier"),
        ("cancellation", {}, "reason"),
        ("cancellation", {"reason": "x" * 501}, "reason"),
        ("refunds", {"amount": "1.234", "reason": "x"}, "amount"),
        ("refunds", {"amount": "-1", "reason": "x"}, "amount"),
        ("refunds", {"amount": 1, "reason": "x"}, "amount"),
        ("refunds", {"amount": "1.00"}, "reason"),
        ("return-requests", {"lines": [], "reason": "x"}, "lines"),
        ("return-requests", {"lines": [{"product_id": "x", "quantity": 1}]}, "reason"),
        (
            "return-requests",
            {"lines": [{"product_id": "x", "quantity": 1, "damaged": True}], "reason": "x"},
            "lines.damaged",
        ),
        ("returns", {"lines": [], "reason": "x"}, "lines"),
        ("returns", {"lines": [{"product_id": "x", "quantity": 0}], "reason": "x"}, "lines.quantity"),
        (
            "returns",
            {"lines": [{"product_id": "x", "quantity": 1, "state": 1}], "reason": "x"},
            "lines.state",
        ),
    ],
)
def test_a_body_that_goes_against_a_rule_names_its_field(
    client_of: ClientOf, act: str, body: Any, field: str
) -> None:
    sale = sales.confirmed_sale()
    before = facts()

    answer = post(client_of(sales.OPERATOR, "operator"), sale.order_number, act, body)

    assert (answer.status_code, answer.json()["field"].replace(".0", "")) == (400, field)
    assert facts() == before


@pytest.mark.parametrize("act", sorted(ACTS))
def test_a_number_that_cannot_be_one_is_not_found(client_of: ClientOf, act: str) -> None:
    assert post(client_of(sales.OPERATOR, "operator"), "GV-1%00", act).status_code == 404
    assert post(client_of(sales.OPERATOR, "operator"), "GV-0000", act).status_code == 404


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_the_order_shows_its_parcels_refunds_returns_and_address(client_of: ClientOf) -> None:
    sale = sales.confirmed_sale()
    fields = {"name": "Ada", "line1": "Weg 1", "city": "Berlin", "country": "DE", "postal_code": "10115"}
    services.add_address(user_id=sale.user_id, key="k", fields=fields, is_default=True, now=sales.NOW)
    ship_all(sale)
    operator = client_of(sales.OPERATOR, "operator")
    for act in ("deliveries", "returns", "refunds"):
        post(operator, sale.order_number, act)

    body = client_of(sale.user_id).get(f"{ORDERS}/{sale.order_number}").json()

    assert (body["status"], body["role"], body["possible"]) == ("DELIVERED", "buyer", ["ask_return"])
    assert body["address"] == {**fields, "line2": "", "phone": ""}
    assert [(one["seller_id"], one["carrier"], one["tracking_number"]) for one in body["shipments"]] == [
        ("house", "Post", "P1"),
        (sales.SELLER, "Post", "P1"),
    ]
    assert all(one["delivered_at"] for one in body["shipments"])
    [refund], [returned] = body["refunds"], body["returns"]
    assert (refund["amount"], refund["status"], refund["reason"]) == ("25.50", "PENDING", "A crack.")
    assert body["refunded"] == "25.50"
    assert returned["lines"] == [{"product_id": sales.LAMP, "quantity": 1, "damaged": False}]
    happened = [(line["about"], line["kind"]) for line in body["timeline"]]
    assert {
        ("shipment", "SHIPPED"),
        ("shipment", "DELIVERED"),
        ("return", "RETURNED"),
        ("refund", "PENDING"),
        ("order", "DELIVERED"),
    } <= set(happened)
    seen = operator.get(f"{ORDERS}/{sale.order_number}").json()
    assert (seen["role"], seen["possible"]) == ("operator", ["refund", "return"])


def test_a_seller_sees_their_part_alone(client_of: ClientOf) -> None:
    sale = sales.confirmed_sale()
    ship_all(sale)
    operator = client_of(sales.OPERATOR, "operator")
    post(operator, sale.order_number, "returns")
    post(operator, sale.order_number, "refunds")

    body = client_of(sales.SELLER, "seller").get(f"{ORDERS}/{sale.order_number}").json()

    assert (body["role"], body["title"], body["amount"], body["quantity"]) == (
        "seller",
        "A chair",
        "85.50",
        1,
    )
    assert [line["product_id"] for line in body["lines"]] == [sales.CHAIR]
    assert [one["seller_id"] for one in body["shipments"]] == [sales.SELLER]
    assert (body["payment"], body["refunds"], body["refunded"], body["returns"]) == (None, [], "0.00", [])
    assert not {"user_id", "risk"} & set(body)
    assert {line["about"] for line in body["timeline"]} == {"order", "shipment"}
    assert body["possible"] == ["deliver"]


def test_an_order_that_is_not_paid_is_nobodys_but_its_buyers(client_of: ClientOf) -> None:
    sale = sales.new_sale()
    sale.place(lines=(sales.line(owner_id=sales.SELLER, price=12550),))
    seller = client_of(sales.SELLER, "seller")

    assert seller.get(f"{ORDERS}/{sale.order_number}").status_code == 404
    assert seller.get(ORDERS, {"role": "seller"}).json()["total"] == 0


# --- requests for returns ----------------------------------------------------------------------------------------------


def request_of(client: Client, sale: sales.Sale) -> dict[str, Any]:
    """The order's only request, as this reader sees it."""
    [request] = client.get(f"{ORDERS}/{sale.order_number}").json()["return_requests"]
    return dict(request)


def test_a_request_is_shown_to_those_whom_it_concerns_and_says_what_they_may_do(client_of: ClientOf) -> None:
    sale = sales.confirmed_sale()
    ship_all(sale)
    buyer, seller = client_of(sale.user_id), client_of(sales.SELLER, "seller")
    operator = client_of(sales.OPERATOR, "operator")
    before = buyer.get(f"{ORDERS}/{sale.order_number}").json()
    assert [(one["product_id"], one["quantity"]) for one in before["returnable"]] == [
        (sales.LAMP, 2),
        (sales.CHAIR, 1),
    ]

    asked = post(buyer, sale.order_number, "return-requests").json()

    assert [one["product_id"] for one in asked["returnable"]] == [sales.CHAIR]
    assert asked["possible"] == ["ask_return", "withdraw_return"]
    shown = request_of(buyer, sale)
    assert shown == request_of(operator, sale) | {"possible": ["withdraw"]}
    assert {name: shown[name] for name in ("status", "seller_id", "reason", "answer", "decided_at")} == {
        "status": "ASKED",
        "seller_id": "house",
        "reason": "A crack.",
        "answer": "",
        "decided_at": None,
    }
    assert shown["lines"] == [{"product_id": sales.LAMP, "quantity": 1}]
    assert request_of(operator, sale)["possible"] == ["accept", "decline"]
    assert operator.get(f"{ORDERS}/{sale.order_number}").json()["returnable"] == []
    of_seller = seller.get(f"{ORDERS}/{sale.order_number}").json()
    assert (of_seller["return_requests"], "decide_return" in of_seller["possible"]) == ([], False)
    assert [line["detail"] for line in asked["timeline"] if line["about"] == "return_request"] == [
        "1 × A lamp: A crack."
    ]


def test_a_decision_is_made_once_by_those_who_may_and_is_read_by_the_buyer(client_of: ClientOf) -> None:
    sale = sales.confirmed_sale()
    ship_all(sale)
    buyer, operator = client_of(sale.user_id), client_of(sales.OPERATOR, "operator")
    post(buyer, sale.order_number, "return-requests")
    act = f"return-requests/{request_of(buyer, sale)['id']}/decision"
    declined = {"accept": False, "reason": "Too old."}
    before = facts()

    refused = [
        post(client, sale.order_number, act, body)
        for client, body in (
            (Client(), declined),
            (client_of("c" * 32, "seller"), declined),
            (client_of(sales.SELLER, "seller"), declined),
            (buyer, declined),
            (operator, {"accept": False}),
            (operator, {"accept": "no", "reason": "x"}),
            (operator, {"reason": "x"}),
        )
    ]

    assert [(one.status_code, one.json()["code"]) for one in refused[:4]] == [
        (401, "unauthenticated"),
        (404, "order_not_found"),
        (404, "return_request_not_found"),
        (403, "not_for_you"),
    ]
    assert [(one.status_code, one.json()["field"]) for one in refused[4:]] == [
        (400, "reason"),
        (400, "accept"),
        (400, "accept"),
    ]
    assert facts() == before
    for _ in range(2):
        assert post(operator, sale.order_number, act, declined).status_code == 201
    late = post(operator, sale.order_number, act, {"accept": True})
    assert (late.status_code, late.json()["code"], late.json()["state"]) == (
        409,
        "return_decided",
        "DECLINED",
    )
    shown = request_of(buyer, sale)
    assert (shown["status"], shown["answer"], bool(shown["decided_at"])) == ("DECLINED", "Too old.", True)


def test_a_buyer_withdraws_a_request_and_nobody_else_does(client_of: ClientOf) -> None:
    sale = sales.confirmed_sale()
    ship_all(sale)
    buyer, operator = client_of(sale.user_id), client_of(sales.OPERATOR, "operator")
    post(buyer, sale.order_number, "return-requests")
    act = f"return-requests/{request_of(buyer, sale)['id']}/withdrawal"
    before = facts()

    refused = [
        post(client, sale.order_number, act, {})
        for client in (Client(), client_of("c" * 32, "seller"), client_of(sales.SELLER, "seller"), operator)
    ]

    assert [(one.status_code, one.json()["code"]) for one in refused] == [
        (401, "unauthenticated"),
        (404, "order_not_found"),
        (404, "return_request_not_found"),
        (403, "not_for_you"),
    ]
    assert facts() == before
    first, again = (post(buyer, sale.order_number, act, {}) for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    shown = request_of(buyer, sale)
    assert (shown["status"], shown["possible"], shown["answer"]) == ("WITHDRAWN", [], "")
    assert [one["product_id"] for one in first.json()["returnable"]] == [sales.LAMP, sales.CHAIR]
    assert [line["kind"] for line in first.json()["timeline"] if line["about"] == "return_request"] == [
        "ASKED",
        "WITHDRAWN",
    ]
    assert request_of(operator, sale)["possible"] == []


@pytest.mark.parametrize("request_id", ["f" * 32, "x", "%00", "A" * 300])
def test_a_request_that_is_not_there_is_not_found(client_of: ClientOf, request_id: str) -> None:
    sale = sales.confirmed_sale()
    operator = client_of(sales.OPERATOR, "operator")

    for act, body in (("decision", {"accept": True}), ("withdrawal", {})):
        answer = post(operator, sale.order_number, f"return-requests/{request_id}/{act}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "return_request_not_found")


# --- lists -----------------------------------------------------------------------------------------------------------


def numbers(client: Client, **query: Any) -> list[str]:
    return [item["number"] for item in client.get(ORDERS, query).json()["items"]]


def test_buyers_sellers_and_operators_list_their_orders(client_of: ClientOf) -> None:
    sale, of_house = sales.confirmed_sale(), sales.confirmed_sale(sales.line(price=12550))
    seller, operator = client_of(sales.SELLER, "seller"), client_of(sales.OPERATOR, "operator")

    assert numbers(client_of(sale.user_id)) == [sale.order_number]
    assert (numbers(seller), numbers(seller, role="seller")) == ([], [sale.order_number])
    assert numbers(operator) == []
    assert sorted(numbers(operator, role="operator")) == sorted([sale.order_number, of_house.order_number])
    refused = seller.get(ORDERS, {"role": "operator"})
    assert (refused.status_code, refused.json()["field"]) == (403, "role")


def test_the_list_filters_by_the_live_status_and_the_time(client_of: ClientOf) -> None:
    user_id = "u" * 32
    shipped, cancelled = (sales.confirmed_sale(user_id=user_id) for _ in range(2))
    ship_all(shipped)
    services.cancel_paid_order(
        order_number=cancelled.order_number, reason="x", actor=sales.operator(), now=sales.NOW
    )
    old = sales.new_sale(user_id=user_id)
    old.place(now=sales.NOW - timedelta(days=2))
    client, since = client_of(user_id), instants.of(sales.NOW - timedelta(days=1))

    assert numbers(client, status="SHIPPED") == [shipped.order_number]
    assert numbers(client, status="CANCELLED") == [cancelled.order_number]
    assert numbers(client, status="CONFIRMED") == []
    assert numbers(client, placed_until=since) == [old.order_number]
    assert len(numbers(client, placed_from=since)) == 2
    assert numbers(client, placed_from=since, placed_until=since) == []
