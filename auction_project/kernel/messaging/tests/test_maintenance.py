"""Maintenance keeps the stores of events small: it deletes only what is no longer needed, faster than new rows come."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import maintenance, once, outbox
from auction_project.kernel.messaging.backends import memory, redis_streams
from auction_project.kernel.messaging.tests import conftest, tables, transports

TOPIC = "inventory.stock"


@pytest.fixture
def streams() -> Iterator[brokers.Broker]:
    opened = transports.open_transport("redis").connect()
    yield opened
    opened.wipe()
    opened.close()


def _steps(loop: maintenance.Maintenance) -> int:
    """The number of steps until the loop returns that there is no more."""
    count = 1
    while loop.step():
        count += 1
        assert count < 50
    return count


def test_a_topic_is_trimmed_until_nothing_is_left_to_trim(
    streams: brokers.Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_streams, "TRIM_ENTRIES", 100)
    monkeypatch.setattr(maintenance, "FULL_TRIM", 100)
    streams.append(transports.messages(TOPIC, ["a"], 500))
    reader = streams.consumer("window", [TOPIC], member="one")
    transports.take(reader, 500)
    reader.close()

    loop = maintenance.Maintenance(streams, groups={TOPIC: ["window"]}, outboxes=[], inboxes=[])

    assert _steps(loop) == 6
    assert list(streams.read(TOPIC)) == []
    assert loop.step() is False


def test_old_rows_are_deleted_until_none_is_left(
    memory_broker: memory.MemoryBroker, committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PRUNE_ROWS", 2)
    monkeypatch.setattr(once, "PRUNE_ROWS", 3)
    long_ago = datetime.now(UTC) - timedelta(days=30)
    for version in range(5):
        with transaction.atomic(using="default"):
            outbox.publish(tables.Outbox, conftest.stock_changed("lamp", version), now=long_ago)
        tables.Once.objects.create(key=f"event:{version}", state="DONE", created_at=long_ago)
    tables.Outbox.objects.update(published_at=long_ago)

    loop = maintenance.Maintenance(memory_broker, groups={}, outboxes=[tables.Outbox], inboxes=[tables.Once])

    assert _steps(loop) == 3
    assert (tables.Outbox.objects.count(), tables.Once.objects.count()) == (0, 0)
