"""The words of a title, and those of a search: pure.

A word is what is between blanks, without case and accents. A word of a search finds the titles with a word that
contains it, so all that is part of a title is found.
"""

import unicodedata

MAX_TITLE_WORDS = 24
MAX_SEARCH_WORDS = 6  # of a longer search the longest words count
MAX_WORD_CHARACTERS = 40


def of_title(title: str) -> list[str]:
    """The words of a title, each once."""
    return _words(title)[:MAX_TITLE_WORDS]


def of_search(search: str) -> list[str]:
    """The words of a search, the longest first, because fewer titles have them."""
    return sorted(_words(search), key=lambda word: (-len(word), word))[:MAX_SEARCH_WORDS]


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(character for character in decomposed if not unicodedata.combining(character))
    return list(dict.fromkeys(word[:MAX_WORD_CHARACTERS] for word in folded.split()))
