"""The WebSocket stream: who may open it, what it understands, its bounds, and that it goes on where it stopped."""

import asyncio
from typing import Any

import msgspec
import pytest

from auction_project.kernel.contracts import events
from notifications import selectors, services
from notifications.push import admission, bridge, hub, requests, sockets, tickets, watched_auctions, websocket
from notifications.tests import conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


# --- who may -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticket", ["", "forged"])
async def test_a_wrong_ticket_is_refused_with_a_code_that_browsers_see(
    running_hub: hub.Hub, ticket: str
) -> None:
    async with streams.websocket(ticket=ticket, ready=False) as client:
        assert await client.closed() == 4401

    assert running_hub.sockets == set()


async def test_a_ticket_opens_one_stream_only(running_hub: hub.Hub, user_id: str) -> None:
    ticket = await bridge.call(tickets.issue, tickets.Holder(user_id))

    async with streams.websocket(ticket=ticket), streams.websocket(ticket=ticket, ready=False) as second:
        assert await second.closed() == 4401


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        (b"https://evil.example", 4403),
        (b"null", 4403),
        (b"http://[broken", 4403),
        (b"", 4403),
        (b"http://localhost:8000", None),
        (b"http://localhost:9999", 4403),
        (b"http://localhost", 4403),
        (b"https://localhost:8000", 4403),
        (b"http://127.0.0.1:8000", 4403),
        (b"https://gavel.example", None),
        (b"https://gavel.example:8443", 4403),
        (b"http://gavel.example", 4403),
        (b"https://shop.partner.example", None),
        (b"https://partner.example.evil.example", 4403),
        (None, None),
    ],
)
async def test_only_pages_of_ours_open_a_stream(
    running_hub: hub.Hub, user_id: str, settings: Any, origin: bytes | None, code: int | None
) -> None:
    """The request goes to localhost:8000, without TLS."""
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    settings.PUBLIC_URL = "http://localhost:8000"
    settings.CSRF_TRUSTED_ORIGINS = ["https://gavel.example", "https://*.partner.example"]
    headers = [] if origin is None else [(b"origin", origin)]

    async with streams.websocket(user_id, headers=headers, ready=code is None) as client:
        assert code is None or await client.closed() == code


@pytest.mark.parametrize(("scheme", "public_url"), [("wss", "http://x"), ("ws", "https://gavel.example")])
async def test_with_tls_a_page_without_it_opens_no_stream(
    running_hub: hub.Hub, settings: Any, scheme: str, public_url: str
) -> None:
    """TLS ends here, or at a proxy in front."""
    settings.PUBLIC_URL = public_url

    async def code_for(origin: bytes) -> int | None:
        ready = origin.startswith(b"https")
        headers = [(b"origin", origin)]
        async with streams.websocket(headers=headers, scheme=scheme, ready=ready) as client:
            return None if ready else await client.closed()

    assert await code_for(b"https://localhost:8000") is None
    assert await code_for(b"http://localhost:8000") == 4403


async def test_a_host_that_is_not_served_vouches_for_no_origin(running_hub: hub.Hub, settings: Any) -> None:
    """A name of another site that points at this machine."""
    settings.ALLOWED_HOSTS = ["gavel.example"]
    settings.PUBLIC_URL = "http://gavel.example"

    async with streams.websocket(headers=[(b"origin", b"http://localhost:8000")], ready=False) as client:
        assert await client.closed() == 4403


async def test_an_unknown_path_is_refused(running_hub: hub.Hub) -> None:
    async with streams.websocket(path="/ws/v2/stream", ready=False) as client:
        assert await client.closed() == 4404


async def test_a_client_that_did_not_sign_in_may_watch_and_nothing_else(
    running_hub: hub.Hub, auction_id: str
) -> None:
    await streams.publish(auction_id, 1)

    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id, after=0)
        assert streams.seqs(await client.hear_until("watching")) == [1]
        await client.say(type="resume", cursor=None)
        assert await client.closed() == 4401


