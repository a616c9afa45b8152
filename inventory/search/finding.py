"""The page of a search: which offers it has, in which order.

An order walks an index from the cursor on, and stops at the end of the page. Where the counts say that no more than
MAX_COUNTED offers are found, they are all looked up by their words and sorted instead, because the walk might go a long way
between two of them. So it might for a phrase of frequent words, of which no index knows how rare it is: it is looked for in
MAX_OFFERS_OF_A_PHRASE offers that have its words in the title, and in as many that have them elsewhere. Relevance is that of titles:
offers with all words in the title come first, then those in which the words are the greater part of the title, then the newer.
"""

from typing import Any, NamedTuple

import msgspec
from django.db import connections

from auction_project.kernel import words
from inventory import models
from inventory.search import counting, cursors, searches, tsearch

MAX_OFFERS_OF_A_PHRASE = 2_000

_ROW = "product_id, {in_title} AS in_title, currency, price, title_share, published_at"
_WALK = """
SELECT {row} FROM inventory_searchentry WHERE {conditions} ORDER BY {order} LIMIT %(limit)s
"""
_SORT = """
WITH found AS MATERIALIZED (SELECT {row} FROM inventory_searchentry WHERE {conditions})
SELECT * FROM found WHERE {after} ORDER BY {order} LIMIT %(limit)s
"""
_SORT_LOOKED_AT = """
WITH looked_at AS MATERIALIZED (
    (SELECT {row}, {has_all} AS has_all FROM inventory_searchentry WHERE {conditions} AND title_words @@ %(loose)s::tsquery LIMIT {most})
    UNION ALL
    (SELECT {row}, {has_all} AS has_all FROM inventory_searchentry
     WHERE {conditions} AND words @@ %(loose)s::tsquery AND NOT title_words @@ %(loose)s::tsquery LIMIT {most}))
SELECT {columns} FROM looked_at WHERE has_all AND {after} ORDER BY {order} LIMIT %(limit)s
"""
_COLUMNS = "product_id, in_title, currency, price, title_share, published_at"
_IN_TITLE = "title_words @@ %(terms)s::tsquery"


class _Order(NamedTuple):
    """The columns that it compares, all in one direction, and what of a cursor they are compared with."""

    columns: tuple[str, ...]
    descends: bool = True

    def text(self, *, with_titles: bool) -> str:
        direction = " DESC" if self.descends else ""
        return ", ".join(f"{column}{direction}" for column in self._all(with_titles))

    def after(self, *, with_titles: bool) -> str:
        """What comes after the place of a cursor."""
        columns = self._all(with_titles)
        sign = "<" if self.descends else ">"
        return f"({', '.join(columns)}) {sign} ({', '.join(f'%(after_{column})s' for column in columns)})"

    def _all(self, with_titles: bool) -> tuple[str, ...]:
        return ("in_title", *self.columns) if with_titles else self.columns


_ORDERS = {
    searches.Sort.CHEAPEST: _Order(("currency", "price", "product_id"), descends=False),
    searches.Sort.DEAREST: _Order(("currency", "price", "product_id")),
    searches.Sort.NEWEST: _Order(("published_at", "product_id")),
    searches.Sort.RELEVANCE: _Order(("title_share", "published_at", "product_id")),
}


class Found(msgspec.Struct, frozen=True):
    """The products of a page, in order, and the cursor of the next page; None at the end."""

    product_ids: list[str]
    next: str | None


def find(
    search: searches.Search,
    sort: searches.Sort,
    *,
    counts: counting.Counts,
    cursor: str | None,
    limit: int,
) -> Found:
    """A page of what `search` finds. `counts` are those of the search; relevance is for searches with words. Raises
    InvalidCursor."""
    place = cursors.decode(cursor, search=search, sort=sort) if cursor else None
    if search.terms is not None and search.terms.is_hopeless:
        return Found([], None)
    if counts.is_small:
        rows = _sorted(search, sort, place, limit + 1)
    elif search.terms is not None and search.terms.phrases:
        rows = _with_phrases(search, search.terms, sort, place, limit + 1)
    elif search.terms is not None and sort is searches.Sort.RELEVANCE:
        rows = _by_relevance(search, search.terms, place, limit + 1)
    else:
        rows = _walked(searches.conditions_of(search), sort, place, limit + 1)
    more = len(rows) > limit
    page = rows[:limit]
    digest = cursors.digest_of(search, sort)
    return Found([row.product_id for row in page], cursors.encode(page[-1].place(digest)) if more else None)


