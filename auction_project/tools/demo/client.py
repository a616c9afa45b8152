"""A client of the REST API as any developer could write it: it keeps its access token fresh and bids under fresh keys.

It signs the crowd's tokens itself instead of signing in: the demo holds the key, and to check a hundred passwords takes
a minute.
"""

import time
import uuid
from typing import Any

import httpx

from auction_project.kernel import tokens
from auction_project.tools.demo.seed import Account

TIMEOUT_SECONDS = 10.0
TOKEN_SECONDS = 300.0
RENEW_SECONDS = 240.0
_RETRY_LATER = (401, 408, 425, 429)  # the token, the time or the rate was wrong, not the request


class NoAnswer(Exception):
    """The web process was unavailable or too busy: it is unknown whether the request had an effect. Send it again
    later."""


class Client:
    """One user. Not for use from several tasks at once."""

    def __init__(
        self, url: str, account: Account, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, transport=transport)
        self._account = account
        self._authorization = ""
        self._renew_at = 0.0

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The body of a GET. Raises NoAnswer, also for what does not exist (yet)."""
        status, body = await self._ask("GET", path, params=parameters)
        if status != 200:
            raise NoAnswer(status)
        return body

    async def post(
        self, path: str, body: dict[str, Any], key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of a POST under an Idempotency-Key. Raises NoAnswer: then send the same again."""
        return await self._ask("POST", path, json=body, headers={"Idempotency-Key": key or uuid.uuid4().hex})

    async def put(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of a PUT. Raises NoAnswer."""
        return await self._ask("PUT", path, json=body)

    async def close(self) -> None:
        await self._http.aclose()

    async def _ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **rest: Any
    ) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self._http.request(
                method, path, headers={**self._sign_in(), **(headers or {})}, **rest
            )
            body = answer.json()
        except httpx.HTTPError as error:
            raise NoAnswer(type(error).__name__) from error
        except ValueError as error:
            raise NoAnswer(answer.status_code) from error
        if answer.status_code == 401:
            self._renew_at = 0.0  # a fresh token next time
        if answer.status_code >= 500 or answer.status_code in _RETRY_LATER or not isinstance(body, dict):
            raise NoAnswer(answer.status_code)
        return answer.status_code, body

    def _sign_in(self) -> dict[str, str]:
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
