"""ASGI middleware that bounds the size, the time and the nesting of a body.

A body is read whole before the application sees it, so that a slow body never holds a worker. Below some paths,
signed-in senders may send larger forms with files: a bounded number at once, a share of them per address, and a
deadline for those that wait. A request beyond its bounds is answered with a problem.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from auction_project.kernel import errors
from auction_project.kernel.http import addresses, answers
from auction_project.web import concurrency

MAX_BODY_BYTES = 64 * 1024
MAX_UPLOAD_BYTES = 21 * 1024 * 1024
UPLOADS_AT_ONCE = 16
UPLOADS_PER_ADDRESS = 4
UPLOAD_WAIT_SECONDS = 10.0
BODY_SECONDS = 10.0
UPLOAD_SECONDS = 60.0  # 20 MiB from a telephone
MAX_NESTING = 32
UPLOAD_PREFIXES = ("/admin/", "/api/v1/products")

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CHARSET = re.compile(rb"charset=[\s\"']*([^\s;\"']+)")


class BodyTooSlow(errors.Invalid):
    """The body arrived too slowly: it must be complete within `limit_seconds`."""

    http_status = 408


class BodyTooLarge(errors.Invalid):
    """The body is too large: it may have `limit_bytes` at most."""

    http_status = 413


class BodyTooDeep(errors.Invalid):
    """The body is nested too deeply: it may have `limit` levels at most."""


class WrongCharset(errors.Invalid):
    """Send text as UTF-8: leave the charset out, or name utf-8."""

    http_status = 415


class Disconnected(Exception):
    """The client disconnected before its body was complete."""


class Bounds:
    """The middleware. `may_upload(scope)` decides before a form with files is read whether its sender may send one.
    Without it none may. `refuse(scope, send, error, close=True)` answers an error; without it a problem does.
    """

    def __init__(
        self,
        app: Any,
        may_upload: Callable[[Any], Awaitable[bool]] | None = None,
        refuse: Callable[..., Awaitable[None]] | None = None,
    ) -> None:
        self._app = app
        self._may_upload = may_upload
        self._refuse = refuse or _refuse
        self._uploads = concurrency.Limit(
            most=UPLOADS_AT_ONCE, share=UPLOADS_PER_ADDRESS, seconds=UPLOAD_WAIT_SECONDS
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").lower()
        try:
            if content_type.startswith(b"multipart/") and scope["path"].startswith(UPLOAD_PREFIXES):
                body = await self._read_upload(scope, receive, headers)
            else:
                body = await _read(receive, headers, MAX_BODY_BYTES)
            if content_type != b"application/json":
                _check_charset(content_type)
            if body.count(b"[") + body.count(b"{") > MAX_NESTING:
                _check_nesting(content_type, body)
        except errors.DomainError as error:
            await self._refuse(scope, send, error, close=True)
        except Disconnected:
            return
        else:
            await self._app(scope, _Replay(body, receive), send)

    async def _read_upload(self, scope: Any, receive: Any, headers: dict[bytes, bytes]) -> bytes:
        """The body of a form with files. Raises errors.DomainError, Disconnected."""
        if self._may_upload is not None and await self._may_upload(scope):
            async with self._uploads.slot(addresses.network_of(addresses.client_address(scope))):
                return await _read(receive, headers, MAX_UPLOAD_BYTES, seconds=UPLOAD_SECONDS)
        try:  # a small form passes, because its view answers how to sign in
            return await _read(receive, headers, MAX_BODY_BYTES)
        except BodyTooLarge as error:
            raise errors.Unauthenticated from error


def is_plain(headers: dict[bytes, bytes], body: bytes) -> bool:
    """Whether a request with the whole `body` passes all bounds. False says nothing: then `Bounds` decides."""
    return (
        headers.get(b"content-type") == b"application/json"
        and len(body) <= MAX_BODY_BYTES
        and body.count(b"[") + body.count(b"{") <= MAX_NESTING
    )


async def _refuse(_scope: Any, send: Any, error: errors.DomainError, *, close: bool) -> None:
    await answers.refuse(send, error, close=close)


class _Replay:
    """`receive` for the application: first the whole body, then the messages of the server (a disconnect)."""

    __slots__ = ("_message", "_receive")

    def __init__(self, body: bytes, receive: Any) -> None:
        self._message: dict[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Any:
        message, self._message = self._message, None
        return message if message is not None else await self._receive()


async def _read(
    receive: Any, headers: dict[bytes, bytes], limit: int, *, seconds: float | None = None
) -> bytes:
    """The whole body, of `limit` bytes at most. Raises BodyTooSlow, BodyTooLarge, Disconnected."""
    declared = _declared_bytes(headers)
    if declared is not None and declared > limit:
        raise BodyTooLarge(limit_bytes=limit)
    if declared == 0:  # nothing to wait for
        return await _read_all(receive, limit)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    seconds = seconds or BODY_SECONDS
    timer = asyncio.get_running_loop().call_later(seconds, task.cancel, BodyTooSlow)
    try:  # as asyncio.timeout does, which costs as much as deciding a bid
        return await _read_all(receive, limit)
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (BodyTooSlow,):
            raise
        task.uncancel()
        raise BodyTooSlow(limit_seconds=seconds) from cancelled
    finally:
        timer.cancel()


async def _read_all(receive: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit_bytes=limit)
        if part:  # an empty part costs nothing, however many come
            parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _declared_bytes(headers: dict[bytes, bytes]) -> int | None:
    """The length of the body by its headers; None if it comes in chunks."""
    length = headers.get(b"content-length")
    if length is not None:
        return int(length) if length.isdigit() else None
    return None if b"transfer-encoding" in headers else 0


def _check_charset(content_type: bytes) -> None:
    """Raises WrongCharset."""
    charset = _CHARSET.search(content_type)
    if charset and charset[1] != b"utf-8":
        raise WrongCharset(field="Content-Type")


def _check_nesting(content_type: bytes, body: bytes) -> None:
    """Raises BodyTooDeep. A body of any type may be read as JSON, except a form with files."""
    if not content_type.startswith(b"multipart/") and _is_too_deep(body):
        raise BodyTooDeep(limit=MAX_NESTING)


def _is_too_deep(body: bytes) -> bool:
    """Whether the brackets outside of strings nest deeper than MAX_NESTING. Each round removes the innermost ones,
    because a loop over bytes would hold up the event loop that takes the bids.
    """
    brackets = _STRINGS.sub(b"", body).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_NESTING):
        brackets = brackets.replace(b"[]", b"")
    return b"[" in brackets
