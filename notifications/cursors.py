"""The cursor `<epoch>:<seq>` of a user's feed, which REST, WebSocket and SSE share: "I have everything up to here"."""

import re

import msgspec

from auction_project.kernel import errors

_FORM = re.compile(r"([0-9a-f]{1,16}):([0-9]{1,18})", re.ASCII)


class CursorInvalid(errors.Invalid):
    """A cursor is the text "<epoch>:<seq>" that an earlier answer gave."""


class Cursor(msgspec.Struct, frozen=True):
    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def parse(text: object, *, field: str = "cursor") -> Cursor:
    """Parse a cursor. Raises CursorInvalid."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise CursorInvalid(field=field)
    return Cursor(match[1], int(match[2]))
