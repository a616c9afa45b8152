"""The frames of an auction in Redis: appended once and in order, kept for a while, never with a hole."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from auction_project.kernel.contracts import events
from notifications import auction_frames, frames, redis_clients
from notifications.tests import conftest


@pytest.fixture
def auction_id() -> Iterator[str]:
    """A fresh auction of which PostgreSQL knows nothing: the frames need Redis alone."""
    fresh = conftest.new_id()
    yield fresh
    redis_clients.blocking().delete(redis_clients.frames_key(fresh))


def read(auction_id: str, after: int) -> auction_frames.Kept:
    async def ask() -> auction_frames.Kept:
        client = redis_clients.asking()
        try:
            return (await auction_frames.read(client, {auction_id: after}))[auction_id]
        finally:
            await client.aclose()
            await client.connection_pool.disconnect()

    return asyncio.run(ask())


def kept(auction_id: str, after: int = 0) -> tuple[int | None, list[int]]:
    stored = read(auction_id, after)
    return stored.last, [frame.seq for frame in stored.frames]


def test_frames_are_read_after_a_seq(auction_id: str) -> None:
    conftest.publish(auction_id, 1, 2, 3)

    assert kept(auction_id, 0) == (3, [1, 2, 3])
    assert kept(auction_id, 2) == (3, [3])
    assert kept(auction_id, 3) == (3, [])
    assert kept(auction_id, 9) == (3, [])


def test_a_frame_that_comes_again_or_late_changes_nothing(auction_id: str) -> None:
    for seq in (1, 2, 2, 1, 3, 2):
        conftest.publish(auction_id, seq)

    assert kept(auction_id) == (3, [1, 2, 3])


def test_the_frames_of_a_run_are_added_together_each_to_its_auction(auction_id: str) -> None:
    other = conftest.new_id()
    run = [
        auction_frames.Addition(each, seq, frames.auction_text(conftest.bid(each, seq)))
        for each, seq in ((auction_id, 1), (other, 1), (auction_id, 2), (auction_id, 1))
    ]

    assert (auction_frames.append(run), auction_frames.append(run)) == (3, 0)

    assert (kept(auction_id), kept(other)) == ((2, [1, 2]), (1, [1]))
    redis_clients.blocking().delete(redis_clients.frames_key(other))


def test_a_frame_is_published_once_to_those_who_listen(auction_id: str) -> None:
    with redis_clients.blocking().pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(redis_clients.auction_channel(auction_id))
        pubsub.get_message(timeout=1)

        conftest.publish(auction_id, 1, 1, 2)

        received = [pubsub.get_message(timeout=0.5) for _ in range(3)]
    assert [message and message["data"].split(b" ")[0] for message in received] == [b"1", b"2", None]


def test_after_a_jump_only_the_frames_without_a_hole_are_kept(auction_id: str) -> None:
    conftest.publish(auction_id, 1, 2, 5, 6)

    assert kept(auction_id) == (6, [5, 6])


def test_when_redis_has_lost_the_frames_they_begin_with_the_present_one(auction_id: str) -> None:
    conftest.publish(auction_id, 1, 2)

    conftest.lose_frames(auction_id)
    lost = kept(auction_id)
    conftest.publish(auction_id, 3)

    assert lost == (None, [])
    assert kept(auction_id) == (3, [3])


def test_the_last_thousand_frames_are_kept_and_they_expire(auction_id: str) -> None:
    conftest.publish(auction_id, *range(1, 1003))

    last, seqs = kept(auction_id)
    assert (last, seqs[0], len(seqs)) == (1002, 3, auction_frames.FRAMES_PER_READ)
    assert redis_clients.blocking().llen(redis_clients.frames_key(auction_id)) == 1000
    assert kept(auction_id, 1001) == (1002, [1002])
    lives = redis_clients.blocking().ttl(redis_clients.frames_key(auction_id))
    assert auction_frames.IDLE_SECONDS - 5 <= lives <= auction_frames.IDLE_SECONDS


def test_a_frame_is_the_public_record_with_amounts_as_decimal_strings(auction_id: str) -> None:
    conftest.publish(auction_id, 1)

    frame = read(auction_id, 0).frames[0]
    assert msgspec.json.decode(frame.text) == {
        "type": "auction",
        "auction_id": auction_id,
        "seq": 1,
        "event": "BidPlaced",
        "data": {
            "at": 1_700_000_000_001,
            "hash": "00",
            "bidder": "Bidder 1",
            "price": "10.01",
            "currency": "EUR",
            "minimum": "10.51",
            "leader": "Bidder 1",
            "bids": 1,
            "ends_at": 1_700_000_100_000,
            "reserve_met": True,
            "quantity_left": 1,
            "quantity": 0,
            "sale_id": None,
        },
    }


def test_a_record_without_money_keeps_its_figures() -> None:
    record = events.AuctionWithdrawn(auction_id="a" * 32, seq=4, at=5, hash="00", reason="sold elsewhere")

    assert msgspec.json.decode(frames.auction_text(record))["data"] == {
        "at": 5,
        "hash": "00",
        "reason": "sold elsewhere",
    }
