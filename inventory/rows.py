"""Rows that a transaction has locked and works on in memory: what it made or changed is one write for each table (`writes`)."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from django.db import models, transaction

from auction_project.kernel import writes

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

    def write(self, *, with_keys: bool = False) -> None:
        """Insert the new rows in their order, and update those that have changed. Once. `with_keys`: the new rows get theirs, and
        so are inserted at once."""
        if with_keys:
            _insert(self._table, self.new)
        else:
            writes.insert(self._table, self.new)
        changed = [row for row, values in self._stored if self._values(row) != values]
        if changed:
            _update(self._table, self._fields, changed)

    def _values(self, row: Row) -> tuple[Any, ...]:
        return tuple(getattr(row, field.attname) for field in self._fields)


def _insert(table: type[Row], rows: Sequence[Row]) -> None:
    if not rows:
        return
    using = table.objects.db
    insertion = writes.insertion(table, rows)
    with transaction.get_connection(using).cursor() as cursor:
        cursor.execute(f'{insertion.sql} RETURNING "{table._meta.pk.column}"', insertion.columns)
        for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = key
            row._state.adding, row._state.db = False, using


def _update(table: type[Row], fields: Sequence[Any], rows: Sequence[Row]) -> None:
    key = table._meta.pk
    using = table.objects.db
    names = ", ".join(f'"{field.column}"' for field in (key, *fields))
    changes = ", ".join(f'"{field.column}" = changed."{field.column}"' for field in fields)
    update = writes.Write(
        f'UPDATE "{table._meta.db_table}" AS stored SET {changes} '  # noqa: S608 - no input in it
        f"FROM unnest({writes.arrays((key, *fields), using)}) AS changed ({names}) "
        f'WHERE stored."{key.column}" = changed."{key.column}"',
        [writes.column(field, rows, using) for field in (key, *fields)],
    )
    writes.write(using, {f"changed_{table._meta.db_table}": update})
