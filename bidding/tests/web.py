"""The web process's application as a client sees it, with the bare bid endpoint in front of Django, and access tokens."""

import time
from typing import Any

import httpx

from auction_project import asgi
from auction_project.kernel import tokens
from bidding import runtime

GOOD = {"amount": "20.00", "currency": "EUR"}  # accepted by an English lot without bids
TOKEN_SECONDS = 4 * 3600  # some are made at import: a long run must not outlive them


def bearer(sub: str, *roles: str, **claims: Any) -> dict[str, str]:
    """The header of `sub`, a bidder if no roles are named; `claims` override what accounts would sign."""
    now = time.time()
    token = tokens.sign(
        sub=sub,
        roles=roles or ("bidder",),
        created_at=int(now) - 10_000_000,
        now=now,
        seconds=TOKEN_SECONDS,
        changed=claims,
    )
    return {"Authorization": f"Bearer {token}"}


def request(method: str, path: str, **arguments: Any) -> httpx.Response:
    """One request through the whole ASGI application, on the loop where the bid log lives."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=asgi.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, f"/api/v1/{path}", **arguments)

    return runtime.call(send())


def bid(auction_id: str, body: Any = None, *, content: bytes | None = None, **headers: str) -> httpx.Response:
    """POST a bid; the header names' underscores are dashes. A header of "" is left out."""
    sent: dict[str, Any] = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value.encode("latin-1") for name, value in sent.items() if value}
    arguments = {"json": body} if content is None else {"content": content}
    return request("POST", f"auctions/{auction_id}/bids", headers=sent, **arguments)


def problem(response: httpx.Response) -> tuple[int, str, str | None]:
    """(status, code, field) of a problem+json."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["code"], body.get("field")
