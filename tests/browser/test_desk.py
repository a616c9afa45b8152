"""The owner's desk: a push shows a sale within two seconds without a timer, the page fits, and works by keyboard, in both colour schemes."""

import re
from collections.abc import Callable

import pytest
from playwright import sync_api

from tests import house as houses
from tests.browser import visitor

Open = Callable[..., visitor.Window]
LIVE_MS = 2_000
ORDERS = "() => Number([...document.querySelectorAll('.desk-card')].find((e) => e.textContent.includes('Orders')).querySelector('strong').textContent)"
# No timer of the page's own script runs, not even the slow one by which it looks without the stream.
WITHOUT_TIMERS = "const later = setTimeout; window.setTimeout = (act, ms, ...more) => (ms >= 10_000 ? 0 : later(act, ms, ...more));"
FLAWS = """() => {
  const flaws = [];
  if (document.documentElement.scrollWidth > innerWidth + 1) flaws.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  for (const e of document.querySelectorAll(".desk svg")) {
    if (e.getAttribute("role") !== "img") flaws.push(`no role: ${e.outerHTML.slice(0, 80)}`);
    for (const id of e.getAttribute("aria-labelledby").split(" ")) if (!document.getElementById(id)) flaws.push(`refers to nothing: ${id}`);
  }
  for (const e of document.querySelectorAll(".desk input, .desk select")) if (e.type !== "hidden" && !e.labels.length) flaws.push(`no label: ${e.name}`);
  const ids = [...document.querySelectorAll(".desk [id]")].map((e) => e.id);
  for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) flaws.push(`id twice: ${id}`);
  return flaws;
}"""


def sell(house: houses.House, buyer: houses.Person, product: str) -> None:
    lot = house.new_auction(product, format="buy_now", start_price="40.00", quantity=1)
    before = len(buyer.orders())
    assert buyer.buy(lot).status_code == 201
    house.wait_until(lambda: len(buyer.orders()) > before, "the order")
    house.wait_until(lambda: buyer.orders()[0]["status"] == "CONFIRMED", "its confirmation")


def test_a_sale_moves_the_figures_within_two_seconds(
    house: houses.House, open_window: Open, product: str
) -> None:
    window, buyer = open_window(house.new_staff("--superuser")), house.new_account("bidder")
    page = window.page
    sell(house, buyer, product)
    page.add_init_script(WITHOUT_TIMERS)
    page.goto("/admin/desk/")
    page.get_by_role("status").get_by_text("Live.").wait_for()
    page.wait_for_function(f"{ORDERS[6:]} > 0")
    before = page.evaluate(ORDERS)
    page.get_by_text("Orders as a table").click()

    sell(house, buyer, product)

    page.wait_for_function(f"(before) => {ORDERS[6:]} > before", arg=before, timeout=LIVE_MS)
    sync_api.expect(page.locator("details[open] summary")).to_have_text("Orders as a table")
    with page.expect_download() as download:
        page.get_by_role("link", name="all products").click()
    text = download.value.path().read_text()
    assert text.startswith("product,title,seller,orders,units,amount,currency\n")
    assert window.errors == []


def test_without_the_stream_the_page_says_that_it_looks_every_ten_seconds(
    house: houses.House, open_window: Open, product: str
) -> None:
    window, buyer = open_window(house.new_staff("--superuser")), house.new_account("bidder")
    page = window.page
    page.add_init_script(
        "const later = setTimeout; window.setTimeout = (act, ms, ...more) => later(act, ms / 20, ...more);"
    )
    page.route_web_socket("**/ws/v1/stream", lambda socket: socket.close())
    page.goto("/admin/desk/")
    page.get_by_role("status").get_by_text("Not live: looked up every 10 seconds.").wait_for()
    before = page.evaluate(ORDERS)

    sell(house, buyer, product)

    page.wait_for_function(f"(before) => {ORDERS[6:]} > before", arg=before, timeout=LIVE_MS)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_desk_fits_and_is_named(
    house: houses.House, open_window: Open, product: str, width: int, scheme: str
) -> None:
    window = open_window(
        house.new_staff("--superuser"), viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    sell(house, house.new_account("bidder"), product)
    page = window.page

    flaws = {}
    for query in (
        "",
        "?period=week",
        "?period=month",
        "?period=custom&from=2026-01-01&to=2026-12-31",
        "?day=x",
    ):
        page.goto(f"/admin/desk/{query}")
        page.locator("#closing tr, #closing-none:not(:text('Loading…'))").first.wait_for()
        flaws[query] = page.evaluate(FLAWS)

    assert {query: found for query, found in flaws.items() if found} == {}
    assert window.errors == []


def test_the_desk_is_reached_by_the_menu_and_its_periods_by_keyboard(
    house: houses.House, open_window: Open
) -> None:
    window = open_window(house.new_staff("--superuser"))
    page = window.page
    page.goto("/admin/")

    page.get_by_role("link", name=re.compile("Desk$")).click()
    page.wait_for_url("**/admin/desk/")
    page.get_by_role("link", name="Month").focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**period=month**")
    sync_api.expect(page.get_by_role("link", name="Month")).to_have_attribute("aria-current", "page")
    assert window.errors == []
