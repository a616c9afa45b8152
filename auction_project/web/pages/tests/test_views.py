"""The frames of the pages, without their scripts."""

import json
import re
from pathlib import Path

import pytest
from django.test import Client

from auction_project.web.pages import views

ROOT = Path(__file__).resolve().parents[4]
TEXTS = ("auction_project/web/templates", "notifications/templates")


@pytest.mark.parametrize(
    "query",
    [
        *("status=NONSENSE", "status=open", "status=REQUESTED", "format=dutch", "order=hidden"),
        *("ending_soon=1", "currency=XXX"),
    ],
)
def test_an_unknown_filter_of_the_catalogue_is_404(query: str) -> None:
    answer = Client().get(f"/?{query}")

    assert answer.status_code == 404
    assert "Page not found" in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        *("", "status=", "status=CLOSED&order=-ends_at&page=2", "format=english&q=clock", "utm_source=x"),
        "ending_soon=true&currency=EUR&min_price=5&max_price=50.00",
    ],
)
def test_a_known_filter_and_what_is_no_filter_are_taken(query: str) -> None:
    assert Client().get(f"/?{query}").status_code == 200


@pytest.mark.parametrize("name", ["status", "order"])
def test_the_page_offers_the_filters_that_its_address_may_hold(name: str) -> None:
    page = Client().get("/").content.decode()

    [select] = re.findall(rf'<select id="{name}".*?</select>', page, re.DOTALL)
    offered = set(re.findall(r'<option value="([^"]*)"', select))
    assert offered | {""} == views.AuctionList.choices[name]


def test_the_page_knows_the_formats_and_currencies_that_its_address_may_hold() -> None:
    page = Client().get("/").content.decode()

    [formats] = re.findall(r'<script id="formats" type="application/json">(.*?)</script>', page)
    [currencies] = re.findall(r'<select id="currency".*?</select>', page)
    assert {"", *dict(json.loads(formats))} == views.AuctionList.choices["format"]
    assert {"", *re.findall(r"<option>([A-Z]{3})", currencies)} == views.AuctionList.choices["currency"]


@pytest.mark.parametrize(
    "path", ["/shop", "/shop/search?q=x", "/shop/c/clocks", "/shop/p/clock-0a1b2c3d", "/cart"]
)
def test_a_visitor_sees_the_shop_and_a_cart(path: str) -> None:
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("path", ["/checkout", f"/checkout/{'a' * 32}"])
def test_a_checkout_asks_a_visitor_to_sign_in_and_comes_back(path: str) -> None:
    answer = Client().get(path)

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={path}")


@pytest.mark.parametrize(
    "path", ["/shop/c/", "/shop/c/a/b", "/shop/p/a b", f"/shop/p/{'a' * 201}", "/checkout/x"]
)
def test_an_address_of_the_shop_that_can_name_nothing_is_404(path: str) -> None:
    assert Client().get(path).status_code == 404


def test_a_product_of_a_seller_is_for_who_is_signed_in_and_an_address_that_can_name_none_is_404() -> None:
    path = f"/sell/products/{'a' * 32}"
    answer = Client().get(path)

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={path}")
    for unknown in ("x", "a" * 33, f"{'a' * 32}/"):
        assert Client().get(f"/sell/products/{unknown}").status_code == 404


def test_no_text_names_a_desk() -> None:
    """GLOSSARY.md: the page is "Manage auctions", and the people are "the auction house"."""
    shown = [*(ROOT / "auction_project/web/static/gavel/js").rglob("*.js")]
    shown += [
        path for folder in TEXTS for path in (ROOT / folder).rglob("*") if path.suffix in (".html", ".txt")
    ]

    assert len(shown) > 80
    assert [path.name for path in shown if re.search("(stock|auction) desk", path.read_text(), re.I)] == []
