"""Bidding on the pages: two people against each other, refusals in words, the keyboard alone, buying and its order."""

import re
from collections.abc import Callable

from playwright import sync_api

from auction_project.contracts import names
from tests import house as houses
from tests.browser import visitor

Bidders = tuple[houses.Person, houses.Person]
Open = Callable[..., visitor.Window]


def test_two_bidders_see_each_others_bids_at_once(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    first, second = open_window(bidders[0]), open_window(bidders[1])
    first.see_auction(auction_id)
    second.see_auction(auction_id)

    first.bid("20")
    first.expect_text("#standing", "You lead")
    second.expect_text("#price", "€10.00")
    second.bid("25")

    second.expect_text("#standing", "You lead")
    second.expect_text("#standing", "Your maximum is €25.00")
    first.expect_text("#standing", "You were outbid")
    first.expect_text("#standing", "at least €21.00")
    for window in (first, second):
        window.expect_text("#price", "€20.50")
        window.expect_text("#meta", "2 bids by 2 bidders")
    first.expect_text("#unread", re.compile(r"^[1-9]"))
    first.expect_text("#log", "Bidder 2 leads")
    second.expect_text("#log", "You lead")
    sync_api.expect(first.page.locator("#plot svg")).to_have_attribute(
        "aria-label", "The price rose from €10.00 to €20.50 in 2 bids."
    )
    assert [entry["seq"] for entry in history(house, auction_id)] == [1, 2, 3, 4, 5]
    assert first.faults + second.faults == []


def test_an_answer_that_comes_before_the_frame_of_an_earlier_bid_leaves_no_wrong_figure(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    late: list[tuple[sync_api.WebSocketRoute, str | bytes]] = []

    def hold_frames(page: sync_api.WebSocketRoute) -> None:
        def forward(message: str | bytes) -> None:
            if '"type":"auction"' in str(message):
                late.append((page, message))
            else:
                page.send(message)

        page.connect_to_server().on_message(forward)

    window.page.route_web_socket("**/ws/v1/stream*", hold_frames)
    window.see_auction(auction_id)

    assert bidders[1].bid(auction_id, "20").status_code == 201
    window.bid("25")
    window.expect_text("#standing", "You lead")
    for _ in range(visitor.PATIENCE_MS // 50):
        if len(late) < 2:
            window.page.wait_for_timeout(50)
    assert len(late) == 2
    for page, message in late:
        page.send(message)

    window.expect_text("#meta", "2 bids by 2 bidders")
    window.expect_text("#price", "€20.50")


def test_a_refusal_names_the_rule_and_its_figures_and_changes_nothing(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)

    window.bid("9.50")
    window.expect_text("#bid-error", "You offered €9.50; at least €10.00 is needed.")
    window.expect_text("#bid-error code", "bid_too_low")
    sync_api.expect(window.page.get_by_label("Your maximum bid")).to_be_focused()
    window.bid("ten")
    window.expect_text("#bid-error", "Enter an amount such as 125.50.")
    window.bid("12.345")
    window.expect_text("#bid-error", "EUR has 2 decimals.")

    assert house.auction(auction_id)["bids"] == 0
    assert window.faults == []


def test_an_amount_is_read_as_people_write_it(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)

    window.bid("€ 1,250.5")

    window.expect_text("#standing", "Your maximum is €1,250.50")
    assert house.auction(auction_id)["price"] == "10.00"


def test_a_bid_is_placed_with_the_keyboard_alone(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    keyboard = window.page.keyboard

    keyboard.press("Tab")
    assert window.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    keyboard.press("Enter")
    for _ in range(10):
        keyboard.press("Tab")
        if window.page.evaluate("document.activeElement.id") == "amount":
            break
    outline = window.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    keyboard.type("15")
    keyboard.press("Enter")

    window.expect_text("#standing", "You lead")
    assert outline == "solid"
    assert house.auction(auction_id)["bids"] == 1


def test_a_purchase_becomes_an_order_that_the_page_follows(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=5)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    window.expect_text("#meta", "5 of 5 left")

    window.page.get_by_label("How many").fill("2")
    window.page.get_by_role("button", name="Buy now for €80.00").click()

    window.expect_text("#bid-error", "Bought")
    window.expect_text("#meta", "3 of 5 left")
    window.page.goto("/orders")
    window.page.get_by_role("link", name="Brass sextant").first.click()
    window.expect_text("#order .note", "All done")
    window.expect_text("#order .timeline", "Payment captured")
    window.expect_text("#order .facts", "€80.00")
    assert window.page.locator("#order .steps .done").count() == 4
    assert window.faults == []


def test_a_page_does_not_ask_for_an_order_before_there_is_one(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=5)
    window = open_window(bidders[0])
    worker = house.stack["worker"]

    worker.kill()
    try:
        bought = bidders[0].buy(auction_id).json()
        number = names.order_number(names.sale_id(auction_id, bought["seq"]))
        window.page.goto(f"/orders/{number}")
        window.expect_text("#order .facts", "Being settled")
        window.page.wait_for_timeout(4_000)  # the page asks again every 1.5 s
    finally:
        worker.start()

    window.expect_text("#order .note", "All done")
    assert window.errors == []


def test_a_refused_card_is_told_as_a_cancelled_order(
    house: houses.House, open_window: Open, product: str
) -> None:
    buyer = house.new_account("bidder", card="4000000000000002")
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=1)
    window = open_window(buyer)
    window.see_auction(auction_id)

    window.page.get_by_role("button", name="Buy now").click()
    window.expect_text("#bid-error", "Bought")
    window.page.goto("/orders")

    window.expect_text("#orders", "Cancelled: the payment was refused.")
    window.page.get_by_role("link", name="Brass sextant").first.click()
    window.expect_text("#order .steps .failed", "Not paid")


def test_the_catalogue_is_searched_and_paged_and_follows_prices(
    house: houses.House, open_window: Open, bidders: Bidders
) -> None:
    special = house.new_product(stock=5, title="Astrolabe of the north")
    auction_id = house.new_auction(special)
    window = open_window()
    window.page.goto("/")

    window.page.get_by_label("Search titles").fill("astrolabe")
    card = window.page.locator(".lot-card")
    sync_api.expect(card).to_have_count(1)
    window.expect_text(".lot-card", "Starts at")
    assert bidders[0].bid(auction_id, "30").status_code == 201

    window.expect_text(".lot-card", "Current bid")
    window.expect_text(".lot-card", "€10.00")
    assert "q=astrolabe" in window.page.url
    assert window.faults == []


def test_nobody_bids_without_signing_in_and_no_seller_on_his_own_lot(
    house: houses.House, open_window: Open, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window()
    window.see_auction(auction_id)

    sync_api.expect(window.page.get_by_role("link", name="Sign in to bid")).to_be_visible()
    sync_api.expect(window.page.locator("#bid-form")).to_be_hidden()
    window.page.goto("/bids")
    assert "/accounts/login/?next=/bids" in window.page.url


def history(house: houses.House, auction_id: str) -> list[dict[str, object]]:
    return list(house.http.get(f"/api/v1/auctions/{auction_id}/history").json()["entries"])
