"""Words as PostgreSQL's full-text search takes them: texts of the types tsvector and tsquery. Pure.

No configuration and no dictionary has a part in it: `kernel.words` has cut and folded both sides, and a word is
letters and digits alone, so that none needs quoting, and none is an operator.
"""

from collections.abc import Iterable

from auction_project.kernel import words

GAP = 10  # places between two texts of one vector, so that no phrase goes from one to the other
MAX_PLACES = 200  # of one word; PostgreSQL keeps 255
MAX_PLACE = 16_383  # that PostgreSQL can keep


def vector(texts: Iterable[list[str]]) -> str:
    """The tsvector of some texts, each given by its words."""
    places: dict[str, list[int]] = {}
    place = 0
    for text in texts:
        for word in text:
            place = min(place + 1, MAX_PLACE)
            places.setdefault(word, []).append(place)
        place = min(place + GAP, MAX_PLACE)
    return " ".join(f"{word}:{','.join(map(str, at[:MAX_PLACES]))}" for word, at in places.items())


def query(wanted: words.Query) -> str:
    """The tsquery for all that is wanted; empty, which matches nothing, for what is hopeless."""
    phrases = [f"({'<->'.join(phrase)})" for phrase in wanted.phrases]
    return "&".join([*wanted.words, *_prefix(wanted), *phrases])


def loose_query(wanted: words.Query) -> str:
    """The same without the order of words in phrases: what an index can answer by itself."""
    in_phrases = [word for phrase in wanted.phrases for word in phrase]
    return "&".join([*wanted.words, *_prefix(wanted), *in_phrases])


def _prefix(wanted: words.Query) -> list[str]:
    return [f"{wanted.prefix}:*"] if wanted.prefix else []
