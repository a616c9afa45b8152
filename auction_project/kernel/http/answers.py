"""Whole answers of bare ASGI applications, which no framework sends: a body with its length, or a problem."""

from typing import Any

import msgspec

from auction_project.kernel import errors
from auction_project.kernel.http import problems

Headers = tuple[tuple[bytes, bytes], ...]
Answer = tuple[int, Headers, bytes]  # status, headers without the length, body

JSON: Headers = ((b"content-type", b"application/json"),)


def problem(error: errors.DomainError) -> Answer:
    """Status, headers and body of the problem that `error` is, as ASGI takes them. The length is not among them."""
    status, body = problems.problem(error)
    more = tuple(
        (name.lower().encode(), value.encode()) for name, value in problems.headers(error, status).items()
    )
    return (
        status,
        ((b"content-type", problems.CONTENT_TYPE.encode()), *more),
        msgspec.json.encode(body),
    )


async def send_whole(
    send: Any, status: int, headers: Headers, body: bytes, *, kind: str = "http.response"
) -> None:
    """Send one answer with its length. `kind` is the prefix of ASGI's two messages."""
    headers = (*headers, (b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


async def refuse(
    send: Any,
    error: errors.DomainError,
    *,
    close: bool = False,
    headers: Headers = (),
    kind: str = "http.response",
) -> None:
    """Send a problem, with more `headers` if given. `close` the connection when its request was not read to the end."""
    status, own, body = problem(error)
    closing = ((b"connection", b"close"),) if close else ()
    await send_whole(send, status, (*own, *headers, *closing), body, kind=kind)
