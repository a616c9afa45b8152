"""How many offers a search finds, and how many each value of its filters would find: a filter's counts leave out the filter
itself, so that a reader sees what else there is.

One statement counts by currency, category and condition, within bounds; the rest is sums of these. Without words it reads an
index alone. With words it reads the offers, and no more than MAX_LOOKED_AT of them, because a word may be in half of all.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec
from django.db import connections

from inventory import models
from inventory.search import searches, tree, tsearch

MAX_COUNTED = 2_000  # offers found by words
MAX_LOOKED_AT = 3_000  # offers with all words, of which the other filters and phrases leave some
MAX_BROWSED = 100_000  # offers, without words

_BROWSE = """
SELECT NULL, currency, category_id, condition, {fitting}, min(price), max(price), count(*)
FROM (SELECT currency, category_id, condition, price FROM inventory_searchentry WHERE {base}
      ORDER BY currency, category_id, condition, price LIMIT {most}) AS found
GROUP BY currency, category_id, condition
"""
_FIND = """
WITH looked_at AS MATERIALIZED (
    SELECT currency, category_id, condition, price, in_stock, {has_all} AS has_all
    FROM inventory_searchentry WHERE words @@ %(loose)s::tsquery LIMIT {most_looked_at}),
counted AS (
    SELECT currency, category_id, condition, {fitting}, min(price), max(price), count(*) AS offers
    FROM (SELECT currency, category_id, condition, price FROM looked_at WHERE {base} LIMIT {most}) AS found
    GROUP BY currency, category_id, condition)
SELECT (SELECT count(*) FROM looked_at), counted.* FROM (VALUES (1)) AS one LEFT JOIN counted ON TRUE
"""


class ConditionCount(msgspec.Struct, frozen=True):
    """A condition, and how many offers have it."""

    value: str
    count: int


class Prices(msgspec.Struct, frozen=True):
    """The lowest and the highest price, in minor units of the currency."""

    min: int
    max: int
    currency: str


class Counts(msgspec.Struct, frozen=True):
    """`is_capped`: there are more than were counted, so that every number is a lower bound. `prices` is None without offers, and
    where the offers have several currencies."""

    total: int = 0
    is_capped: bool = False
    categories: list[tree.Branch] = []
    conditions: list[ConditionCount] = []
    prices: Prices | None = None

    @property
    def is_small(self) -> bool:
        """Whether all that is found may be sorted."""
        return not self.is_capped and self.total <= MAX_COUNTED


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """The offers of one currency, category and condition; `fitting` of them have a price in the range."""

    currency: str
    category: int | None
    condition: str
    fitting: int
    min_price: int
    max_price: int


class Cells(msgspec.Struct, frozen=True):
    """What was counted: the same for every category and condition that a search may ask for. `is_capped`: there is more."""

    cells: list[Cell]
    is_capped: bool


def count(search: searches.Search, categories: tree.Tree, cells: Cells | None = None) -> Counts:
    """The counts of a search, from its cells."""
    counted = cells or read_cells(search)
    in_category = [
        cell for cell in counted.cells if not search.categories or cell.category in search.categories
    ]
    by_category: Counter[int | None] = Counter()
    for cell in _in_condition(counted.cells, search):
        by_category[cell.category] += cell.fitting
    by_condition: Counter[str] = Counter()
    for cell in in_category:
        by_condition[cell.condition] += cell.fitting
    in_both = _in_condition(in_category, search)
    return Counts(
        total=sum(cell.fitting for cell in in_both),
        is_capped=counted.is_capped,
        categories=categories.counted(by_category),
        conditions=[
            ConditionCount(value, by_condition[value])
            for value in models.Condition.values
            if by_condition[value]
        ],
        prices=_prices(in_both),
    )


def _in_condition(cells: Iterable[Cell], search: searches.Search) -> list[Cell]:
    return [cell for cell in cells if search.condition in ("", cell.condition)]


def read_cells(search: searches.Search) -> Cells:
    """What is counted for the words, the prices, the currency and the stock of a search. One statement."""
    if search.terms is not None and search.terms.is_hopeless:
        return Cells([], is_capped=False)
    base, (fits, bounds) = searches.base_of(search), searches.price_of(search)
    fitting = (
        f"count(*) FILTER (WHERE {fits})" if bounds else "count(*)"
    )  # of 100,000 offers the condition is a tenth
    parameters, most = base.parameters | bounds, MAX_BROWSED
    if search.terms is None:
        statement = _BROWSE.format(fitting=fitting, base=base, most=most + 1)
    else:
        most = MAX_COUNTED
        parameters["loose"] = tsearch.loose_query(search.terms)
        if search.terms.phrases:
            base.add("has_all")
            parameters["terms"] = tsearch.query(search.terms)
        statement = _FIND.format(
            fitting=fitting,
            base=base,
            has_all=searches.HAS_WORDS if search.terms.phrases else "TRUE",
            most=most + 1,
            most_looked_at=MAX_LOOKED_AT + 1,
        )
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    cells = [Cell(*row[1:7]) for row in rows if row[1] is not None]
    counted, looked_at = sum(row[7] or 0 for row in rows), rows[0][0] or 0 if rows else 0
    return Cells(cells, is_capped=counted > most or looked_at > MAX_LOOKED_AT)


def _prices(cells: Iterable[Cell]) -> Prices | None:
    cells = list(cells)
    currencies = {cell.currency for cell in cells}
    if len(currencies) != 1:
        return None
    return Prices(
        min(cell.min_price for cell in cells), max(cell.max_price for cell in cells), currencies.pop()
    )
