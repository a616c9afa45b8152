"""Cursors: the place in a list of lots after which its next page begins. Opaque to clients.

A cursor names the last lot of its page by its score in the order of the list, so that lots that come and go before it move no other
one. It is valid for the list that it was made for, and only compared with.
"""

import hashlib
import re

import msgspec

from auction_project.kernel import cursor_texts, ids
from bidding.store import auctions

MAX_CHARACTERS = 200
_DIGEST_CHARACTERS = 12
_SCORE = re.compile(r"-?\d{1,16}")


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A lot, and its score in the order of a list."""

    score: str
    auction_id: str


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    digest: str
    place: Place


def encode(place: Place, query: auctions.Query) -> str:
    return cursor_texts.pack(_Cursor(_digest(query), place))


def decode(text: str, query: auctions.Query) -> Place:
    """Raises InvalidCursor."""
    cursor = cursor_texts.unpack(text, _Cursor, field="after")
    place = cursor.place
    if (
        cursor.digest != _digest(query)
        or not _SCORE.fullmatch(place.score)
        or not ids.is_id(place.auction_id)
    ):
        raise cursor_texts.InvalidCursor(field="after")
    return place


def _digest(query: auctions.Query) -> str:
    """What a cursor says of the list that it belongs to. What ends soon moves with the clock, and is the same list."""
    of_list = msgspec.structs.replace(
        query, skip=0, limit=0, after=None, ends_within=(0, 0) if query.ends_within else None
    )
    return hashlib.sha256(msgspec.json.encode(of_list)).hexdigest()[:_DIGEST_CHARACTERS]
