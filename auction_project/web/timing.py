"""Counts requests by route, status and time, whichever way they take through this process.

There are few routes, also when clients make addresses up. An answer counts when it begins: what comes after depends on how
fast the client reads, and a stream goes on for hours.
"""

import functools
import time
from typing import Any

from auction_project.web import metrics

BID = "bid"
STREAM = "stream"
PAGES = "pages"
_PREFIXES = (  # the first that fits
    ("/api/v1/auctions", "auctions"),
    ("/api/v1/bids", "auctions"),
    ("/api/v1/stream", STREAM),
    ("/api/v1/notifications", "notifications"),
    ("/api/v1/products", "stock"),
    ("/api/v1/offers", "stock"),
    ("/api/v1/searches", "stock"),
    ("/api/v1/categories", "stock"),
    ("/api/v1/orders", "orders"),
    ("/api/v1/card", "orders"),
    ("/api/v1/cart", "orders"),
    ("/api/v1/checkouts", "orders"),
    ("/api/v1/addresses", "orders"),
    ("/api/v1/awards", "orders"),
    ("/api/", "api"),
    ("/_allauth/", "accounts"),
    ("/accounts/", "accounts"),
    ("/admin/", "admin"),
    ("/static/", "files"),
    ("/media/", "files"),
)
_STATUSES = ("", "1xx", "2xx", "3xx", "4xx", "5xx")
CLIENT_LEFT, FAILED = 499, 500

_series = functools.cache(
    metrics.request_seconds.labels
)  # a look-up by the library would double the cost for a bid


def route_of(path: str) -> str:
    """The route of any request but a bid."""
    return next((route for prefix, route in _PREFIXES if path.startswith(prefix)), PAGES)


def count(route: str, status: int, began: float) -> None:
    """Count a request that came at the monotonic time `began`, and whose answer begins now."""
    _series(route, _STATUSES[status // 100]).observe(time.monotonic() - began)


class Timed:
    """Encloses an ASGI application. Without `route` the path says it."""

    def __init__(self, app: Any, *, route: str = "") -> None:
        self._app = app
        self._route = route

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        began, status = time.monotonic(), 0

        def send_and_count(message: Any) -> Any:  # not a coroutine, which would cost each bid
            nonlocal status
            if not status and message["type"] == "http.response.start":
                status = message["status"]
                count(self._route or route_of(scope["path"]), status, began)
            return send(message)

        unanswered = CLIENT_LEFT
        try:
            await self._app(scope, receive, send_and_count)
        except Exception:
            unanswered = FAILED
            raise
        finally:
            if not status:
                count(self._route or route_of(scope["path"]), unanswered, began)
