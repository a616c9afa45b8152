"""What completes a search of the shop while it is typed: the last word, and titles.

A single word is completed from the table of words, which knows in how many titles each one is. After other words, the titles
that have them are looked at, a bounded number of them.
"""

from collections.abc import Sequence

from django.db import connections

from auction_project.kernel import suggestions, words
from inventory import models
from inventory.search import tsearch

_WORDS = """
SELECT word FROM inventory_searchword WHERE word LIKE %s AND offers > 0 ORDER BY offers DESC, word LIMIT %s
"""
_TITLES = """
SELECT product.title FROM (
    SELECT product_id FROM inventory_searchentry WHERE title_words @@ %s::tsquery LIMIT %s) AS entry
JOIN inventory_product AS product ON product.id = entry.product_id
"""


def suggest(text: str) -> list[str]:
    """Texts to search for, each of which finds an offer."""
    typed = suggestions.read(text)
    if typed is None:
        return []
    if typed.before:
        return suggestions.complete(typed, _titles(words.Query(typed.before, typed.last)))
    completions = [word for (word,) in _rows(_WORDS, [f"{typed.last}%", suggestions.MAX_COMPLETIONS])]
    titles = _titles(words.Query((completions[0],))) if completions else []
    return suggestions.listed(completions, titles)


def _titles(wanted: words.Query) -> list[str]:
    return [title for (title,) in _rows(_TITLES, [tsearch.query(wanted), suggestions.MAX_TITLES])]


def _rows(statement: str, parameters: Sequence[object]) -> list[tuple[str]]:
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
