"""The ASGI middleware in front of everything: no request is larger, slower or deeper than its bounds.

A body is read whole before the application sees it (a body that trickles in never holds a worker); forms with files get
a bound of their own below some paths. Answers problem+json and changes nothing.
"""

import asyncio
import re
from typing import Any

from auction_project import api, errors

MAX_BODY_BYTES = 64 * 1024
MAX_UPLOAD_BYTES = 21 * 1024 * 1024
UPLOADS_AT_ONCE = 16
BODY_SECONDS = 10.0
MAX_NESTING = 32
UPLOAD_PREFIXES = ("/admin/", "/sell/", "/api/v1/products")

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CHARSET = re.compile(rb"charset=[\s\"']*([^\s;\"']+)")


class BodyTooSlow(errors.Invalid):
    """The body must arrive within 10 seconds."""

    http_status = 408


class BodyTooLarge(errors.Invalid):
    """The body is too large: `limit_bytes` is the most that is read."""

    http_status = 413


class BodyTooDeep(errors.Invalid):
    """The body is nested too deeply: `limit` is the most levels that are read."""


class WrongCharset(errors.Invalid):
    """Text comes as UTF-8: leave the charset out, or say utf-8."""

    http_status = 415


class Gone(Exception):
    """The client went away before its body was complete."""


class Bounds:
    def __init__(self, app: Any) -> None:
        self._app = app
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        content_type = next(
            (value.lower() for name, value in scope["headers"] if name == b"content-type"), b""
        )
        if content_type.startswith(b"multipart/") and scope["path"].startswith(UPLOAD_PREFIXES):
            async with self._uploads:
                await self._bounded(scope, receive, send, content_type, MAX_UPLOAD_BYTES)
        else:
            await self._bounded(scope, receive, send, content_type, MAX_BODY_BYTES)

    async def _bounded(self, scope: Any, receive: Any, send: Any, content_type: bytes, limit: int) -> None:
        try:
            body = await _read(scope, receive, limit)
            _check_content(content_type, body)
        except errors.Invalid as error:
            await refuse(send, error)
        except Gone:
            return
        else:
            await self._app(scope, _Replay(body, receive), send)


class _Replay:
    """`receive` for the application: the whole body once, then what the server says (a disconnect)."""

    __slots__ = ("_message", "_receive")

    def __init__(self, body: bytes, receive: Any) -> None:
        self._message: dict[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Any:
        message, self._message = self._message, None
        return message if message is not None else await self._receive()


async def _read(scope: Any, receive: Any, limit: int) -> bytes:
    """The whole body. Raises BodyTooSlow, BodyTooLarge, Gone."""
    declared = _declared_bytes(scope)
    if declared is not None and declared > limit:
        raise BodyTooLarge(limit_bytes=limit)
    if declared == 0:  # nothing to wait for
        return await _read_all(receive, limit)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    timer = asyncio.get_running_loop().call_later(BODY_SECONDS, task.cancel, BodyTooSlow)
    try:  # as asyncio.timeout, which would cost every bid as much as deciding it
        return await _read_all(receive, limit)
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (BodyTooSlow,):
            raise
        task.uncancel()
        raise BodyTooSlow from cancelled
    finally:
        timer.cancel()


async def _read_all(receive: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit_bytes=limit)
        if part:  # an empty part costs nothing, however many come
            parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _declared_bytes(scope: Any) -> int | None:
    """How long the body says that it is; None: it comes in chunks."""
    length: int | None = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
        if name == b"transfer-encoding":
            length = None
    return length


def _check_content(content_type: bytes, body: bytes) -> None:
    """Raises WrongCharset, BodyTooDeep. What is no form with files is taken for JSON by somebody, whatever its type."""
    charset = _CHARSET.search(content_type)
    if charset and charset[1] != b"utf-8":
        raise WrongCharset(field="Content-Type")
    if content_type.startswith(b"multipart/"):
        return
    if body.count(b"[") + body.count(b"{") > MAX_NESTING and _is_too_deep(body):
        raise BodyTooDeep(limit=MAX_NESTING)


def _is_too_deep(body: bytes) -> bool:
    """Whether its brackets, those in strings left out, nest deeper than MAX_NESTING: each round takes the innermost away.
    No loop over bytes: this runs on the loop that takes the bids."""
    brackets = _STRINGS.sub(b"", body).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_NESTING):
        brackets = brackets.replace(b"[]", b"")
    return b"[" in brackets


async def refuse(send: Any, error: errors.DomainError) -> None:
    """Answer a problem without any framework."""
    status, headers, body = api.raw_answer(error)
    headers = (*headers, (b"content-length", str(len(body)).encode()))
    if status in (408, 413):
        headers = (*headers, (b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
