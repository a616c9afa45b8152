"""The page of a seller's product: the offer, its prices, the pictures in their order, the description, and refusals at their fields. The first
test uses the keyboard alone."""

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright import sync_api

from tests import house as houses
from tests.browser import visitor

Open = Callable[..., visitor.Window]
MOST_TABS = 120


def picture(name: str, colour: tuple[int, int, int]) -> dict[str, Any]:
    content = io.BytesIO()
    Image.new("RGB", (400, 400), colour).save(content, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


def go_to(page: sync_api.Page, target: sync_api.Locator) -> None:
    """Press Tab until the focus is there."""
    target.wait_for()
    for _ in range(MOST_TABS):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by the keyboard")


def fill(page: sync_api.Page, label: str, text: str) -> None:
    go_to(page, page.get_by_label(label, exact=True))
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


def press(page: sync_api.Page, name: str) -> None:
    go_to(page, page.get_by_role("button", name=name, exact=True))
    page.keyboard.press("Enter")


def product_of(person: houses.Person, product_id: str) -> dict[str, Any]:
    return dict(person.get(f"/api/v1/products/{product_id}").json())


@pytest.fixture
def own_product(house: houses.House) -> str:
    """A product of the seller, without an offer."""
    sku = uuid.uuid4().hex[:10]
    body = {"sku": sku, "title": "Brass sundial", "condition": "GOOD"}
    answer = house.seller.post("/api/v1/products", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_seller_makes_a_product_orders_its_pictures_and_publishes_it_by_the_keyboard(
    house: houses.House, open_window: Open
) -> None:
    sku = uuid.uuid4().hex[:10]
    window = open_window(house.seller)
    page = window.page
    page.goto("/sell/products/new")
    fill(page, "Title", f"Orrery {sku}")
    fill(page, "SKU", sku)
    page.get_by_label("Picture", exact=True).set_input_files(picture("sun.png", (200, 150, 20)))
    fill(page, "What the picture shows", "The sun in the middle")
    press(page, "Create product")
    window.expect_text("#problem", "is created")
    go_to(page, page.get_by_role("link", name="Set its price and add pictures"))
    page.keyboard.press("Enter")

    page.wait_for_url("**/sell/products/*")
    window.expect_text("#title-of-product", f"Orrery {sku}")
    product_id = page.url.rpartition("/")[2]
    page.get_by_label("Add pictures").set_input_files(
        [picture("moon.png", (120, 120, 120)), picture("stars.png", (20, 20, 90))]
    )
    window.expect_text("#pictures-said", "stars.png is added as picture 3")
    fill(page, "What picture 3 shows", "The stars")
    page.keyboard.press("Tab")
    window.expect_text("#pictures-said", "Text saved.")
    press(page, "Move earlier: picture 3")
    window.expect_text("#pictures-said", "Picture moved to place 2 of 3.")
    sync_api.expect(page.get_by_role("button", name="Move earlier: picture 2")).to_be_focused()
    page.keyboard.press("Enter")
    window.expect_text("#pictures-said", "Picture moved to place 1 of 3.")
    sync_api.expect(page.get_by_role("button", name="Move later: picture 1")).to_be_focused()
    press(page, "Remove: picture 3")
    window.expect_text("#pictures-said", "Picture removed.")
    page.reload()
    fill(page, "Price of one unit", "129")
    press(page, "Publish in the shop")
    window.expect_text("#offer-said", "Published")

    product = product_of(house.seller, product_id)
    assert [one["alt"] for one in product["pictures"]] == ["The stars", "The sun in the middle"]
    offer = product["offer"]
    assert (offer["price"], offer["published"]) == ("129.00", True)
    anyone = open_window()
    anyone.page.goto(f"/shop/p/{offer['slug']}")
    anyone.expect_text("#price", "€129.00")
    assert window.faults + anyone.faults == []


def test_a_price_changes_is_refused_at_its_field_and_is_withdrawn(
    house: houses.House, open_window: Open, own_product: str
) -> None:
    window = open_window(house.seller)
    page = window.page
    page.goto(f"/sell/products/{own_product}")
    price = page.get_by_label("Price of one unit")
    window.expect_text("#prices", "No price yet.")

    for entered, refusal in (("0.10", "A price is 0.50"), ("12x", "Enter one amount")):
        price.fill(entered)
        page.get_by_role("button", name="Save without publishing").click()
        window.expect_text("#price-error", refusal)
        sync_api.expect(price).to_be_focused()
    assert product_of(house.seller, own_product)["offer"] is None
    for entered in ("20", "18.50"):
        price.fill(entered)
        page.get_by_role("button", name="Save without publishing").click()
        window.expect_text("#prices", f"€{float(entered):.2f}")
    window.expect_text("#offer-state", "Not published")
    page.get_by_label("Units in one order at most").fill("0")
    page.get_by_role("button", name="Publish in the shop").click()
    window.expect_text("#max_per_order-error", "greater than or equal to 1")
    page.get_by_label("Units in one order at most").fill("3")
    page.get_by_role("button", name="Publish in the shop").click()
    window.expect_text("#offer-state", "In the shop")
    sync_api.expect(page.locator("#price-error")).to_be_empty()
    page.get_by_role("button", name="Withdraw from the shop").click()
    window.expect_text("#offer-said", "Withdrawn")

    offer = house.seller.get(f"/api/v1/products/{own_product}/offer").json()
    assert (offer["published"], offer["max_per_order"]) == (False, 3)
    assert [one["price"] for one in offer["prices"]] == ["18.50", "20.00"]
    assert window.faults == []


def test_a_description_with_facts_is_corrected_and_a_fact_without_a_value_is_refused(
    house: houses.House, open_window: Open, own_product: str
) -> None:
    window = open_window(house.seller)
    page = window.page
    page.goto(f"/sell/products/{own_product}")
    page.get_by_role("button", name="Add a fact").click()
    page.locator("#facts li").nth(0).get_by_label("Name").fill("Maker")
    page.get_by_role("button", name="Save description").click()
    window.expect_text("#attributes-error", "blank")
    sync_api.expect(page.locator("#facts li").nth(0).get_by_label("Value")).to_be_focused()
    assert product_of(house.seller, own_product)["attributes"] == []

    page.locator("#facts li").nth(0).get_by_label("Value").fill("Dollond, London")
    page.get_by_role("button", name="Add a fact").click()
    page.get_by_label("Title", exact=True).fill("Brass sundial, signed")
    page.get_by_label("Condition").select_option("Like new")
    page.get_by_role("button", name="Save description").click()

    window.expect_text("#description-said", "Saved.")
    window.expect_text("#title-of-product", "Brass sundial, signed")
    product = product_of(house.seller, own_product)
    assert product["attributes"] == [{"name": "Maker", "value": "Dollond, London"}]
    assert product["condition"] == "LIKE_NEW"
    page.get_by_role("button", name="Remove the fact Maker").click()
    page.get_by_role("button", name="Save description").click()
    window.expect_text("#description-said", "Saved.")
    assert product_of(house.seller, own_product)["attributes"] == []
    assert window.faults == []


def test_the_list_of_products_shows_offers_and_is_searched(
    house: houses.House, open_window: Open, own_product: str
) -> None:
    sku = product_of(house.seller, own_product)["sku"]
    house.seller.put(
        f"/api/v1/products/{own_product}/offer",
        {"price": "20.00", "currency": "EUR", "max_per_order": 5, "published": False},
    )
    window = open_window(house.seller)
    page = window.page
    page.goto("/sell")

    page.get_by_role("searchbox", name="Find a product").fill(sku)
    row = page.locator("#products tbody tr")
    sync_api.expect(row).to_have_count(1)
    sync_api.expect(row).to_contain_text("€20.00")
    sync_api.expect(row).to_contain_text("Not published")
    sync_api.expect(row).to_contain_text("No stock")
    row.get_by_role("link", name="Brass sundial", exact=True).click()

    page.wait_for_url(f"**/sell/products/{own_product}")
    window.expect_text("#offer-state", "Not published")
    assert window.faults == []


def test_a_product_of_another_seller_is_not_found(
    house: houses.House, open_window: Open, own_product: str
) -> None:
    window = open_window(house.new_account("seller"))

    window.page.goto(f"/sell/products/{own_product}")

    window.expect_text("#problem", "product_not_found")
    sync_api.expect(window.page.locator("#product")).to_be_hidden()
