"""The hub on real Redis and PostgreSQL: lost wake-ups, an emptied Redis, a broken subscription, an outage of either."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib import parse

import django.db
import pytest
import pytest_asyncio

from auction_project.kernel import bell, desk_news
from notifications import auction_frames, models, redis_clients, selectors
from notifications.push import background, bridge, hub, sockets, subscription, watched_auctions
from notifications.tests import clocks, conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


async def watch(client: streams.Client, auction_id: str, after: int | None) -> list[dict[str, Any]]:
    await client.say(type="watch", auction_id=auction_id, after=after)
    return await client.hear_until("watching")


async def resume(client: streams.Client, cursor: str | None = None) -> list[dict[str, Any]]:
    await client.say(type="resume", cursor=cursor)
    return await client.hear_until("resumed")


# --- wake-ups and publications that get lost ------------------------------------------------------------------------


async def test_a_look_makes_up_for_a_lost_wakeup(running_hub: hub.Hub, user_id: str, no_wakeup: None) -> None:
    async with streams.websocket(user_id) as client:
        await resume(client)

        await streams.notify(user_id, 3)

        assert streams.seqs([await client.hear() for _ in range(3)]) == [1, 2, 3]


async def test_a_wakeup_is_faster_than_a_look(lookless_hub: hub.Hub, user_id: str) -> None:
    async with streams.websocket(user_id) as client:
        await resume(client)

        for seq in range(1, 21):
            await streams.notify(user_id)
            assert streams.seqs([await client.hear()]) == [seq]


async def test_a_false_wakeup_changes_nothing(running_hub: hub.Hub, user_id: str) -> None:
    async with streams.websocket(user_id) as client:
        await resume(client)

        for _ in range(20):
            await bridge.call(redis_clients.blocking().publish, redis_clients.user_channel(user_id), b"news!")

        assert await client.hears_nothing()


async def test_one_query_looks_after_many_users(
    running_hub: hub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    heads = selectors.list_heads
    async with streams.websocket("1" * 32) as one, streams.websocket("2" * 32) as two:
        await resume(one)
        await resume(two)

        monkeypatch.setattr(selectors, "list_heads", lambda users: sizes.append(len(users)) or heads(users))
        await streams.until(lambda: len(sizes) >= 2)

    assert set(sizes) == {2}


async def test_a_frame_whose_publication_was_lost_is_found_by_the_look(
    running_hub: hub.Hub, auction_id: str
) -> None:
    await streams.publish(auction_id, 1)
    async with streams.websocket() as client:
        await watch(client, auction_id, 1)

        await bridge.call(conftest.store_silently, auction_id, 2, 3)

        assert streams.seqs([await client.hear(), await client.hear()]) == [2, 3]


async def test_a_frame_that_jumps_brings_those_before_it(running_hub: hub.Hub, auction_id: str) -> None:
    await streams.publish(auction_id, 1)
    async with streams.websocket() as client:
        await watch(client, auction_id, 1)

        await bridge.call(conftest.store_silently, auction_id, 2, 3)
        await streams.publish(auction_id, 4)

        assert streams.seqs([await client.hear() for _ in range(3)]) == [2, 3, 4]


async def test_records_delivered_again_and_out_of_order_show_each_seq_once(
    running_hub: hub.Hub, auction_id: str
) -> None:
    async with streams.websocket() as client:
        await watch(client, auction_id, 0)

        await streams.publish(auction_id, 1, 2, 1, 2, 3, 1, 2, 3, 4)

        assert streams.seqs([await client.hear() for _ in range(4)]) == [1, 2, 3, 4]
        assert await client.hears_nothing()


# --- an emptied Redis --------------------------------------------------------------------------------------------


async def test_those_who_are_connected_see_no_gap_when_redis_is_emptied(
    running_hub: hub.Hub, auction_id: str
) -> None:
    await streams.publish(auction_id, 1, 2)
    async with streams.websocket() as client:
        await watch(client, auction_id, 2)

        await bridge.call(conftest.lose_frames, auction_id)
        await streams.publish(auction_id, 3, 4)

        assert streams.seqs([await client.hear(), await client.hear()]) == [3, 4]


async def test_a_client_that_comes_after_redis_was_emptied_must_load_a_snapshot(
    running_hub: hub.Hub, auction_id: str
) -> None:
    await streams.publish(auction_id, 1, 2)
    await bridge.call(conftest.lose_frames, auction_id)

    async with streams.websocket() as early, streams.websocket() as late:
        early_answer = await watch(early, auction_id, 1)
        await streams.publish(auction_id, 3)
        live = await early.hear()
        late_answer = await watch(late, auction_id, 1)
        await streams.publish(auction_id, 4)

        assert [(body["type"], body["seq"]) for body in early_answer] == [
            ("snapshot_required", None),
            ("watching", 1),
        ]
        assert live["seq"] == 3
        assert [(body["type"], body["seq"]) for body in late_answer] == [
            ("snapshot_required", 3),
            ("watching", 3),
        ]
        assert (await late.hear())["seq"] == 4


async def test_a_client_that_loaded_its_snapshot_is_not_sent_to_load_it_again(
    running_hub: hub.Hub, auction_id: str
) -> None:
    async with streams.websocket() as client:
        first = await watch(client, auction_id, 7)
        second = await watch(client, auction_id, 8)
        await streams.publish(auction_id, 8, 9)

        assert [body["type"] for body in first] == ["snapshot_required", "watching"]
        assert [body["type"] for body in second] == ["watching"]
        assert streams.seqs([await client.hear()]) == [9]


async def test_a_wiped_redis_loses_no_notification(running_hub: hub.Hub, user_id: str) -> None:
    """Redis holds nothing of a feed: only the subscription, which a wipe leaves alone."""
    async with streams.websocket(user_id) as client:
        await resume(client)
        await bridge.call(redis_clients.blocking().script_flush)

        await streams.notify(user_id, 2)

        assert streams.seqs([await client.hear(), await client.hear()]) == [1, 2]


async def test_frames_that_come_again_from_the_first_one_repeat_nothing(
    running_hub: hub.Hub, auction_id: str
) -> None:
    """The transport was emptied with Redis, and the relay publishes the whole log anew."""
    await streams.publish(auction_id, 1, 2, 3)
    async with streams.websocket() as client:
        await watch(client, auction_id, 3)

        await bridge.call(conftest.lose_frames, auction_id)
        await streams.publish(auction_id, 1, 2, 3, 4)

        assert streams.seqs([await client.hear()]) == [4]
        assert await client.hears_nothing()


# --- a broken subscription ---------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def proxy(settings: Any) -> AsyncIterator[streams.Proxy]:
    """A proxy that the hub uses as Redis."""
    address = parse.urlsplit(settings.REDIS_URL)
    standing = streams.Proxy(address.hostname or "127.0.0.1", address.port or 6379)
    port = await standing.start()
    redis_clients.blocking(), bell._client()  # writers keep the direct way
    credentials, at, _ = address.netloc.rpartition("@")
    settings.REDIS_URL = address._replace(netloc=f"{credentials}{at}127.0.0.1:{port}").geturl()
    yield standing
    await standing.stop()


@pytest_asyncio.fixture
async def hub_behind_proxy(proxy: streams.Proxy) -> AsyncIterator[hub.Hub]:
    await hub.start(clocks.LooklessClock())
    yield hub.current()
    await hub.stop()


async def test_what_was_published_during_a_break_is_read_afterwards(
    proxy: streams.Proxy, hub_behind_proxy: hub.Hub, auction_id: str, user_id: str
) -> None:
    await streams.publish(auction_id, 1)
    async with streams.websocket(user_id) as client:
        await watch(client, auction_id, 1)
        await resume(client)

        proxy.cut()
        await streams.publish(auction_id, 2, 3)
        await streams.notify(user_id, 2)
        nothing = await client.hears_nothing()
        proxy.mend()
        received = [await client.hear() for _ in range(4)]

    assert nothing
    assert streams.seqs([body for body in received if body["type"] == "auction"]) == [2, 3]
    assert streams.seqs([body for body in received if body["type"] == "notification"]) == [1, 2]


async def test_pages_of_the_desk_hear_of_a_break_and_fetch_after_it(
    proxy: streams.Proxy, hub_behind_proxy: hub.Hub
) -> None:
    async with streams.websocket() as client:
        await client.say(type="watch_desk", desk_pass=desk_news.new_pass())
        before = await client.hear()

        proxy.cut()
        during = await client.hear()
        await bridge.call(desk_news.ring)
        assert await client.hears_nothing(1.5)  # while it tries again and again
        proxy.mend()

        assert (before["live"], during["live"]) == (True, False)
        assert await client.hear() == {"type": "desk", "live": True}


async def test_after_a_break_in_which_the_frames_were_lost_a_snapshot_is_required(
    proxy: streams.Proxy, hub_behind_proxy: hub.Hub, auction_id: str
) -> None:
    await streams.publish(auction_id, 1)
    async with streams.websocket() as client:
        await watch(client, auction_id, 1)

        proxy.cut()
        await streams.publish(auction_id, 2)
        await bridge.call(conftest.lose_frames, auction_id)
        proxy.mend()
        lost = await client.hear()
        await streams.publish(auction_id, 3)

        assert lost["type"] == "snapshot_required"
        assert streams.seqs([await client.hear()]) == [3]


async def test_the_hub_starts_without_redis_and_serves_when_it_comes(
    proxy: streams.Proxy, auction_id: str, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await streams.publish(auction_id, 1)
    proxy.cut()
    async with asyncio.timeout(1):
        await hub.start()
    try:
        async with streams.websocket() as client:
            await client.say(type="watch", auction_id=auction_id, after=0)
            nothing = await client.hears_nothing()
            proxy.mend()

            assert nothing
            assert streams.seqs(await client.hear_until("watching")) == [1]
    finally:
        await hub.stop()


async def test_without_redis_no_ticket_can_be_checked_and_the_client_must_come_again(
    proxy: streams.Proxy, hub_behind_proxy: hub.Hub
) -> None:
    proxy.cut()

    async with streams.websocket(ticket="any", ready=False) as client:
        assert await client.closed() == sockets.TOO_MANY


async def test_a_channel_that_is_dropped_and_added_again_at_once_is_open_again() -> None:
    opened: list[str] = []

    async def ignore(_channel: str, _data: bytes) -> None: ...

    channels = subscription.Subscription(on_open=opened.append, on_message=ignore, on_break=lambda: None)
    running = asyncio.create_task(channels.run())
    channels.want("gavel:user:test")
    await streams.until(lambda: opened == ["gavel:user:test"])

    channels.unwant("gavel:user:test")
    channels.want("gavel:user:test")

    await streams.until(lambda: opened == ["gavel:user:test"] * 2)
    await background.cancel(running)


async def test_a_message_that_cannot_be_handled_costs_a_break_and_no_more() -> None:
    opened: list[str] = []
    heard: list[bytes] = []

    async def fail_once(_channel: str, data: bytes) -> None:
        heard.append(data)
        if len(heard) == 1:
            raise ValueError("of another release")

    channels = subscription.Subscription(on_open=opened.append, on_message=fail_once, on_break=lambda: None)
    running = asyncio.create_task(channels.run())
    channels.want("gavel:user:test")
    await streams.until(lambda: opened == ["gavel:user:test"])

    await bridge.call(redis_clients.blocking().publish, "gavel:user:test", b"1")
    await streams.until(lambda: opened == ["gavel:user:test"] * 2)
    await bridge.call(redis_clients.blocking().publish, "gavel:user:test", b"2")

    await streams.until(lambda: heard == [b"1", b"2"])
    await background.cancel(running)


# --- an outage of PostgreSQL -------------------------------------------------------------------------------------


async def test_without_postgresql_auctions_go_on_and_feeds_wait(
    running_hub: hub.Hub, auction_id: str, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await streams.notify(user_id)
    epoch = (await bridge.call(selectors.get_head, user_id)).epoch

    def unavailable(_after: Any) -> Any:
        raise django.db.OperationalError("the database is unavailable")

    async with streams.websocket(user_id) as client:
        with monkeypatch.context() as outage:
            outage.setattr(selectors, "list_news", unavailable)
            outage.setattr(selectors, "list_heads", unavailable)
            outage.setattr(selectors, "list_ends", unavailable)
            outage.setattr(selectors, "list_known_auctions", unavailable)
            await streams.publish(auction_id, 1)
            await client.say(type="resume", cursor=f"{epoch}:0")
            during = (await watch(client, auction_id, 0))[0]

        assert streams.seqs([during]) == [1]
        assert streams.seqs(await client.hear_until("resumed")) == [1]


# --- queues ------------------------------------------------------------------------------------------------------


async def test_a_thousand_missed_frames_are_no_overflow(running_hub: hub.Hub, auction_id: str) -> None:
    await streams.publish(auction_id, *range(1, auction_frames.KEPT_FRAMES + 1))

    async with streams.websocket() as client:
        received = await watch(client, auction_id, 0)

    assert streams.seqs(received) == list(range(1, auction_frames.KEPT_FRAMES + 1))


async def test_backlogs_of_many_auctions_come_one_after_the_other(running_hub: hub.Hub) -> None:
    auction_ids = [conftest.new_id() for _ in range(watched_auctions.MAX_WATCHED)]
    for auction_id in auction_ids:
        await streams.publish(auction_id, *range(1, 21))

    try:
        async with streams.websocket() as client:
            for auction_id in auction_ids:
                await client.say(type="watch", auction_id=auction_id, after=0)
            received: list[dict[str, Any]] = []
            for _ in auction_ids:
                received += await client.hear_until("watching")
    finally:
        await bridge.call(redis_clients.blocking().delete, *map(redis_clients.frames_key, auction_ids))

    for auction_id in auction_ids:
        assert streams.seqs([body for body in received if body["auction_id"] == auction_id]) == list(
            range(1, 21)
        )


async def test_a_frame_is_encoded_once_for_all_its_sockets(
    running_hub: hub.Hub, auction_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    parse_frame = auction_frames.parse
    monkeypatch.setattr(auction_frames, "parse", lambda *given: made.append(1) or parse_frame(*given))
    await streams.publish(auction_id, 1)
    async with streams.websocket() as one, streams.websocket() as two, streams.websocket() as three:
        for client in (one, two, three):
            await watch(client, auction_id, 1)
        made.clear()

        await streams.publish(auction_id, 2)
        for client in (one, two, three):
            assert streams.seqs([await client.hear()]) == [2]

    assert len(made) == 1


async def test_a_feed_that_cannot_be_shown_is_closed_and_silences_no_other(
    running_hub: hub.Hub, user_id: str
) -> None:
    other = conftest.new_id()
    await streams.notify(user_id)
    await streams.notify(other)
    spoilt = models.Notification.objects.filter(user_id=user_id)
    await bridge.call(spoilt.update, data={"price": 1, "currency": "XXX"})
    heads = await bridge.call(selectors.list_heads, [user_id, other])

    async with streams.websocket(user_id) as unlucky, streams.websocket(other) as lucky:
        await unlucky.say(type="resume", cursor=f"{heads[user_id].epoch}:0")
        await lucky.say(type="resume", cursor=f"{heads[other].epoch}:0")

        assert await unlucky.closed() == 1011
        assert streams.seqs(await lucky.hear_until("resumed")) == [1]
