"""The messages that a client may send on a WebSocket, and the origins that may open one. No sockets, no stores."""

from collections.abc import Iterable
from typing import Annotated
from urllib import parse

import msgspec
from django.http import request
from django.utils import http

from auction_project.kernel import ids

MAX_MESSAGE_CHARACTERS = 2048

AuctionId = Annotated[str, msgspec.Meta(pattern=rf"^{ids.ID_FORM}\Z")]
Seq = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class NotUnderstood(ValueError):
    """A client may not send this message."""


class Resume(msgspec.Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Send my notifications after `cursor`; without one, those that come from now on."""

    cursor: str | None = None


class Watch(msgspec.Struct, frozen=True, tag="watch", forbid_unknown_fields=True):
    """Send the public feed of an auction after the seq `after`, which I have."""

    auction_id: AuctionId
    after: Seq | None = None


class Unwatch(msgspec.Struct, frozen=True, tag="unwatch", forbid_unknown_fields=True):
    """Stop sending the feed of an auction."""

    auction_id: AuctionId


class WatchDesk(msgspec.Struct, frozen=True, tag="watch_desk", forbid_unknown_fields=True):
    """Say when the figures of the owner's desk change. `desk_pass` comes with the figures, and must be renewed before it is five
    minutes old."""

    desk_pass: str


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Are you there?"""


_decoder = msgspec.json.Decoder(Resume | Watch | Unwatch | WatchDesk | Ping)


def decode(text: str) -> Resume | Watch | Unwatch | WatchDesk | Ping:
    """The message that `text` spells. Raises NotUnderstood."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotUnderstood(str(error)) from error


def is_allowed_origin(
    origin: str | None, *, host: str, is_secure: bool, allowed_hosts: Iterable[str], trusted: Iterable[str]
) -> bool:
    """Whether a page from `origin` may open a stream: a page of this very address (same scheme, host and port), or of an
    origin in `trusted`. A client without an Origin is no browser, so it holds no cookies or tickets of another user."""
    if origin is None:
        return True
    name, _ = request.split_domain_port(host)
    own = (
        f"{'https' if is_secure else 'http'}://{host}" if request.validate_host(name, allowed_hosts) else None
    )
    return origin.lower() == (own or "").lower() != "" or any(
        _is_same(origin, pattern) for pattern in trusted
    )


def _is_same(origin: str, pattern: str) -> bool:
    """Whether they have the same scheme, host and port; `https://*.example.org` stands for every host below."""
    try:
        page, trusted = parse.urlsplit(origin.lower()), parse.urlsplit(pattern.lower())
    except ValueError:
        return False
    return page.scheme == trusted.scheme and http.is_same_domain(
        page.netloc, trusted.netloc.removeprefix("*")
    )
