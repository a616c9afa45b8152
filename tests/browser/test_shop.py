"""The shop on the pages: from a search to the receipt, and what happens in between: changed prices, other tabs, Back, units that are
gone, cards that are refused."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright import sync_api

from tests import house as houses
from tests.browser import shopping, visitor
from tests.browser.shopping import PAID, check_out, put_into_cart

Open = Callable[..., visitor.Window]
REFUSES = "4000000000000002"


@pytest.fixture
def shop(house: houses.House) -> shopping.Shop:
    return shopping.Shop(house)


def orders_of(person: houses.Person) -> list[dict[str, Any]]:
    return [order for order in person.orders() if order["status"] != "CANCELLED"]


def line_of(window: visitor.Window, offer: dict[str, Any]) -> sync_api.Locator:
    return window.page.locator("#lines li").filter(has_text=offer["title"])


def test_a_visitor_searches_fills_a_cart_signs_in_pays_and_gets_a_receipt(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, vase = shop.offer("Carriage clock"), shop.offer("Celadon vase", "5.00")
    word = clock["title"].split()[-1]
    buyer = shop.buyer(has_address=False)
    window = open_window()
    page = window.page
    page.goto("/shop")
    field = page.get_by_role("combobox", name="Search the shop and the auctions")

    field.press_sequentially(f"carriage {word[:5]}")
    page.get_by_role("option", name=clock["title"]).click()
    page.get_by_role("link", name=clock["title"]).click()
    window.expect_text("h1", clock["title"])
    window.expect_text("#price", "€20.50")
    page.get_by_role("button", name="One more: Quantity").click()
    page.get_by_role("button", name="Add to cart").click()
    window.expect_text("#added", "2 units in your cart")
    put_into_cart(window, vase)
    sync_api.expect(page.locator("#cart-count")).to_have_text("3")
    page.goto("/cart")
    window.expect_text("#totals", "€46.00")
    page.get_by_role("link", name="Sign in and check out").click()
    page.get_by_label("E-mail").fill(buyer.email)
    page.get_by_label("Password").fill(buyer.password)
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url("**/checkout")
    window.expect_text("#totals", "€46.00")
    page.get_by_role("button", name="Add an address").click()
    for label, text in (("Name", "A. Buyer"), ("Street and number", "Hauptstraße 1"), ("City", "Berlin")):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Country").select_option("Germany")
    page.get_by_role("button", name="Save address").click()
    window.expect_text("#postal_code-error", "postal code")
    page.get_by_label("Postal code").fill("10115")
    page.get_by_role("button", name="Save address").click()
    page.get_by_role("button", name="Ship to this address").click()
    window.expect_text("#state", "Everything is reserved for you")
    window.expect_text("#countdown", re.compile(r"^1[0-5]:\d\d$"))
    total = page.locator("#totals .sum dd").inner_text()
    page.get_by_role("button", name=f"Pay {total}").click()

    page.wait_for_url(PAID)
    window.expect_text("#order", "Thank you for your order")
    window.expect_text("#order", f"{clock['title']} × 2")
    window.expect_text("#order", f"{vase['title']} × 1")
    window.expect_text("#order", total)
    sync_api.expect(page.locator("#cart-count")).to_be_hidden()
    [order] = orders_of(buyer)
    assert (order["status"], len(order["lines"]), order["quantity"]) == ("CONFIRMED", 2, 3)
    assert page.evaluate("localStorage.getItem('gavel.cart.lines')") is None
    assert window.faults == []


def test_a_visitors_cart_is_taken_over_once_whatever_tabs_and_reloads_there_are(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window()
    put_into_cart(window, clock, 2)
    takeovers: list[str] = []
    window.context.on(
        "request", lambda sent: takeovers.append(sent.url) if sent.url.endswith("/takeover") else None
    )

    window.sign_in(buyer)
    sync_api.expect(window.page.locator("#cart-count")).to_have_text("2")
    other = window.context.new_page()
    other.goto("/cart")
    sync_api.expect(other.locator("#lines li")).to_have_count(1)
    window.page.reload()
    sync_api.expect(window.page.locator("#cart-count")).to_have_text("2")

    assert len(takeovers) == 1
    [line] = buyer.get("/api/v1/cart").json()["lines"]
    assert (line["product_id"], line["quantity"]) == (clock["product_id"], 2)


def test_a_changed_price_is_shown_and_accepted_before_the_checkout(
    open_window: Open, shop: shopping.Shop
) -> None:
    clock, vase, lamp = shop.offer("Clock"), shop.offer("Vase", "5.00"), shop.offer("Lamp", "7.00")
    window = open_window(shop.buyer())
    page = window.page
    for offer in (clock, vase, lamp):
        put_into_cart(window, offer)
    shop.set_price(clock["product_id"], "25.00")
    shop.set_price(vase["product_id"], "6.00")
    shop.set_price(lamp["product_id"], "7.00", published=False)

    page.goto("/cart")

    window.expect_text("#changed", "3 things have changed")
    sync_api.expect(line_of(window, clock)).to_contain_text("from €20.50 to €25.00")
    sync_api.expect(line_of(window, lamp)).to_contain_text("No longer for sale")
    sync_api.expect(page.locator("#checkout")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name=f"Accept €25.00 for {clock['title']}").click()
    window.expect_text("#changed", "2 things have changed")
    page.get_by_role("button", name=f"Remove {lamp['title']}").click()
    window.expect_text("#changed", "One thing has changed")
    page.get_by_role("button", name=f"Accept €6.00 for {vase['title']}").click()
    sync_api.expect(page.locator("#changed")).to_be_empty()
    check_out(window)
    window.expect_text("#totals", "€31.00")
    assert window.faults == []


def test_a_price_that_changes_while_the_page_of_the_checkout_is_open_is_refused_and_nothing_is_reserved(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window(buyer)
    put_into_cart(window, clock)
    window.page.goto("/checkout")
    window.expect_text("#lines", clock["title"])
    shop.set_price(clock["product_id"], "25.00")

    window.page.get_by_role("button", name="Ship to this address").click()

    window.expect_text("#problem", "It is €25.00 now. You saw €20.50.")
    window.page.get_by_role("link", name="Look at your cart").click()
    sync_api.expect(line_of(window, clock)).to_contain_text("from €20.50 to €25.00")
    assert buyer.get("/api/v1/checkouts").json()["items"] == []


def test_two_tabs_have_one_cart_one_checkout_and_one_order(open_window: Open, shop: shopping.Shop) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window(buyer)
    put_into_cart(window, clock)
    check_out(window)
    first = window.page
    window.page = second = window.context.new_page()
    put_into_cart(window, clock)
    sync_api.expect(first.locator("#cart-count")).to_have_text("2")

    check_out(window)

    sync_api.expect(first.locator("#ended")).to_contain_text("This checkout was given up")
    first.goto(second.url)
    pay = [page.get_by_role("button", name=re.compile("^Pay ")) for page in (first, second)]
    for button in pay:
        sync_api.expect(button).to_be_enabled()
    pay[0].dblclick()
    second.wait_for_url(PAID)
    first.wait_for_url(PAID)
    [order] = orders_of(buyer)
    assert order["quantity"] == 2
    assert window.faults == []


def test_a_lost_answer_starts_one_checkout_and_one_payment(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window(buyer)
    put_into_cart(window, clock)
    keys: list[tuple[str, str | None]] = []

    def lose_the_first(route: sync_api.Route) -> None:
        sent = route.request
        if sent.method != "POST":
            route.continue_()
            return
        path = sent.url.rpartition("/")[2]
        keys.append((path, sent.header_value("idempotency-key")))
        answer = route.fetch()
        if sum(name == path for name, _ in keys) == 1:
            route.abort()
        else:
            route.fulfill(response=answer)

    window.page.route("**/api/v1/checkouts", lose_the_first)
    window.page.route("**/api/v1/checkouts/*/payment", lose_the_first)

    check_out(window)
    window.page.get_by_role("button", name=re.compile("^Pay ")).click()
    window.page.wait_for_url(PAID)

    assert [name for name, _ in keys] == ["checkouts"] * 2 + ["payment"] * 2
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert (
        house.value("orders", "SELECT count(*) FROM orders_checkout WHERE user_id = %s", buyer.user_id) == 1
    )
    assert len(orders_of(buyer)) == 1


def test_back_after_a_payment_leads_to_an_empty_cart_and_never_pays_again(
    open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window(buyer)
    page = window.page
    put_into_cart(window, clock)
    check_out(window)
    checkout = page.url
    page.get_by_role("button", name=re.compile("^Pay ")).click()
    page.wait_for_url(PAID)

    page.go_back()
    window.expect_text("#empty", "Your cart is empty")
    page.goto(checkout)
    page.wait_for_url(PAID)

    assert len(orders_of(buyer)) == 1
    assert window.faults == []


def test_back_from_a_checkout_keeps_it_and_the_cart_leads_to_it_again(
    open_window: Open, shop: shopping.Shop
) -> None:
    window = open_window(shop.buyer())
    page = window.page
    put_into_cart(window, shop.offer("Clock"))
    check_out(window)
    checkout = page.url

    page.go_back()
    window.expect_text("#running", "We keep 1 unit for you until")
    page.get_by_role("link", name="Check out").click()
    window.expect_text("#state", "Everything is reserved for you")
    assert page.url == checkout
    page.get_by_role("button", name="Give up this checkout").click()

    page.wait_for_url("**/cart")
    sync_api.expect(page.locator("#lines li")).to_have_count(1)
    sync_api.expect(page.locator("#running")).to_be_empty()


def test_what_is_sold_out_during_the_checkout_is_named_and_the_rest_can_be_ordered(
    open_window: Open, shop: shopping.Shop
) -> None:
    clock, vase = shop.offer("Clock", stock=1), shop.offer("Vase", "5.00", stock=3)
    other, buyer = shop.buyer(), shop.buyer()
    faster, window = open_window(other), open_window(buyer)
    put_into_cart(window, clock)
    put_into_cart(window, vase, 2)
    put_into_cart(faster, clock)
    put_into_cart(faster, vase, 2)
    check_out(faster)
    page = window.page
    page.goto("/checkout")

    page.get_by_role("button", name="Ship to this address").click()

    window.expect_text("#ended", "Not everything is available")
    window.expect_text("#ended", f"{clock['title']}: sold out.")
    window.expect_text("#ended", f"{vase['title']}: 1 left of the 2 that you wanted.")
    page.get_by_role("button", name="Order what is left").click()
    window.expect_text("#state", "Everything is reserved for you")
    sync_api.expect(page.locator("#lines li")).to_have_count(1)
    page.get_by_role("button", name=re.compile("^Pay ")).click()
    page.wait_for_url(PAID)
    [order] = orders_of(buyer)
    assert [(line["title"], line["quantity"]) for line in order["lines"]] == [(vase["title"], 1)]


def test_a_refused_card_leaves_the_units_reserved_and_another_card_pays(
    open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer(REFUSES)
    window = open_window(buyer)
    page = window.page
    put_into_cart(window, clock)
    check_out(window)
    checkout = page.url

    page.get_by_role("button", name=re.compile("^Pay ")).click()

    window.expect_text("#state", "You have not paid yet")
    window.expect_text("#state", "Everything stays reserved for you until")
    window.expect_text("#card", "declined")
    sync_api.expect(page.get_by_label("Card number")).to_be_focused()
    sync_api.expect(page.locator("#pay")).to_be_disabled()
    page.get_by_label("Card number").fill("1234")
    page.get_by_role("button", name="Save card").click()
    window.expect_text("#number-error", "test numbers are accepted")
    page.get_by_label("Card number").fill(houses.ACCEPTS)
    page.get_by_role("button", name="Save card").click()
    sync_api.expect(page.locator("#pay")).to_be_focused()
    assert page.url == checkout
    page.locator("#pay").click()

    page.wait_for_url(PAID)
    assert len(orders_of(buyer)) == 1
    assert window.faults == []


def test_from_the_search_to_the_payment_with_the_keyboard_alone(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Repeater"), shop.buyer()
    word = clock["title"].split()[-1]
    window = open_window(buyer)
    page = window.page

    page.goto("/shop")
    window.tab_to(page.get_by_role("combobox"))
    page.keyboard.type(f"repeater {word[:4]}")
    page.get_by_role("option", name=clock["title"]).wait_for()
    page.keyboard.press("Escape")
    sync_api.expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.type(word[4:6])
    page.get_by_role("option", name=clock["title"]).wait_for()
    page.keyboard.press("ArrowDown")
    sync_api.expect(page.get_by_role("combobox")).to_have_value(clock["title"])
    page.keyboard.press("Enter")
    window.tab_to(page.locator("#offers").get_by_role("link", name=clock["title"]))
    page.keyboard.press("Enter")
    window.tab_to(page.get_by_role("spinbutton", name="Quantity"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    window.expect_text("#added", "2 units in your cart")
    window.tab_to(page.get_by_role("link", name="View the cart"))
    page.keyboard.press("Enter")
    window.tab_to(page.get_by_role("button", name=f"One less: Quantity of {clock['title']}"))
    page.keyboard.press("Enter")
    window.expect_text("#totals", "€20.50")
    window.tab_to(page.get_by_role("link", name="Check out"))
    page.keyboard.press("Enter")
    window.tab_to(page.get_by_role("button", name="Ship to this address"))
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#pay")).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url(PAID)
    [order] = orders_of(buyer)
    assert order["quantity"] == 1
    assert window.faults == []


def test_a_list_is_narrowed_by_filters_that_back_undoes(open_window: Open, shop: shopping.Shop) -> None:
    word = f"filtered{uuid.uuid4().hex[:8]}"
    _, dear = shop.offer(f"{word} one", "5.00"), shop.offer(f"{word} two", "50.00")
    window = open_window(viewport={"width": 1280, "height": 900})
    page = window.page

    page.goto(f"/shop/search?q={word}")
    window.expect_text("#offers-title", "2 offers")
    page.get_by_label("Sort by").select_option("Highest price")
    sync_api.expect(page.locator("#offers h3").first).to_have_text(dear["title"])
    page.get_by_label("From").fill("ten")
    page.get_by_role("button", name="Apply").click()
    window.expect_text("#min_price-error", "Enter one amount")
    page.get_by_label("From").fill("10")
    page.get_by_role("button", name="Apply").click()
    window.expect_text("#offers-title", "1 offer")
    window.expect_text("#offers", dear["title"])
    page.get_by_label("To", exact=True).fill("20")
    page.get_by_role("button", name="Apply").click()
    window.expect_text("#offers", "No offers found")
    page.go_back()
    window.expect_text("#offers", dear["title"])
    page.get_by_role("button", name="Clear all").click()
    window.expect_text("#offers-title", "2 offers")
    page.locator("#facet-condition").get_by_role("link", name="Good").click()

    sync_api.expect(page.locator("#facet-condition").get_by_role("link", name="Good")).to_be_focused()
    assert page.url.endswith(f"q={word}&condition=GOOD&sort=-price")
    assert window.faults == []


def test_a_saved_search_is_listed_and_a_new_offer_that_it_finds_is_notified(
    open_window: Open, shop: shopping.Shop
) -> None:
    word, buyer = f"sought{uuid.uuid4().hex[:8]}", shop.buyer()
    window = open_window(buyer)
    page = window.page
    page.goto(f"/shop/search?q={word}")
    window.expect_text("#offers", f"Nothing matches “{word}”.")

    page.get_by_role("button", name="Save this search").click()
    window.expect_text("#saved-list", f"“{word}”")
    sync_api.expect(page.get_by_role("button", name="Save this search")).to_be_hidden()
    offer = shop.offer(f"{word} lamp")

    window.expect_text("#toasts", f"New in the shop: “{offer['title']}” for €20.50")
    page.get_by_role("button", name=f"Remove “{word}”").click()
    sync_api.expect(page.locator("#searches")).to_be_hidden()
    assert buyer.get("/api/v1/searches").json()["items"] == []
    assert window.faults == []


def test_an_address_is_changed_proposed_first_and_removed_on_the_page_of_the_account(
    open_window: Open, shop: shopping.Shop
) -> None:
    buyer = shop.buyer()
    window = open_window(buyer)
    page = window.page
    page.goto("/account")

    page.get_by_role("button", name="Add an address").click()
    for label, text in (("Name", "A. Buyer"), ("Street and number", "Gate 4"), ("City", "Hamburg")):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Postal code").fill("20095")
    page.get_by_label("Country").select_option("Germany")
    page.get_by_role("button", name="Save address").click()
    sync_api.expect(page.locator("#addresses li")).to_have_count(2)
    page.get_by_role("button", name="Propose first: A. Buyer, Hamburg").click()
    sync_api.expect(page.locator("#addresses li").first).to_contain_text("Hamburg")
    page.get_by_role("button", name="Change: A. Buyer, Berlin").click()
    sync_api.expect(page.get_by_label("Street and number")).to_have_value("Hauptstraße 1")
    page.get_by_label("City").fill("Potsdam")
    page.get_by_role("button", name="Save changes").click()
    window.expect_text("#addresses", "Potsdam")
    page.get_by_role("button", name="Remove: A. Buyer, Hamburg").click()

    sync_api.expect(page.locator("#addresses li")).to_have_count(1)
    [address] = buyer.get("/api/v1/addresses").json()["items"]
    assert (address["city"], address["is_default"]) == ("Potsdam", True)
    assert window.faults == []


def test_a_checkout_that_is_not_paid_in_time_says_so_and_keeps_the_cart(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window(buyer)
    put_into_cart(window, clock)
    check_out(window)
    pay_by_in_two_seconds = (
        "UPDATE orders_checkout SET expires_at = now() + interval '12 seconds' WHERE user_id = %s"
    )
    house.rows("orders", f"{pay_by_in_two_seconds} RETURNING id", buyer.user_id)
    window.page.reload()
    window.expect_text("#countdown", re.compile(r"^0:0\d$"))

    window.expect_text("#ended", "The time is over")

    sync_api.expect(window.page.locator("#pay")).to_have_count(0)
    window.page.get_by_role("link", name="Start again").click()
    window.page.get_by_role("button", name="Ship to this address").click()
    window.expect_text("#state", "Everything is reserved for you")
    assert orders_of(buyer) == []
    assert window.faults == []


def test_the_house_ships_and_refunds_and_the_buyer_sees_it_as_it_happens(
    house: houses.House, open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window, desk = open_window(buyer), open_window(house.operator)
    put_into_cart(window, clock, 2)
    check_out(window)
    window.page.locator("#pay").click()
    window.page.wait_for_url(PAID)
    window.expect_text("#order", "Ships to")
    window.expect_text("#order", "10115 Berlin")
    sync_api.expect(window.page.locator("summary")).to_have_text(["Cancel the order"])
    number = orders_of(buyer)[0]["number"]
    page = desk.page
    page.goto(f"/orders/{number}")

    page.get_by_text("Ship", exact=True).click()
    page.get_by_role("button", name="Mark as shipped").click()
    desk.expect_text("#order details[open] [role=alert]", "Carrier is required.")
    page.get_by_label("Carrier").fill("Parcel Post")
    page.get_by_label("Tracking number").fill("PP-1")
    page.get_by_role("button", name="Mark as shipped").click()

    window.expect_text("#order .steps li.done >> nth=3", "Shipped")
    window.expect_text("#order", "PP-1")
    sync_api.expect(window.page.locator("summary")).to_have_text(["Return something"])
    page.locator("summary", has_text="Refund").click()
    page.get_by_label("Amount").fill("5")
    page.locator("details[open]").get_by_label("Reason").fill("A scratch.")
    page.get_by_role("button", name="Refund").click()
    desk.expect_text("#order", "€5.00 refunded. A scratch.")
    window.expect_text("#order", "€5.00 refunded. A scratch.")
    assert window.faults + desk.faults == []


def test_a_buyer_cancels_before_the_parcel_leaves_and_the_history_can_be_narrowed_to_it(
    open_window: Open, shop: shopping.Shop
) -> None:
    clock, buyer = shop.offer("Clock"), shop.buyer()
    window = open_window(buyer)
    page = window.page
    put_into_cart(window, clock)
    check_out(window)
    page.locator("#pay").click()
    page.wait_for_url(PAID)

    page.get_by_text("Cancel the order", exact=True).first.click()
    page.get_by_label("Reason").fill("I changed my mind.")
    page.get_by_role("button", name="Cancel the order").click()

    window.expect_text("#order .steps .failed", "Cancelled")
    page.goto("/orders")
    page.get_by_label("Status").select_option("Shipped")
    window.expect_text("#orders", "No orders found")
    page.get_by_label("Status").select_option("Cancelled")
    window.expect_text("#orders", clock["title"])
    assert page.url.endswith("/orders?status=CANCELLED")
    assert window.faults == []
