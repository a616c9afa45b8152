"""Texts that people type: invisible controls go, what must be there can be seen, and a SKU has one folded form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auction_project.kernel import texts


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Brass   sextant\t", "Brass sextant"),
        ("\u202eretxes ssarB\u202c", "retxes ssarB"),  # a bidirectional override
        ("Bra\u200bss\ufeff sex\u00adtant", "Brass sextant"),
        ("Brass\u2066 sextant\u2069", "Brass sextant"),
        ("Two\nlines\u2028three", "Two lines three"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian is written with the joiner
        ("👩\u200d🔧 wrench", "👩\u200d🔧 wrench"),
        ("\ue000 private", "private"),
    ],
)
def test_a_line_keeps_what_can_be_seen(typed, kept):
    assert texts.line(typed) == kept


def test_paragraphs_keep_their_line_breaks_and_tabs_and_lose_controls():
    assert texts.paragraphs("A\u202eb\r\n\r\n\tc\x07d\re ") == "Ab\n\n\tcd\ne"


@pytest.mark.parametrize("text", ["", " ", "\u200d", "\u3164", "\u2800\u115f", "\u0301", "\u00a0"])
def test_a_text_of_nothing_that_shows_is_not_visible(text):
    assert not texts.is_visible(text)


@pytest.mark.parametrize("text", ["a", "7", "!", "é", "時", "👍", "\u200da"])
def test_a_letter_a_digit_or_a_sign_is_visible(text):
    assert texts.is_visible(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("abc-1", " ABC-1 "),
        ("ＡＢＣ-１", "abc-1"),  # wide letters
        ("Straße", "STRASSE"),
        ("a\u200bb", "ab"),
        ("e\u0301", "\u00c9"),
        ("ﬁx", "FIX"),
    ],
)
def test_skus_that_look_alike_are_one(one, other):
    assert texts.folded(one) == texts.folded(other)


def test_skus_that_differ_stay_apart():
    assert len({texts.folded(sku) for sku in ("A-1", "A1", "A 1", "A-2")}) == 4


@given(st.text(max_size=60))
def test_what_is_kept_is_kept_again(text):
    assert texts.line(texts.line(text)) == texts.line(text)
    assert texts.paragraphs(texts.paragraphs(text)) == texts.paragraphs(text)
    assert texts.folded(texts.folded(text)) == texts.folded(text)