class _Row(NamedTuple):
    product_id: str
    in_title: bool
    currency: str
    price: int
    title_share: int
    published_at: Any

    def place(self, digest: str) -> cursors.Place:
        return cursors.Place(
            search=digest,
            product_id=self.product_id,
            in_title=self.in_title,
            currency=self.currency,
            price=self.price,
            title_share=self.title_share,
            published_us=cursors.microseconds(self.published_at),
        )


def _sorted(
    search: searches.Search, sort: searches.Sort, place: cursors.Place | None, limit: int
) -> list[_Row]:
    """The page of the few offers that are found, all of which are read."""
    order, conditions = _ORDERS[sort], searches.conditions_of(search)
    by_titles = sort is searches.Sort.RELEVANCE
    return _rows(
        _SORT.format(
            row=_ROW.format(in_title=_IN_TITLE if by_titles else "FALSE"),
            conditions=conditions,
            after=order.after(with_titles=by_titles) if place else "TRUE",
            order=order.text(with_titles=by_titles),
        ),
        conditions.parameters | _parameters(place, limit),
    )


def _with_phrases(
    search: searches.Search, terms: words.Query, sort: searches.Sort, place: cursors.Place | None, limit: int
) -> list[_Row]:
    """The page of the offers with these phrases, among those that are looked at."""
    order, conditions = _ORDERS[sort], searches.filters_of(search)
    by_titles = sort is searches.Sort.RELEVANCE
    return _rows(
        _SORT_LOOKED_AT.format(
            row=_ROW.format(in_title=_IN_TITLE if by_titles else "FALSE"),
            columns=_COLUMNS,
            has_all=searches.HAS_WORDS,
            conditions=conditions,
            most=MAX_OFFERS_OF_A_PHRASE,
            after=order.after(with_titles=by_titles) if place else "TRUE",
            order=order.text(with_titles=by_titles),
        ),
        conditions.parameters
        | {"terms": tsearch.query(terms), "loose": tsearch.loose_query(terms)}
        | _parameters(place, limit),
    )


def _by_relevance(
    search: searches.Search, terms: words.Query, place: cursors.Place | None, limit: int
) -> list[_Row]:
    """First the offers that have all words in the title, then the others."""
    rows: list[_Row] = []
    for in_title in (True, False):
        if place is not None and place.in_title < in_title:
            continue
        if in_title:  # what is in the title is among all words, which are longer to read
            conditions = searches.filters_of(search)
            conditions.add(_IN_TITLE, {"terms": tsearch.query(terms)})
        else:
            conditions = searches.conditions_of(search)
            conditions.add(f"NOT {_IN_TITLE}")
        within = place if place is not None and place.in_title == in_title else None
        found = _walked(conditions, searches.Sort.RELEVANCE, within, limit - len(rows))
        rows += [row._replace(in_title=in_title) for row in found]
        if len(rows) >= limit:
            break
    return rows


def _walked(
    conditions: searches.Conditions, sort: searches.Sort, place: cursors.Place | None, limit: int
) -> list[_Row]:
    """The page of many offers. PostgreSQL chooses the way; the index of the order is there for it."""
    order = _ORDERS[sort]
    if place is not None:
        conditions.add(order.after(with_titles=False))
    return _rows(
        _WALK.format(
            row=_ROW.format(in_title="FALSE"),
            conditions=conditions,
            order=order.text(with_titles=False),
        ),
        conditions.parameters | _parameters(place, limit),
    )


def _parameters(place: cursors.Place | None, limit: int) -> dict[str, Any]:
    if place is None:
        return {"limit": limit}
    return {
        "limit": limit,
        "after_product_id": place.product_id,
        "after_in_title": place.in_title,
        "after_currency": place.currency,
        "after_price": place.price,
        "after_title_share": place.title_share,
        "after_published_at": place.published_at,
    }


def _rows(statement: str, parameters: dict[str, Any]) -> list[_Row]:
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(statement, parameters)
        return [_Row(*row) for row in cursor.fetchall()]
