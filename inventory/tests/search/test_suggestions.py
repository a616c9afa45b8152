"""Suggestions: what completes the typed text, the most frequent first."""

import pytest

from inventory.search.suggestions import suggest
from inventory.tests.search import shop
from inventory.tests.search.shop import offer

pytestmark = pytest.mark.django_db(databases=["inventory"])


@pytest.fixture(autouse=True)
def stocked():
    for title in ("Brass sextant", "Brass clock", "Bracket clock", "Éclair brass"):
        offer(title)
    offer("Brandy", published=False)


def test_a_word_is_completed_by_the_most_frequent_words_and_then_by_titles():
    assert suggest("bra") == ["brass", "bracket", "Brass clock", "Brass sextant", "Éclair brass"]
    assert suggest("b")[:2] == ["brass", "bracket"]
    assert suggest("ECL") == ["eclair", "Éclair brass"]


def test_after_other_words_only_what_is_found_with_them_is_suggested():
    assert suggest("brass cl") == ["brass clock", "Brass clock"]
    assert suggest("clock br") == ["clock bracket", "clock brass", "Bracket clock", "Brass clock"]


@pytest.mark.parametrize("text", ["", " ", "★", "%", "_", "x' OR 1=1", "brass % zz"])
def test_what_completes_nothing_suggests_nothing(text):
    assert suggest(text) == []


def test_what_is_sold_no_more_is_not_suggested():
    globe = offer("Globe")
    assert suggest("glo") == ["globe", "Globe"]

    shop.set_offer(globe, published=False)

    assert suggest("glo") == []
