"""The invariants S1, S2, S4 and S5, as far as the saga log alone shows them; `manage.py verify` runs them.

All are checked on one snapshot of the database, so that a saga may move meanwhile, and by the order of the timeline's ids,
because the clocks of two workers may differ. `auction_project.verification` checks what other stores must show for the
same sales (orders, stock, money).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connections, transaction

from auction_project.kernel import findings
from auction_project.kernel.messaging import outbox
from sagas import definitions, engine, models, turns

STUCK_SECONDS = 30.0
_DATABASE = "sagas"
_BATCH_ROWS = 2000
_END_EVENTS = {engine.Status.COMPLETED: "SaleSettled", engine.Status.COMPENSATED: "BidFailed"}
_EVENTS_KEPT_FOR = timedelta(days=outbox.KEEP_DAYS - 1)

Line = tuple[str, str, str]  # step, direction, event
Checker = Callable[[models.Saga, Sequence[Line], Sequence[str], datetime], Iterator[str]]


def check(*, now: datetime) -> list[findings.Finding]:
    """One finding for each invariant."""
    checkers: Mapping[str, Checker] = {"S1": _one_end, "S2": _final, "S4": _in_order, "S5": _moves}
    violations: dict[str, list[str]] = {name: [] for name in checkers}
    checked = 0
    with _snapshot():
        for saga, lines, published in _histories():
            checked += 1
            for name, checker in checkers.items():
                violations[name] += [f"{saga.pk}: {text}" for text in checker(saga, lines, published, now)]
    return [findings.Finding(name, checked, tuple(texts)) for name, texts in violations.items()]


# --- the checkers ----------------------------------------------------------------------------------------------------


def _one_end(
    saga: models.Saga, lines: Sequence[Line], published: Sequence[str], now: datetime
) -> Iterator[str]:
    """S1: every step done and none undone, or the compensation complete and the pivot not done; its end published once."""
    definition = definitions.find(saga.definition, saga.version)
    status = engine.Status(saga.status)
    if definition is None or status not in engine.FINAL:
        return
    forward = _done(lines, engine.Direction.FORWARD)
    backward = _done(lines, engine.Direction.BACKWARD)
    if status is engine.Status.COMPLETED:
        if forward != [step.name for step in definition.steps]:
            yield f"completed, but the steps done are {forward}"
        if any(direction == engine.Direction.BACKWARD for _, direction, _ in lines):
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
        and saga.finished_at > now - _EVENTS_KEPT_FOR
        and list(published) != [_END_EVENTS[status]]
    ):
        yield f"{status}, but its outbox tells {list(published)}"


def _final(
    saga: models.Saga, lines: Sequence[Line], published: Sequence[str], now: datetime
) -> Iterator[str]:
    """S2: nothing happens after the end, and no end is published of a saga that has not ended."""
    if saga.status not in engine.FINAL:
        if published:
            yield f"{saga.status}, but its outbox tells {list(published)}"
        return
    ends = [
        number for number, line in enumerate(lines, 1) if line[1:] == (saga.direction, engine.Outcome.DONE)
    ]
    if ends and ends[-1] < len(lines):
        yield f"{saga.status}, but something happened afterwards"


def _in_order(
    saga: models.Saga, lines: Sequence[Line], published: Sequence[str], now: datetime
) -> Iterator[str]:
    """S4: forward in the definition's order, then backward in reverse order from the step that was due at the turn (its
    compensation leaves the tombstone that a late step meets), never forward again."""
    definition = definitions.find(saga.definition, saga.version)
    if definition is None:
        return
    position = {step.name: index for index, step in enumerate(definition.steps)}
    forward = _done(lines, engine.Direction.FORWARD)
    backward = _done(lines, engine.Direction.BACKWARD)
    if forward != [step.name for step in definition.steps[: len(forward)]]:
        yield f"forward out of order: {forward}"
    if saga.direction == engine.Direction.BACKWARD:
        due = [step for step, way, _ in lines if way == engine.Direction.FORWARD][-1:]
        until = position.get(due[0], len(position)) if due else -1
        expected = [step.name for step in reversed(definition.steps[: until + 1]) if step.compensation]
        if backward != (expected if saga.status == engine.Status.COMPENSATED else expected[: len(backward)]):
            yield f"undone out of order: {backward}, not {expected}"
    directions = [direction for _, direction, _ in lines]
    if directions != sorted(directions, key=(engine.Direction.FORWARD, engine.Direction.BACKWARD).index):
        yield "went forward after it had turned"


def _moves(
    saga: models.Saga, lines: Sequence[Line], published: Sequence[str], now: datetime
) -> Iterator[str]:
    """S5: a saga that has not ended moves, or is parked. An attempt that meets an outage is a move. For a saga that waits for
    its turn, a move of a saga before it counts."""
    still = (now - saga.moved_at).total_seconds()
    if saga.status not in engine.LIVE or still <= STUCK_SECONDS:
        return
    if not turns.is_moving(saga, since=now - timedelta(seconds=STUCK_SECONDS)):
        yield f"{saga.status} at step {saga.position + 1}, has not moved for {still:.0f} s"


# --- reading ---------------------------------------------------------------------------------------------------------


def _done(lines: Sequence[Line], direction: engine.Direction) -> list[str]:
    return [step for step, way, event in lines if way == direction and event == engine.Outcome.DONE]


def _histories() -> Iterator[tuple[models.Saga, list[Line], list[str]]]:
    """Every saga with its timeline and the types of the events that it published, read in batches."""
    last = ""
    while batch := list(models.Saga.objects.filter(pk__gt=last).order_by("pk")[:_BATCH_ROWS]):
        ids = [saga.pk for saga in batch]
        last = ids[-1]
        lines: dict[str, list[Line]] = defaultdict(list)
        rows = models.SagaStep.objects.filter(saga_id__in=ids).order_by("id")
        for saga_id, *line in rows.values_list("saga_id", "step", "direction", "event"):
            lines[saga_id].append(tuple(line))
        published: dict[str, list[str]] = defaultdict(list)
        events = models.Outbox.objects.filter(
            event_id__in=[models.end_event_id(pk, end) for pk in ids for end in _END_EVENTS]
        )
        for key, kind in events.order_by("id").values_list("key", "type"):
            published[key].append(kind)
        yield from ((saga, lines[saga.pk], published[saga.pk]) for saga in batch)


@contextmanager
def _snapshot() -> Iterator[None]:
    with transaction.atomic(using=_DATABASE):
        if not connections[_DATABASE].savepoint_ids:  # in a test's transaction it is too late to set it
            with connections[_DATABASE].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield
