"""Server-sent events: the same stream as the WebSocket's, and Last-Event-ID is its whole position."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from notifications import redis_clients, selectors, services
from notifications.push import admission, bridge, hub, sockets, sse, tickets
from notifications.tests import clocks, conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


@pytest_asyncio.fixture
async def hurried_hub() -> AsyncIterator[hub.Hub]:
    """A hub by whose clock a heartbeat is due every 50 ms, and a ticket is kept every 200 ms."""
    await hub.start(clocks.FastClock(sse.HEARTBEAT_SECONDS / 0.05))
    yield hub.current()
    await hub.stop()


def bearer(user_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {conftest.token(user_id)}"}


async def test_a_signed_in_user_gets_notifications_and_auctions_in_one_stream(
    running_hub: hub.Hub, user_id: str, auction_id: str
) -> None:
    await bridge.call(conftest.publish, auction_id, 1, 2)

    async with streams.server_sent_events(
        query={"auctions": f"{auction_id}:1"}, headers=bearer(user_id)
    ) as stream:
        received = [(await stream.hear())[1] for _ in range(4)]
        await bridge.call(conftest.notify, user_id)
        notified = await stream.hear()

    epoch = (await bridge.call(selectors.get_head, user_id)).epoch
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    assert sorted(body["type"] for body in received) == ["auction", "ready", "resumed", "watching"]
    assert [body["seq"] for body in received if body["type"] == "auction"] == [2]
    assert notified[0] == f"{epoch}:1;2"
    assert (notified[1]["type"], notified[1]["cursor"]) == ("notification", f"{epoch}:1")


@pytest.mark.parametrize("how", ["Last-Event-ID", "cursor"])
async def test_a_browser_that_connects_again_misses_nothing(
    running_hub: hub.Hub, user_id: str, auction_id: str, how: str
) -> None:
    await bridge.call(conftest.publish, auction_id, 1)
    query, headers = {"auctions": f"{auction_id}:1"}, bearer(user_id)
    async with streams.server_sent_events(query=query, headers=headers) as stream:
        greeting = [(await stream.hear())[1]["type"] for _ in range(3)]
        await bridge.call(conftest.notify, user_id)
        await stream.hear()
        await bridge.call(conftest.publish, auction_id, 2)
        position, _ = await stream.hear()
    await bridge.call(conftest.notify, user_id, n=2)
    await bridge.call(conftest.publish, auction_id, 3, 4)

    if how == "cursor":
        query["cursor"] = position
    else:
        headers["Last-Event-ID"] = position
    async with streams.server_sent_events(query=query, headers=headers) as stream:
        received = [(await stream.hear())[1] for _ in range(7)]

    assert sorted(greeting) == ["ready", "resumed", "watching"]
    assert [body["seq"] for body in received if body["type"] == "auction"] == [3, 4]
    assert [body["cursor"][-2:] for body in received if body["type"] == "notification"] == [":2", ":3"]


async def test_a_bare_cursor_of_rest_is_understood(running_hub: hub.Hub, user_id: str) -> None:
    await bridge.call(conftest.notify, user_id, n=2)
    epoch = (await bridge.call(selectors.get_head, user_id)).epoch

    headers = bearer(user_id) | {"Last-Event-ID": f"{epoch}:1"}
    async with streams.server_sent_events(headers=headers) as stream:
        received = [await stream.hear() for _ in range(3)]

    assert [body["type"] for _, body in received] == ["ready", "notification", "resumed"]
    assert received[1][1]["cursor"] == f"{epoch}:2"


async def test_a_wrong_epoch_requires_a_snapshot(running_hub: hub.Hub, user_id: str) -> None:
    await bridge.call(conftest.notify, user_id)

    headers = bearer(user_id) | {"Last-Event-ID": "0:1;"}
    async with streams.server_sent_events(headers=headers) as stream:
        received = [(await stream.hear())[1] for _ in range(3)]

    assert [body["type"] for body in received] == ["ready", "snapshot_required", "resumed"]


async def test_a_ticket_opens_one_stream(running_hub: hub.Hub, user_id: str) -> None:
    ticket = await bridge.call(tickets.issue, tickets.Holder(user_id))

    async with streams.server_sent_events(query={"ticket": ticket}) as stream:
        assert [(await stream.hear())[1]["type"] for _ in range(2)] == ["ready", "resumed"]
    async with streams.server_sent_events(query={"ticket": ticket}) as again:
        await again.ended()

    assert (again.status, again.problem["code"]) == (401, "unauthenticated")
    assert again.headers["www-authenticate"] == "Bearer"


async def test_a_browser_goes_on_with_its_ticket_and_the_last_id_of_its_stream(
    running_hub: hub.Hub, user_id: str, auction_id: str
) -> None:
    """A browser repeats the address, ticket and all."""
    await bridge.call(conftest.publish, auction_id, 1)
    query = {
        "auctions": f"{auction_id}:1",
        "ticket": await bridge.call(tickets.issue, tickets.Holder(user_id)),
    }
    async with streams.server_sent_events(query=query) as stream:
        received = [await stream.hear() for _ in range(3)]
        await bridge.call(conftest.notify, user_id)
        position, _ = await stream.hear()

    for n in (2, 3):
        await bridge.call(conftest.notify, user_id)
        await bridge.call(conftest.publish, auction_id, n)
        async with streams.server_sent_events(query=query, headers={"Last-Event-ID": position}) as stream:
            again = [await stream.hear() for _ in range(5)]
        position = again[-1][0]
        bodies = [body for _, body in again]
        assert [body["seq"] for body in bodies if body["type"] == "auction"] == [n]
        assert [body["cursor"][-2:] for body in bodies if body["type"] == "notification"] == [f":{n}"]

    assert received[0][1]["type"] == "ready"
    assert received[0][0].count(";") == 2  # a stream that breaks at once can go on, too


@pytest.mark.parametrize("position", ["", "{cursor};", "{cursor};;", "{cursor};;forged", "-;;{other}"])
async def test_a_used_ticket_opens_nothing_without_the_key_of_its_own_stream(
    running_hub: hub.Hub, user_id: str, position: str
) -> None:
    ticket, other = [
        await bridge.call(tickets.issue, tickets.Holder(one)) for one in (user_id, conftest.new_id())
    ]
    async with streams.server_sent_events(query={"ticket": ticket}) as stream:
        await stream.hear()
        cursor = (await stream.hear())[0].partition(";")[0]
    async with streams.server_sent_events(query={"ticket": other}) as stream:
        other_key = (await stream.hear())[0].rpartition(";")[2]

    sent = position.format(cursor=cursor, other=other_key)
    headers = {"Last-Event-ID": sent} if sent else {}
    async with streams.server_sent_events(query={"ticket": ticket}, headers=headers) as again:
        await again.ended()

    assert again.status == 401
    assert running_hub.sockets == set()


async def test_a_ticket_resumes_for_ten_minutes_after_its_stream_broke(
    running_hub: hub.Hub, user_id: str
) -> None:
    ticket = await bridge.call(tickets.issue, tickets.Holder(user_id))
    async with streams.server_sent_events(query={"ticket": ticket}) as stream:
        await stream.hear()
        kept = redis_clients.stream_key(tickets._digest(ticket))
        at_once = await bridge.call(redis_clients.blocking().ttl, kept)  # should this process be killed
        await bridge.call(redis_clients.blocking().expire, kept, 5)

    assert tickets.RESUME_SECONDS - 5 <= at_once <= tickets.RESUME_SECONDS
    left = await bridge.call(redis_clients.blocking().ttl, kept)
    assert tickets.RESUME_SECONDS - 5 <= left <= tickets.RESUME_SECONDS
    await bridge.call(redis_clients.blocking().delete, kept)


async def test_a_long_stream_keeps_its_ticket_and_brings_it_back_to_an_emptied_redis(
    hurried_hub: hub.Hub, user_id: str
) -> None:
    ticket = await bridge.call(tickets.issue, tickets.Holder(user_id))
    async with streams.server_sent_events(query={"ticket": ticket}) as stream:
        position, _ = await stream.hear()
        await bridge.call(redis_clients.blocking().delete, redis_clients.stream_key(tickets._digest(ticket)))
        held = None
        async with asyncio.timeout(streams.WAIT_SECONDS):
            while held is None:
                held = await tickets.resume(hurried_hub.redis_client, ticket, position.rpartition(";")[2])

    assert held == tickets.Holder(user_id)


async def test_the_ticket_of_an_ended_session_resumes_nothing(running_hub: hub.Hub, user_id: str) -> None:
    ticket = await bridge.call(tickets.issue, tickets.Holder(user_id, "gone"))
    async with streams.server_sent_events(query={"ticket": ticket}) as stream:
        position, _ = await stream.hear()
        await bridge.call(services.end_session, user_id=user_id, session_id="gone", now=conftest.NOW)
        closing: dict[str, object] = {}
        while closing.get("type") != "closing":
            closing = (await stream.hear())[1]
        await stream.ended()

    async with streams.server_sent_events(
        query={"ticket": ticket}, headers={"Last-Event-ID": position}
    ) as again:
        await again.ended()

    assert closing == {"type": "closing", "code": 4410, "reason": sockets.REASONS[4410]}
    assert again.status == 401


async def test_a_full_server_or_address_refuses_with_a_problem(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_hub.admission = admission.Admission(per_address=1)
    async with streams.server_sent_events():
        async with streams.server_sent_events() as here:
            await here.ended()
        monkeypatch.setattr(admission, "MAX_STREAMS", 1)
        async with streams.server_sent_events(address="2.2.2.2") as full:
            await full.ended()

    assert (here.status, here.problem["code"], here.problem["limit"]) == (429, "too_many_streams_here", 1)
    assert (full.status, full.problem["code"], full.headers["retry-after"]) == (503, "too_many_streams", "5")


async def test_an_unknown_auction_is_named_in_the_stream(running_hub: hub.Hub) -> None:
    unknown = conftest.new_id()
    async with streams.server_sent_events(query={"auctions": unknown}) as stream:
        bodies = [(await stream.hear())[1] for _ in range(2)]

    assert (bodies[1]["code"], bodies[1]["auction_id"]) == ("auction_unknown", unknown)
    assert running_hub.auctions.feeds == {}


async def test_a_client_that_did_not_sign_in_follows_auctions_only(
    running_hub: hub.Hub, user_id: str, auction_id: str
) -> None:
    async with streams.server_sent_events(query={"auctions": auction_id}) as stream:
        received = [(await stream.hear())[1]["type"] for _ in range(3)]
        await bridge.call(conftest.notify, user_id)
        await bridge.call(conftest.publish, auction_id, 5)
        position, body = await stream.hear()

    assert received == ["ready", "snapshot_required", "watching"]
    assert (position, body["seq"]) == ("-;5", 5)


@pytest.mark.parametrize(
    ("query", "headers", "status", "field"),
    [
        ({"auctions": "x"}, {}, 400, "auctions"),
        ({"auctions": "a" * 32 + ":x"}, {}, 400, "auctions"),
        ({"auctions": "a" * 32 + ":-1"}, {}, 400, "auctions"),
        ({"auctions": "a" * 32 + "\n"}, {}, 400, "auctions"),
        ({"auctions": ",".join(f"{i:032x}" for i in range(51))}, {}, 400, "auctions"),
        ({}, {"Last-Event-ID": "x"}, 400, "Last-Event-ID"),
        ({"auctions": "a" * 32}, {"Last-Event-ID": "-;1,2"}, 400, "Last-Event-ID"),
        ({"auctions": "a" * 32}, {"Last-Event-ID": "-;x"}, 400, "Last-Event-ID"),
        ({"ticket": ""}, {}, 401, None),
        ({"ticket": "forged"}, {}, 401, None),
        ({}, {"Authorization": "Bearer x.y.z"}, 401, None),
        ({}, {"Authorization": "Basic x"}, 401, None),
    ],
)
async def test_a_bad_request_is_refused_by_name(
    running_hub: hub.Hub, query: dict[str, str], headers: dict[str, str], status: int, field: str | None
) -> None:
    async with streams.server_sent_events(query=query, headers=headers) as stream:
        await stream.ended()

    assert (stream.status, stream.problem.get("field")) == (status, field)
    assert stream.headers["content-type"] == "application/problem+json"
    assert running_hub.sockets == set()


async def test_only_get(running_hub: hub.Hub) -> None:
    async with streams.server_sent_events(method="POST") as stream:
        await stream.ended()

    assert (stream.status, stream.headers["allow"]) == (405, "GET")


async def test_subscriptions_end_with_the_stream(running_hub: hub.Hub, auction_id: str) -> None:
    async with streams.server_sent_events(query={"auctions": auction_id}):
        await streams.until(lambda: list(running_hub.auctions.feeds) == [auction_id])

    assert (running_hub.sockets, running_hub.auctions.feeds) == (set(), {})


async def test_an_overflow_ends_the_stream(running_hub: hub.Hub, auction_id: str) -> None:
    async with streams.server_sent_events(query={"auctions": auction_id}) as stream:
        await stream.hear()
        (socket,) = running_hub.sockets

        socket.close(sockets.OVERFLOW)

        await stream.ended()


async def test_a_quiet_stream_shows_that_it_lives(hurried_hub: hub.Hub) -> None:
    async with streams.server_sent_events() as stream:
        await streams.until(lambda: stream.comments >= 3)


async def test_a_stream_that_comes_while_the_others_end_ends_too(running_hub: hub.Hub) -> None:
    async with streams.server_sent_events() as before:
        hub.end_streams()
        await before.ended()

        async with streams.server_sent_events() as late:
            await late.ended()

    assert running_hub.sockets == set()


async def test_a_stop_ends_the_streams() -> None:
    await hub.start()

    async with streams.server_sent_events() as stream:
        await hub.stop()

        await stream.ended()


async def test_a_stream_that_fails_raises_its_error(
    running_hub: hub.Hub, auction_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_position: sse.Position, _frame: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(sse.Position, "follow", fail)
    with pytest.raises(KeyError):
        async with streams.server_sent_events(query={"auctions": auction_id}):
            await streams.until(lambda: not running_hub.sockets)
