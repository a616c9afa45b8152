"""The invariants S1, S2, S4 and S5 as far as the saga log alone tells; `manage.py verify` runs them.

All are judged on one snapshot of the database, so a saga that moves meanwhile does no harm. What other stores must
show for the same sales (orders, stock, money) is checked by those who know them: `final_sales` names the sales.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connections, transaction

from auction_project import verification
from auction_project.messaging import outbox
from sagas import definitions, engine, models

STUCK_SECONDS = 30.0
_DATABASE = "sagas"
_BATCH_ROWS = 2000
_END_EVENTS = {engine.Status.COMPLETED: "SaleSettled", engine.Status.COMPENSATED: "BidFailed"}
_TOLD_FOR = timedelta(days=outbox.KEEP_DAYS - 1)

Line = tuple[str, str, str, datetime]  # step, direction, event, finished_at
Judge = Callable[[models.Saga, Sequence[Line], Sequence[str], datetime], Iterator[str]]


def check(*, now: datetime) -> list[verification.Finding]:
    """All of them."""
    judges: Mapping[str, Judge] = {"S1": _one_end, "S2": _final, "S4": _in_order, "S5": _moves}
    violations: dict[str, list[str]] = {name: [] for name in judges}
    checked = 0
    with _snapshot():
        for saga, lines, told in _histories():
            checked += 1
            for name, judge in judges.items():
                violations[name] += [f"{saga.pk}: {text}" for text in judge(saga, lines, told, now)]
    return [verification.Finding(name, checked, tuple(found)) for name, found in violations.items()]


def final_sales() -> dict[str, str]:
    """The end of every sale that has one: COMPLETED or COMPENSATED by sale id."""
    ends = sorted(status.value for status in engine.FINAL)
    return dict(models.Saga.objects.filter(status__in=ends).values_list("sale_id", "status"))


def unfinished_sales() -> set[str]:
    """The sales that are still under way, or parked."""
    ends = sorted(status.value for status in engine.FINAL)
    return set(models.Saga.objects.exclude(status__in=ends).values_list("sale_id", flat=True))


# --- the judges ------------------------------------------------------------------------------------------------------


def _one_end(saga: models.Saga, lines: Sequence[Line], told: Sequence[str], now: datetime) -> Iterator[str]:
    """S1: every step done and nothing undone, or the compensation complete and the pivot not done; told once."""
    definition = definitions.find(saga.definition, saga.version)
    status = engine.Status(saga.status)
    if definition is None or status not in engine.FINAL:
        return
    forward = _done(lines, engine.Direction.FORWARD)
    backward = _done(lines, engine.Direction.BACKWARD)
    if status is engine.Status.COMPLETED:
        if forward != [step.name for step in definition.steps]:
            yield f"completed, but the steps done are {forward}"
        if any(direction == engine.Direction.BACKWARD for _, direction, _, _ in lines):
            yield "completed, but something was undone"
    else:
        undone = set(backward)
        missing = [
            step.name
            for step in definition.steps
            if step.compensation and step.name in forward and step.name not in undone
        ]
        if missing:
            yield f"compensated, but not undone: {missing}"
        if definition.steps[definition.pivot].name in forward:
            yield "compensated past the point of no return"
    if (
        saga.finished_at is not None
        and saga.finished_at > now - _TOLD_FOR
        and list(told) != [_END_EVENTS[status]]
    ):
        yield f"{status}, but its outbox tells {list(told)}"


def _final(saga: models.Saga, lines: Sequence[Line], told: Sequence[str], now: datetime) -> Iterator[str]:
    """S2: nothing happens after the end, and no end is told of a saga that has none."""
    if saga.status in engine.FINAL:
        if saga.finished_at is not None and any(at > saga.finished_at for *_, at in lines):
            yield f"{saga.status}, but something happened afterwards"
    elif told:
        yield f"{saga.status}, but its outbox tells {list(told)}"


def _in_order(saga: models.Saga, lines: Sequence[Line], told: Sequence[str], now: datetime) -> Iterator[str]:
    """S4: forward in the definition's order, then backward in the reverse order, never forward again."""
    definition = definitions.find(saga.definition, saga.version)
    if definition is None:
        return
    position = {step.name: index for index, step in enumerate(definition.steps)}
    forward = [position[step] for step in _done(lines, engine.Direction.FORWARD)]
    backward = [position[step] for step in _done(lines, engine.Direction.BACKWARD)]
    if forward != list(range(len(forward))):
        yield f"forward out of order: {_done(lines, engine.Direction.FORWARD)}"
    undoable = [index for index, step in enumerate(definition.steps) if step.compensation]
    start = max(backward, default=-1)
    expected = [index for index in reversed(undoable) if index <= start]
    if backward != expected[: len(backward)]:
        yield f"undone out of order: {_done(lines, engine.Direction.BACKWARD)}"
    turned = [direction for _, direction, _, _ in lines]
    if turned != sorted(turned, key=(engine.Direction.FORWARD, engine.Direction.BACKWARD).index):
        yield "went forward after it had turned"


def _moves(saga: models.Saga, lines: Sequence[Line], told: Sequence[str], now: datetime) -> Iterator[str]:
    """S5: a saga that has not ended moves, or is parked. An attempt that meets an outage is a move."""
    still = (now - saga.moved_at).total_seconds()
    if saga.status in engine.LIVE and still > STUCK_SECONDS:
        yield f"{saga.status} at step {saga.position + 1}, has not moved for {still:.0f} s"


# --- reading ---------------------------------------------------------------------------------------------------------


def _done(lines: Sequence[Line], direction: engine.Direction) -> list[str]:
    return [step for step, way, event, _ in lines if way == direction and event == engine.Outcome.DONE]


def _histories() -> Iterator[tuple[models.Saga, list[Line], list[str]]]:
    """Every saga with its timeline and the types of the events that it told, a batch at a time."""
    last = ""
    while batch := list(models.Saga.objects.filter(pk__gt=last).order_by("pk")[:_BATCH_ROWS]):
        ids = [saga.pk for saga in batch]
        last = ids[-1]
        lines: dict[str, list[Line]] = defaultdict(list)
        rows = models.SagaStep.objects.filter(saga_id__in=ids).order_by("id")
        for saga_id, *line in rows.values_list("saga_id", "step", "direction", "event", "finished_at"):
            lines[saga_id].append(tuple(line))
        told: dict[str, list[str]] = defaultdict(list)
        events = models.Outbox.objects.filter(
            event_id__in=[models.end_event_id(pk, end) for pk in ids for end in _END_EVENTS]
        )
        for key, kind in events.order_by("id").values_list("key", "type"):
            told[key].append(kind)
        yield from ((saga, lines[saga.pk], told[saga.pk]) for saga in batch)


@contextmanager
def _snapshot() -> Iterator[None]:
    with transaction.atomic(using=_DATABASE):
        if not connections[_DATABASE].savepoint_ids:  # in a test's transaction it cannot be set any more
            with connections[_DATABASE].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield
