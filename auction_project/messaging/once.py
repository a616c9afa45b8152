"""What may be asked twice goes through here: a row unique by key, written in the transaction of the effect.

Keys: `event:<id>` for consumed events, `saga:<id>:<step>` for steps of sagas. A row is `started` (an intent that
precedes a call to the outside), `done`, `refused`, or `void` (the tombstone that a compensation leaves, so that a step
that comes late is refused). Each PostgreSQL app has one table (`class Once(once.OnceRow)`). Kept for KEEP_DAYS.
"""

from datetime import datetime
from typing import Any, TypeVar

from django.db import models, transaction

KEEP_DAYS = 8

_Row = TypeVar("_Row", bound="OnceRow")


class State(models.TextChoices):
    STARTED = "STARTED"
    DONE = "DONE"
    REFUSED = "REFUSED"
    VOID = "VOID"


class OnceRow(models.Model):
    """One thing that happens at most once, with its stored outcome."""

    key = models.CharField(max_length=200, primary_key=True)
    state = models.CharField(max_length=10, choices=State.choices)
    outcome = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key} {self.state}"

    def finish(self, state: State, outcome: dict[str, Any] | None = None) -> None:
        self.state = state
        self.outcome = outcome or {}
        self.save(update_fields=["state", "outcome"])


def claim(table: type[_Row], key: str, *, now: datetime) -> tuple[_Row, bool]:
    """The row of `key`, locked until the transaction ends, and whether it is new (then it is `started`).

    Two callers with one key come one after the other. Raises TransactionManagementError outside a transaction.
    """
    using = table.objects.db
    if not transaction.get_connection(using).in_atomic_block:
        raise transaction.TransactionManagementError(f"once.claim needs a transaction on {using!r}")
    fresh = table(key=key, state=State.STARTED, outcome={}, created_at=now)
    created = bool(_insert_ignoring_conflict(table, fresh, using))
    return table.objects.select_for_update().get(key=key), created


def _insert_ignoring_conflict(table: type[_Row], row: _Row, using: str) -> int:
    """1 when `row` was inserted, 0 when its key was there. Waits for a concurrent insert of the same key."""
    with transaction.get_connection(using).cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table._meta.db_table}" (key, state, outcome, created_at) '  # noqa: S608 - no input in it
            "VALUES (%s, %s, '{}'::jsonb, %s) ON CONFLICT (key) DO NOTHING",
            [row.key, row.state, row.created_at],
        )
        return int(cursor.rowcount)
