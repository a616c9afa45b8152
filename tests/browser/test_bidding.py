"""Bidding on the pages: two bidders against each other, refusals, the keyboard alone, purchases and their orders."""

import re
import uuid
from collections.abc import Callable

from playwright import sync_api

from auction_project.kernel import ids
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
    first.expect_text("#standing", "You're the highest bidder")
    second.expect_text("#price", "€10.00")
    second.bid("25")

    second.expect_text("#standing", "You're the highest bidder")
    second.expect_text("#standing", "Your maximum is €25.00")
    first.expect_text("#standing", "You were outbid")
    first.expect_text("#standing", "The next bid is €21.00 or more.")
    sync_api.expect(first.page.locator("#bid-error")).to_be_empty()
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
    held: list[tuple[sync_api.WebSocketRoute, str | bytes]] = []

    def hold_frames(page: sync_api.WebSocketRoute) -> None:
        def forward(message: str | bytes) -> None:
            if '"type":"auction"' in str(message):
                held.append((page, message))
            else:
                page.send(message)

        page.connect_to_server().on_message(forward)

    window.page.route_web_socket("**/ws/v1/stream*", hold_frames)
    window.see_auction(auction_id)

    assert bidders[1].bid(auction_id, "20").status_code == 201
    window.bid("25")
    window.expect_text("#standing", "You're the highest bidder")
    for _ in range(visitor.PATIENCE_MS // 50):
        if len(held) < 2:
            window.page.wait_for_timeout(50)
    assert len(held) == 2
    for page, message in held:
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
    window.expect_text("#bid-error", "Your bid of €9.50 was below the minimum of €10.00.")
    window.expect_text("#bid-error code", "bid_too_low")
    sync_api.expect(window.page.get_by_label("Your maximum bid")).to_be_focused()
    for text in ("ten", "500/600", "1e9", "10x5", "10k", "1.250,50"):
        window.bid(text)
        window.expect_text("#bid-error", "Enter one amount, such as 1250.50.")
        window.page.get_by_label("Your maximum bid").fill("")
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

    window.bid("€ 40.5")

    window.expect_text("#standing", "Your maximum is €40.50")
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

    window.expect_text("#standing", "You're the highest bidder")
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

    window.expect_text("#standing", "You bought this")
    window.expect_text("#meta", "3 of 5 left")
    window.expect_text("#bid-form", "Buy now for €40.00")
    window.expect_text("#toasts", "is confirmed")
    toasts, form = (window.page.locator(name).bounding_box() for name in ("#toasts", "#bid-form"))
    assert toasts["x"] + toasts["width"] <= form["x"], "a notice covers the form"
    sync_api.expect(window.page.locator("#toasts")).not_to_contain_text("You bought")
    window.page.goto("/orders")
    window.page.get_by_role("link", name="Brass sextant").first.click()
    window.expect_text("#order .note", "Order confirmed")
    window.expect_text("#order .timeline", "Payment captured")
    window.expect_text("#order .facts", "€80.00")
    assert window.page.locator("#order .steps .done").count() == 3
    assert window.faults == []


def test_each_purchase_leads_to_its_own_order(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=5)
    window = open_window(bidders[0])
    window.see_auction(auction_id)

    for purchases in (1, 2):
        with window.page.expect_response(lambda response: visitor.is_bid(response.request)) as response:
            window.page.get_by_role("button", name="Buy now for €40.00").click()
        number = ids.order_number(response.value.json()["sale_id"])
        window.expect_text("#meta", f"{5 - purchases} of 5 left")

        window.expect_text("#standing a", f"Open order {number}")

    assert window.faults == []


def test_a_page_does_not_request_an_order_before_it_exists(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=5)
    window = open_window(bidders[0])
    worker = house.stack["worker"]

    worker.kill()
    try:
        bought = bidders[0].buy(auction_id).json()
        number = ids.order_number(ids.sale_id(auction_id, bought["seq"]))
        window.page.goto(f"/orders/{number}")
        window.expect_text("#order .facts", "In progress")
        for _ in range(3):  # the page looks for the order again and again
            with window.page.expect_response(re.compile(r"/api/v1/orders\?number=")):
                pass
    finally:
        worker.start()

    window.expect_text("#order .note", "Order confirmed")
    assert window.errors == []


def test_an_unknown_order_is_said_to_be_unknown_at_the_first_answer(
    open_window: Open, bidders: Bidders
) -> None:
    """The page asks again for a while, and says so before: here its further questions get no answer."""
    window = open_window(bidders[0])
    window.page.route(re.compile(r"/api/v1/orders\?number="), lambda route: None)
    window.page.route(re.compile(r"/api/v1/orders\?number="), lambda route: route.continue_(), times=1)

    window.page.goto("/orders/NONE-1")

    window.expect_text("#order", "You have no order with this number.")
    assert window.errors == []


def test_a_declined_card_cancels_the_order_and_its_notice_leads_to_the_lot(
    house: houses.House, open_window: Open, product: str
) -> None:
    buyer = house.new_account("bidder", card="4000000000000002")
    auction_id = house.new_auction(product, format="buy_now", start_price="40.00", quantity=1)
    window = open_window(buyer)
    window.see_auction(auction_id)

    window.page.get_by_role("button", name="Buy now").click()
    window.expect_text("#standing", "Your purchase did not go through")
    window.expect_text("#card-needed", "Your card was declined")
    window.page.goto("/orders")

    window.expect_text("#orders", "Cancelled: the payment was declined.")
    window.page.get_by_role("link", name="Brass sextant").first.click()
    window.expect_text("#order .steps .failed", "Not paid")
    window.expect_text("#order .steps", "Confirmed: not reached")
    window.page.goto("/bids")
    sync_api.expect(window.page.locator("[data-label='Your maximum']")).to_have_text("–")
    window.page.goto("/notifications")
    links = window.page.locator("#notices a")
    sync_api.expect(links.first).to_be_visible()
    sold = {link.get_attribute("href") for link in links.all() if "cancelled" in link.inner_text()}
    assert sold == {f"/auctions/{auction_id}"}


def test_the_catalogue_is_searched_and_paged_and_follows_prices(
    house: houses.House, open_window: Open, bidders: Bidders
) -> None:
    special = house.new_product(stock=5, title="Astrolabe of the north")
    auction_id = house.new_auction(special)
    window = open_window()
    window.page.goto("/")

    window.page.get_by_label("Search titles").fill("astrolabe")
    window.page.wait_for_url("**/?q=astrolabe")
    card = window.page.locator(".lot-card")
    sync_api.expect(card).to_have_count(1)
    window.expect_text(".lot-card", "Starts at")
    assert bidders[0].bid(auction_id, "30").status_code == 201

    window.expect_text(".lot-card", "Current bid")
    window.expect_text(".lot-card", "€10.00")
    assert window.faults == []


def test_a_saved_search_tells_of_a_new_lot_whose_title_then_completes_what_is_typed(
    house: houses.House, open_window: Open, bidders: Bidders
) -> None:
    word = f"sought{uuid.uuid4().hex[:8]}"
    window = open_window(bidders[0])
    page, keyboard = window.page, window.page.keyboard
    page.goto(f"/?q={word}")
    window.expect_text("#catalogue", f"Nothing matches “{word}”.")

    page.get_by_role("button", name="Save this search").click()
    window.expect_text("#saved-list", f"“{word}” · among the lots")
    auction_id = house.new_auction(house.new_product(stock=1, title=f"{word} lamp"))
    toast = page.locator("#toasts").get_by_role("link", name=f"New lot: “{word} lamp” at €10.00")
    sync_api.expect(toast).to_have_attribute("href", f"/auctions/{auction_id}")

    field = page.get_by_role("combobox", name="Search titles")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    field.fill("")
    field.press_sequentially(word[:-1])
    sync_api.expect(options).to_have_text([word, f"{word} lamp"])
    window.expect_text("#found", "1 lot found")
    keyboard.press("ArrowUp")
    sync_api.expect(field).to_have_value(f"{word} lamp")
    keyboard.press("Escape")
    sync_api.expect(field).to_have_value(word[:-1])
    sync_api.expect(options).to_have_count(0)
    keyboard.type(f"{word[-1]} ")
    page.wait_for_url(f"**/?q={word}")
    sync_api.expect(field).to_have_value(f"{word} ")
    sync_api.expect(options).to_have_count(2)
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")

    page.wait_for_url(f"**/?q={word}+lamp")
    sync_api.expect(page.locator(f"#catalogue a[href='/auctions/{auction_id}']")).to_be_visible()
    page.get_by_role("button", name=f"Remove “{word}”").click()
    sync_api.expect(page.locator("#searches")).to_be_hidden()
    assert window.faults == []


def test_the_catalogue_is_narrowed_by_filters_with_counts_that_back_undoes(
    house: houses.House, open_window: Open
) -> None:
    word = f"narrowed{uuid.uuid4().hex[:8]}"
    product = house.new_product(stock=20, title=f"{word} lamp")
    dear = house.new_auction(product, format="buy_now", start_price="90.00", quantity=1)
    cheap = house.new_auction(product, format="buy_now", start_price="40.00", quantity=1)
    house.new_auction(product)
    late = house.new_auction(product, seconds=3 * 24 * 3600)
    window = open_window(viewport={"width": 1280, "height": 900})
    page = window.page
    cards = page.locator("#catalogue .lot-card")

    page.goto(f"/?q={word}")
    window.expect_text("#lots-title", "4 lots")
    formats, ends = page.locator("#facet-format"), page.locator("#facet-ending_soon")
    sync_api.expect(formats.get_by_role("link")).to_have_text(["Any", "Auction 2", "Buy now 2"])
    sync_api.expect(ends.get_by_role("link")).to_have_text(["Any", "Within a day 3"])

    ends.get_by_role("link", name="Within a day").click()
    sync_api.expect(cards).to_have_count(3)
    sync_api.expect(page.locator(f"a[href='/auctions/{late}']")).to_have_count(0)
    sync_api.expect(ends.get_by_role("link", name="Within a day")).to_be_focused()
    formats.get_by_role("link", name="Buy now").click()
    sync_api.expect(page.locator("#found")).to_have_text("2 lots found")
    page.get_by_label("Sort by").select_option("Highest price")
    sync_api.expect(cards.first.locator(f"a[href='/auctions/{dear}']")).to_be_visible()
    page.get_by_label("From").fill("none")
    page.get_by_role("button", name="Apply").click()
    window.expect_text("#min_price-error", "Enter one amount")
    page.get_by_label("From").fill("")
    page.get_by_label("To", exact=True).fill("50")
    page.get_by_role("button", name="Apply").click()
    sync_api.expect(page.locator("#found")).to_have_text("1 lot found")
    sync_api.expect(cards.locator(f"a[href='/auctions/{cheap}']")).to_be_visible()
    assert page.url.endswith(f"?q={word}&format=buy_now&ending_soon=true&max_price=50.00&order=-price")
    chips = page.get_by_role("list", name="Filters in use").get_by_role("button")
    sync_api.expect(chips).to_have_text(["Buy now ×", "Ends within a day ×", "Up to €50.00 ×"])

    page.get_by_role("button", name="Remove the filter: Buy now").click()
    sync_api.expect(chips).to_have_count(2)
    sync_api.expect(page.locator("#lots-title")).to_be_focused()
    page.go_back()
    sync_api.expect(chips).to_have_count(3)
    sync_api.expect(page.get_by_label("To", exact=True)).to_have_value("50.00")
    page.get_by_role("button", name="Clear all").click()
    window.expect_text("#lots-title", "4 lots")
    sync_api.expect(page.locator("#chosen-row")).to_be_hidden()
    assert page.url.endswith(f"?q={word}&order=-price")
    page.reload()
    sync_api.expect(page.get_by_label("Sort by")).to_have_value("-price")
    assert window.faults == []


def test_the_catalogue_goes_without_counts_while_lots_cannot_be_counted(
    house: houses.House, open_window: Open, product: str
) -> None:
    house.new_auction(product)
    window = open_window(viewport={"width": 390, "height": 900})
    window.page.route("**/api/v1/auctions?*facets=true*", lambda route: route.abort())

    window.page.goto("/")

    sync_api.expect(window.page.locator("#catalogue .lot-card").first).to_be_visible()
    sync_api.expect(window.page.locator("#facet-format")).to_be_hidden()
    window.page.get_by_text("Filter", exact=True).click()
    sync_api.expect(window.page.locator("#facet-format").get_by_role("link")).to_have_text(
        ["Any", "Auction", "Buy now"]
    )
    sync_api.expect(window.page.locator("#problem")).to_be_empty()


def test_a_card_says_sold_out_and_counts_down_no_more_when_the_last_unit_is_bought(
    house: houses.House, open_window: Open, bidders: Bidders
) -> None:
    title = f"Sundial {uuid.uuid4().hex[:8]}"
    auction_id = house.new_auction(
        house.new_product(stock=2, title=title), format="buy_now", start_price="40.00", quantity=2
    )
    window = open_window()
    window.page.goto(f"/?q={title}")
    window.expect_text(".lot-card .chip", "Open")
    window.expect_text(".lot-card .lot-figures", "Ends in")

    assert bidders[0].buy(auction_id).status_code == 201
    window.expect_text(".lot-card", "1 left")
    assert bidders[1].buy(auction_id).status_code == 201

    window.expect_text(".lot-card .chip", "Sold out")
    sync_api.expect(window.page.locator(".lot-card .lot-figures")).not_to_contain_text("Ends in")
    assert window.faults == []


def test_a_visitor_signs_in_before_bidding(house: houses.House, open_window: Open, product: str) -> None:
    auction_id = house.new_auction(product)
    window = open_window()
    window.see_auction(auction_id)

    sync_api.expect(window.page.get_by_role("link", name="Sign in to bid")).to_be_visible()
    sync_api.expect(window.page.locator("#bid-form")).to_be_hidden()
    window.page.goto("/bids")
    assert "/accounts/login/?next=/bids" in window.page.url


def test_a_leader_raises_the_maximum_and_lowers_it_only_on_purpose(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    window.bid("40")
    window.expect_text("#amount-label", "Raise your maximum")
    window.expect_text("#amount-hint", "Your maximum is €40.00.")
    quick_bids = window.page.locator("#quick-bids button").all_inner_texts()

    raised = window.page.get_by_label("Raise your maximum")
    raised.fill("30")
    window.page.get_by_role("button", name="Raise maximum").click()
    window.expect_text("#bid-error", "That is below your maximum")
    raised.fill("45")
    window.page.get_by_role("button", name="Raise maximum").click()
    window.expect_text("#standing", "Your maximum is €45.00")
    window.expect_text("#log", "You changed your maximum")
    window.page.get_by_role("button", name="Lower my maximum").click()
    window.page.get_by_label("Lower your maximum").fill("20")
    window.page.get_by_role("button", name="Lower maximum", exact=True).click()
    dialog = window.page.get_by_role("dialog", name="Lower your maximum to €20.00?")
    dialog.wait_for()
    window.page.keyboard.press("Escape")
    window.expect_text("#bid-error", "You did not confirm the bid.")
    assert bidders[0].get(f"/api/v1/auctions/{auction_id}/mine").json()["maximum"] == "45.00"
    window.page.get_by_role("button", name="Lower maximum", exact=True).click()
    dialog.get_by_role("button", name="Lower it to €20.00").click()

    window.expect_text("#standing", "Your maximum is €20.00")
    assert all(float(amount.lstrip("€")) > 40 for amount in quick_bids)
    assert len(quick_bids) == 3
    assert house.auction(auction_id)["bids"] == 1
    assert window.faults == []


def test_an_unusually_high_bid_is_confirmed_once_under_one_key(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(bidders[0])
    window.see_auction(auction_id)
    keys: list[str] = []
    window.page.on(
        "request", lambda sent: keys.append(sent.headers["idempotency-key"]) if visitor.is_bid(sent) else None
    )

    window.bid("500")
    dialog = window.page.get_by_role("dialog", name="Bid up to €500.00?")
    dialog.wait_for()
    sync_api.expect(dialog.get_by_role("button", name="Go back")).to_be_focused()
    dialog.get_by_role("button", name="Go back").click()
    window.expect_text("#bid-error", "You did not confirm the bid.")
    assert house.auction(auction_id)["bids"] == 0
    keys.clear()
    window.bid("500")
    dialog.get_by_role("button", name="Yes, bid €500.00").click()

    window.expect_text("#standing", "Your maximum is €500.00")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert house.auction(auction_id)["bids"] == 1


def test_a_bidder_without_a_card_adds_one_and_bids_at_once(
    house: houses.House, open_window: Open, product: str
) -> None:
    auction_id = house.new_auction(product)
    window = open_window(house.new_account("bidder", card=None))
    page = window.page
    window.see_auction(auction_id)

    window.expect_text("#card-needed", "Add a card before you bid")
    sync_api.expect(page.locator("#bid-form")).to_be_hidden()
    page.get_by_role("link", name="Add a card").click()
    page.get_by_role("button", name="Use 4242 4242 4242 4242").click()
    page.get_by_role("button", name="Save card").click()
    page.get_by_role("link", name="Back to the lot").click()
    window.bid("20")

    window.expect_text("#standing", "You're the highest bidder")
    assert window.faults == []


def test_a_declined_winner_is_not_shown_as_leader_and_the_runner_up_is(
    house: houses.House, open_window: Open, product: str
) -> None:
    payer, decliner = house.new_account("bidder"), house.new_account("bidder", card="4000000000000002")
    winner, loser = open_window(payer), open_window(decliner)  # signing in takes none of the auction's time
    auction_id = house.new_auction(product, seconds=20)
    assert payer.bid(auction_id, "20").status_code == 201
    assert decliner.bid(auction_id, "40").status_code == 201
    winner.see_auction(auction_id)
    loser.see_auction(auction_id)
    winner.expect_text("#standing", "You were outbid")
    sync_api.expect(winner.page).to_have_title(re.compile(r"^\(Outbid\) "))

    winner.expect_text("#standing", "You won this lot")
    winner.expect_text("#meta", "Buyer Bidder 1 (you)")
    winner.expect_text("#price", "€10.00")
    winner.expect_text("#standing a", re.compile(r"^Open order GV-"))
    sync_api.expect(winner.page).to_have_title(re.compile(r"^[^(]"))
    loser.expect_text("#standing", "Your purchase did not go through")
    loser.expect_text("#meta", "Buyer Bidder 1")
    for window in (winner, loser):
        window.expect_text("#log", "Sale cancelled, offered to the next bidder")
        sync_api.expect(window.page.locator("#log")).not_to_contain_text("payment")
    winner.page.reload()

    winner.expect_text("#standing", "You won this lot")
    winner.expect_text("#meta", "Buyer Bidder 1 (you)")
    assert winner.faults + loser.faults == []


def test_a_lot_that_ended_says_whether_it_was_sold(
    house: houses.House, open_window: Open, bidders: Bidders, product: str
) -> None:
    title = f"Quadrant {uuid.uuid4().hex[:8]}"
    special = house.new_product(stock=5, title=title)
    unsold = house.new_auction(special, seconds=6, reserve_price="100.00", relistings_left=0)
    sold = house.new_auction(special, format="buy_now", start_price="40.00", quantity=1)
    still_open = house.new_auction(special, format="buy_now", start_price="50.00", quantity=1)
    assert bidders[0].bid(unsold, "20").status_code == 201
    window = open_window(bidders[0])
    window.see_auction(unsold)

    window.expect_text("#standing", "Not sold")
    window.expect_text("#standing", "Bidding reached €10.00, below the reserve.")
    similar = window.page.locator("#similar-lots").get_by_role("link", name=title)
    similar.first.wait_for()
    hrefs = {link.get_attribute("href") for link in similar.all()}
    assert f"/auctions/{still_open}" in hrefs
    assert f"/auctions/{unsold}" not in hrefs
    window.page.goto(f"/?q={title}&status=CLOSED")
    window.expect_text(".lot-card", "Not sold")
    assert window.page.get_by_label("Sort by").input_value() == "-ends_at"
    assert bidders[1].buy(sold).status_code == 201
    window.page.goto(f"/?q={title}&status=SOLD_OUT")
    window.expect_text(".lot-card", "Sold out")
    window.see_auction(sold)
    window.expect_text("#standing", "Sold out")
    window.expect_text("#countdown", "Sold out")
    sync_api.expect(window.page.locator("#bid-form")).to_be_hidden()
    desk = open_window(house.operator)
    desk.page.goto("/sell")
    for lot, word in ((unsold, "Not sold"), (sold, "Sold out")):
        row = desk.page.locator("#auctions tr", has=desk.page.locator(f"a[href='/sell/auctions/{lot}']"))
        sync_api.expect(row.locator(".chip")).to_have_text(word)
    desk.page.goto(f"/sell/auctions/{unsold}")
    desk.expect_text("#status", "Not sold")
    assert window.faults + desk.faults == []


def history(house: houses.House, auction_id: str) -> list[dict[str, object]]:
    return list(house.http.get(f"/api/v1/auctions/{auction_id}/history").json()["entries"])
