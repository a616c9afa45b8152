"""What may come twice happens once: a row that is unique by key, written in the transaction of the effect.

Keys: `event:<id>` for consumed events, `saga:<id>:<step>` for the steps of sagas (`steps` says what their states mean),
`create:<id>` for what a client creates (`first_request`), `escalated:<id>` for a request that operators were asked for.
Each PostgreSQL app has one table (`class Once(once.OnceRow)`). Rows of events are kept for KEEP_DAYS, a day longer than
an outbox can repeat one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.db import models, transaction
from psycopg.types.json import Jsonb

from auction_project.kernel import errors, writes

KEEP_DAYS: int = settings.EVENTS_KEEP_DAYS + 1
PRUNE_ROWS = 5_000
EVENT_PREFIX = "event:"


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


class Claim(NamedTuple):
    """The row of a key, locked until the transaction ends, and whether this transaction made it."""

    row: OnceRow
    is_new: bool


def claim(table: type[OnceRow], keys: Sequence[str], *, now: datetime) -> dict[str, Claim]:
    """The rows of `keys`, locked until the transaction ends; a new one is STARTED. At most two statements.

    Two callers with the same key come one after the other. Keys are taken in order, so that groups with common keys do
    not block each other for ever. Raises TransactionManagementError outside a transaction.
    """
    new = _insert(table, keys, State.STARTED, {}, now=now)
    claims = {key: Claim(_stored(table, key, now), is_new=True) for key in keys if key in new}
    there = [key for key in keys if key not in new]
    if there:
        rows = table.objects.filter(key__in=there).order_by("key").select_for_update()
        claims |= {row.key: Claim(row, is_new=False) for row in rows}
    return claims


def record(
    table: type[OnceRow],
    keys: Sequence[str],
    state: str,
    outcome: dict[str, Any] | None = None,
    *,
    now: datetime,
) -> set[str]:
    """Store that the things of `keys` have ended in `state`; those of them that had no row before. One statement.

    It is for effects in the same transaction: until that ends, another caller with one of the keys waits. Raises
    TransactionManagementError outside a transaction.
    """
    return _insert(table, keys, state, outcome or {}, now=now)


def first_request(table: type[OnceRow], created_id: str, asked: object, *, now: datetime) -> bool:
    """Whether this request is the first that creates `created_id`, an id that follows from its sender and its Idempotency-Key.

    The thing is created in the same transaction; until that ends, a repeat waits here. `asked` is what was asked for (JSON values
    and bytes). Raises KeyReused when the first request asked for something else.
    """
    key = f"create:{created_id}"
    digest = hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()
    if record(table, [key], State.DONE, {"asked": digest}, now=now):
        return True
    if table.objects.get(pk=key).outcome["asked"] != digest:
        raise errors.KeyReused
    return False


def finish(table: type[OnceRow], ends: Iterable[tuple[OnceRow, str, dict[str, Any]]]) -> None:
    """Store how the things of these locked rows ended, with their outcomes (JSON values). One statement, or a part of one (`writes`).

    Raises AlreadyFinished, and then stores none of them.
    """
    ends = list(ends)
    for row, state, _ in ends:
        if row.state != State.STARTED:
            raise AlreadyFinished(f"{row.key} is {row.state} and cannot become {state}")
    if not ends:
        return
    update = writes.Write(
        f'UPDATE "{table._meta.db_table}" AS stored SET state = ended.state, outcome = ended.outcome '  # noqa: S608 - no input in it
        "FROM unnest(%s::text[], %s::text[], %s::jsonb[]) AS ended (key, state, outcome) "
        "WHERE stored.key = ended.key",
        [
            [row.key for row, _, _ in ends],
            [str(state) for _, state, _ in ends],
            [Jsonb(outcome) for _, _, outcome in ends],
        ],
    )
    writes.write(table.objects.db, {"ends": update})
    for row, state, outcome in ends:
        row.state, row.outcome = state, outcome


def prune(table: type[OnceRow], *, now: datetime) -> int:
    """Delete rows of consumed events that are older than KEEP_DAYS, at most PRUNE_ROWS; the number deleted.

    The rows of steps stay, because an operator may undo a step at any time.
    """
    before = now - timedelta(days=KEEP_DAYS)
    old = table.objects.filter(key__startswith=EVENT_PREFIX, created_at__lt=before)
    deleted, _ = table.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNE_ROWS])).delete()
    return int(deleted)


def _insert(
    table: type[OnceRow], keys: Sequence[str], state: str, outcome: dict[str, Any], *, now: datetime
) -> set[str]:
    """Insert the rows that are not there; their keys. Waits for concurrent inserts of the same keys."""
    using = table.objects.db
    connection = transaction.get_connection(using)
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(f"once needs a transaction on {using!r}")
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table._meta.db_table}" (key, state, outcome, created_at) '  # noqa: S608 - no input in it
            "SELECT key, %s, %s, %s FROM unnest(%s::text[]) AS key "
            "ON CONFLICT (key) DO NOTHING RETURNING key",
            [str(state), Jsonb(outcome), now, sorted(set(keys))],
        )
        return {key for (key,) in cursor.fetchall()}


def _stored(table: type[OnceRow], key: str, now: datetime) -> OnceRow:
    row = table(key=key, state=State.STARTED, outcome={}, created_at=now)
    row._state.adding, row._state.db = False, table.objects.db
    return row
