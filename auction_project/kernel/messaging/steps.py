"""A step of a saga: it happens once by its key, it can be undone once, and a repeat gets its stored answer.

A step is a row of the app's `once` table, written in the transaction of its effect:

    STARTED   begun, and to be decided by a later transaction
    DONE      it happened; the row holds its result
    REFUSED   a rule said no; the row holds the refusal, and every repeat raises it again
    VOID      it was undone before it happened: a tombstone, so that the step is refused when it comes late

An undoing has a row of its own, `undo_key(key)`. The step's row stays DONE then, but a repeat of the step raises Voided
from the moment that its undoing has begun. Callers with the same key come one after the other.

Results are frozen structs. They are stored as JSON and read back as the same type, so a field may be added with a
default, and never be renamed.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

import msgspec
from django.db import transaction

from auction_project.kernel import errors
from auction_project.kernel.messaging import once

_UNDO_SUFFIX = ":undo"

Result = TypeVar("Result", bound=msgspec.Struct)


class Voided(errors.Refused):
    """The step was undone, so it may not happen any more."""


class Step(msgspec.Struct, frozen=True):
    """A step's row, locked until the transaction ends. `is_new`: no call began the step before this one."""

    row: once.OnceRow
    is_new: bool

    @property
    def is_open(self) -> bool:
        """Whether the step is still to be decided: finished, refused or made void."""
        return self.row.state == once.State.STARTED

    def finish(self, result: msgspec.Struct) -> None:
        """The step happened. Raises once.AlreadyFinished."""
        self.row.finish(once.State.DONE, msgspec.to_builtins(result))

    def refuse(self, refusal: errors.Refused) -> None:
        """A rule said no. Raises once.AlreadyFinished."""
        answer = {"code": refusal.code, "detail": refusal.detail, "figures": refusal.figures}
        self.row.finish(once.State.REFUSED, answer)

    def void(self) -> None:
        """The step was undone before it happened. Raises once.AlreadyFinished."""
        self.row.finish(once.State.VOID)


class Steps:
    """The steps that have their rows in `table`; `refusals` are the classes of the refusals that end one for good."""

    def __init__(self, table: type[once.OnceRow], refusals: Iterable[type[errors.Refused]] = ()) -> None:
        self._table = table
        self._refusals = {kind.code: kind for kind in refusals}

    def perform(
        self,
        key: str,
        effect: Callable[[], Result | errors.Refused],
        kind: type[Result],
        *,
        now: datetime,
    ) -> Result:
        """Do the step in one transaction by `effect`, which runs once; its result.

        A refusal (errors.Refused) that `effect` raises rolls back what it wrote; a refusal that it returns keeps that.
        Both are stored, and raised now and at every repeat. Any other error leaves nothing, and the key is free again.

        Raises the refusal, Voided, what `effect` raises, and errors.Unavailable while a step that was begun is open.
        """
        try:
            with self._transaction():
                step = self.begin(key, now=now)
                if step.is_new:
                    outcome = effect()
                    if isinstance(outcome, errors.Refused):
                        step.refuse(outcome)
                    else:
                        step.finish(outcome)
        except errors.Refused as refusal:
            step = self._store_refusal(key, refusal, now=now)
        is_undone = not step.is_new and self._table.objects.filter(pk=undo_key(key)).exists()
        return self._result(step.row, kind, is_undone=is_undone)

    def undo(
        self, key: str, effect: Callable[[], Result], kind: type[Result], *, now: datetime
    ) -> Result | None:
        """Undo the step in one transaction by `effect`, which runs once; its result, or None when there is no effect.

        A step that has not happened is void from now on. What an open step has already done outside the database is not
        undone here. A refusal of `effect` is raised like any other error: nothing is stored, and the caller may try the
        undoing again.
        """
        with self._transaction():
            step = self.begin(key, now=now)
            if step.is_open:
                step.void()
            if step.row.state != once.State.DONE:
                return None
            undoing = self.begin(undo_key(key), now=now)
            if undoing.is_open:
                undoing.finish(effect())
            return msgspec.convert(undoing.row.outcome, kind)

    def begin(self, key: str, *, now: datetime) -> Step:
        """The step, locked; open when it is new. A step that is decided later commits so, and is locked again then.

        Raises TransactionManagementError outside a transaction.
        """
        row, is_new = once.claim(self._table, key, now=now)
        return Step(row, is_new)

    def lock(self, key: str) -> Step:
        """The step that was begun before, locked. Raises the table's DoesNotExist."""
        return Step(self._table.objects.select_for_update().get(pk=key), is_new=False)

    def answer(self, key: str, kind: type[Result]) -> Result:
        """The stored result of a step that was begun before.

        Raises its refusal, Voided, errors.Unavailable while it is not decided, KeyError when it was never begun.
        """
        rows = self._table.objects.in_bulk([key, undo_key(key)])
        return self._result(rows[key], kind, is_undone=undo_key(key) in rows)

    def _result(self, row: once.OnceRow, kind: type[Result], *, is_undone: bool) -> Result:
        if row.state == once.State.REFUSED:
            refusal = self._refusals[row.outcome["code"]]
            raise refusal(row.outcome["detail"], **row.outcome.get("figures", {}))
        if row.state == once.State.VOID or is_undone:
            raise Voided
        if row.state == once.State.STARTED:
            raise errors.Unavailable("This is not decided yet.")
        return msgspec.convert(row.outcome, kind)

    def _store_refusal(self, key: str, refusal: errors.Refused, *, now: datetime) -> Step:
        """Store the refusal of an effect that was rolled back, unless another caller has decided the step meanwhile."""
        with self._transaction():
            step = self.begin(key, now=now)
            if step.is_new:
                step.refuse(refusal)
            return step

    def _transaction(self) -> transaction.Atomic:
        return transaction.atomic(using=self._table.objects.db)


def undo_key(key: str) -> str:
    """The key of the undoing of the step `key`."""
    return key + _UNDO_SUFFIX
