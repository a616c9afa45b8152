"""A format is one object: a new one is a module and a line of the table, and nothing else compares formats."""

import re
from pathlib import Path

import pytest

from bidding import presentation, rules
from bidding.publishing import events as log_events
from bidding.rules import formats
from bidding.tests import first_price, lots
from bidding.tests.lots import ANN, BEN, CID

ROOT = Path(__file__).parents[2]
APPS = ("auction_project", "bidding", "inventory", "orders", "notifications", "sagas")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.FORMATS, "first_price", first_price.FORMAT)


def test_a_format_of_one_module_and_one_line_lists_and_sells_a_lot(toy: None) -> None:
    lot = lots.open_lot(format="first_price")
    assert lots.facts(lot.bid(ANN, 30_00))["leader"] == "Bidder 1"
    assert lots.facts(lot.bid(BEN, 80_00))["price"] == 80_00
    assert lots.facts(lot.bid(CID, 50_00))["leader"] == "Bidder 2"

    closed = lot.close()
    before = lot.state
    settled = lot.settle(lots.sale_of(closed))

    assert lots.facts(closed)["sale"]["price"] == 80_00
    assert (lot.state.outcome, lot.state.ended, lot.replayed()) == ("sold", True, lot.state)
    assert [rules.standing_of(lot.state, who) for who in (ANN, BEN, CID)] == ["lost", "won", "lost"]
    body = presentation.auction(lot.state)
    assert (body["format"], body["price"], body["minimum"]) == ("first_price", "80.00", "10.00")
    events = list(log_events.of_entry(before, settled, lot.state))
    assert [type(event).__name__ for event in events] == [
        "LotSettled",
        "LotSold",
        "Lost",
        "Lost",
        "AuctionEnded",
    ]


def test_a_format_that_is_not_in_the_table_lists_nothing() -> None:
    lot = lots.Lot()

    refused = lots.refused_without_effect(lot, "request", format="first_price")

    assert refused == ("terms_invalid", {})


def test_every_format_has_a_name_a_label_and_its_own_line() -> None:
    assert {name: each.name for name, each in formats.FORMATS.items()} == {
        "english": "english",
        "buy_now": "buy_now",
    }
    assert [each.label for each in formats.FORMATS.values()] == ["Auction", "Buy now"]


def test_no_code_outside_of_the_formats_compares_a_format() -> None:
    compares = re.compile(r"""["'](english|buy_now)["']\s*[!=]==?|[!=]==?\s*["'](english|buy_now)["']""")
    sources = [path for app in APPS for kind in ("*.py", "*.js") for path in (ROOT / app).rglob(kind)]

    comparisons = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        if not {"tests", "formats", "tools"} & set(path.parts)  # the demo chooses lots, and rules nothing
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if compares.search(line)
    ]

    assert len(sources) > 300
    assert comparisons == []


def test_no_page_names_a_format_outside_of_the_formats() -> None:
    quoted = re.compile(rf"""["'](?:{"|".join(formats.FORMATS)})["']""")
    web = ROOT / "auction_project/web"
    sources = [*(web / "static/gavel/js").rglob("*.js"), *(web / "templates").rglob("*.html")]

    named = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources
        if path.parent.name != "formats"
        for line in path.read_text().splitlines()
        if quoted.search(line)
    ]

    assert len(sources) > 60
    assert named == []
