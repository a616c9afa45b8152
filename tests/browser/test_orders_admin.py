"""The page of an order in the admin: an operator ships it, notes its arrival, takes a unit back and gives a part of the money back."""

from collections.abc import Callable

from playwright import sync_api

from tests import house as houses
from tests import ordering
from tests.browser import visitor

Open = Callable[..., visitor.Window]


def act(page: sync_api.Page, name: str, **filled: str) -> None:
    """Open the dialog of an action, fill it in by the names of its fields, and send it."""
    page.get_by_role("link", name=name, exact=True).or_(
        page.get_by_role("button", name=name, exact=True)
    ).first.click()
    dialog = page.locator("form[hx-post], dialog form, [role=dialog] form").last
    dialog.wait_for()
    for field, value in filled.items():
        element = dialog.locator(f"[name={field}]")
        if element.get_attribute("type") == "checkbox":
            element.check()
        else:
            element.fill(value)
    dialog.get_by_role("button", name=name).click()


def test_an_operator_does_all_that_follows_an_order(house: houses.House, open_window: Open) -> None:
    number = ordering.confirmed_order(house, house.new_account("bidder"), house.new_product(stock=3))
    window = open_window(house.new_staff("--superuser"))
    page = window.page
    page.goto(f"/admin/orders/order/{number}/change/")

    act(page, "Ship", carrier="Parcel Post", tracking_number="PP 0034")
    window.expect_text("body", f"{number} is with Parcel Post.")
    act(page, "Deliver", sure="on")
    window.expect_text("body", f"{number} has arrived.")
    act(page, "Refund", amount="4.50", reason="A crack.")
    window.expect_text("body", f"A refund of {number} is on its way.")
    line = house.value("orders", "SELECT id FROM orders_orderline WHERE order_id = %s", number)
    act(page, "Return", reason="A crack.", **{f"line_{line}_damaged": "1"})
    window.expect_text("body", f"Units of {number} are back.")
    window.expect_text("body", "(damaged)")

    assert window.faults == []
