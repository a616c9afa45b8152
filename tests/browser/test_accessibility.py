"""Every page has names for its controls, headings in order, landmarks, enough contrast, and fits its window."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house as houses
from tests.browser import visitor

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

CHECK = """() => {
  const shown = (e) => e.checkVisibility({visibilityProperty: true});
  const name = (e) => (e.getAttribute("aria-label")
    || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ")
    || [...(e.labels ?? [])].map((l) => l.textContent).join(" ") || (e.matches("a, button, summary") ? e.textContent : "")
    || e.querySelector?.("img[alt]")?.alt || "").trim();
  const flaws = [];
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary"))
    if (shown(e) && !name(e)) flaws.push(`no name: ${e.outerHTML.slice(0, 120)}`);
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) flaws.push(`no alt: ${e.outerHTML.slice(0, 120)}`);
  for (const e of document.querySelectorAll("svg"))
    if (!e.closest("[aria-hidden=true]") && e.getAttribute("role") !== "img") flaws.push(`no role: ${e.outerHTML.slice(0, 120)}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) flaws.push(`id twice: ${id}`);
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of `${e.getAttribute("aria-labelledby") ?? ""} ${e.getAttribute("aria-describedby") ?? ""}`.split(" ").filter(Boolean))
      if (!document.getElementById(id)) flaws.push(`refers to nothing: ${id}`);
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((e) => Number(e.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) flaws.push(`h1: ${levels}`);
  levels.forEach((level, i) => { if (i && level > levels[i - 1] + 1) flaws.push(`headings jump: ${levels}`); });
  for (const tag of ["header", "nav", "main", "footer"]) if (document.querySelectorAll(tag).length < 1) flaws.push(`no ${tag}`);
  if (!document.documentElement.lang) flaws.push("no language");
  for (const e of document.querySelectorAll(".stacked")) if (e.scrollWidth > e.parentElement.clientWidth + 1) flaws.push(`cut: ${e.caption.textContent}`);
  for (const e of document.querySelectorAll(".lot-card, .lot-figures > div")) if (e.scrollWidth > e.clientWidth + 1) flaws.push(`cut: ${e.textContent}`);
  const lines = (e) => { const text = document.createRange(); text.selectNodeContents(e); return text.getClientRects().length; };
  for (const e of document.querySelectorAll(".log time")) if (lines(e) > 1) flaws.push(`two lines: ${e.textContent}`);
  for (const e of document.querySelectorAll(".order-card h2")) if (e.offsetWidth < innerWidth / 2) flaws.push(`squeezed: ${e.textContent}`);
  for (const e of document.querySelectorAll(".menu a")) if (e.getBoundingClientRect().right > innerWidth) flaws.push(`off the screen: ${e.textContent}`);
  if (document.documentElement.scrollWidth > innerWidth + 1) flaws.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  return flaws;
}"""


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
    visitor_window = open_window(viewport={"width": width, "height": 900}, color_scheme=scheme)
    window = open_window(person, viewport={"width": width, "height": 900}, color_scheme=scheme)
    operator = open_window(house.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    public = (
        "/",
        "/?status=CLOSED",
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
