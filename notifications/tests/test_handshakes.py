"""Handshakes: the budget of an address, the places of the process, and that a refusal comes before anything else."""

import asyncio
from typing import Any

import msgspec
import pytest
from websockets import exceptions
from websockets.asyncio import client as websockets

from auction_project.kernel.http import budgets
from notifications.push import admission, handshakes, hub, routing, sse, turns
from notifications.tests import servers, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address may open two streams, and another one after 1,000 s."""
    budget = budgets.Budget("streams of an address", rate=0.001, seconds=1, burst=2)
    monkeypatch.setattr(budgets, "STREAMS", budget)


class Served:
    """An application that keeps its handshakes open until it is released."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.release = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.release.wait()


async def refused(
    app: Any, kind: str, *, address: str = "192.0.2.1", can_deny: bool = True
) -> list[dict[str, Any]]:
    """What `app` sends for a handshake."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.disconnect", "code": 1006}

    extensions = {"websocket.http.response": {}} if can_deny else {}
    scope = {"type": kind, "client": (address, 1), "headers": [], "extensions": extensions, "path": "/"}
    await app(scope, receive, send)
    return sent


@pytest.mark.usefixtures("two_at_once")
@pytest.mark.parametrize(("app", "kind"), [(routing.application, "websocket"), (sse.application, "http")])
async def test_an_address_beyond_its_budget_gets_429_before_the_stream_begins(
    running_hub: hub.Hub, app: Any, kind: str
) -> None:
    for _ in range(2):
        budgets.STREAMS.spend("192.0.2.1")

    start, body = await refused(app, kind)

    prefix = "websocket.http.response" if kind == "websocket" else "http.response"
    assert (start["type"], body["type"]) == (f"{prefix}.start", f"{prefix}.body")
    assert start["status"] == 429
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/problem+json"
    problem = msgspec.json.decode(body["body"])
    assert (problem["code"], problem["rule"], problem["limit"]) == (
        "too_often",
        "streams of an address",
        "0.001 per 1 s",
    )
    assert int(headers[b"retry-after"]) == problem["retry_after_seconds"] in (999, 1000)
    assert running_hub.sockets == set()


@pytest.mark.usefixtures("two_at_once")
async def test_both_transports_share_the_budget_and_another_address_has_its_own(running_hub: hub.Hub) -> None:
    async with streams.websocket(address="192.0.2.1"), streams.server_sent_events(address="192.0.2.1"):
        assert [message.get("status") for message in await refused(routing.application, "websocket")] == [
            429,
            None,
        ]
        async with streams.websocket(address="192.0.2.2"):
            assert len(running_hub.sockets) == 3


@pytest.mark.usefixtures("two_at_once")
async def test_a_server_that_cannot_deny_closes_the_handshake(running_hub: hub.Hub) -> None:
    for _ in range(2):
        budgets.STREAMS.spend("192.0.2.1")

    sent = await refused(routing.application, "websocket", can_deny=False)

    assert sent == [{"type": "websocket.close", "code": 1013}]


async def test_so_many_handshakes_are_at_work_at_once_and_a_place_is_free_again_once_one_is_answered(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MAX_HANDSHAKES", 2)
    served = Served()
    front = handshakes.Front(served)
    at_work = [asyncio.create_task(refused(front, "websocket", address=f"192.0.2.{n}")) for n in range(2)]
    await streams.until(lambda: len(served.scopes) == 2)

    start, body = await refused(front, "websocket", address="192.0.2.9")
    served.scopes[0][handshakes.END]()
    served.scopes[0][handshakes.END]()  # a second call frees no second place
    third = asyncio.create_task(refused(front, "websocket"))
    await streams.until(lambda: len(served.scopes) == 3)
    again = await refused(front, "websocket")
    served.release.set()
    await asyncio.gather(*at_work, third)

    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"1")
    assert msgspec.json.decode(body["body"])["code"] == "too_many_handshakes"
    assert again[0]["status"] == 503
    assert running_hub.admission._handshakes == 0


async def test_an_open_stream_holds_no_place(running_hub: hub.Hub) -> None:
    async with streams.websocket(), streams.server_sent_events(), streams.websocket(path="/x", ready=False):
        await streams.until(lambda: running_hub.admission._handshakes == 0)

        assert len(running_hub.sockets) == 2


async def test_a_crowd_that_comes_back_at_once_waits_in_line_and_is_not_refused(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MAX_HANDSHAKES", turns.STEPS_PER_TURN)
    served: list[str] = []

    async def app(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        served.append(scope["client"][0])

    front = handshakes.Front(app)
    addresses = [f"192.0.2.{i}" for i in range(200)]
    sent = await asyncio.gather(*(refused(front, "http", address=address) for address in addresses))

    assert sent == [[]] * 200
    assert sorted(served) == sorted(addresses)


def test_a_handshake_that_is_refused_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_HANDSHAKES", 1)
    counted = admission.Admission(per_address=1)

    with counted.handshake():
        assert counted._handshakes == 1
        with pytest.raises(admission.TooManyHandshakes), counted.handshake():
            pass
        assert counted._handshakes == 1

    assert counted._handshakes == 0


class Strict(servers.WebRole):
    """Takes one stream at once, and another after 10 s. The question whether it answers takes the one."""

    environment = {
        "STREAMS_PER_SECOND": "0.1",
        "STREAMS_PER_ADDRESS": "1",
        "DJANGO_SETTINGS_MODULE": "auction_project.settings.base",
    }


async def test_the_web_role_denies_a_handshake_as_plain_http_and_logs_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with servers.serving(1, Strict) as (server,):
        url = f"ws://127.0.0.1:{server.port}/ws/v1/stream"
        with pytest.raises(exceptions.InvalidStatus) as denied:
            await websockets.connect(url, compression=None)

    response = denied.value.response
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    assert response.headers["Content-Type"] == "application/problem+json"
    assert msgspec.json.decode(response.body or b"")["code"] == "too_often"
    logged = capfd.readouterr()
    assert "without completing handshake" not in logged.out + logged.err