async def test_each_user_gets_their_own_notifications_and_no_others(
    running_hub: hub.Hub, user_id: str
) -> None:
    async with streams.websocket(user_id) as one, streams.websocket(conftest.new_id()) as another:
        for client in (one, another):
            await client.say(type="resume", cursor=None)
            await client.hear_until("resumed")

        await streams.notify(user_id)

        assert streams.seqs([await one.hear()]) == [1]
        assert await another.hears_nothing()


async def test_a_closed_account_is_shut_out_of_its_open_stream(running_hub: hub.Hub, user_id: str) -> None:
    account = events.AccountChanged(
        user_id=user_id, version=1, email="", email_verified=True, created_at=0, roles=(), closed=True
    )
    async with streams.websocket(user_id) as client:
        await client.say(type="resume")
        await client.hear_until("resumed")

        await bridge.call(services.follow_account, account=account)

        assert await client.closed() == 4411


async def test_when_the_process_is_full_a_client_must_come_again(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MAX_STREAMS", 1)

    async with streams.websocket(), streams.websocket(ready=False) as second:
        assert await second.closed() == 1013


async def test_an_address_and_a_user_have_so_many_streams(
    running_hub: hub.Hub, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_hub.admission = admission.Admission(per_address=1)
    monkeypatch.setattr(admission, "MAX_STREAMS_PER_USER", 1)

    async with (
        streams.websocket(user_id, address="1.1.1.1"),
        streams.websocket(address="1.1.1.1", ready=False) as same_address,
        streams.websocket(user_id, address="2.2.2.2", ready=False) as same_user,
        streams.websocket(address="3.3.3.3"),
    ):
        assert await same_address.closed() == 4429
        assert await same_user.closed() == 4429
        assert len(running_hub.sockets) == 2

    async with streams.websocket(user_id, address="1.1.1.1"):
        assert len(running_hub.sockets) == 1


# --- a user's own feed -------------------------------------------------------------------------------------------


async def test_a_notification_in_full(running_hub: hub.Hub, user_id: str) -> None:
    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=None)
        resumed = await client.hear()
        await streams.notify(user_id)
        received = await client.hear()

    head = await bridge.call(selectors.get_head, user_id)
    assert resumed == {"type": "resumed", "cursor": f"{head.epoch}:0"}
    assert received == {
        "type": "notification",
        "cursor": f"{head.epoch}:1",
        "kind": "lost",
        "text": "“Lamp” went to another bidder for €12.50",
        "badge": "Not won",
        "mood": "",
        "link": f"/auctions/{'a' * 32}",
        "data": {"auction_id": "a" * 32, "title": "Lamp", "price": "12.50", "currency": "EUR"},
        "at": 1_700_000_000_000,
        "withdrawn": False,
    }


async def test_a_client_resumes_where_it_stopped(running_hub: hub.Hub, user_id: str) -> None:
    await streams.notify(user_id, 2)
    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=None)
        cursor = (await client.hear())["cursor"]
    await streams.notify(user_id, 3)

    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=cursor)
        received = await client.hear_until("resumed")
        await streams.notify(user_id)
        live = await client.hear()

    assert streams.seqs(received) == [3, 4, 5]
    assert received[-1]["cursor"].endswith(":5")
    assert streams.seqs([live]) == [6]


async def test_the_cursor_of_rest_resumes_a_stream(
    running_hub: hub.Hub, user_id: str, client_of: Any
) -> None:
    await streams.notify(user_id, 2)
    cursor = (await bridge.call(client_of(user_id).get, "/api/v1/notifications")).json()["items"][0]["cursor"]

    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=cursor)

        assert streams.seqs(await client.hear_until("resumed")) == [2]


