"""The frames of the pages, without their scripts."""

import re
from pathlib import Path

import pytest
from django.test import Client

from auction_project.web.pages import views

ROOT = Path(__file__).resolve().parents[4]
TEXTS = ("auction_project/web/templates", "notifications/templates")


@pytest.mark.parametrize(
    "query", ["status=NONSENSE", "status=open", "status=REQUESTED", "format=dutch", "order=hidden"]
)
def test_an_unknown_filter_of_the_catalogue_is_404(query: str) -> None:
    answer = Client().get(f"/?{query}")

    assert answer.status_code == 404
    assert "Page not found" in answer.content.decode()


@pytest.mark.parametrize(
    "query", ["", "status=", "status=CLOSED&order=-ends_at&page=2", "format=english&q=clock", "utm_source=x"]
)
def test_a_known_filter_and_what_is_no_filter_are_taken(query: str) -> None:
    assert Client().get(f"/?{query}").status_code == 200


@pytest.mark.parametrize("name", ["status", "format", "order"])
def test_the_page_offers_the_filters_that_its_address_may_hold(name: str) -> None:
    page = Client().get("/").content.decode()

    [select] = re.findall(rf'<select id="{name}".*?</select>', page, re.DOTALL)
    offered = set(re.findall(r'<option value="([^"]*)"', select))
    assert offered | {""} == views.AuctionList.choices[name]


def test_no_text_names_a_desk() -> None:
    """GLOSSARY.md: the page is "Manage auctions", and the people are "the auction house"."""
    shown = [*(ROOT / "auction_project/web/static/gavel/js").rglob("*.js")]
    shown += [
        path for folder in TEXTS for path in (ROOT / folder).rglob("*") if path.suffix in (".html", ".txt")
    ]

    assert len(shown) > 80
    assert [path.name for path in shown if re.search("(stock|auction) desk", path.read_text(), re.I)] == []
