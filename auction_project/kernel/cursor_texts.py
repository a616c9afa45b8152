"""Cursors as clients get them: a place in a list as an opaque text. It is no secret and is not signed, so whoever unpacks one checks
that it is a place of this very list.
"""

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from auction_project.kernel import errors

Place = TypeVar("Place")


class InvalidCursor(errors.Invalid):
    """This cursor belongs to another list. Begin at the first page, and take `next` of each page as it is."""


def pack(place: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def unpack(text: str, kind: type[Place], *, field: str) -> Place:
    """The place that `text` spells; `field` is where it came in. Raises InvalidCursor."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        return msgspec.json.decode(packed, type=kind)
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidCursor(field=field) from None
