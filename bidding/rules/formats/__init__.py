"""The formats of auctions. A new one is a module with an object of the protocol `base.Format`, and a line of the
table."""

from bidding.rules.formats import buy_now, english
from bidding.rules.formats.base import Format, Result, Standing
from bidding.rules.state import State

__all__ = ["FORMATS", "Format", "Result", "Standing", "of"]

FORMATS: dict[str, Format] = {each.name: each for each in (english.FORMAT, buy_now.FORMAT)}


def of(state: State) -> Format:
    """The format of an auction past NEW."""
    return FORMATS[state.known_terms.format]
