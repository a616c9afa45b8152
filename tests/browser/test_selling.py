"""Selling: a product and its auction from the first form to the live log, cancelling, and the menu of the admin."""

import io
import uuid
from collections.abc import Callable

from PIL import Image
from playwright import sync_api

from auction_project.kernel import instants
from tests import house as houses
from tests.browser import visitor

Open = Callable[..., visitor.Window]


def picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (400, 400), (122, 28, 45)).save(content, "PNG")
    return content.getvalue()


def test_a_seller_makes_a_product_lists_it_opens_it_and_watches_the_log(
    house: houses.House, open_window: Open, bidders: tuple
) -> None:
    sku = uuid.uuid4().hex[:10]
    window = open_window(house.seller)
    page = window.page

    page.goto("/sell/products/new")
    page.get_by_label("Title").fill("  ")
    page.get_by_role("button", name="Create product").click()
    window.expect_text("#title-error", "Title is required.")
    window.expect_text("#sku-error", "SKU is required.")
    sync_api.expect(page.get_by_label("Title")).to_be_focused()
    page.get_by_label("Title").fill("Telescope, brass")
    page.get_by_label("SKU").fill(sku)
    page.get_by_label("Description").fill("Three draws.\nIn its box.")
    page.get_by_label("Picture", exact=True).set_input_files(
        {"name": "t.png", "mimeType": "image/png", "buffer": picture()}
    )
    sync_api.expect(page.locator("#picked")).to_be_visible()
    page.get_by_role("button", name="Create product").click()
    window.expect_text("#problem", "is created")
    product_id = house.value("inventory", "SELECT id FROM inventory_product WHERE sku = %s", sku)
    house.call("receive_stock", product_id=product_id, quantity=3)
    page.get_by_role("link", name="List it in an auction").click()
    window.expect_text("#product_id-hint", "3 units free in stock")
    page.get_by_label("Starting price").fill("50")
    window.expect_text("#preview", "Bidding starts at €50.00.")
    page.get_by_label("Reserve (optional)").fill("80")
    window.expect_text("#preview", "There is a hidden reserve.")
    page.get_by_role("button", name="Create auction").click()

    page.wait_for_url("**/sell/auctions/*")
    window.expect_text("#status", "Coming up")
    page.get_by_role("button", name="Open now").click()
    window.expect_text("#status", "Open")
    auction_id = page.url.rpartition("/")[2]
    cancel = page.locator("#cancel")
    sync_api.expect(cancel).to_be_visible()
    assert bidders[0].bid(auction_id, "60").status_code == 201
    window.expect_text("#state", "only an operator can cancel it")
    sync_api.expect(cancel).to_be_hidden()
    window.expect_text("#log", "Bidder 1 leads")
    window.expect_text("#figures", "Not met")
    sync_api.expect(page.locator("#log li")).to_have_count(4)
    window.see_auction(auction_id)
    assert page.locator("#text").inner_text() == "Three draws.\nIn its box."
    assert window.faults == []


def test_a_lot_without_stock_is_on_the_sellers_page_and_not_in_the_public_list(
    house: houses.House, open_window: Open
) -> None:
    product = house.new_product(stock=0)
    now = instants.now()
    body = {"product_id": product, "format": "english", "currency": "EUR", "start_price": "10.00"}
    response = house.operator.post("/api/v1/auctions", {**body, "starts_at": now, "ends_at": now + 600_000})
    auction_id = response.json()["id"]
    house.wait_until(lambda: house.auction(auction_id)["status"] == "CANCELLED", "the refusal")
    window = open_window(house.operator)
    card = window.page.locator(f"a[href='/auctions/{auction_id}']")

    window.page.goto("/sell")
    sync_api.expect(window.page.locator(f"a[href='/sell/auctions/{auction_id}']")).to_be_visible()
    window.page.goto("/?status=CANCELLED&order=-starts_at")
    window.page.wait_for_load_state("networkidle")

    sync_api.expect(card).to_have_count(0)
    window.page.goto(f"/auctions/{auction_id}")
    window.expect_text("#standing", "This auction was cancelled")
    assert window.faults == []