async def test_a_long_absence_is_made_up_for_without_an_overflow(running_hub: hub.Hub, user_id: str) -> None:
    await streams.notify(user_id, 2 * sockets.QUEUE_FRAMES)
    head = await bridge.call(selectors.get_head, user_id)

    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=f"{head.epoch}:0")

        assert streams.seqs(await client.hear_until("resumed")) == list(
            range(1, 2 * sockets.QUEUE_FRAMES + 1)
        )


@pytest.mark.parametrize("cursor", ["0:1", "{epoch}:3"], ids=["another epoch", "ahead"])
async def test_a_cursor_that_leads_nowhere_requires_a_snapshot(
    running_hub: hub.Hub, user_id: str, cursor: str
) -> None:
    await streams.notify(user_id, 2)
    epoch = (await bridge.call(selectors.get_head, user_id)).epoch

    async with streams.websocket(user_id) as client:
        await client.say(type="resume", cursor=cursor.format(epoch=epoch))
        lost = await client.hear_until("resumed")
        await streams.notify(user_id)
        live = await client.hear()

    assert lost[0] == {
        "type": "snapshot_required",
        "scope": "notifications",
        "auction_id": None,
        "cursor": f"{epoch}:2",
    }
    assert streams.seqs([live]) == [3]


async def test_two_streams_of_one_user_both_get_everything(running_hub: hub.Hub, user_id: str) -> None:
    await streams.notify(user_id, 1)
    epoch = (await bridge.call(selectors.get_head, user_id)).epoch
    async with streams.websocket(user_id) as old, streams.websocket(user_id) as new:
        await new.say(type="resume", cursor=None)
        await new.hear_until("resumed")
        await old.say(type="resume", cursor=f"{epoch}:0")
        missed = await old.hear_until("resumed")
        await streams.notify(user_id, 2)

        assert streams.seqs(missed) == [1]
        assert streams.seqs([await old.hear(), await old.hear()]) == [2, 3]
        assert streams.seqs([await new.hear(), await new.hear()]) == [2, 3]


# --- auctions ----------------------------------------------------------------------------------------------------


async def test_watching_after_a_seq_brings_what_is_missing_and_then_what_happens(
    running_hub: hub.Hub, auction_id: str
) -> None:
    await streams.publish(auction_id, 1, 2, 3)

    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id, after=1)
        missed = await client.hear_until("watching")
        await streams.publish(auction_id, 4)
        live = await client.hear()

    assert streams.seqs(missed) == [2, 3]
    assert missed[-1] == {"type": "watching", "auction_id": auction_id, "seq": 3}
    assert (live["seq"], live["event"], live["data"]["price"]) == (4, "BidPlaced", "10.04")


async def test_a_client_that_does_not_watch_hears_nothing(running_hub: hub.Hub, auction_id: str) -> None:
    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id, after=0)
        await client.hear_until("watching")
        await client.say(type="unwatch", auction_id=auction_id)
        await client.say(type="ping")
        await client.hear_until("pong")

        await streams.publish(auction_id, 1)

        assert await client.hears_nothing()
        assert running_hub.auctions.feeds == {}


async def test_subscriptions_end_with_the_connection(
    running_hub: hub.Hub, auction_id: str, user_id: str
) -> None:
    async with streams.websocket(user_id) as client:
        await client.say(type="resume")
        await client.say(type="watch", auction_id=auction_id)
        await client.hear_until("watching")
        during = len(running_hub._subscription._wanted)

    await streams.until(lambda: not running_hub.sockets)
    await streams.until(lambda: len(running_hub._subscription._asked) == 1)
    assert during == 3
    assert (running_hub.auctions.feeds, running_hub.users.feeds) == ({}, {})


async def test_a_stream_that_fails_gives_its_place_back(
    running_hub: hub.Hub, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_text: str) -> None:
        raise KeyError("a bug")

    async def ping() -> None:
        async with streams.websocket(user_id) as client:
            await client.say(type="ping")
            await client.hear()

    monkeypatch.setattr(requests, "decode", fail)
    with pytest.raises(KeyError):
        await ping()

    assert (running_hub.sockets, running_hub.users.feeds) == (set(), {})


