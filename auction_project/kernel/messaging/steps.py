"""A step of a saga: it happens once by its key, it can be undone once, and a repeat gets its stored answer.

A step is a row of the app's `once` table, written in the transaction of its effect:

    STARTED   begun, and to be decided by a later transaction
    DONE      it happened; the row holds its result
    REFUSED   a rule said no; the row holds the refusal, and every repeat raises it again
    VOID      it was undone before it happened: a tombstone, so that the step is refused when it comes late

An undoing has a row of its own, `undo_key(key)`. The step's row stays DONE then, but a repeat of the step raises Voided
from the moment that its undoing has begun. Callers with the same key come one after the other.

All of this happens in groups (`groups`): a service takes a sequence of requests and returns one outcome for each.

Results are frozen structs. They are stored as JSON and read back as the same type, so a field may be added with a
default, and never be renamed.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from django.db import transaction

from auction_project.kernel import errors, logs, writes
from auction_project.kernel.messaging import groups, once

_UNDO_SUFFIX = ":undo"


class Voided(errors.Refused):
    """The step was undone, so it may not happen any more."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a saga wants of a participant: a service's request adds its figures.

    `key` names the step. `correlation_id` goes into the events and log lines that follow from it, and so does `span_id`, the
    attempt's (empty where the trace is not kept).
    """

    key: str
    correlation_id: str
    span_id: str = ""

    def bound(self) -> contextlib.AbstractContextManager[None]:
        """Events and log lines inside carry the correlation id and the span."""
        return logs.bound(correlation_id=self.correlation_id, span_id=self.span_id)


AnyRequest = TypeVar("AnyRequest", bound=Request)
Result = TypeVar("Result", bound=msgspec.Struct)


class Step(msgspec.Struct, frozen=True):
    """A step's row, locked until the transaction ends. `is_new`: no call began the step before this one."""

    row: once.OnceRow
    is_new: bool

    @property
    def is_open(self) -> bool:
        """Whether the step is still to be decided: finished, refused or made void."""
        return bool(self.row.state == once.State.STARTED)


