"""A return from the page of the order: the buyer asks and may withdraw that, the seller answers, an operator notes what came back, and the stock has it again."""

import uuid
from collections.abc import Callable

from playwright import sync_api

from tests import house as houses
from tests import ordering
from tests.browser import visitor

Open = Callable[..., visitor.Window]


def shipped_order(house: houses.House, buyer: houses.Person) -> tuple[str, str]:
    """The number of an order of two units of the seller's product, which is shipped; and the product."""
    body = {"sku": uuid.uuid4().hex[:10], "title": "Brass lamp", "condition": "GOOD"}
    product_id = str(house.seller.post("/api/v1/products", body).json()["id"])
    house.call("receive_stock", product_id=product_id, quantity=3)
    number = ordering.confirmed_order(house, buyer, product_id)
    answer = house.seller.post(f"/api/v1/orders/{number}/shipments", {"carrier": "Post"})
    assert answer.status_code == 201, answer.text
    return number, product_id


def act(page: sync_api.Page, summary: str) -> sync_api.Locator:
    """The form of an act, opened."""
    details = page.locator("details.act").filter(has=page.locator("summary", has_text=summary))
    details.locator("summary").click()
    return details


def ask(page: sync_api.Page, units: str, reason: str) -> None:
    form = act(page, "Return something")
    form.get_by_label("Brass lamp: of 2").fill(units)
    form.get_by_label("Why do you want to return it?").fill(reason)
    form.get_by_role("button", name="Ask for a return").click()


def test_a_buyer_asks_three_times_and_the_units_come_back(house: houses.House, open_window: Open) -> None:
    buyer = house.new_account("bidder")
    number, product_id = shipped_order(house, buyer)
    mine, sellers, operators = (open_window(one) for one in (buyer, house.seller, house.operator))
    for window in (mine, sellers, operators):
        window.page.goto(f"/orders/{number}")
        window.expect_text("#title", "Brass lamp")
    mine.expect_text("#order", "On its way to you")
    sync_api.expect(operators.page.locator("#order")).not_to_contain_text("to you")
    page = mine.page

    form = act(page, "Return something")
    form.get_by_role("button", name="Ask for a return").click()
    sync_api.expect(form.get_by_role("alert")).to_contain_text("Say how many units")
    sync_api.expect(form.get_by_label("Brass lamp: of 2")).to_be_focused()
    form.get_by_label("Brass lamp: of 2").fill("3")
    form.get_by_role("button", name="Ask for a return").click()
    sync_api.expect(form.get_by_role("alert")).to_contain_text("Enter 0 to 2 units.")
    assert buyer.get(f"/api/v1/orders/{number}").json()["return_requests"] == []
    form.locator("summary").click()
    ask(page, "1", "It is scratched.")
    mine.expect_text("#order", "Waits for an answer")
    sync_api.expect(page.locator("summary", has_text="Return something")).to_have_count(0)

    sellers.expect_text("#order", "It is scratched.")  # the page follows its notifications
    form = act(sellers.page, "Decline the return of 1 × Brass lamp")
    form.get_by_role("button", name="Decline the return").click()
    sync_api.expect(form.get_by_role("alert")).to_contain_text("Reason is required.")
    form.get_by_label("Reason").fill("It was sold as it is.")
    form.get_by_role("button", name="Decline the return").click()
    sellers.expect_text("#order", "Declined")
    mine.expect_text("#order", "It was sold as it is.")

    ask(page, "1", "Perhaps I do not like it.")
    sellers.expect_text("#order", "Perhaps I do not like it.")
    act(page, "Withdraw the request for 1 × Brass lamp").get_by_role("button").click()
    mine.expect_text("#order", "Withdrawn")
    sellers.expect_text("#order", "Withdrawn")
    sync_api.expect(sellers.page.locator("summary", has_text="the return of")).to_have_count(0)

    ask(page, "2", "One of them is broken.")
    operators.page.reload()  # operators are notified of what the house sold
    operators.expect_text("#order", "One of them is broken.")
    form = act(operators.page, "Accept the return of 2 × Brass lamp")
    form.get_by_label("How to send it back (optional)").fill("In its box, please.")
    form.get_by_role("button", name="Accept the return").click()
    mine.expect_text("#order", "In its box, please.")
    form = act(operators.page, "Take units back")
    form.get_by_label("Brass lamp: of 2").fill("2")
    form.get_by_label("Reason").fill("Both have arrived.")
    form.get_by_role("button", name="Note the return").click()
    operators.expect_text("#order", "Everything came back")

    mine.expect_text("#order", "Both have arrived.")
    [first, withdrawn, second] = buyer.get(f"/api/v1/orders/{number}").json()["return_requests"]
    assert [one["status"] for one in (first, withdrawn, second)] == ["DECLINED", "WITHDRAWN", "RETURNED"]
    house.wait_until(
        lambda: house.operator.get(f"/api/v1/products/{product_id}").json()["available"] == 3,
        "the units to be in the stock again",
    )
    house.wait_until(
        lambda: (
            [
                item["kind"]
                for item in buyer.notifications()
                if item["data"].get("order_number") == number
                and "return" in item["kind"]
                and not item["withdrawn"]
            ]
            == ["return_decided", "return_withdrawn", "order_returned"]
        ),
        "the notices of the second request to be withdrawn",
    )
    assert mine.faults + sellers.faults + operators.faults == []
