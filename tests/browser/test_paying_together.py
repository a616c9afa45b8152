"""Won lots that are paid later, on the pages: together and with the cart, as one order; what cannot go together is explained."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright import sync_api

from tests import house as houses
from tests.browser import shopping, visitor
from tests.browser.flaws import CHECK
from tests.browser.shopping import PAID, put_into_cart

Open = Callable[..., visitor.Window]
DAY_MINUTES = 24 * 60


@pytest.fixture
def shop(house: houses.House) -> shopping.Shop:
    return shopping.Shop(house)


def won(
    house: houses.House, buyer: houses.Person, product_id: str = "", *, price: str = "30.00", **terms: Any
) -> dict[str, Any]:
    """A lot that the buyer has bought on terms to pay within a day, once it is in their cart."""
    later: dict[str, Any] = {
        "format": "buy_now",
        "start_price": price,
        "allocate": "on_listing",
        "pay_within_minutes": DAY_MINUTES,
    }
    auction_id = house.new_auction(
        product_id or house.new_product(stock=1, title="Won globe"), **(later | terms)
    )
    assert buyer.buy(auction_id).status_code == 201

    def award() -> list[dict[str, Any]]:
        return [one for one in buyer.get("/api/v1/cart").json()["awards"] if one["auction_id"] == auction_id]

    house.wait_until(award, "the lot to be in the cart")
    return award()[0]


def box_of(window: visitor.Window, award: dict[str, Any]) -> sync_api.Locator:
    return window.page.locator(f"#award-{award['id']}")


def test_a_lot_is_won_on_its_page_and_paid_with_another_and_the_cart_as_one_order(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    bought = won(house, buyer)
    window = open_window(buyer)
    page = window.page
    put_into_cart(window, clock, 2)
    english = house.new_auction(
        house.new_product(stock=1, title="Won atlas"),
        seconds=10,
        allocate="on_listing",
        pay_within_minutes=3 * DAY_MINUTES,
    )
    window.see_auction(english)
    window.expect_text("#rules-text", "The winner has 3 days after the end to pay in the shop")
    window.bid("12")
    window.expect_text("#standing", "You're the highest bidder")

    window.expect_text("#standing", re.compile("You won this lot.*Your price is €10.00. Pay it by "))
    sync_api.expect(page.locator("#cart-count")).to_have_text("4")
    page.get_by_role("link", name="Pay it in your cart").click()
    sync_api.expect(page.locator("#awards li")).to_have_count(2)
    window.expect_text("#awards", re.compile(r"Won globe.*Pay by .*: 23 h 5\d min left.*€30\.00"))
    window.expect_text("#totals", "€81.00")
    window.expect_text("#hint", "Shipping is added at the checkout.")
    page.get_by_role("link", name="Pay together").click()
    window.expect_text("#totals", "€81.00")
    assert page.url.endswith("&cart=1")
    page.reload()
    window.expect_text("#lines", "Won atlas")
    page.get_by_role("button", name="Ship to this address").click()
    window.expect_text("#state", "Everything is reserved for you")
    window.expect_text("#countdown-label", "Pay within")
    page.locator("#pay").click()

    page.wait_for_url(PAID)
    sync_api.expect(page.locator("#order .bought li")).to_have_count(3)
    sync_api.expect(page.locator("#cart-count")).to_be_hidden()
    page.locator("#order .bought").get_by_role("link", name="Won globe").click()
    window.expect_text("#standing", "You bought this")
    window.expect_text("#standing", "It is paid.")
    number = buyer.orders()[0]["number"]
    page.get_by_role("link", name=f"Open order {number}").click()
    window.expect_text("#order", "Won atlas")
    assert [order["status"] for order in buyer.orders()] == ["CONFIRMED"]
    assert buyer.get("/api/v1/cart").json()["awards"] == []
    assert bought["auction_id"] in {line["auction_id"] for line in buyer.orders()[0]["lines"]}
    page.goto("/orders")
    sync_api.expect(page.locator("#orders > li")).to_have_count(1)
    assert window.faults == []


def test_lots_that_do_not_go_with_the_cart_say_why_and_the_reader_chooses(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    buyer, clock = shop.buyer(), shop.offer("Clock", stock=5)
    dollars = won(house, buyer, currency="USD")
    same = won(house, buyer, clock["product_id"], price="15.00")
    window = open_window(buyer)
    page = window.page
    put_into_cart(window, clock)
    page.goto("/cart")

    window.expect_text("#awards", "This lot is in USD, and the rest is in EUR")
    window.expect_text("#awards", "another unit of this one is in it")
    for award in (dollars, same):
        sync_api.expect(box_of(window, award)).to_be_disabled()
    window.expect_text("#totals", "€20.50")
    sync_api.expect(page.locator("#checkout")).to_have_text("Check out")
    page.get_by_label("Order these with the won lots").uncheck()
    sync_api.expect(box_of(window, dollars)).to_be_checked()
    window.expect_text("#totals", "$30.00")
    box_of(window, dollars).uncheck()
    sync_api.expect(box_of(window, same)).to_be_checked()
    window.expect_text("#totals", "€15.00")
    page.reload()
    sync_api.expect(box_of(window, dollars)).not_to_be_checked()
    sync_api.expect(box_of(window, same)).to_be_checked()
    page.get_by_role("link", name="Pay for this lot").click()
    page.get_by_role("button", name="Ship to this address").click()
    window.expect_text("#state", "Everything is reserved for you")
    page.locator("#pay").click()
    page.wait_for_url(PAID)

    assert [(order["amount"], order["currency"]) for order in buyer.orders()] == [("15.00", "EUR")]
    assert [line["quantity"] for line in buyer.get("/api/v1/cart").json()["lines"]] == [1]
    page.go_back()
    sync_api.expect(page.locator("#awards li")).to_have_count(1)
    page.get_by_label("Order these with the won lots").check()
    page.get_by_role("link", name=f"Pay {dollars['title']} by itself").click()
    window.expect_text("#totals", "$30.00")
    assert window.faults == []


def test_a_lot_that_lapses_while_its_checkout_is_open_is_refused_in_words_and_its_page_says_so(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    buyer = shop.buyer()
    award = won(house, buyer)
    window = open_window(buyer)
    page = window.page
    page.goto("/cart")
    page.get_by_role("link", name="Pay for this lot").click()
    window.expect_text("#lines", award["title"])
    house.rows(
        "orders",
        "UPDATE orders_award SET due_at = now() WHERE sale_id = %s RETURNING sale_id",
        award["id"],
    )

    page.get_by_role("button", name="Ship to this address").click()

    window.expect_text("#problem", "A lot can't be paid here any more")
    page.get_by_role("link", name="Look at your cart").click()
    window.expect_text("#empty", "Your cart is empty")
    page.goto(f"/checkout?award={award['id']}")
    window.expect_text("#ended", "A lot is not in this order")
    house.wait_until(
        lambda: (
            buyer.get("/api/v1/awards", auction_id=award["auction_id"]).json()["items"][0]["state"]
            == "LAPSED"
        ),
        "the award to lapse",
    )
    window.see_auction(award["auction_id"])
    window.expect_text("#standing", "You did not pay in time")
    assert buyer.orders() == []
    assert buyer.get("/api/v1/checkouts", state="").json()["items"] == []
    assert window.faults == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_cart_with_won_lots_is_named_ordered_and_fits(
    house: houses.House, open_window: Open, shop: shopping.Shop, width: int, scheme: str
) -> None:
    buyer, clock = shop.buyer(), shop.offer("Clock with a long name that needs more than one line on a phone")
    won(house, buyer)
    won(house, buyer, currency="USD")
    window = open_window(buyer, viewport={"width": width, "height": 900}, color_scheme=scheme)
    put_into_cart(window, clock)
    window.page.goto("/cart")
    window.expect_text("#awards", "Pay it by itself")

    flaws = window.page.evaluate(CHECK)
    window.page.goto(window.page.locator("#checkout").get_attribute("href") or "")
    window.expect_text("#lines", "Won globe")
    window.page.wait_for_load_state("networkidle")

    assert flaws + window.page.evaluate(CHECK) == []
    assert window.errors == []


def test_a_lot_is_left_out_and_another_paid_with_the_keyboard_alone(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    buyer = shop.buyer()
    first, second = won(house, buyer), won(house, buyer, price="40.00")
    window = open_window(buyer)
    page = window.page

    page.goto("/cart")
    window.expect_text("#totals", "€70.00")
    window.tab_to(box_of(window, first))
    page.keyboard.press("Space")
    window.expect_text("#announcer", "Subtotal €40.00.")
    sync_api.expect(box_of(window, first)).to_be_focused()
    window.tab_to(page.get_by_role("link", name="Pay for this lot"))
    page.keyboard.press("Enter")
    window.tab_to(page.get_by_role("button", name="Ship to this address"))
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#pay")).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url(PAID)
    assert [line["auction_id"] for line in buyer.orders()[0]["lines"]] == [second["auction_id"]]
    assert [award["id"] for award in buyer.get("/api/v1/cart").json()["awards"]] == [first["id"]]
    assert window.faults == []


def test_the_form_of_a_new_auction_offers_days_to_pay_and_shows_a_refusal_at_its_field(
    house: houses.House, open_window: Open
) -> None:
    product_id = house.new_product(stock=2, title="Listed globe")
    window = open_window(house.operator)
    page = window.page
    page.goto(f"/sell/auctions/new?product={product_id}")
    sync_api.expect(page.get_by_label("Product", exact=True)).to_have_value(product_id)
    window.expect_text("#preview", "charge the winner's card")

    page.get_by_label("Payment").select_option("Within 3 days")
    window.expect_text("#preview", "The winner has 3 days after the end to pay in the shop")
    page.evaluate("document.querySelector('#pay_within_minutes option:checked').value = '20000'")
    page.get_by_role("button", name="Create auction").click()
    window.expect_text("#pay_within_minutes-error", "10080")
    sync_api.expect(page.get_by_label("Payment")).to_be_focused()
    page.get_by_label("Payment").select_option("Within 7 days")
    page.get_by_role("button", name="Create auction").click()
    page.wait_for_url(re.compile(r"/sell/auctions/[0-9a-f]{32}$"))

    terms = house.auction(page.url.rpartition("/")[2])["terms"]
    assert (terms["pay_within_minutes"], terms["allocate"]) == (7 * DAY_MINUTES, "on_listing")