def test_a_product_beyond_the_first_hundred_can_be_found_and_the_one_in_the_address_is_selected(
    house: houses.House, open_window: Open
) -> None:
    first, last = f"Zither {uuid.uuid4().hex[:8]}", f"Zither {uuid.uuid4().hex[:8]}"
    ids = [
        house.call("create_product", title=title, stock=1, sku=f"z-{title.split()[1]}")
        for title in (first, last)
    ]
    for number in range(100):
        house.call("create_product", title=f"Spoon {number}", stock=0)
    page_of_100 = house.operator.get("/api/v1/products", page_size=100).json()["items"]
    assert not {product["id"] for product in page_of_100} & set(ids)
    window = open_window(house.operator)
    page = window.page

    page.goto(f"/sell/auctions/new?product={ids[0]}")
    sync_api.expect(page.get_by_label("Product", exact=True)).to_have_value(ids[0])
    window.expect_text("#product_id-hint", "search for others")
    page.get_by_label("Find a product").fill(last.split()[1] + " zith")
    sync_api.expect(page.locator(f"#product_id option[value='{ids[1]}']")).to_have_count(1)

    assert page.get_by_label("Product", exact=True).input_value() == ids[0]  # kept until another is chosen
    page.get_by_label("Product", exact=True).select_option(ids[1])
    window.expect_text("#product_id-hint", "1 unit free in stock.")
    assert window.faults == []


def test_terms_that_break_a_rule_are_refused_at_their_field(
    house: houses.House, open_window: Open, product: str
) -> None:
    window = open_window(house.operator)
    window.page.goto(f"/sell/auctions/new?product={product}")
    window.expect_text("#product_id-hint", "in stock")

    price, reserve = (window.page.get_by_label(name) for name in ("Starting price", "Reserve (optional)"))

    for text, refusal in (("5x", "Enter one amount, such as 1250.50."), ("0", "at most €1,000,000,000.00.")):
        price.fill(text)
        window.page.get_by_role("button", name="Create auction").click()
        window.expect_text("#start_price-error", refusal)
        sync_api.expect(price).to_be_focused()
    price.fill("50")
    reserve.fill("20")
    window.page.get_by_role("button", name="Create auction").click()

    window.expect_text("#reserve_price-error", "It must be at least the starting price.")
    sync_api.expect(reserve).to_be_focused()


def test_an_operator_cancels_with_a_reason_and_bidders_read_it(
    house: houses.House, open_window: Open, bidders: tuple, product: str
) -> None:
    auction_id = house.new_auction(product)
    assert bidders[0].bid(auction_id, "20").status_code == 201
    bidder, operator = open_window(bidders[0]), open_window(house.operator)
    bidder.see_auction(auction_id)
    operator.page.goto(f"/sell/auctions/{auction_id}")

    operator.page.get_by_role("button", name="Cancel auction").click()
    dialog = operator.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel auction").click()
    sync_api.expect(operator.page.locator("#reason-error")).not_to_be_empty()
    assert house.auction(auction_id)["status"] == "OPEN"
    dialog.get_by_label("Reason").fill("The lot was damaged.")
    dialog.get_by_role("button", name="Cancel auction").click()

    operator.expect_text("#state", "The lot was damaged.")
    bidder.expect_text("#standing", "The lot was damaged.")
    bidder.expect_text("#toasts", "was cancelled")
    assert bidder.faults + operator.faults == []


def test_on_a_phone_the_button_of_a_new_product_is_below_its_picture(
    house: houses.House, open_window: Open
) -> None:
    window = open_window(house.operator, viewport={"width": 390, "height": 900})
    window.page.goto("/sell/products/new")

    picture = window.page.get_by_label("Picture", exact=True).bounding_box()
    button = window.page.get_by_role("button", name="Create product").bounding_box()

    assert picture is not None
    assert button is not None
    assert button["y"] > picture["y"] + picture["height"]


def test_a_bidder_cannot_open_the_sellers_page(
    house: houses.House, open_window: Open, bidders: tuple
) -> None:
    window = open_window(bidders[0])

    answer = window.page.goto("/sell")

    assert answer is not None
    assert answer.status == 403
    window.expect_text("main", "Only sellers and operators can use this page.")


def test_the_admins_menu_shows_what_its_user_may_see(house: houses.House, open_window: Open) -> None:
    entries = {}
    for name, options in (
        ("clerk", ["--group", "stock clerk"]),
        ("chief", ["--superuser", "--roles", "operator"]),
    ):
        window = open_window(house.new_staff(*options))
        window.page.goto("/admin/")
        texts = window.page.locator("#nav-sidebar a, nav a, aside a").all_inner_texts()
        entries[name] = {line.strip() for text in texts for line in text.split("\n")}  # icon, name, badge

    assert {"Products", "Moves", "The auction house"} <= entries["clerk"]
    assert not {"Sagas", "Payments", "Manage auctions", "Dead letters"} & entries["clerk"]
    assert {"Manage auctions", "Products", "Orders", "Sagas", "Dead letters", "The auction house"} <= entries[
        "chief"
    ]
