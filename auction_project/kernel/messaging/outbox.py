"""The transactional outbox: an event is a row beside the change that it announces, in the same transaction.

Each PostgreSQL app has one table (`class Outbox(outbox.OutboxRow)`). Publish while the aggregate's row is locked, so that
ids of one key grow in the order of the changes. What a group publishes inside `gathered` is one INSERT. Rows stay for KEEP_DAYS (EVENTS_KEEP_DAYS of the settings) after they
were published, because they are the second copy of every event.
"""

import contextlib
import time
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, transaction

from auction_project.kernel import contracts, logs, tracing, writes
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import transactions

KEEP_DAYS: int = settings.EVENTS_KEEP_DAYS
PRUNE_ROWS = 5_000
WAKE_CHANNEL = "outbox"

_NAME = "events"
_KEY = 2  # the number of the column
_INSERT = """
    INSERT INTO "{table}" (event_id, topic, key, type, body, created_at)
    SELECT event_id, topic, key, type, body, created_at
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[])
        WITH ORDINALITY AS row (event_id, topic, key, type, body, created_at, number) ORDER BY number
"""


class OutboxRow(models.Model):
    """One event. `body` is the encoded message; `published_at` is null until the transport has stored it."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.CharField(max_length=200, unique=True)
    topic = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    type = models.CharField(max_length=100)
    body = models.BinaryField()
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["id"],
                name="%(app_label)s_outbox_waiting",
                condition=models.Q(published_at__isnull=True),
            ),
            models.Index(fields=["created_at"], name="%(app_label)s_outbox_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


def publish(
    table: type[OutboxRow],
    event: contracts.events.Event,
    *,
    now: datetime,
    version: int = 0,
    event_id: str | None = None,
) -> str:
    """Write `event` to the outbox, in the transaction that is open on the table's database; its event id.

    `version` orders the events of one subject (0: the event is no state). `event_id` makes a repeated event recognisable;
    without it, the id is random. The commit wakes the relay. Raises TransactionManagementError outside a transaction,
    because an event never goes without its change, and brokers.Oversize, because no transport would ever take it.
    """
    using = table.objects.db
    if not transaction.get_connection(using).in_atomic_block:
        raise transaction.TransactionManagementError(f"outbox.publish needs a transaction on {using!r}")
    event_id = event_id or uuid.uuid4().hex
    correlation_id, cause = logs.correlation_id(), logs.span_id()
    span = _span(event_id, correlation_id) if cause and tracing.is_on else None
    body = contracts.encode(
        event,
        event_id=event_id,
        source=table._meta.app_label,
        time=now,
        version=version,
        correlation_id=correlation_id,
        traceparent=None if span is None else str(span),
    )
    brokers.refuse_oversize([brokers.Message(event.TOPIC, event.key(), body)])
    if writes.waits(using, _NAME, number=_KEY, value=event.key()):
        raise transaction.TransactionManagementError(
            f"an event of {event.key()} waits outside of this savepoint"
        )
    row = (event_id, event.TOPIC, event.key(), type(event).__name__, body, now)
    insertion = writes.Write(_INSERT.format(table=table._meta.db_table), [[value] for value in row])
    writes.write(using, {_NAME: insertion}, wakes=WAKE_CHANNEL, is_event=True)
    if span is not None:
        _trace_after_commit(event, span, cause, now=now, using=using)
    return event_id


def _span(event_id: str, correlation_id: str) -> tracing.Context:
    return tracing.Context(tracing.trace_id(correlation_id), tracing.span_id("event", event_id))


def _trace_after_commit(
    event: contracts.events.Event, span: tracing.Context, cause: str, *, now: datetime, using: str
) -> None:
    def record() -> None:
        tracing.record(
            f"event {type(event).__name__}",
            span,
            parent=cause,
            start=now.timestamp(),
            end=time.time(),
            kind="producer",
            attributes={"messaging.destination.name": event.TOPIC},
        )

    transactions.after_commit(record, using=using)


def gathered(using: str) -> contextlib.AbstractContextManager[None]:
    """What is published inside is inserted at the end of the block, in order, in one statement. See `writes.together`."""
    return writes.together(using, takes_all=False)


def prune(table: type[OutboxRow], *, now: datetime) -> int:
    """Delete at most PRUNE_ROWS rows that were published more than KEEP_DAYS ago; the number deleted."""
    before = now - timedelta(days=KEEP_DAYS)
    old = table.objects.filter(created_at__lt=before, published_at__lt=before)
    deleted, _ = table.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNE_ROWS])).delete()
    return int(deleted)


def count_waiting(table: type[OutboxRow]) -> int:
    """How many messages the transport has not stored yet."""
    return int(table.objects.filter(published_at__isnull=True).count())


def oldest_seconds(table: type[OutboxRow], *, now: datetime) -> float:
    """The age in seconds of the oldest message that the transport has not stored yet; 0 without one."""
    oldest = table.objects.filter(published_at__isnull=True).aggregate(at=models.Min("created_at"))["at"]
    return float((now - oldest).total_seconds()) if oldest else 0.0
