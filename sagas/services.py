"""Keeps the saga log as a saga goes on: starts sagas, begins and ends attempts, sends again what is due.

Each function works for a group of sagas, whose transitions are stored together, and none calls a participant: that happens
between `begin_attempts` and `record_outcomes`, while no lock is held. A process may die on any line: the row then says what is due,
and `due_at` when the sweep sends it again. Never imports tasks: the dispatcher sends them by name.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import transaction

from auction_project.kernel import errors, logs
from auction_project.kernel.contracts import events
from sagas import definitions, dispatcher, engine, metrics, models, saga_log, selectors, traces, turns

SWEEP_ROWS = 500
_TURNED_FOR_BUYERS = "The sale could not be completed; everything was undone."

log = logs.get(__name__)


class Sale(msgspec.Struct, frozen=True):
    """A sale to settle, and the correlation id of the bid that made it."""

    event: events.SaleConfirmed
    correlation_id: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt under way: `saga` is the row as it was stored when the attempt began."""

    saga: models.Saga
    definition: engine.Definition
    leg: engine.Leg


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. `error` says why it is not DONE."""

    attempt: Attempt
    kind: engine.Outcome
    error: BaseException | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What follows an attempt of `saga` at once: the next attempt, which has begun, or the calls to dispatch.

    Neither when the saga waits, is parked or has ended.
    """

    saga: models.Saga
    next: Attempt | None = None
    legs: tuple[engine.Leg, ...] = ()


def start_sagas(*, sales: Sequence[Sale], now: datetime) -> int:
    """Begin to settle the sales, each at most once; how many are no repeats. After the commit, one chain goes for those
    that enter; the others wait for their turn."""
    definition = definitions.NEWEST
    transition = engine.start(definition)
    with transaction.atomic(using=saga_log.DATABASE, savepoint=False):  # a part of the consumer's
        by_id = {sale.event.sale_id: sale for sale in reversed(sales)}
        stored = set(models.Saga.objects.filter(pk__in=by_id).values_list("pk", flat=True))
        new = [
            sale for sale in sales if by_id[sale.event.sale_id] is sale and sale.event.sale_id not in stored
        ]
        entering = turns.choose(
            [(sale.event.lines[0].product_id, sale.event.user_id) for sale in new], now=now
        )
        sagas = [
            models.Saga.new(
                sale.event,
                definition,
                correlation_id=sale.correlation_id,
                now=now,
                due_at=saga_log.due_at(transition, now) if enters else now,
            )
            for sale, enters in zip(new, entering, strict=True)
        ]
        models.Saga.objects.bulk_create(sagas)
        saga_log.send_after_commit(
            (saga, transition.legs) for saga, enters in zip(sagas, entering, strict=True) if enters
        )
    metrics.STARTED.inc(len(new))
    return len(new)


def begin_attempts(*, saga_ids: Sequence[str], leg: str, worker: str, now: datetime) -> list[Attempt]:
    """Store that the calls named `leg` are under way, for those of the sagas of which they are due; their attempts.

    Do nothing about the others. A group that has room takes along sagas whose own tasks for the same call still wait: when
    the workers are busy, what has gathered goes together. Those tasks then find nothing to do.
    """
    sagas = {saga.pk: saga for saga in selectors.list_for_task(saga_ids, leg, now=now)}
    attempts = [
        attempt
        for saga_id in dict.fromkeys([*saga_ids, *sagas])
        if (attempt := _attempt_at(sagas.get(saga_id), saga_id))
    ]
    lost = [attempt for attempt in attempts if attempt.saga.has_lost_its_attempt(now)]
    record_outcomes(
        outcomes=[Outcome(attempt=attempt, kind=engine.Outcome.LOST) for attempt in lost], now=now
    )
    due = [attempt for attempt in attempts if _is_due(attempt, leg)]
    if {attempt.saga.pk for attempt in due}.isdisjoint(saga_ids):
        return []  # other tasks have taken them along
    moves = [
        saga_log.move(
            attempt.saga, engine.begin(attempt.definition, attempt.saga.state), now=now, worker=worker
        )
        for attempt in due
    ]
    moved = saga_log.store(moves, now=now)
    return [attempt for attempt in due if attempt.saga.pk in moved]


