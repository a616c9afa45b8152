"""What completes a search while it is typed, for the shop and for auctions: pure.

The last word is completed first, in folded form, then come titles; the most frequent come first. They are made of titles that have
all that is typed, so that each suggestion finds something.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from auction_project.kernel import words

MAX_COMPLETIONS = 5
MAX_SUGGESTIONS = 8
MAX_TITLES = 200  # that a caller looks at


class Typed(msgspec.Struct, frozen=True):
    """What is typed so far: whole words, and the beginning of one. Quotes mean nothing yet."""

    before: tuple[str, ...]
    last: str


def read(text: str) -> Typed | None:
    """None where no word is typed."""
    typed = words.of(text[: words.MAX_QUERY_CHARACTERS])[: words.MAX_QUERY_WORDS]
    if not typed:
        return None
    *before, last = dict.fromkeys(typed)
    return Typed(tuple(before), last)


def complete(typed: Typed, titles: Iterable[str]) -> list[str]:
    """Suggestions from those of the titles that have what is typed."""
    completing: list[str] = []
    found: list[str] = []
    for title in titles:
        present = set(words.of_title(title))
        begun = {word for word in present if word.startswith(typed.last)}
        if begun and present.issuperset(typed.before):
            completing += begun.difference(typed.before)
            found.append(title)
    counted = _most_frequent(completing)[:MAX_COMPLETIONS]
    return listed([" ".join([*typed.before, word]) for word in counted], found)


def listed(completions: Sequence[str], titles: Iterable[str]) -> list[str]:
    """The completions, then the titles, each once. What is too long to be searched for is left out."""
    suggested = dict.fromkeys([*completions, *_most_frequent(titles)])
    return [text for text in suggested if len(text) <= words.MAX_QUERY_CHARACTERS][:MAX_SUGGESTIONS]


def _most_frequent(texts: Iterable[str]) -> list[str]:
    counted = Counter(texts)
    return sorted(counted, key=lambda text: (-counted[text], text))
