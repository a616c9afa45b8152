"""Suggestions: what completes what is typed, and that each one finds something."""

import hypothesis
import pytest
from hypothesis import strategies

from auction_project.kernel import suggestions, words

TITLES = ["Brass sextant", "Brass clock", "Bracket clock", "Brass clock", "Éclair brass"]


def suggested(text: str) -> list[str]:
    typed = suggestions.read(text)
    return suggestions.complete(typed, TITLES) if typed else []


def test_the_last_word_is_completed_by_the_most_frequent_words_and_titles() -> None:
    assert suggested("bra") == [
        "brass", "bracket", "Brass clock", "Bracket clock", "Brass sextant", "Éclair brass",
    ]  # fmt: skip
    assert suggested("brass CL") == ["brass clock", "Brass clock"]
    assert suggested("clock clock") == ["clock", "Brass clock", "Bracket clock"]


def test_a_word_that_stands_before_completes_nothing_but_its_title_is_suggested() -> None:
    assert suggested("brass bra") == ["Brass clock", "Brass sextant", "Éclair brass"]


@pytest.mark.parametrize("text", ["", "★ ", "lamp", "lamp br", "bra clock"])
def test_what_no_title_has_suggests_nothing(text: str) -> None:
    assert suggested(text) == []


def test_there_are_so_many_completions_and_suggestions_and_none_is_too_long_for_a_search() -> None:
    titles = [f"Brass bra{letter}" for letter in "cdefghij"]
    long = f"Brass {'x' * 95}"

    found = suggestions.complete(suggestions.Typed(("brass",), "br"), [long, *titles])

    assert found == [f"brass bra{letter}" for letter in "cdefg"] + titles[:3]


@hypothesis.given(
    titles=strategies.lists(strategies.text("abB é-", max_size=12), max_size=5),
    text=strategies.text('abé "', max_size=8),
)
def test_each_suggestion_finds_a_title(titles: list[str], text: str) -> None:
    typed = suggestions.read(text)
    for suggestion in suggestions.complete(typed, titles) if typed else []:
        query = words.parse(suggestion)
        assert query is not None
        assert any(query.matches(words.of(title)) for title in titles)