def record_outcomes(*, outcomes: Sequence[Outcome], now: datetime) -> list[Progress]:
    """Store how the attempts of a group ended, and all that follows from it; what the worker does next for each, in order.

    The outcome of an attempt that is no longer the one under way comes late: nothing is stored.
    """
    if not outcomes:
        return []
    transitions = [
        engine.record(
            outcome.attempt.definition, outcome.attempt.saga.state, outcome.kind, is_worker_free=True
        )
        for outcome in outcomes
    ]
    lines = [_line(outcome, now) for outcome in outcomes]
    moves = [
        saga_log.move(
            outcome.attempt.saga, transition, now=now, line=line, **_texts(transition, outcome.error)
        )
        for outcome, transition, line in zip(outcomes, transitions, lines, strict=True)
    ]
    moved = saga_log.store(moves, now=now)
    _let_in_followers(
        [move.saga for move in moves if move.transition.leaves_beginning and move.saga.pk in moved], now
    )
    for outcome, line in zip(outcomes, lines, strict=True):
        if line is not None and line.saga_id in moved:
            traces.record_attempt(outcome.attempt.saga, outcome.attempt.leg, line)
    return [
        _progress(outcome, transition, is_late=outcome.attempt.saga.pk not in moved)
        for outcome, transition in zip(outcomes, transitions, strict=True)
    ]


def claim_due(*, now: datetime) -> int:
    """Send again what the rows say is due, and move their `due_at` forward; the number of rows (at most 2 x SWEEP_ROWS).

    Parallel sweeps share the rows. A saga whose queue is full stays due: its task waits there, or is sent when the queue
    is shorter. Sagas before their first step come by turns. Raises when the broker is unavailable: then no row moves.
    """
    if not selectors.list_due(now).exists():  # as in most seconds; the broker need not be asked
        return 0
    full = dispatcher.full_queues(definitions.QUEUES)
    with transaction.atomic(using=saga_log.DATABASE):
        due = selectors.list_due(now, full_queues=full)
        begun = list(due.exclude(models.BEGINNING).select_for_update(skip_locked=True)[:SWEEP_ROWS])
        entering = turns.list_next(due, now=now, most=SWEEP_ROWS)
        saga_log.send_due([*begun, *entering], now=now)
    sent = len(begun) + len(entering)
    metrics.RESENT.inc(sent)
    return sent


def _let_in_followers(leaving: Sequence[models.Saga], now: datetime) -> None:
    """Send the sagas that waited for those that are past their first step now. The sweep finds them if this process dies."""
    if not leaving or not turns.have_followers(leaving, now=now):
        return
    with transaction.atomic(using=saga_log.DATABASE):
        saga_log.send_due(turns.list_followers(leaving, now=now), now=now)


def _attempt_at(saga: models.Saga | None, saga_id: str) -> Attempt | None:
    """The call at which the saga is, due or not; None for a saga that has ended or that this release does not know."""
    definition = definitions.find(saga.definition, saga.version) if saga else None
    if saga is None or definition is None:
        log.warning("saga_left_alone", saga_id=saga_id, known=saga is not None)
        return None
    if isinstance(engine.due(definition, saga.state), engine.Finished):
        return None
    return Attempt(saga=saga, definition=definition, leg=engine.current_leg(definition, saga.state))


def _is_due(attempt: Attempt, leg: str) -> bool:
    match engine.due(attempt.definition, attempt.saga.state):
        case engine.Run(due_leg) | engine.Compensate(due_leg):
            return due_leg == attempt.leg and due_leg.name == leg
    return False


def _line(outcome: Outcome, now: datetime) -> models.SagaStep | None:
    """The line of the timeline, from the row as it is before the outcome."""
    attempt = outcome.attempt
    saga = attempt.saga
    if not _is_worth_a_line(outcome.kind, saga.tries):
        return None
    return saga_log.line(
        saga,
        attempt.leg,
        saga.state,
        models.Event(outcome.kind.value),
        text=saga_log.describe(outcome.error),
        who=saga.worker,
        started_at=saga.started_at,
        now=now,
    )


def _progress(outcome: Outcome, transition: engine.Transition, *, is_late: bool) -> Progress:
    attempt = outcome.attempt
    saga, definition, leg = attempt.saga, attempt.definition, attempt.leg
    if is_late:
        log.info(
            "late_outcome", saga_id=saga.pk, step=leg.name, attempt=saga.tries, outcome=outcome.kind.value
        )
        return Progress(saga=saga)
    metrics.ATTEMPTS.labels(leg.name, outcome.kind.value).inc()
    if transition.next:
        return Progress(saga=saga, next=Attempt(saga=saga, definition=definition, leg=transition.next))
    return Progress(saga=saga, legs=transition.legs)


def _texts(transition: engine.Transition, error: BaseException | None) -> dict[str, str]:
    """What the row says of a turn (to the buyer) and of a parking (to operators)."""
    if transition.turned:
        return {
            "failure_detail": error.detail if isinstance(error, errors.DomainError) else _TURNED_FOR_BUYERS
        }
    return {"parked_detail": saga_log.describe(error)} if transition.is_parked else {}


def _is_worth_a_line(outcome: engine.Outcome, tries: int) -> bool:
    """Log outages with exponential spacing (attempts 1, 2, 4, 8 …), so that the timeline of a long outage stays short."""
    return outcome is not engine.Outcome.OUTAGE or tries & (tries - 1) == 0
