"""Words and searches: what is folded, what a search asks for, and that anything can be typed."""

import time

import hypothesis
import pytest
from hypothesis import strategies

from auction_project.kernel import words

anything = strategies.text(max_size=100)
# What a parser stumbles over: quotes, operators of query languages, marks, separators, and halves of pairs.
hostile = strategies.text(
    strategies.sampled_from("a bÄ\u0301\"“”'\\:*&|!<->()%_;\0\u202e\ufdfa\ud800東"), max_size=100
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Brass sextant, London (1880)", ["brass", "sextant", "london", "1880"]),
        ("ÉCLAIR Éclair e\u0301clair", ["eclair"] * 3),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁne ＡＢＣ ①", ["fine", "abc", "1"]),
        ("Łódź Ærø Þór", ["lodz", "aero", "thor"]),
        ("sex\u00adtant lamp\u200ds", ["sextant", "lamps"]),
        ("F-801/50mm a_b", ["f", "801", "50mm", "a", "b"]),
        ("東京 Ελλάδα", ["東京", "ελλαδα"]),
        ("★ !! \u202e", []),
        ("x" * 50, ["x" * 40]),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits_without_case_and_accents(text, found):
    assert words.of(text) == found


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", None),
        (" \t\u3000", None),
        ("sext", words.Query(prefix="sext")),
        ("Brass brass Sext", words.Query(("brass",), "sext")),
        ('"brass sextant"', words.Query(phrases=(("brass", "sextant"),))),
        ('old "brass sextant" lo', words.Query(("old",), "lo", (("brass", "sextant"),))),
        ("“brass sextant", words.Query(phrases=(("brass", "sextant"),))),
        ("b", words.Query(("b",))),
        ("東", words.Query(prefix="東")),
        ('"brass" sext', words.Query(("brass",), "sext")),
        ('old "" ""', words.Query(("old",))),
        ("★", words.Query()),
        ("'; DROP TABLE x; --", words.Query(("drop", "table", "x"))),
        ("a & b | !c:* <-> d", words.Query(("a", "b", "c", "d"))),
        ("1 2 3 4 5 6 7 8 9 10 11 12", words.Query(tuple("123456789"), "10")),
    ],
)
def test_a_search_asks_for_every_word_the_last_as_a_beginning_and_for_phrases(text, query):
    assert words.parse(text) == query


@pytest.mark.parametrize(
    ("search", "is_found"),
    [
        ("sextant brass", True),
        ("bra", True),
        ("bra sextant", False),
        ('"brass sextant"', True),
        ('"sextant brass"', False),
        ('"old brass sextant"', False),
        ("★", False),
    ],
)
def test_a_text_is_found_by_what_the_search_asks_for(search, is_found):
    assert words.parse(search).matches(words.of("Brass sextant, old")) is is_found


@hypothesis.given(anything | hostile)
def test_anything_can_be_typed_and_what_it_asks_for_is_bounded_and_plain(text):
    query = words.parse(text)

    if query is not None:
        asked = [*query.words, *filter(None, [query.prefix]), *(w for p in query.phrases for w in p)]
        assert len(asked) <= words.MAX_QUERY_WORDS
        assert all(word.isalnum() and len(word) <= words.MAX_WORD_CHARACTERS for word in asked)


@hypothesis.given(anything | hostile)
def test_a_text_is_found_by_its_own_words(text):
    there = words.of(text)

    query = words.parse(text)

    if there and query is not None:
        assert query.matches(there)


def test_a_long_search_is_read_in_no_time():
    began = time.process_time()

    for text in ("\ufdfa" * 100_000, '"' * 100_000, "a\u0301" * 50_000, "ab " * 50_000):
        words.parse(text)

    assert time.process_time() - began < 0.1
