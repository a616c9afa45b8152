"""Whether an offer or a lot is what a saved search asks for: pure.

It is compared with few of all saved searches: with those whose anchor, the beginning of one of their words, begins one of its
words; and with those that have filters alone.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from auction_project.kernel import money, words

ANCHOR_CHARACTERS = 4
FIELDS = {  # of a query, by what it searches among
    "offers": ("q", "category", "condition", "currency", "min_price", "max_price", "in_stock"),
    "lots": ("q", "format", "currency", "min_price", "max_price"),
}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What searches may find, as they see it: its texts as words."""

    texts: list[list[str]]
    currency: str
    price: int

    def passes(self, query: Mapping[str, Any]) -> bool:
        """Whether it passes the filters that only its kind has."""
        raise NotImplementedError

    @property
    def anchors(self) -> list[str]:
        """The anchors of the saved searches that it may match."""
        found = {word for text in self.texts for word in text}
        lengths = range(1, ANCHOR_CHARACTERS + 1)
        return ["", *sorted({word[:length] for word in found for length in lengths})]

    @property
    def words(self) -> list[str]:
        """All words, with a gap between two texts, which no phrase goes across."""
        return [word for text in self.texts for word in (*text, "")]


class Offer(Subject, frozen=True, kw_only=True):
    """`categories` are the slugs of its category and of those above it."""

    categories: list[str]
    condition: str
    in_stock: bool

    def passes(self, query: Mapping[str, Any]) -> bool:
        return (
            query["condition"] in ("", self.condition)
            and (not query["category"] or query["category"] in self.categories)
            and (self.in_stock or not query["in_stock"])
        )


class Lot(Subject, frozen=True, kw_only=True):
    """A new lot, whose price is its start price."""

    format: str

    def passes(self, query: Mapping[str, Any]) -> bool:
        return query["format"] in ("", self.format)


def anchor_of(query: Mapping[str, Any]) -> str:
    """The beginning of the longest word that is searched for; empty without words."""
    terms = words.parse(query["q"])
    if terms is None:
        return ""
    searched = [*terms.words, terms.prefix, *(word for phrase in terms.phrases for word in phrase)]
    return max(searched, key=len)[:ANCHOR_CHARACTERS]


def digest_of(query: Mapping[str, Any]) -> str:
    """Of what the query means: the same words in another case are the same search. Queries among other things have other fields."""
    meaning = {name: value for name, value in query.items() if name != "q"}
    return hashlib.sha256(
        msgspec.json.encode([words.parse(query["q"]), meaning], order="deterministic")
    ).hexdigest()


def is_empty(query: Mapping[str, Any]) -> bool:
    """Whether it asks for everything, for all lots of one format, or for nothing that can be found."""
    terms = words.parse(query["q"])
    if terms is None:
        return not any(value for name, value in query.items() if name not in ("q", "format"))
    return terms.is_hopeless


def matches(query: Mapping[str, Any], subject: Subject, *, subject_words: list[str]) -> bool:
    """Whether `subject`, whose `words` are `subject_words`, passes all filters and has all words of the query."""
    return (
        query["currency"] in ("", subject.currency)
        and subject.passes(query)
        and _in_range(query, subject)
        and _has_words(query["q"], subject_words)
    )


def in_words(query: Mapping[str, Any]) -> str:
    """The query for people: brass lamp, category clocks, at most €50.00; or, among lots: brass lamp, english, among the lots."""
    currency = query["currency"]
    limits = {
        name: money.with_sign(query[name], currency) for name in ("min_price", "max_price") if query[name]
    }
    parts = [
        query["q"].strip(),
        query.get("category") and f"category {query['category']}",
        query.get("condition") and query["condition"].replace("_", " ").lower(),
        query.get("format") and query["format"].replace("_", " "),
        limits.get("min_price") and f"at least {limits['min_price']}",
        limits.get("max_price") and f"at most {limits['max_price']}",
        currency if currency and not limits else "",
        query.get("in_stock") and "in stock",
        "format" in query and "among the lots",
    ]
    return ", ".join(part for part in parts if part)


def _in_range(query: Mapping[str, Any], subject: Subject) -> bool:
    least, most = (
        money.parse(query[name], query["currency"]) if query[name] else None
        for name in ("min_price", "max_price")
    )
    return (least is None or least <= subject.price) and (most is None or subject.price <= most)


def _has_words(text: str, subject_words: list[str]) -> bool:
    terms = words.parse(text)
    return terms is None or terms.matches(subject_words)
