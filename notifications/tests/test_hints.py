"""Hints: a frame that comes before its event, or instead of it, lost, twice, out of order. Watchers see each seq once, in
order, as they would without hints."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib import parse

import msgspec
import pytest
import pytest_asyncio
import redis.asyncio

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from notifications import auction_frames, frames, hints, redis_clients
from notifications.push import bridge, hub
from notifications.tests import conftest, streams

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)
Hint = Callable[..., Any]


async def publish(auction_id: str, *seqs: int) -> None:
    """The events of these seqs."""
    await bridge.call(conftest.publish, auction_id, *seqs)


async def watch(socket: streams.Client, auction_id: str, after: int) -> list[dict[str, Any]]:
    await socket.say(type="watch", auction_id=auction_id, after=after)
    return await socket.hear_until("watching")


def seqs(heard: list[dict[str, Any]]) -> list[int]:
    return [body["seq"] for body in heard if body["type"] == "auction"]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[redis.asyncio.Redis]:
    found = redis_clients.asking()
    yield found
    await found.aclose()
    await found.connection_pool.disconnect()


@pytest_asyncio.fixture
async def hint(client: redis.asyncio.Redis, auction_id: str) -> AsyncIterator[Hint]:
    """Hint at these seqs of the auction, in one question to Redis; how many frames were published."""

    async def send(*of: int) -> int:
        added = [
            auction_frames.Addition(auction_id, seq, frames.auction_text(conftest.bid(auction_id, seq)))
            for seq in of
        ]
        return await auction_frames.hint(client, added)

    yield send
    await client.delete(redis_clients.early_frames_key(auction_id))


@pytest_asyncio.fixture
async def published(client: redis.asyncio.Redis, auction_id: str) -> AsyncIterator[Callable[[], Any]]:
    """The seqs published on the auction's channel so far."""
    async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(redis_clients.auction_channel(auction_id))
        await pubsub.get_message(timeout=5)
        heard: list[int] = []

        async def read() -> list[int]:
            await client.publish(redis_clients.auction_channel(auction_id), "0 end")
            while True:
                message = await pubsub.get_message(timeout=5)
                if message is None:
                    continue
                if message["data"] == b"0 end":
                    return heard
                heard.append(int(message["data"].partition(b" ")[0]))

        yield read


async def kept(client: redis.asyncio.Redis, auction_id: str) -> tuple[int | None, list[int]]:
    found = (await auction_frames.read(client, {auction_id: 0}))[auction_id]
    return found.last, [frame.seq for frame in found.frames]


# --- in Redis ----------------------------------------------------------------------------------------------------


async def test_a_hint_is_published_and_its_event_changes_nothing(
    client: redis.asyncio.Redis, auction_id: str, hint: Hint, published: Hint
) -> None:
    assert await hint(1) == 1
    await publish(auction_id, 1, 2)
    assert await hint(2, 1, 3) == 1

    assert await published() == [1, 2, 3]
    assert await kept(client, auction_id) == (3, [1, 2, 3])


async def test_a_hint_that_comes_twice_is_published_once(hint: Hint, published: Hint) -> None:
    assert [await hint(1), await hint(1), await hint(1, 2, 2)] == [1, 0, 1]

    assert await published() == [1, 2]


async def test_hints_that_come_early_wait_for_the_one_before(
    client: redis.asyncio.Redis, auction_id: str, hint: Hint, published: Hint
) -> None:
    assert [await hint(1), await hint(4), await hint(3)] == [1, 0, 0]
    assert await published() == [1]
    assert await kept(client, auction_id) == (1, [1])

    assert await hint(2) == 3

    assert await published() == [1, 2, 3, 4]
    assert await client.exists(redis_clients.early_frames_key(auction_id)) == 0


async def test_the_event_of_a_lost_hint_brings_those_that_waited_for_it(
    client: redis.asyncio.Redis, auction_id: str, hint: Hint, published: Hint
) -> None:
    await hint(1, 3, 4, 6)

    await publish(auction_id, 1, 2)

    assert await published() == [1, 2, 3, 4]
    assert await kept(client, auction_id) == (4, [1, 2, 3, 4])
    await publish(auction_id, 3, 4, 5)
    assert await published() == [1, 2, 3, 4, 5, 6]


async def test_only_an_event_begins_the_frames_anew_after_a_jump(
    client: redis.asyncio.Redis, auction_id: str, hint: Hint, published: Hint
) -> None:
    assert await hint(9) == 0
    assert await kept(client, auction_id) == (None, [])

    await publish(auction_id, 8)

    assert await kept(client, auction_id) == (9, [8, 9])
    assert await published() == [8, 9]


async def test_early_hints_are_bounded_and_expire(
    client: redis.asyncio.Redis, auction_id: str, hint: Hint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auction_frames, "EARLY_FRAMES", 3)

    await hint(3, 4, 5, 6)

    key = redis_clients.early_frames_key(auction_id)
    assert sorted(map(int, await client.hkeys(key))) == [3, 4, 5]
    assert 0 < await client.ttl(key) <= auction_frames.EARLY_SECONDS


