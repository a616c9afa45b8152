"""Counts of a search: each filter's leave out the filter itself, and what is not counted is said."""

import pytest

from inventory import refusals, services
from inventory.search import counting, tree
from inventory.tests.search import shop
from inventory.tests.search.shop import find, offer

pytestmark = pytest.mark.django_db(databases=["inventory"])


def count(text="", **filters):
    return counting.count(shop.search(text, **filters), tree.Tree())


@pytest.fixture
def stocked():
    services.add_category(name="Tools")
    services.add_category(name="Saws", parent="tools")
    services.add_category(name="Empty")
    offer("Rip saw", category="saws", price=500, condition="NEW")
    offer("Hand saw", category="saws", price=900, condition="FAIR")
    offer("Hammer", category="tools", price=1500, condition="FAIR", stock=0)
    offer("Vase", price=2000, condition="FAIR")


def test_counts_of_everything(stocked):
    assert count() == counting.Counts(
        total=4,
        categories=[tree.Branch("tools", "Tools", 3), tree.Branch("saws", "Saws", 2)],
        conditions=[counting.ConditionCount("NEW", 1), counting.ConditionCount("FAIR", 3)],
        prices=counting.Prices(500, 2000, "EUR"),
    )


def test_the_counts_of_a_filter_leave_out_the_filter_itself(stocked):
    counted = count(
        categories=tree.Tree().below("saws"), condition="FAIR", currency="EUR", min_price=600, max_price=1500
    )

    assert counted == counting.Counts(
        total=1,
        categories=[tree.Branch("tools", "Tools", 2), tree.Branch("saws", "Saws", 1)],
        conditions=[counting.ConditionCount("FAIR", 1)],
        prices=counting.Prices(900, 900, "EUR"),
    )


def test_words_and_stock_count_for_all_filters(stocked):
    assert count("saw") == counting.Counts(
        total=2,
        categories=[tree.Branch("tools", "Tools", 2), tree.Branch("saws", "Saws", 2)],
        conditions=[counting.ConditionCount("NEW", 1), counting.ConditionCount("FAIR", 1)],
        prices=counting.Prices(500, 900, "EUR"),
    )
    assert count('"hand saw"').total == 1
    assert count(in_stock=True).total == 3
    assert count("hammer", in_stock=True) == counting.Counts()


def test_several_currencies_have_no_range_of_prices(stocked):
    offer("Globe", price=100, currency="JPY")

    assert count().prices is None
    assert count(currency="JPY").prices == counting.Prices(100, 100, "JPY")


def test_what_is_more_than_is_counted_is_said_and_still_found(monkeypatch):
    for number in range(6):
        offer(f"Brass {number}", stock=int(number == 5))
    monkeypatch.setattr(counting, "MAX_COUNTED", 3)
    monkeypatch.setattr(counting, "MAX_LOOKED_AT", 4)
    monkeypatch.setattr(counting, "MAX_BROWSED", 5)

    assert (count("brass").is_capped, count("brass").total) == (True, 4)
    assert (count().is_capped, count().total) == (True, 6)
    assert len(find("brass")) == len(find()) == 6
    assert count("brass", in_stock=True).is_capped  # the one in stock is not among those looked at
    assert find("brass", in_stock=True) == ["Brass 5"]
    assert not count("5").is_capped


def test_an_unknown_category_is_refused():
    with pytest.raises(refusals.UnknownCategory):
        tree.Tree().below("nowhere")
