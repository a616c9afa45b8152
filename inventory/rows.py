"""Rows that a transaction has locked and works on in memory: what it made or changed is stored by one statement each.

The values go as arrays that PostgreSQL unnests, so that a statement has one form for any number of rows.
"""

import enum
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from django.db import models, transaction

Row = TypeVar("Row", bound=models.Model)


class Rows(Generic[Row]):
    """Rows of one table; `new` ones are to be inserted. `fields` are those that may change; `write` stores them."""

    def __init__(self, table: type[Row], *fields: str) -> None:
        self._table = table
        self._fields = [table._meta.get_field(name) for name in fields]
        self._stored: list[tuple[Row, tuple[Any, ...]]] = []
        self.new: list[Row] = []

    def load(self, locked: Iterable[Row]) -> list[Row]:
        """Keep these rows, which no other transaction can change."""
        rows = list(locked)
        self._stored += [(row, self._values(row)) for row in rows]
        return rows

    def add(self, row: Row) -> Row:
        """Keep a row that is to be inserted."""
        self.new.append(row)
        return row

    def write(self) -> None:
        """Insert the new rows in their order, with growing keys, and update those that have changed. Once."""
        insert(self._table, self.new)
        changed = [row for row, values in self._stored if self._values(row) != values]
        if changed:
            _update(self._table, self._fields, changed)

    def _values(self, row: Row) -> tuple[Any, ...]:
        return tuple(getattr(row, field.attname) for field in self._fields)


def insert(table: type[Row], rows: Sequence[Row]) -> None:
    """Insert `rows` in their order, in one statement; each gets its key."""
    if not rows:
        return
    fields = [field for field in table._meta.concrete_fields if not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in fields)
    using = table.objects.db
    with transaction.get_connection(using).cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table._meta.db_table}" ({names}) SELECT {names} '  # noqa: S608 - no input in it
            f"FROM unnest({_arrays(fields, using)}) WITH ORDINALITY AS new ({names}, number) ORDER BY number "
            f'RETURNING "{table._meta.pk.column}"',
            [_column(field, rows) for field in fields],
        )
        for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = key
            row._state.adding, row._state.db = False, using


def _update(table: type[Row], fields: Sequence[Any], rows: Sequence[Row]) -> None:
    key = table._meta.pk
    using = table.objects.db
    names = ", ".join(f'"{field.column}"' for field in (key, *fields))
    changes = ", ".join(f'"{field.column}" = changed."{field.column}"' for field in fields)
    with transaction.get_connection(using).cursor() as cursor:
        cursor.execute(
            f'UPDATE "{table._meta.db_table}" AS stored SET {changes} '  # noqa: S608 - no input in it
            f"FROM unnest({_arrays((key, *fields), using)}) AS changed ({names}) "
            f'WHERE stored."{key.column}" = changed."{key.column}"',
            [_column(field, rows) for field in (key, *fields)],
        )


def _arrays(fields: Iterable[Any], using: str) -> str:
    """Texts have no length here: a cast would cut what is too long, and the column refuses it."""
    connection = transaction.get_connection(using)
    kinds = (field.db_type(connection) for field in fields)
    return ", ".join(f"%s::{'text' if kind.startswith('varchar') else kind}[]" for kind in kinds)


def _column(field: Any, rows: Sequence[Row]) -> list[Any]:
    values = (getattr(row, field.attname) for row in rows)
    return [value.value if isinstance(value, enum.Enum) else value for value in values]
