"""After the sale: an order is shipped, comes back in part and is refunded in part, or is cancelled, over all processes.

Every process is real. The stock, the bank, the notices and all invariants must say the same.
"""

from typing import Any

import pytest

from tests import ordering
from tests.house import House, Person

pytestmark = pytest.mark.everywhere


@pytest.fixture
def buyer(house: House) -> Person:
    return house.new_account("bidder")


def stock_of(house: House, product_id: str) -> dict[str, int]:
    product = house.operator.get(f"/api/v1/products/{product_id}").json()
    return {name: product[name] for name in ("on_hand", "available", "reserved", "committed")}


def act(house: House, person: Person, number: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = person.post(f"/api/v1/orders/{number}/{what}", body)
    assert answer.status_code in (201, 202), answer.text
    return dict(answer.json())


def kinds_of(person: Person, number: str) -> set[str]:
    items = person.notifications()
    return {item["kind"] for item in items if item["data"].get("order_number") == number}


def is_refunded(person: Person, number: str) -> bool:
    refunds = person.get(f"/api/v1/orders/{number}").json()["refunds"]
    return bool(refunds) and all(refund["status"] == "DONE" for refund in refunds)


def test_an_order_is_shipped_and_comes_back_in_part(house: House, buyer: Person) -> None:
    product_id = house.new_product(stock=3)
    number = ordering.confirmed_order(house, buyer, product_id)
    [line] = buyer.get(f"/api/v1/orders/{number}").json()["lines"]
    assert line["seller_id"] == "house"

    act(house, house.operator, number, "shipments", {"carrier": "Post", "tracking_number": "P1"})
    house.wait_until(lambda: stock_of(house, product_id)["on_hand"] == 1, "the units to leave the stock")
    act(house, house.operator, number, "deliveries", {})
    back = {"product_id": product_id, "quantity": 1, "damaged": False}
    act(house, house.operator, number, "returns", {"lines": [back], "reason": "A crack."})
    act(house, house.operator, number, "refunds", {"amount": "4.50", "reason": "A crack."})

    house.wait_until(lambda: is_refunded(buyer, number), "the refund")
    house.wait_until(lambda: stock_of(house, product_id)["on_hand"] == 2, "the unit to come back")
    assert stock_of(house, product_id) == {"on_hand": 2, "available": 2, "reserved": 0, "committed": 0}
    expected = {"order_shipped", "order_delivered", "order_returned", "order_refunded"}
    house.wait_until(lambda: expected <= kinds_of(buyer, number), "the notices")
    assert buyer.get(f"/api/v1/orders/{number}").json()["status"] == "DELIVERED"
    house.assert_verified()


def test_a_buyer_asks_for_a_return_three_times_and_it_comes_back(house: House, buyer: Person) -> None:
    product_id = house.new_product(stock=3)
    number = ordering.confirmed_order(house, buyer, product_id)
    lines = [{"product_id": product_id, "quantity": 2}]
    asked = {"lines": lines, "reason": "Both are scratched."}
    act(house, house.operator, number, "shipments", {"carrier": "Post"})
    house.wait_until(lambda: stock_of(house, product_id)["on_hand"] == 1, "the units to leave the stock")

    [first] = act(house, buyer, number, "return-requests", asked)["return_requests"]
    declined = {"accept": False, "reason": "They were sold so."}
    act(house, house.operator, number, f"return-requests/{first['id']}/decision", declined)
    second = act(house, buyer, number, "return-requests", asked)["return_requests"][-1]
    act(house, buyer, number, f"return-requests/{second['id']}/withdrawal", {})
    third = act(house, buyer, number, "return-requests", asked)["return_requests"][-1]
    act(house, house.operator, number, f"return-requests/{third['id']}/decision", {"accept": True})
    back = {"product_id": product_id, "quantity": 2}
    order = act(house, house.operator, number, "returns", {"lines": [back], "reason": "Scratched."})

    assert [one["status"] for one in order["return_requests"]] == ["DECLINED", "WITHDRAWN", "RETURNED"]
    house.wait_until(lambda: stock_of(house, product_id)["on_hand"] == 3, "the units to come back")

    def standing(person: Person) -> list[str]:
        """The notices about a return that are not withdrawn, oldest first."""
        return [
            item["kind"]
            for item in person.notifications()
            if item["data"].get("order_number") == number
            and "return" in item["kind"]
            and not item["withdrawn"]
        ]

    for person, expected in (
        (buyer, ["return_decided", "return_withdrawn", "order_returned"]),
        (house.operator, ["house_return_decided", "house_return_withdrawn", "house_return_decided"]),
    ):
        house.wait_until(lambda p=person, e=expected: standing(p) == e, "the notices")
    house.assert_verified()


def test_a_buyer_cancels_before_anything_is_shipped(house: House, buyer: Person) -> None:
    product_id = house.new_product(stock=3)
    number = ordering.confirmed_order(house, buyer, product_id)

    cancelled = act(house, buyer, number, "cancellation", {"reason": "The wrong size."})

    assert (cancelled["status"], cancelled["refunded"]) == ("CANCELLED", "20.00")
    house.wait_until(lambda: is_refunded(buyer, number), "the refund")
    house.wait_until(lambda: stock_of(house, product_id)["committed"] == 0, "the units to be free")
    assert stock_of(house, product_id) == {"on_hand": 3, "available": 3, "reserved": 0, "committed": 0}
    house.wait_until(lambda: {"order_cancelled", "order_refunded"} <= kinds_of(buyer, number), "the notices")
    refused = house.operator.post(f"/api/v1/orders/{number}/shipments", {"carrier": "Post"})
    assert (refused.status_code, refused.json()["code"]) == (409, "order_is_cancelled")
    house.assert_verified()
