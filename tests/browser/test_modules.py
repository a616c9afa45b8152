"""The pure modules of the pages, called in a Chromium without a server: reading an amount, and the sentence of every state."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from playwright import sync_api

from bidding.rules import standing

STATIC = Path(__file__).resolve().parents[2] / "auction_project/web/static"
ORIGIN = "http://pages.test"

STATUSES = ("REQUESTED", "SCHEDULED", "OPEN", "SOLD_OUT", "CLOSED", "CANCELLED")
OUTCOMES = (None, "sold", "sold_out", "unsold", "cancelled")
STANDINGS = get_args(standing.Standing)
FORMATS = ("english", "buy_now")


@pytest.fixture
def modules(chromium: sync_api.Browser) -> Iterator[sync_api.Page]:
    """An empty page that can import the modules."""
    context = chromium.new_context(base_url=ORIGIN)

    def serve(route: sync_api.Route) -> None:
        path = STATIC / route.request.url.removeprefix(f"{ORIGIN}/")
        if path.is_file():
            route.fulfill(path=path, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>Empty</title>", content_type="text/html")

    context.route("**/*", serve)
    page = context.new_page()
    page.goto(f"{ORIGIN}/page")
    yield page
    context.close()


def call(page: sync_api.Page, module: str, function: str, calls: list[list[Any]]) -> list[Any]:
    """What the function answers to each list of arguments."""
    return list(
        page.evaluate(
            """async ([module, name, calls]) => {
              const found = await import(module);
              return calls.map((one) => found[name](...one));
            }""",
            [f"/gavel/js/{module}.js", function, calls],
        )
    )


# (what is typed, currency, locale, what is bid)
AMOUNTS = (
    ("12", "EUR", "en", "12.00"),
    ("12.5", "EUR", "en", "12.50"),
    ("12.50", "EUR", "en", "12.50"),
    ("1,250.50", "EUR", "en", "1250.50"),
    ("1250.50", "EUR", "en", "1250.50"),
    ("1,250,000", "EUR", "en", "1250000.00"),
    (" 12.50 ", "EUR", "en", "12.50"),
    ("€12.50", "EUR", "en", "12.50"),
    ("€ 12.50", "EUR", "en", "12.50"),
    ("12.50€", "EUR", "en", "12.50"),
    ("12.50 EUR", "EUR", "en", "12.50"),
    ("eur 12.50", "EUR", "en", "12.50"),
    ("$12", "USD", "en", "12.00"),
    ("007", "EUR", "en", "7.00"),
    ("12.345", "EUR", "en", "12.345"),  # the server says that EUR has two decimals
    ("1,200", "JPY", "en", "1200"),
    ("1.250,50", "EUR", "de", "1250.50"),
    ("1250,5", "EUR", "de", "1250.50"),
    ("12,50 €", "EUR", "de", "12.50"),
    ("1.250", "EUR", "de", "1250.00"),
    ("1 250,50", "EUR", "fr", "1250.50"),
    ("1\u202f250,50", "EUR", "fr", "1250.50"),
    ("", "EUR", "en", None),
    ("ten", "EUR", "en", None),
    ("500/600", "EUR", "en", None),
    ("1e9", "EUR", "en", None),
    ("10x5", "EUR", "en", None),
    ("10k", "EUR", "en", None),
    ("10 20", "EUR", "en", None),
    ("-5", "EUR", "en", None),
    ("+5", "EUR", "en", None),
    ("1.2.3", "EUR", "en", None),
    ("12.", "EUR", "en", None),
    (".5", "EUR", "en", None),
    ("1,25", "EUR", "en", None),  # a decimal comma is not the reader's
    ("12,34,567", "EUR", "en", None),
    ("1,2500", "EUR", "en", None),
    ("1.250,50", "EUR", "en", None),
    ("12.50", "EUR", "de", None),
    ("1,250.50", "EUR", "de", None),
    ("$12", "EUR", "en", None),
    ("12 USD", "EUR", "en", None),
    ("€12€", "EUR", "en", None),
    ("€ EUR 12", "EUR", "en", None),
    ("EUR", "EUR", "en", None),
    ("١٢", "EUR", "en", None),
    ("1" * 16, "EUR", "en", None),
)


def test_an_amount_is_exactly_one_number_in_the_readers_format(modules: sync_api.Page) -> None:
    found = call(modules, "amount", "readAmount", [[text, unit, locale] for text, unit, locale, _ in AMOUNTS])

    assert dict(zip(AMOUNTS, found, strict=True)) == {case: case[3] for case in AMOUNTS}


@pytest.mark.parametrize("locale", ["en", "de", "fr", "de-CH", "sv"])
def test_what_a_button_fills_in_is_read_back_as_the_same_amount(modules: sync_api.Page, locale: str) -> None:
    (shown,) = call(modules, "amount", "forReader", [["1250.50", locale]])

    assert call(modules, "amount", "readAmount", [[shown, "EUR", locale]]) == ["1250.50"]


def lot(status: str, outcome: str | None, lot_format: str, **changed: object) -> dict[str, object]:
    return {
        "status": status,
        "outcome": outcome,
        "format": lot_format,
        "currency": "EUR",
        "price": "95.00",
        "minimum": "96.00",
        "leader": "Bidder 1",
        "bids": 3,
        "ends_at": 1_700_000_000_000,
        "ended": False,
        "has_reserve": True,
        "reserve_met": False,
        "reason": "The lot was damaged.",
        **changed,
    }


def mine(place: str) -> dict[str, object]:
    return {"standing": place, "alias": "Bidder 1", "maximum": "2000.00"}


# The titles that a combination may have; what it may not have, some reader once saw.
WHILE_OPEN = {"leading": "You're the highest bidder", "outbid": "You were outbid"}
OWN = {
    "won": "You won this lot",
    "bought": "You bought this",
    "failed": "Your purchase did not go through",
}
ENDED = {
    "next_in_line": "You're next in line",
    "lost": "You didn't win this lot",
    "not_sold": "Not sold",
}
FIXED = {
    "REQUESTED": "Waiting for stock",
    "SOLD_OUT": "Sold out",
    "CANCELLED": "This auction was cancelled",
}


def expected(status: str, outcome: str | None, place: str, lot_format: str) -> str | None:
    if place in OWN:
        return OWN[place]
    if status in FIXED:
        return FIXED[status]
    if status == "SCHEDULED":
        return None
    if status == "OPEN":
        return WHILE_OPEN.get(place)
    if place in ENDED:
        return ENDED[place]
    if place != "none":
        return "This auction has ended"
    if outcome == "unsold":
        return "Not sold"
    if outcome is None:
        return "This auction has ended"
    return "Sold for €95.00" if lot_format == "english" else "This listing has ended"


def test_every_state_standing_and_outcome_has_its_one_sentence(modules: sync_api.Page) -> None:
    cases = list(itertools.product(STATUSES, OUTCOMES, STANDINGS, FORMATS))

    found = call(modules, "standing", "sentence", [[lot(s, o, f), mine(m)] for s, o, m, f in cases])

    titles = [told and told["title"] for told in found]
    assert dict(zip(cases, titles, strict=True)) == {case: expected(*case) for case in cases}
    assert len(cases) == 600


TEXTS = (
    (lot("OPEN", None, "english"), "leading", "Your maximum is €2,000.00. Only you see it."),
    (
        lot("OPEN", None, "english"),
        "outbid",
        "Another bidder has a higher maximum. Bid €96.00 or more to lead.",
    ),
    (lot("CLOSED", "sold", "english"), "lost", "It was sold for €95.00."),
    (lot("CLOSED", "sold", "english"), "won", "Your price is €95.00."),
    (
        lot("CLOSED", "sold", "english", leader="Bidder 2"),
        "failed",
        "You were not charged. My orders says why.",
    ),
    (lot("CLOSED", "unsold", "english"), "not_sold", "Bidding reached €95.00, below the reserve."),
    (lot("CLOSED", "unsold", "english", reserve_met=True), "not_sold", "The sale fell through."),
    (lot("CLOSED", "unsold", "english", bids=0), "none", "There was no bid."),
    (lot("CLOSED", "sold", "english"), "none", "The buyer is Bidder 1."),
    (lot("CANCELLED", "cancelled", "english"), "none", "Reason: The lot was damaged."),
    (
        lot("CANCELLED", "cancelled", "english"),
        "cancelled",
        "Reason: The lot was damaged. Your bids no longer count; you won't be charged.",
    ),
    (
        lot("CANCELLED", "cancelled", "buy_now"),
        "bought",
        "The auction was cancelled since; your purchase goes on.",
    ),
    (lot("SOLD_OUT", "sold_out", "buy_now", ended=True), "none", ""),
)


def test_the_sentence_has_the_figures_of_its_state(modules: sync_api.Page) -> None:
    found = call(modules, "standing", "sentence", [[body, mine(place)] for body, place, _ in TEXTS])

    assert [told["text"] for told in found] == [text for _, _, text in TEXTS]
