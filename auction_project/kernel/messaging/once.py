"""What may come twice happens once: a row that is unique by key, written in the transaction of the effect.

Keys: `event:<id>` for consumed events, `saga:<id>:<step>` for the steps of sagas (`steps` says what their states mean).
Each PostgreSQL app has one table (`class Once(once.OnceRow)`). Rows of events are kept for KEEP_DAYS, a day longer than
an outbox can repeat one.
"""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import models, transaction

KEEP_DAYS: int = settings.EVENTS_KEEP_DAYS + 1
PRUNE_ROWS = 5_000
EVENT_PREFIX = "event:"

_Row = TypeVar("_Row", bound="OnceRow")


class State(models.TextChoices):
    STARTED = "STARTED"
    DONE = "DONE"
    REFUSED = "REFUSED"
    VOID = "VOID"


class AlreadyFinished(RuntimeError):
    """An outcome is stored already. It stays, because a caller may have acted on it."""


class OnceRow(models.Model):
    """One thing that happens at most once, with its stored outcome. Only what is STARTED can be finished."""

    key = models.CharField(max_length=200, primary_key=True)
    state = models.CharField(max_length=10, choices=State.choices)
    outcome = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key} {self.state}"

    def finish(self, state: str, outcome: dict[str, Any] | None = None) -> None:
        """Store the outcome (JSON values). Raises AlreadyFinished."""
        if self.state != State.STARTED:
            raise AlreadyFinished(f"{self.key} is {self.state} and cannot become {state}")
        self.state = state
        self.outcome = outcome or {}
        self.save(update_fields=["state", "outcome"])


def claim(table: type[_Row], key: str, *, now: datetime) -> tuple[_Row, bool]:
    """The row of `key`, locked until the transaction ends, and whether it is new; a new one is STARTED.

    Two callers with the same key come one after the other. Raises TransactionManagementError outside a transaction.
    """
    using = table.objects.db
    if not transaction.get_connection(using).in_atomic_block:
        raise transaction.TransactionManagementError(f"once.claim needs a transaction on {using!r}")
    row = table(key=key, state=State.STARTED, outcome={}, created_at=now)
    if _insert_unless_there(row, using):
        row._state.adding, row._state.db = False, using
        return row, True
    return table.objects.select_for_update().get(key=key), False


def prune(table: type[OnceRow], *, now: datetime) -> int:
    """Delete rows of consumed events that are older than KEEP_DAYS, at most PRUNE_ROWS; the number deleted.

    The rows of steps stay, because an operator may undo a step at any time.
    """
    before = now - timedelta(days=KEEP_DAYS)
    old = table.objects.filter(key__startswith=EVENT_PREFIX, created_at__lt=before)
    deleted, _ = table.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNE_ROWS])).delete()
    return int(deleted)


def _insert_unless_there(row: OnceRow, using: str) -> bool:
    """Whether `row` was inserted. Waits for a concurrent insert of the same key."""
    with transaction.get_connection(using).cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{row._meta.db_table}" (key, state, outcome, created_at) '  # noqa: S608 - no input in it
            "VALUES (%s, %s, '{}'::jsonb, %s) ON CONFLICT (key) DO NOTHING",
            [row.key, row.state, row.created_at],
        )
        return bool(cursor.rowcount)
