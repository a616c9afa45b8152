"""Writes that wait for the end of their transaction and go in one statement.

Each statement is a round trip, and a step of a sale writes many tables. A write is an INSERT or an UPDATE whose values come as
columns, which PostgreSQL unnests: it has one form for any number of rows. Inside `together` it waits, and what has gathered goes as one
statement, a CTE each. So what is written is not read again in its transaction, and no row is written twice. Foreign keys between the
rows are checked at the commit.
"""

import contextlib
import contextvars
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from django.db import models, transaction


class Write(msgspec.Struct):
    """`sql` takes `columns`, one array each. Writes of one name in a transaction have the same `sql`."""

    sql: str
    columns: Sequence[list[Any]]


class _Gathering(msgspec.Struct):
    """What waits on the database `using`, by name; `depth` counts its savepoints. `takes_all`: not only events wait."""

    using: str
    depth: int
    takes_all: bool
    waiting: dict[str, Write] = {}
    channels: set[str] = set()


_gathering: contextvars.ContextVar[_Gathering | None] = contextvars.ContextVar("gathering", default=None)


def write(using: str, writes: Mapping[str, Write], *, wakes: str = "", is_event: bool = False) -> None:
    """Write now, or at the end of the block that gathers; one of `writes` may refer to those before it.

    The commit notifies the channel `wakes`. What is written in a savepoint never waits, because a rollback must take it along.
    """
    gathering = _open(using)
    channels = {wakes} - {""}
    if gathering is None or not (gathering.takes_all or is_event):
        _execute(using, writes, channels)
        return
    gathering.channels |= channels
    for name, each in writes.items():
        present = gathering.waiting.setdefault(name, Write(each.sql, [[] for _ in each.columns]))
        for column, more in zip(present.columns, each.columns, strict=True):
            column.extend(more)


def insert(table: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert `rows` in their order, with growing keys, which the rows do not get. See `write`."""
    if rows:
        write(table._default_manager.db, {f"new_{table._meta.db_table}": insertion(table, rows)})


def insertion(table: type[models.Model], rows: Sequence[models.Model]) -> Write:
    """The INSERT of `rows` in their order; a key that the database makes is left out."""
    fields = [field for field in table._meta.concrete_fields if not isinstance(field, models.AutoField)]
    names = ", ".join(f'"{field.column}"' for field in fields)
    using = table._default_manager.db
    return Write(
        f'INSERT INTO "{table._meta.db_table}" ({names}) SELECT {names} '  # noqa: S608 - no input in it
        f"FROM unnest({arrays(fields, using)}) WITH ORDINALITY AS new ({names}, number) "
        "ORDER BY number",
        [column(field, rows, using) for field in fields],
    )


def arrays(fields: Iterable[Any], using: str) -> str:
    """The placeholders of these columns. Texts have no length here: a cast would cut what is too long, and the column refuses it."""
    connection = transaction.get_connection(using)
    kinds = (field.db_type(connection) for field in fields)
    return ", ".join(f"%s::{'text' if kind.startswith('varchar') else kind}[]" for kind in kinds)


def column(field: Any, rows: Iterable[models.Model], using: str) -> list[Any]:
    """The values of the field."""
    connection = transaction.get_connection(using)
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for row in rows]


def waits(using: str, name: str, *, number: int, value: Any) -> bool:
    """Whether a write of this name with this value in column `number` waits outside of the savepoint that is open."""
    gathering = _gathering.get()
    if gathering is None or gathering.using != using or _open(using) is not None:
        return False
    present = gathering.waiting.get(name)
    return present is not None and value in present.columns[number]


@contextlib.contextmanager
def together(using: str, *, takes_all: bool = True) -> Iterator[None]:
    """What is written inside goes at the end of the block, in one statement; only events without `takes_all`.

    The block is the last thing in a transaction on `using`; a block inside another one is part of that. Raises
    TransactionManagementError outside a transaction.
    """
    connection = transaction.get_connection(using)
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(f"writes.together needs a transaction on {using!r}")
    outer = _gathering.get()
    if outer is not None and outer.using == using:
        yield
        return
    gathering = _Gathering(using, len(connection.savepoint_ids), takes_all)
    token = _gathering.set(gathering)
    try:
        yield
        _execute(using, gathering.waiting, gathering.channels)
    finally:
        _gathering.reset(token)


def _open(using: str) -> _Gathering | None:
    """What gathers writes on this database here."""
    gathering = _gathering.get()
    if gathering is None or gathering.using != using:
        return None
    return gathering if len(transaction.get_connection(using).savepoint_ids) == gathering.depth else None


def _execute(using: str, writes: Mapping[str, Write], channels: set[str]) -> None:
    if not writes:
        return
    ctes = ", ".join(f'"{name}" AS ({each.sql})' for name, each in writes.items())
    notified = ", ".join(["pg_notify(%s, '')"] * len(channels)) or "1"
    values = [values for each in writes.values() for values in each.columns]
    with transaction.get_connection(using).cursor() as cursor:
        cursor.execute(f"WITH {ctes} SELECT {notified}", [*values, *sorted(channels)])