async def test_a_stream_that_cannot_send_is_closed(
    running_hub: hub.Hub, auction_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_socket: sockets.Socket, _entry: object) -> None:
        raise KeyError("a bug")

    async with streams.websocket() as client:
        monkeypatch.setattr(sockets.Socket, "sent", fail)
        await client.say(type="watch", auction_id=auction_id)

        assert await client.closed() == 1011


async def test_one_socket_watches_so_many_auctions_and_no_more(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_auctions, "MAX_WATCHED", 2)
    first, second, third = (conftest.new_id() for _ in range(3))
    for auction_id in (first, second, third):
        await bridge.call(services.record_auction, auction_id=auction_id)

    async with streams.websocket() as client:
        for auction_id in (first, second, first, third):
            await client.say(type="watch", auction_id=auction_id, after=0)
        refused = (await client.hear_until("error"))[-1]

        assert (refused["code"], refused["limit"]) == ("too_many_auctions", 2)
        await streams.until(lambda: sorted(running_hub.auctions.feeds) == sorted([first, second]))


async def test_an_auction_that_does_not_exist_cannot_be_watched(
    running_hub: hub.Hub, auction_id: str
) -> None:
    unknown = conftest.new_id()
    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=unknown, after=0)
        refused = await client.hear()
        await client.say(type="watch", auction_id=auction_id)
        await client.hear_until("watching")

        assert (refused["type"], refused["code"], refused["auction_id"]) == (
            "error",
            "auction_unknown",
            unknown,
        )
        (socket,) = running_hub.sockets
        assert socket.watched == set(running_hub.auctions.feeds) == {auction_id}
        assert running_hub.auctions._unproven == {}
        assert f"gavel:auction:{unknown}" not in running_hub._subscription._wanted


async def test_an_auction_is_known_by_its_frames_before_postgresql_knows_it(running_hub: hub.Hub) -> None:
    fresh = conftest.new_id()
    await streams.publish(fresh, 1)

    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=fresh, after=0)

        assert streams.seqs(await client.hear_until("watching")) == [1]


async def test_an_auction_that_became_known_can_be_watched_afterwards(running_hub: hub.Hub) -> None:
    fresh = conftest.new_id()
    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=fresh)
        await client.hear_until("error")
        await bridge.call(services.record_auction, auction_id=fresh)

        await client.say(type="watch", auction_id=fresh)
        await client.hear_until("watching")


async def test_a_client_that_makes_up_auctions_is_closed(running_hub: hub.Hub) -> None:
    async with streams.websocket() as client:
        for _ in range(watched_auctions.MAX_UNKNOWN + 1):
            await client.say(type="watch", auction_id=conftest.new_id())

        assert await client.closed() == 1008
    assert (running_hub.auctions.feeds, running_hub.auctions._unproven) == ({}, {})


async def test_a_client_that_leaves_before_the_answer_leaves_nothing(
    running_hub: hub.Hub, auction_id: str
) -> None:
    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id)
        await client.say(type="unwatch", auction_id=auction_id)
        await client.say(type="ping")
        await client.hear_until("pong")

    assert (running_hub.auctions.feeds, running_hub.auctions._unproven) == ({}, {})


async def test_a_client_that_drops_an_auction_and_watches_it_again_at_once_hears_it(
    running_hub: hub.Hub, auction_id: str
) -> None:
    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id)
        await client.hear_until("watching")

        for _ in range(3):
            await client.say(type="unwatch", auction_id=auction_id)
            await client.say(type="watch", auction_id=auction_id, after=0)
            await client.hear_until("watching")
        await streams.publish(auction_id, 1)

        assert streams.seqs([await client.hear()]) == [1]


