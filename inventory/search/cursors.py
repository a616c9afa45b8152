"""Cursors: the place in a list after which its next page begins. Opaque to clients.

A cursor names the last offer of its page by what the order compares, so that offers that come and go before it move no other
one. It is valid for the search and the order that it was made for. Its values are checked, and the database only compares with them.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from auction_project.kernel import cursor_texts, ids, money
from inventory.search import searches

MAX_CHARACTERS = 300
DIGEST_CHARACTERS = 12
InvalidCursor = cursor_texts.InvalidCursor
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MICROSECONDS = 10**6 * 2**33  # in the year 2242


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last offer of a page. What the order does not compare keeps its default."""

    search: str
    product_id: str
    in_title: bool = False
    currency: str = ""
    price: int = 0
    title_share: int = 0
    published_us: int = 0  # microseconds since 1970

    @property
    def published_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.published_us)


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def digest_of(search: searches.Search, sort: searches.Sort) -> str:
    """What a cursor says of the list that it belongs to."""
    return search.digest[:DIGEST_CHARACTERS] + sort.value[:3]


def encode(place: Place) -> str:
    return cursor_texts.pack(place)


def decode(text: str, *, search: searches.Search, sort: searches.Sort) -> Place:
    """Raises InvalidCursor."""
    place = cursor_texts.unpack(text, Place, field="cursor")
    if not _is_sound(place) or place.search != digest_of(search, sort):
        raise InvalidCursor(field="cursor")
    return place


def _is_sound(place: Place) -> bool:
    """Whether the database can compare with it."""
    return (
        ids.is_id(place.product_id)
        and (not place.currency or place.currency in money.EXPONENTS)
        and 0 <= place.price <= money.MAX_MINOR_UNITS
        and 0 <= place.title_share <= 1000
        and 0 <= place.published_us <= _MAX_MICROSECONDS
    )
