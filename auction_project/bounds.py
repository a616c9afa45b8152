"""The ASGI middleware in front of everything: no request is larger, slower or deeper than its bounds.

A body is read whole before the application sees it (a body that trickles in never holds a worker); uploads are named
by path prefix and get a bound of their own. Answers problem+json and changes nothing.
"""

import asyncio
from typing import Any

import msgspec

from auction_project import api, errors

MAX_BODY_BYTES = 64 * 1024
MAX_UPLOAD_BYTES = 6 * 1024 * 1024
BODY_SECONDS = 10.0
MAX_NESTING = 32
UPLOAD_PREFIXES = ("/admin/", "/sell/", "/api/v1/products")

_OPEN, _CLOSE, _QUOTE, _ESCAPE = frozenset(b"[{"), frozenset(b"]}"), ord('"'), ord("\\")


class BodyTooSlow(errors.Invalid):
    """The body must arrive within 10 seconds."""

    http_status = 408


class BodyTooLarge(errors.Invalid):
    """The body is too large: `limit_bytes` is the most that is read."""

    http_status = 413


class BodyTooDeep(errors.Invalid):
    """The body is nested too deeply: `limit` is the most levels that are read."""


class Gone(Exception):
    """The client went away before its body was complete."""


class Bounds:
    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_UPLOAD_BYTES if scope["path"].startswith(UPLOAD_PREFIXES) else MAX_BODY_BYTES
        try:
            body = await _read(scope, receive, limit)
            if _too_deep(body, scope):
                raise BodyTooDeep(limit=MAX_NESTING)
        except TimeoutError:
            await refuse(send, BodyTooSlow())
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
    """The whole body. Raises TimeoutError, BodyTooLarge, Gone."""
    declared = _declared_bytes(scope)
    if declared is not None and declared > limit:
        raise BodyTooLarge(limit_bytes=limit)
    if declared == 0:  # nothing to wait for
        return await _read_all(receive, limit)
    async with asyncio.timeout(BODY_SECONDS):
        return await _read_all(receive, limit)


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


def _too_deep(body: bytes, scope: Any) -> bool:
    """Whether JSON in `body` nests deeper than MAX_NESTING; most bodies have too few brackets to need a look."""
    if body.count(b"[") + body.count(b"{") <= MAX_NESTING:
        return False
    if not any(name == b"content-type" and b"json" in value for name, value in scope["headers"]):
        return False
    depth, in_string, escaped = 0, False, False
    for byte in body:
        if in_string:
            if escaped:
                escaped = False
            elif byte == _ESCAPE:
                escaped = True
            elif byte == _QUOTE:
                in_string = False
        elif byte == _QUOTE:
            in_string = True
        elif byte in _OPEN:
            depth += 1
            if depth > MAX_NESTING:
                return True
        elif byte in _CLOSE:
            depth -= 1
    return False


async def refuse(send: Any, error: errors.DomainError) -> None:
    """Answer a problem without any framework."""
    status, problem = api.problem(error)
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", api.CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in api.headers(error).items()]
    if status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
