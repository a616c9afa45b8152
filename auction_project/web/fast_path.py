"""The fast path of the server: answers a plain POST to an endpoint without ASGI.

Plain is a request that every check in front of the ASGI application would let pass as it is: those of `asgi_middleware.Bare`
(the host, HTTPS) and of `bounds.Bounds` (the body). It declines any other request, and refuses none.
"""

import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings

from auction_project.kernel.http import answers
from auction_project.web import asgi_middleware, bounds, timing

RequestHeaders = dict[bytes, bytes]
Endpoint = Callable[[str, RequestHeaders, bytes], Coroutine[Any, Any, answers.Answer]]


class FastPath:
    """The way to `endpoint(path, headers, body)` for targets that `targets` matches. `bare` encloses it on the other way."""

    def __init__(self, endpoint: Endpoint, *, targets: re.Pattern[bytes], bare: asgi_middleware.Bare) -> None:
        self._endpoint = endpoint
        self._targets = targets
        self._bare = bare
        self._has_proxies = settings.TRUSTED_PROXY_COUNT > 0

    def takes(self, target: bytes) -> bool:
        return self._targets.fullmatch(target) is not None

    def answer(
        self, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes, is_secure: bool
    ) -> Coroutine[Any, Any, answers.Answer] | None:
        """The answer to come; None if the request is not plain."""
        by_name = dict(headers)
        if self._has_proxies and by_name.get(b"x-forwarded-proto") == b"https":
            is_secure = True
        added = self._bare.added_to_plain(by_name.get(b"host", b""), is_secure)
        if added is None or len(by_name) < len(headers) or not bounds.is_plain(by_name, body):
            return None
        return self._answer(target.decode("ascii"), by_name, body, added, time.monotonic())

    async def _answer(
        self, path: str, headers: RequestHeaders, body: bytes, added: answers.Headers, began: float
    ) -> answers.Answer:
        status = timing.FAILED
        try:
            status, own, answer = await self._endpoint(path, headers, body)
        finally:
            timing.count(timing.BID, status, began)
        return status, (*own, *added), answer
