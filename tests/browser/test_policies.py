"""Every page works within its Content-Security-Policy: the browser blocks nothing, and loads nothing from other sites."""

from collections.abc import Callable

import pytest
from playwright import sync_api

from tests import house as houses
from tests.browser import visitor

Open = Callable[..., visitor.Window]
LISTS = (
    "inventory/product",
    "inventory/move",
    "inventory/reservation",
    "orders/order",
    "orders/payment",
    "sagas/saga",
    "messaging/deadletter",
    "services",
)


def _policy(answer: sync_api.Response | None) -> dict[str, str]:
    """The directives of the answer's policy."""
    assert answer is not None
    directives = answer.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (directive.partition(" ") for directive in directives)}


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/api/", "/admin/login/"])
def test_no_page_may_be_framed_or_load_from_elsewhere(open_window: Open, path: str) -> None:
    window = open_window()

    policy = _policy(window.page.goto(path))

    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert all("http" not in value and "*" not in value for value in policy.values())
    assert window.faults == []


def test_the_admin_works_within_its_policy(house: houses.House, open_window: Open) -> None:
    product_id = house.new_product(stock=3)
    house.new_auction(product_id, format="buy_now", quantity=1)
    window = open_window(house.new_staff("--superuser"))
    page = window.page

    for path in LISTS:
        policy = _policy(page.goto(f"/admin/{path}/"))
        assert policy["default-src"] == "'none'"
    page.goto("/admin/")
    page.locator("#closing a").first.wait_for()
    page.goto(f"/admin/inventory/product/{product_id}/change/")
    page.get_by_text("Receive", exact=True).first.click()
    page.get_by_role("button", name="Receive").wait_for()

    assert window.errors == []


def test_the_api_page_shows_an_operation_within_its_policy(open_window: Open) -> None:
    window = open_window()
    window.page.goto("/api/")

    window.page.get_by_text("Place a bid").click()

    window.page.get_by_role("button", name="Try it out").wait_for()
    assert window.errors == []


def test_the_api_page_has_the_frame_of_the_house_and_follows_its_theme(
    house: houses.House, open_window: Open
) -> None:
    window = open_window(house.new_account("bidder"))
    page = window.page
    page.goto("/api/")
    page.get_by_text("Place a bid").wait_for()
    assert page.evaluate("document.documentElement.classList.contains('dark-mode')") is False

    page.get_by_role("button", name="Switch between light and dark").click()

    page.locator("html.dark-mode").wait_for()
    page.get_by_role("link", name="My bids").click()
    window.expect_text("h1", "My bids")
    assert window.errors == []
