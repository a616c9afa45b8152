"""The bell: what it publishes, and that a Redis that is away costs those who ring one attempt a second."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings

from auction_project.kernel import bell, ids


@pytest.fixture(autouse=True)
def _as_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_muted_until", 0.0)


@pytest.fixture
def listener() -> Iterator[Any]:
    """A subscription to two channels of this test, which are its `names`."""
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as pubsub:
        pubsub.names = [f"gavel:test:{ids.new_id()}" for _ in range(2)]
        for name in pubsub.names:
            pubsub.subscribe(name)
            assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        yield pubsub


def test_a_ring_is_heard_on_each_of_its_channels(listener: Any) -> None:
    bell.ring(listener.names, b"ended")

    heard = [listener.get_message(timeout=5) for _ in listener.names]
    assert [(one["channel"].decode(), one["data"]) for one in heard] == [
        (name, b"ended") for name in listener.names
    ]


def test_after_a_failure_the_bell_is_mute_for_a_second_and_fails_nobody(
    monkeypatch: pytest.MonkeyPatch, listener: Any
) -> None:
    now = 100.0
    monkeypatch.setattr(bell.time, "monotonic", lambda: now)
    with bell._client.replaced_by(redis.Redis.from_url("redis://127.0.0.1:1/0")):
        bell.ring(listener.names)

    now += bell.MUTE_SECONDS - 0.001
    bell.ring(listener.names[:1], b"mute")
    now += 0.001
    bell.ring(listener.names[1:], b"again")

    assert listener.get_message(timeout=5)["data"] == b"again"