class Steps:
    """The steps that have their rows in `table`; `refusals` are the classes of the refusals that end one for good."""

    def __init__(self, table: type[once.OnceRow], refusals: Iterable[type[errors.Refused]] = ()) -> None:
        self._table = table
        self._refusals = {kind.code: kind for kind in refusals}

    def perform(
        self,
        requests: Sequence[AnyRequest],
        effect: Callable[[Sequence[AnyRequest]], Sequence[Result | errors.Refused]],
        kind: type[Result],
        *,
        now: datetime,
    ) -> list[Result | Exception]:
        """Do the steps in one transaction by `effect`, which gets the new ones; the outcome of each request, in order.

        `effect` returns a result or a refusal for each. A refusal that it returns keeps what it wrote. Any error that it
        raises rolls the group back, and then each member is tried alone; a refusal that it raises for a member alone rolls
        back what it wrote. Both refusals are stored, and are the outcome now and at every repeat. Any other error leaves
        nothing, and the key is free again.

        An outcome is the result, or the refusal, Voided, what `effect` raised, or errors.Unavailable while a step that
        was begun is open. Raises what is an outage. The keys differ.
        """
        return groups.together(requests, lambda members: self._perform(members, effect, kind, now))

    def undo(
        self,
        requests: Sequence[AnyRequest],
        effect: Callable[[Sequence[AnyRequest]], Sequence[Result]],
        kind: type[Result],
        *,
        now: datetime,
    ) -> list[Result | Exception | None]:
        """Undo the steps in one transaction by `effect`, which gets those that have happened and are not undone yet; the
        outcome of each request, in order: the effect's result, or None where there was nothing to undo.

        A step that has not happened is void from now on. What an open step has already done outside the database is not
        undone here. A refusal of `effect` is an outcome like any other error: nothing is stored, and the caller may try
        the undoing again. Raises what is an outage. The keys differ.
        """
        return groups.together(requests, lambda members: self._undo(members, effect, kind, now))

    def begin(self, keys: Sequence[str], *, now: datetime) -> dict[str, Step]:
        """The steps by key, locked; open when new. A step that is decided later commits so, and is locked again then.

        Raises TransactionManagementError outside a transaction.
        """
        return {key: Step(*claim) for key, claim in once.claim(self._table, keys, now=now).items()}

    def lock(self, keys: Sequence[str]) -> dict[str, Step]:
        """The steps that were begun before, locked, by key. Raises KeyError when one was not."""
        rows = self._table.objects.filter(pk__in=keys).order_by("pk").select_for_update()
        steps = {row.pk: Step(row, is_new=False) for row in rows}
        return {key: steps[key] for key in keys}

    def decide(self, ends: Iterable[tuple[Step, msgspec.Struct | errors.Refused | None]]) -> None:
        """Store how these open steps ended: with a result, with a refusal, or void (None).

        Raises once.AlreadyFinished.
        """
        once.finish(self._table, [(step.row, *_stored(end)) for step, end in ends])

    def answers(self, keys: Sequence[str], kind: type[Result]) -> list[Result | Exception]:
        """The stored outcomes of steps that were begun before, in order.

        An outcome is the result, or the refusal, Voided, or errors.Unavailable while the step is not decided. Raises
        KeyError when one was never begun.
        """
        rows = self._table.objects.in_bulk([*keys, *map(undo_key, keys)])
        return [self._outcome(rows[key], kind, is_undone=undo_key(key) in rows) for key in keys]

    def _perform(
        self,
        members: Sequence[AnyRequest],
        effect: Callable[[Sequence[AnyRequest]], Sequence[Result | errors.Refused]],
        kind: type[Result],
        now: datetime,
    ) -> list[Result | Exception]:
        keys = [member.key for member in members]
        try:
            with self._transaction():
                steps = self.begin(keys, now=now)
                new = [member for member in members if steps[member.key].is_new]
                outcomes = effect(new) if new else []
                self.decide(
                    (steps[member.key], outcome) for member, outcome in zip(new, outcomes, strict=True)
                )
        except errors.Refused as refusal:
            if len(members) > 1:
                raise
            steps = self._store_refusal(keys[0], refusal, now=now)
        undone = self._undone([key for key in keys if not steps[key].is_new])
        return [self._outcome(steps[key].row, kind, is_undone=key in undone) for key in keys]

    def _undo(
        self,
        members: Sequence[AnyRequest],
        effect: Callable[[Sequence[AnyRequest]], Sequence[Result]],
        kind: type[Result],
        now: datetime,
    ) -> list[Result | Exception | None]:
        with self._transaction():
            steps = self.begin([member.key for member in members], now=now)
            self.decide((step, None) for step in steps.values() if step.is_open)
            done = [member for member in members if steps[member.key].row.state == once.State.DONE]
            undoings = self.begin([undo_key(member.key) for member in done], now=now) if done else {}
            due = [member for member in done if undoings[undo_key(member.key)].is_open]
            results = effect(due) if due else []
            self.decide(
                (undoings[undo_key(member.key)], result) for member, result in zip(due, results, strict=True)
            )
        rows = [undoings.get(undo_key(member.key)) for member in members]
        return [None if undoing is None else msgspec.convert(undoing.row.outcome, kind) for undoing in rows]

    def _outcome(self, row: once.OnceRow, kind: type[Result], *, is_undone: bool) -> Result | Exception:
        if row.state == once.State.REFUSED:
            refusal = self._refusals[row.outcome["code"]]
            return refusal(row.outcome["detail"], **row.outcome.get("figures", {}))
        if row.state == once.State.VOID or is_undone:
            return Voided()
        if row.state == once.State.STARTED:
            return errors.Unavailable("This is not decided yet.")
        return msgspec.convert(row.outcome, kind)

    def _undone(self, keys: Sequence[str]) -> set[str]:
        """Those of the steps whose undoing has begun."""
        if not keys:
            return set()
        by_undo_key = {undo_key(key): key for key in keys}
        rows = self._table.objects.filter(pk__in=by_undo_key).values_list("pk", flat=True)
        return {by_undo_key[pk] for pk in rows}

    def _store_refusal(self, key: str, refusal: errors.Refused, *, now: datetime) -> dict[str, Step]:
        """Store the refusal of an effect that was rolled back, unless another caller has decided the step meanwhile."""
        with self._transaction():
            steps = self.begin([key], now=now)
            self.decide((step, refusal) for step in steps.values() if step.is_new)
            return steps

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        using = self._table.objects.db
        with transaction.atomic(using=using), writes.together(using):
            yield


def undo_key(key: str) -> str:
    """The key of the undoing of the step `key`."""
    return key + _UNDO_SUFFIX


def _stored(end: msgspec.Struct | errors.Refused | None) -> tuple[str, dict[str, Any]]:
    """The state and the outcome of a row."""
    if end is None:
        return once.State.VOID, {}
    if isinstance(end, errors.Refused):
        return once.State.REFUSED, {"code": end.code, "detail": end.detail, "figures": end.figures}
    return once.State.DONE, msgspec.to_builtins(end)