async def test_hints_of_many_auctions_are_one_question(client: redis.asyncio.Redis) -> None:
    auction_ids = [conftest.new_id() for _ in range(5)]
    added = [
        auction_frames.Addition(auction_id, seq, "{}")
        for seq, auction_id in itertools.product((1, 2), auction_ids)
    ]

    assert await auction_frames.hint(client, added) == 10

    for auction_id in auction_ids:
        assert await kept(client, auction_id) == (2, [1, 2])
        await client.delete(redis_clients.frames_key(auction_id))


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_of_hints_and_events_publishes_each_seq_once_and_in_order(
    client: redis.asyncio.Redis, auction_id: str, hint: Hint, published: Hint, seed: int
) -> None:
    """Events come in order, some of them again; hints come in any order, some twice, and some never."""
    chance = random.Random(seed)
    last = 30
    events_due = [seq for seq in range(1, last + 1) for _ in range(chance.choice((1, 1, 2)))]
    hints_due = [seq for seq in range(1, last + 1) for _ in range(chance.choice((0, 1, 1, 2)))]
    hints_due.sort(key=lambda seq: seq + chance.uniform(0, 6))

    while events_due or hints_due:
        if hints_due and (not events_due or chance.random() < 0.6):
            await hint(hints_due.pop(0))
        else:
            await publish(auction_id, events_due.pop(0))

    assert await published() == list(range(1, last + 1))
    assert await kept(client, auction_id) == (last, list(range(1, last + 1)))


# --- to the sockets ----------------------------------------------------------------------------------------------


async def test_a_socket_gets_each_frame_once_whether_hint_or_event_comes_first(
    lookless_hub: hub.Hub, auction_id: str, hint: Hint
) -> None:
    async with streams.websocket() as socket:
        await watch(socket, auction_id, 0)

        await hint(1)
        first = await socket.hear()
        await publish(auction_id, 1, 2)
        await hint(2, 4)
        await publish(auction_id, 3)
        await publish(auction_id, 4)
        rest = [await socket.hear() for _ in range(3)]

        assert seqs([first, *rest]) == [1, 2, 3, 4]
        assert await socket.hears_nothing()


async def test_one_that_comes_while_a_hint_waits_misses_nothing(
    lookless_hub: hub.Hub, auction_id: str, hint: Hint
) -> None:
    await hint(1, 3)
    async with streams.websocket() as socket:
        assert seqs(await watch(socket, auction_id, 0)) == [1]

        await publish(auction_id, 1, 2)

        assert seqs([await socket.hear(), await socket.hear()]) == [2, 3]


async def test_no_message_of_a_client_becomes_a_frame(
    lookless_hub: hub.Hub, auction_id: str, hint: Hint
) -> None:
    await hint(1)
    forged = msgspec.json.decode(frames.auction_text(conftest.bid(auction_id, 2)))
    async with streams.websocket() as forger, streams.websocket() as watcher:
        await watch(forger, auction_id, 1)
        await watch(watcher, auction_id, 1)

        await forger.say(**forged)
        await forger.say(type="hint", auction_id=auction_id, seq=2, text="{}")
        answers = [await forger.hear(), await forger.hear()]
        await hint(2)

        assert [answer["code"] for answer in answers] == ["message_invalid", "message_invalid"]
        assert (await watcher.hear())["data"]["price"] == "10.02"
        assert await watcher.hears_nothing()


# --- the sender --------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[hints.Hints]:
    found = hints.Hints()
    yield found
    await found.close()


async def test_what_gathers_while_a_question_is_out_goes_in_one(
    sender: hints.Hints, auction_id: str, published: Hint, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    send = auction_frames.hint

    async def count(client: redis.asyncio.Redis, added: list[auction_frames.Addition]) -> int:
        sizes.append(len(added))
        await asyncio.sleep(0)  # the others gather
        return await send(client, added)

    monkeypatch.setattr(auction_frames, "hint", count)
    sender.put(conftest.bid(auction_id, 1))
    await asyncio.sleep(0)
    for seq in range(2, 6):
        sender.put(conftest.bid(auction_id, seq))
    assert sender._sending is not None
    await sender._sending

    assert sizes == [1, 4]
    assert await published() == [1, 2, 3, 4, 5]


async def test_a_rush_gets_hints_up_to_a_bound_and_events_bring_the_rest(
    sender: hints.Hints, auction_id: str, published: Hint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "PER_SECOND", 3)
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 7.5)
    assert sender.room() == 3

    for seq in range(1, 6):
        sender.put(conftest.bid(auction_id, seq))
    assert sender.room() == 0
    monkeypatch.undo()
    assert sender._sending is not None
    await sender._sending

    assert await published() == [1, 2, 3]
    await publish(auction_id, 1, 2, 3, 4, 5)
    assert await published() == [1, 2, 3, 4, 5]


async def test_without_redis_a_hint_costs_its_writer_nothing_and_the_next_ones_are_not_tried_at_once(
    settings: Any, auction_id: str
) -> None:
    address = parse.urlsplit(settings.REDIS_URL)
    settings.REDIS_URL = address._replace(netloc="127.0.0.1:1").geturl()
    sender = hints.Hints()

    sender.put(conftest.bid(auction_id, 1))
    assert sender._sending is not None
    await sender._sending

    assert sender.room() == 0
    failed = sender._sending
    sender.put(conftest.bid(auction_id, 2))
    assert sender._sending is failed
    await sender.close()


def test_a_record_makes_the_same_frame_before_and_after_its_journey_through_the_transport(
    auction_id: str,
) -> None:
    of_journey = contracts.decode(conftest.encoded(conftest.bid(auction_id, 1), "id"))[1]
    assert isinstance(of_journey, events.LogRecord)

    assert frames.auction_text(of_journey) == frames.auction_text(conftest.bid(auction_id, 1))
