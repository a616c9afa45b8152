"""The words of a title, and those of a search: pure.

A word is what stands between blanks, without case and accents. A word of a search finds the titles with a word that
contains it, or begins with it if it is shorter than three bytes; so all that is part of a title is found.
"""

import unicodedata

MAX_TITLE_WORDS = 24
MAX_SEARCH_WORDS = 6  # of a longer search the longest words count
MAX_WORD_CHARACTERS = 40


def of_title(title: str) -> list[str]:
    """The words of a title, each also without the signs before it, so that "(rare)" is found as "rare"."""
    words: dict[str, None] = {}
    for word in _fold(title).split():
        words[word[:MAX_WORD_CHARACTERS]] = None
        bare = word.lstrip("([{<\"'„“«#*-_.,:;/&+")
        if bare:
            words[bare[:MAX_WORD_CHARACTERS]] = None
    return list(words)[:MAX_TITLE_WORDS]


def of_search(search: str) -> list[str]:
    words = dict.fromkeys(word[:MAX_WORD_CHARACTERS] for word in _fold(search).split())
    return sorted(words, key=lambda word: (-len(word), word))[:MAX_SEARCH_WORDS]


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
