"""Requests are counted by few routes, by the class of their status, when their answer begins."""

import asyncio
from typing import Any

import prometheus_client
import pytest

from auction_project.web import timing


def counted(route: str, status: str) -> float:
    labels = {"route": route, "status": status}
    return prometheus_client.REGISTRY.get_sample_value("gavel_http_request_seconds_count", labels) or 0.0


async def ask(app: Any, path: str) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path}, None, send)
    return sent


def answering(status: int) -> Any:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": ()})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/auctions", "auctions"),
        ("/api/v1/stream", "stream"),
        ("/api/v1/orders/1", "orders"),
        ("/api/v1/made-up", "api"),
        ("/_allauth/app/v1/auth/login", "accounts"),
        ("/admin/", "admin"),
        ("/wp-login.php", "pages"),
        ("/", "pages"),
    ],
)
def test_any_path_has_one_of_few_routes(path: str, route: str) -> None:
    assert timing.route_of(path) == route


@pytest.mark.parametrize(("status", "kind"), [(200, "2xx"), (308, "3xx"), (409, "4xx"), (503, "5xx")])
async def test_an_answer_counts_once_under_its_route_and_status(status: int, kind: str) -> None:
    before = counted("orders", kind)

    sent = await ask(timing.Timed(answering(status)), "/api/v1/orders")

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert counted("orders", kind) == before + 1


async def test_a_bid_counts_as_a_bid_whatever_its_path() -> None:
    before = counted("bid", "2xx"), counted("auctions", "2xx")

    await ask(timing.Timed(answering(201), route=timing.BID), "/api/v1/auctions/1/bids")

    assert (counted("bid", "2xx"), counted("auctions", "2xx")) == (before[0] + 1, before[1])


async def test_an_application_that_fails_counts_as_a_fault_and_a_client_that_left_does_not() -> None:
    async def fail(*_: Any) -> None:
        raise ValueError("a bug")

    async def leave(*_: Any) -> None:
        raise asyncio.CancelledError

    before = counted("pages", "5xx"), counted("pages", "4xx")

    with pytest.raises(ValueError, match="a bug"):
        await ask(timing.Timed(fail), "/")
    with pytest.raises(asyncio.CancelledError):
        await ask(timing.Timed(leave), "/")

    assert (counted("pages", "5xx"), counted("pages", "4xx")) == (before[0] + 1, before[1] + 1)


async def test_a_stream_counts_when_it_opens() -> None:
    opened = asyncio.Event()

    async def stream(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": ()})
        opened.set()
        await asyncio.Event().wait()

    before = counted("stream", "2xx")
    task = asyncio.create_task(ask(timing.Timed(stream), "/api/v1/stream"))
    await opened.wait()

    assert counted("stream", "2xx") == before + 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert counted("stream", "2xx") == before + 1
