"""A client of the REST API as anybody could write it: keeps its access token fresh and bids under fresh keys.

The crowd's tokens are signed here instead of fetched by signing in: a demo holds the key, and a hundred passwords cost
a minute.
"""

import time
import uuid
from typing import Any

import httpx

from auction_project import tokens
from auction_project.demo.seed import Account

TIMEOUT_SECONDS = 10.0
TOKEN_SECONDS = 300.0
RENEW_SECONDS = 240.0


class Client:
    """One user. Not for use from several tasks at once."""

    def __init__(self, url: str, account: Account) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS)
        self._account = account
        self._authorization = ""
        self._renew_at = 0.0

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The body of a GET. Raises httpx.HTTPError."""
        answer = await self._http.get(path, params=parameters, headers=self._headers())
        answer.raise_for_status()
        return dict(answer.json())

    async def post(
        self, path: str, body: dict[str, Any], key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of a POST under an Idempotency-Key. Raises httpx.HTTPError when there is no answer."""
        headers = {**self._headers(), "Idempotency-Key": key or uuid.uuid4().hex}
        answer = await self._http.post(path, json=body, headers=headers)
        return answer.status_code, dict(answer.json())

    async def close(self) -> None:
        await self._http.aclose()

    def _headers(self) -> dict[str, str]:
        if time.monotonic() >= self._renew_at:
            token = tokens.sign(
                sub=self._account.user_id,
                roles=self._account.roles,
                created_at=self._account.created_at,
                now=time.time(),
                seconds=TOKEN_SECONDS,
            )
            self._authorization = f"Bearer {token}"
            self._renew_at = time.monotonic() + RENEW_SECONDS
        return {"Authorization": self._authorization}
