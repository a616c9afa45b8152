"""Every page has names for its controls, headings in order, landmarks, enough contrast, and fits its window."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house as houses
from tests.browser import shopping, visitor
from tests.browser.flaws import CHECK

Open = Callable[..., visitor.Window]
TOKENS = Path(__file__).resolve().parents[2] / "auction_project/web/static/gavel/css/tokens.css"
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2.2 AA

# (foreground, backgrounds, least contrast)
PAIRS = (
    ("ink", ("paper", "surface", "sunken", "good-tint", "warn-tint", "bad-tint"), TEXT),
    ("muted", ("paper", "surface", "sunken", "good-tint", "warn-tint", "bad-tint"), TEXT),
    ("accent", ("paper", "surface", "sunken"), TEXT),
    ("brass", ("paper", "surface"), TEXT),
    ("good", ("surface", "good-tint"), TEXT),
    ("warn", ("surface", "warn-tint"), TEXT),
    ("bad", ("paper", "surface", "bad-tint"), TEXT),
    ("on-fill", ("fill", "fill-strong"), TEXT),
    ("edge", ("paper", "surface"), GRAPHIC),
    ("focus", ("paper", "surface", "sunken"), GRAPHIC),
)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def tokens() -> dict[str, tuple[str, str]]:
    """Each colour in the light and in the dark theme."""
    colours = re.findall(r"--([a-z-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));", TOKENS.read_text())
    return {name: (light or both, dark or both) for name, light, dark, both in colours}


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_colours_that_meet_have_enough_contrast(mode: int) -> None:
    colours = tokens()

    poor = [
        f"{front} on {back}: {contrast(colours[front][mode], colours[back][mode]):.2f}"
        for front, backs, least in PAIRS
        for back in backs
        if contrast(colours[front][mode], colours[back][mode]) < least
    ]

    assert poor == []


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == 21


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_named_ordered_fits_and_keeps_the_console_clean(
    house: houses.House, open_window: Open, product: str, width: int, scheme: str
) -> None:
    person = house.new_account("seller", "bidder")
    auction_id = house.new_auction(product)
    for amount in ("20", "30"):
        assert person.bid(auction_id, amount).status_code == 201
    bought = house.new_auction(product, format="buy_now", start_price="40.00", quantity=5)
    ended = house.new_auction(product, seconds=2, reserve_price="100.00", relistings_left=0)
    house.wait_until(lambda: house.auction(ended)["status"] == "CLOSED", "the end of a lot")
    assert person.buy(bought).status_code == 201
    house.wait_until(lambda: person.orders() and person.orders()[0]["status"] == "CONFIRMED", "the order")
    number = person.orders()[0]["number"]
    shipment = house.operator.post(f"/api/v1/orders/{number}/shipments", {"carrier": "Post"})
    assert shipment.status_code == 201, shipment.text
    visitor_window = open_window(viewport={"width": width, "height": 900}, color_scheme=scheme)
    window = open_window(person, viewport={"width": width, "height": 900}, color_scheme=scheme)
    operator = open_window(house.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    public = (
        "/",
        "/?status=CLOSED",
        "/?format=buy_now&ending_soon=true&max_price=50&currency=EUR",
        f"/auctions/{auction_id}",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/problems/",
        "/problems/bid_too_low",
    )
    own = (
        "/",
        f"/auctions/{auction_id}",
        f"/auctions/{bought}",
        "/bids",
        "/orders",
        f"/orders/{number}",
        "/notifications",
    )
    selling = (
        "/account",
        "/sell",
        "/sell/products/new",
        f"/sell/products/{product}",
        "/sell/auctions/new",
        f"/sell/auctions/{auction_id}",
    )
    signed = (
        *("/accounts/email/", "/accounts/password/change/", "/accounts/2fa/"),
        *("/accounts/sessions/", "/accounts/data/", "/accounts/logout/"),
    )

    flaws = {}
    for visit, paths in ((visitor_window, public), (window, own + signed), (operator, selling)):
        for path in paths:
            visit.page.goto(path)
            visit.page.wait_for_load_state("networkidle")
            flaws[path] = visit.page.evaluate(CHECK)
    window.page.goto(f"/orders/{number}")
    window.page.locator("summary", has_text="Return something").click()
    flaws["a return"] = window.page.evaluate(CHECK)
    operator.page.goto(f"/sell/products/{product}")
    operator.page.get_by_role("button", name="Add a fact").click()
    flaws["a fact"] = operator.page.evaluate(CHECK)

    assert {path: of_page for path, of_page in flaws.items() if of_page} == {}
    assert visitor_window.errors + window.errors + operator.errors == []


def test_the_api_page_loads_its_files_from_this_site_alone(house: houses.House, open_window: Open) -> None:
    window, requests = open_window(), []
    window.page.on("request", lambda request: requests.append(request.url))

    window.page.goto("/api/")

    window.page.get_by_text("Place a bid").wait_for()
    assert [url for url in requests if not url.startswith((house.url, "data:"))] == []
    assert window.errors == []


def test_pages_allow_no_script_but_their_own(house: houses.House, open_window: Open) -> None:
    answer = open_window().page.goto("/")

    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_an_unknown_path_answers_page_not_found(open_window: Open) -> None:
    window = open_window()

    answer = window.page.goto("/nowhere")

    assert answer is not None
    assert answer.status == 404
    window.expect_text("h1", "Page not found")


def test_the_theme_is_switched_and_kept(open_window: Open) -> None:
    window = open_window(color_scheme="light")
    window.page.goto("/")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = window.page.evaluate(background)

    window.page.get_by_role("button", name="Switch between light and dark").click()
    dark = window.page.evaluate(background)
    window.page.reload()

    assert light != dark
    assert window.page.evaluate(background) == dark


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_every_page_of_the_shop_is_named_ordered_fits_and_keeps_the_console_clean(
    house: houses.House, open_window: Open, width: int, scheme: str
) -> None:
    shop = shopping.Shop(house)
    offer, gone = (
        shop.offer("Marine chronometer in a mahogany box with its key"),
        shop.offer("Barometer", stock=0),
    )
    buyer = shop.buyer()
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    anyone, window = open_window(**look), open_window(buyer, **look)
    flaws = {}

    for path in (
        "/shop",
        "/shop/search?q=marine",
        f"/shop/p/{offer['slug']}",
        f"/shop/p/{gone['slug']}",
        "/cart",
    ):
        anyone.page.goto(path)
        anyone.page.wait_for_load_state("networkidle")
        flaws[path] = anyone.page.evaluate(CHECK)
    shopping.put_into_cart(window, offer)
    flaws["added"] = window.page.evaluate(CHECK)
    shop.set_price(offer["product_id"], "25.00")
    window.page.goto("/cart")
    window.expect_text("#changed", "One thing has changed")
    flaws["changed"] = window.page.evaluate(CHECK)
    window.page.get_by_role("button", name="Accept €25.00").click()
    shopping.check_out(window)
    flaws["checkout"] = window.page.evaluate(CHECK)
    window.page.get_by_role("button", name="Change the address").click()
    window.page.get_by_role("button", name="Add an address").click()
    window.page.get_by_role("button", name="Use another card").click()
    flaws["forms"] = window.page.evaluate(CHECK)
    window.page.reload()
    window.page.get_by_role("button", name="Pay €").click()
    window.page.wait_for_url("**/orders/*#paid")
    window.expect_text("#order", "Thank you")
    flaws["paid"] = window.page.evaluate(CHECK)
    window.page.goto("/account")
    window.page.locator("#addresses li").wait_for()
    flaws["/account"] = window.page.evaluate(CHECK)

    assert {page: of_page for page, of_page in flaws.items() if of_page} == {}
    assert anyone.errors + window.errors == []
