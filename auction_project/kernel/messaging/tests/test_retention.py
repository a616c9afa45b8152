"""What maintenance deletes, to the microsecond: a row is kept for its days, and is deleted right after them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from auction_project.kernel.messaging import maintenance, models, once, outbox, retention
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import conftest, tables

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def _dead_letter(digest: str, status: str, at: datetime) -> models.DeadLetter:
    dead_letter = models.DeadLetter.objects.create(
        digest=digest,
        status=status,
        topic="inventory.stock",
        key="lamp",
        group="window",
        event_type="",
        event_id="",
        partition=0,
        position="0",
        error="ValueError()",
        attempts=5,
        first_at=at,
        last_at=at,
        value=b"{",
    )
    dead_letter.begin_replay(by="olga", reason="Mended.", now=at)
    return dead_letter


def test_a_published_event_is_kept_for_its_days_and_an_unpublished_one_for_ever(committed: None) -> None:
    oldest_kept = NOW - timedelta(days=outbox.KEEP_DAYS)
    for event_id, at in (
        ("kept", oldest_kept),
        ("old", oldest_kept - MOMENT),
        ("waits", oldest_kept - MOMENT),
    ):
        with transaction.atomic(using="default"):
            outbox.publish(tables.Outbox, conftest.stock_changed("lamp", 1), now=at, event_id=event_id)
    tables.Outbox.objects.filter(event_id="kept").update(published_at=oldest_kept)
    tables.Outbox.objects.filter(event_id="old").update(published_at=oldest_kept - MOMENT)

    assert outbox.prune(tables.Outbox, now=NOW) == 1
    assert set(tables.Outbox.objects.values_list("event_id", flat=True)) == {"kept", "waits"}


def test_an_event_is_remembered_a_day_longer_than_it_can_come_again_and_a_step_for_ever(
    committed: None,
) -> None:
    oldest_kept = NOW - timedelta(days=outbox.KEEP_DAYS + 1)
    for key, at in (
        ("event:kept", oldest_kept),
        ("event:old", oldest_kept - MOMENT),
        ("saga:1:reserve_stock", oldest_kept - timedelta(days=1000)),
    ):
        tables.Once.objects.create(key=key, state="DONE", created_at=at)

    assert once.prune(tables.Once, now=NOW) == 1
    assert set(tables.Once.objects.values_list("key", flat=True)) == {"event:kept", "saga:1:reserve_stock"}


@pytest.mark.django_db(databases=["default"])
def test_a_dead_letter_is_deleted_after_its_days_unless_it_waits_for_an_operator(settings: Any) -> None:
    settings.DEAD_LETTERS_KEEP_DAYS = 30
    oldest_kept = NOW - timedelta(days=30)
    _dead_letter("kept", "REPLAYED", oldest_kept)
    _dead_letter("old", "REPLAYED", oldest_kept - MOMENT)
    _dead_letter("waits", "WAITING", oldest_kept - timedelta(days=1000))

    assert retention.prune(NOW) == 1
    assert set(models.DeadLetter.objects.values_list("digest", flat=True)) == {"kept", "waits"}
    assert set(models.Replay.objects.values_list("dead_letter__digest", flat=True)) == {"kept", "waits"}
    assert retention.prune(NOW) == 0


def test_maintenance_prunes_again_at_once_while_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "FULL_PRUNE", 2)
    rest = [2, 2, 1]
    loop = maintenance.Maintenance(
        memory.MemoryBroker(), groups={}, outboxes=[], inboxes=[], prunes=[lambda _now: rest.pop(0)]
    )

    assert [loop.step(), loop.step(), loop.step(), loop.step()] == [True, True, False, False]
    assert rest == []
