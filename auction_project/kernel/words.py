"""The words of texts and of searches, one language for the shop and for auctions: pure.

A word is a run of letters and digits, without case and accents. What a visitor types means: every word, in any order; the last
word as the beginning of a word, because it may not be complete; and what stands in quotes, as words that follow one another.
Anything can be typed: nothing here raises, and every size has a bound.
"""

import re
import unicodedata

import msgspec

MAX_QUERY_CHARACTERS = 100
MAX_QUERY_WORDS = 10  # those of phrases included; the rest of a longer search is left out
MAX_LOT_WORDS = 24  # of a lot's title, by which it is found
MAX_WORD_CHARACTERS = 40  # a longer word is its beginning
MIN_PREFIX_BYTES = 2  # a single Latin letter or digit begins too many words, and is a word by itself

# Letters of Latin alphabets that no normal form takes apart.
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "þ": "th"}
)
_WORD = re.compile(r"[^\W_]+")
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))


class Query(msgspec.Struct, frozen=True):
    """What a search asks for: each of `words`, a word that begins with `prefix`, and each of `phrases`. One without any of them
    was typed in signs alone, and finds nothing."""

    words: tuple[str, ...] = ()
    prefix: str = ""
    phrases: tuple[tuple[str, ...], ...] = ()

    @property
    def is_hopeless(self) -> bool:
        return not (self.words or self.prefix or self.phrases)

    def matches(self, words: list[str]) -> bool:
        """Whether a text of these words, in their order, is found."""
        present = set(words)
        return (
            not self.is_hopeless
            and present.issuperset(self.words)
            and (not self.prefix or any(word.startswith(self.prefix) for word in words))
            and all(_follow_one_another(phrase, words) for phrase in self.phrases)
        )


def fold(text: str) -> str:
    """The text without case, accents and invisible controls, in compatibility form (NFKC)."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    decomposed = unicodedata.normalize("NFKD", folded)
    return "".join(
        character
        for character in decomposed
        if not unicodedata.combining(character) and unicodedata.category(character) != "Cf"
    )


def of(text: str) -> list[str]:
    """The words of a text, in their order."""
    return [word[:MAX_WORD_CHARACTERS] for word in _WORD.findall(fold(text))]


def of_title(title: str) -> list[str]:
    """The words by which a lot with this title is found."""
    return of(title)[:MAX_LOT_WORDS]


def parse(text: str) -> Query | None:
    """What the typed `text` asks for; None where it is blank, which asks for everything."""
    text = text[:MAX_QUERY_CHARACTERS].translate(_QUOTES)
    if not text.strip():
        return None
    single: list[str] = []
    phrases: list[tuple[str, ...]] = []
    left, prefix = MAX_QUERY_WORDS, ""
    parts = text.split('"')
    for number, part in enumerate(parts):
        words = of(part)[:left]
        left -= len(words)
        if number % 2 == 0:
            single += words
            is_last = bool(words) and number == len(parts) - 1
            prefix = words[-1] if is_last and len(words[-1].encode()) >= MIN_PREFIX_BYTES else ""
        elif len(words) > 1:
            phrases.append(tuple(words))
        else:
            single += words
    if prefix:
        del single[-1]
    return Query(tuple(dict.fromkeys(single)), prefix, tuple(dict.fromkeys(phrases)))


def _follow_one_another(phrase: tuple[str, ...], words: list[str]) -> bool:
    length = len(phrase)
    return any(tuple(words[start : start + length]) == phrase for start in range(len(words) - length + 1))
