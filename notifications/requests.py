"""What a client may say on a WebSocket, and from where. Pure: no sockets, no stores."""

import re
from collections.abc import Iterable
from typing import Annotated
from urllib import parse

import msgspec
from django.http import request

MAX_MESSAGE_CHARACTERS = 2048

_AUCTION_ID = r"^[0-9a-f]{32}\Z"
AuctionId = Annotated[str, msgspec.Meta(pattern=_AUCTION_ID)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class NotUnderstood(ValueError):
    """The message is none that a client may send."""


class Resume(msgspec.Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Send my notifications after `cursor`; without one, those that come from now on."""

    cursor: str | None = None


class Watch(msgspec.Struct, frozen=True, tag="watch", forbid_unknown_fields=True):
    """Send the public feed of an auction after the seq `after`, which I have."""

    auction_id: AuctionId
    after: Seq | None = None


class Unwatch(msgspec.Struct, frozen=True, tag="unwatch", forbid_unknown_fields=True):
    auction_id: AuctionId


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Are you there?"""


_decoder = msgspec.json.Decoder(Resume | Watch | Unwatch | Ping)


def decode(text: str) -> Resume | Watch | Unwatch | Ping:
    """The message that `text` spells. Raises NotUnderstood."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotUnderstood(str(error)) from error


def is_auction_id(text: str) -> bool:
    return re.fullmatch(_AUCTION_ID, text) is not None


def is_allowed_origin(origin: str | None, allowed_hosts: Iterable[str]) -> bool:
    """Whether a page from `origin` may open a stream. A client without an Origin is no browser, and has no cookies or
    tickets of somebody else."""
    if origin is None:
        return True
    try:
        host = parse.urlsplit(origin).hostname
    except ValueError:
        return False
    return bool(host) and request.validate_host(_bracketed(host), allowed_hosts)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
