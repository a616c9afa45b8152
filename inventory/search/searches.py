"""What a search asks for, and its form as conditions of SQL. Pure, but for the tree of categories."""

import enum
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from auction_project.kernel import words
from inventory.search import tsearch

HAS_WORDS = "words @@ %(terms)s::tsquery"


class Sort(enum.StrEnum):
    """The order of what is found. Currencies follow one another where prices decide."""

    RELEVANCE = "relevance"
    CHEAPEST = "price"
    DEAREST = "-price"
    NEWEST = "newest"


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A text and filters. What is None or empty leaves its field open; `categories` are ids, with all that are below."""

    terms: words.Query | None = None
    categories: tuple[int, ...] = ()
    condition: str = ""
    currency: str = ""
    min_price: int | None = None  # minor units
    max_price: int | None = None
    in_stock: bool = False

    @property
    def digest(self) -> str:
        """Of the meaning: two texts with the same words have the same."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def sort_of(search: Search, asked: str) -> Sort:
    """The order that is `asked` for. Without words nothing is more relevant, and the newest come first."""
    sort = Sort(asked) if asked else Sort.RELEVANCE
    return Sort.NEWEST if sort is Sort.RELEVANCE and search.terms is None else sort


class Conditions:
    """Conditions on `inventory_searchentry`, with the parameters that they name."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.parameters: dict[str, Any] = {}

    def add(self, text: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._texts.append(text)
        self.parameters |= parameters or {}

    def __str__(self) -> str:
        return " AND ".join(self._texts) or "TRUE"


def base_of(search: Search) -> Conditions:
    """The filters that have no counts of their own: whether it is in stock, and the currency."""
    conditions = Conditions()
    if search.currency:
        conditions.add("currency = %(currency)s", {"currency": search.currency})
    if search.in_stock:
        conditions.add("in_stock")
    return conditions


def filters_of(search: Search) -> Conditions:
    """All filters, without the words."""
    conditions = base_of(search)
    if search.categories:
        conditions.add("category_id = ANY(%(categories)s)", {"categories": list(search.categories)})
    if search.condition:
        conditions.add("condition = %(condition)s", {"condition": search.condition})
    conditions.add(*price_of(search))
    return conditions


def conditions_of(search: Search) -> Conditions:
    """All filters, and the words."""
    conditions = filters_of(search)
    if search.terms is not None:
        conditions.add(HAS_WORDS, {"terms": tsearch.query(search.terms)})
    return conditions


def price_of(search: Search) -> tuple[str, dict[str, int]]:
    """Whether a price is in the range, as a condition with its parameters."""
    bounds = {"min_price": search.min_price, "max_price": search.max_price}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    texts = {"min_price": "price >= %(min_price)s", "max_price": "price <= %(max_price)s"}
    return " AND ".join(texts[name] for name in given) or "TRUE", given