@pytest.mark.parametrize("bound", ["MAX_FEEDS", "MAX_UNPROVEN"])
async def test_beyond_its_bounds_the_process_follows_no_further_auction(
    running_hub: hub.Hub, auction_id: str, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(watched_auctions, bound, 0)

    async with streams.websocket() as client:
        await client.say(type="watch", auction_id=auction_id)

        assert (await client.hear())["code"] == "too_busy"
        assert (running_hub.auctions.feeds, running_hub.auctions._unproven) == ({}, {})


# --- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"watch"',
        "NaN",
        '{"type":"bid"}',
        '{"type":"watch"}',
        '{"type":"watch","auction_id":"x"}',
        '{"type":"watch","auction_id":"' + "A" * 32 + '"}',
        '{"type":"watch","auction_id":"' + "a" * 32 + '\\n"}',
        '{"type":"watch","auction_id":"' + "a" * 32 + '","after":-1}',
        '{"type":"watch","auction_id":"' + "a" * 32 + '","after":1.5}',
        '{"type":"watch","auction_id":"' + "a" * 32 + '","after":1e30}',
        '{"type":"watch","auction_id":"' + "a" * 32 + '","before":1}',
        '{"type":"resume","cursor":"x"}',
        '{"type":"resume","cursor":7}',
        "[" * 1000,
        "\x00",
    ],
)
async def test_a_message_that_is_not_understood_changes_nothing(
    running_hub: hub.Hub, user_id: str, text: str
) -> None:
    async with streams.websocket(user_id) as client:
        await client.say_text(text)

        assert (await client.hear())["type"] == "error"
        assert running_hub.auctions.feeds == {}
        assert running_hub.users.feeds[user_id].next_seqs == {}
        await client.say(type="ping")
        assert await client.hear() == {"type": "pong"}


async def test_a_message_beyond_its_bound_ends_the_stream(running_hub: hub.Hub) -> None:
    async with streams.websocket() as client:
        await client.say_text(" " * (requests.MAX_MESSAGE_CHARACTERS + 1))

        assert await client.closed() == 1009


async def test_a_client_that_talks_without_end_is_closed(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_MESSAGES", 5)

    async with streams.websocket() as client:
        for _ in range(6):
            await client.say(type="ping")

        assert await client.closed() == 1008


async def test_a_socket_whose_queue_overflows_is_closed_and_can_resume_without_a_gap(
    running_hub: hub.Hub, auction_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "QUEUE_FRAMES", 8)
    held = asyncio.Event()

    async def slow_send(self: websocket.Stream, socket: sockets.Socket) -> None:
        await held.wait()
        await pump(self, socket)

    pump = websocket.Stream._send_all
    monkeypatch.setattr(websocket.Stream, "_send_all", slow_send)
    async with streams.websocket(ready=False) as slow:
        await slow.say(type="watch", auction_id=auction_id, after=0)
        await streams.until(lambda: auction_id in running_hub.auctions.feeds)
        await streams.in_touch(running_hub, auction_id)
        await streams.publish(auction_id, *range(1, 12))
        (socket,) = running_hub.sockets
        await streams.until(lambda: socket.code is not None)
        held.set()
        assert await slow.closed() == 4408

    async with streams.websocket() as again:
        await again.say(type="watch", auction_id=auction_id, after=0)
        assert streams.seqs(await again.hear_until("watching")) == list(range(1, 12))


async def test_a_stop_asks_every_client_to_connect_again(
    monkeypatch: pytest.MonkeyPatch, user_id: str
) -> None:
    await hub.start()

    async with streams.websocket(user_id) as client:
        await hub.stop()

        assert await client.closed() == 1012


def test_the_messages_of_a_client_are_those_of_the_contract() -> None:
    cursor = {"type": "resume", "cursor": "1:2"}
    watch = {"type": "watch", "auction_id": "a" * 32, "after": 3}

    assert requests.decode(msgspec.json.encode(cursor).decode()) == requests.Resume("1:2")
    assert requests.decode(msgspec.json.encode(watch).decode()) == requests.Watch("a" * 32, 3)
