"""Keeps the saga log as a saga goes on: starts sagas, begins and ends attempts, sends again what is due.

Each function is one transaction on the database `sagas`, and none calls a participant: that happens between
`begin_attempt` and `record_outcome`, while no lock is held. A process may die on any line: the row then says what is due,
and `due_at` when the sweep sends it again. Never imports tasks: the dispatcher sends them by name.
"""

from datetime import datetime

import msgspec
from django.db import transaction

from auction_project.kernel import errors, logs
from auction_project.kernel.contracts import events
from sagas import definitions, dispatcher, engine, metrics, models, saga_log, selectors, turns

SWEEP_ROWS = 500
_TURNED_FOR_BUYERS = "The sale could not be completed; everything was undone."

log = logs.get(__name__)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt under way: `saga` is the row as it was stored when the attempt began."""

    saga: models.Saga
    definition: engine.Definition
    leg: engine.Leg


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What follows an attempt at once: the next attempt, which has begun, or the calls to dispatch.

    Neither when the saga waits, is parked or has ended.
    """

    next: Attempt | None = None
    legs: tuple[engine.Leg, ...] = ()


def start_saga(*, sale: events.SaleConfirmed, correlation_id: str, now: datetime) -> bool:
    """Begin to settle `sale`, at most once; False for a repeat. Sends the chain after the commit, or leaves the saga to
    wait for its turn."""
    definition = definitions.NEWEST
    with transaction.atomic(using=saga_log.DATABASE):
        if models.Saga.objects.filter(pk=sale.sale_id).exists():
            return False
        transition = engine.start(definition)
        may_enter = turns.may_enter(product_id=sale.product_id, user_id=sale.user_id, now=now)
        due_at = saga_log.due_at(transition, now) if may_enter else now
        saga = models.Saga.new(sale, definition, correlation_id=correlation_id, now=now, due_at=due_at)
        saga.save(force_insert=True)
        if may_enter:
            saga_log.send_after_commit(saga, transition.legs)
    metrics.STARTED.inc()
    return True


def begin_attempt(*, saga_id: str, leg: str, worker: str, now: datetime) -> Attempt | None:
    """Store that the call named `leg` is under way. None when it is not what is due: then do nothing."""
    saga = models.Saga.objects.filter(pk=saga_id).first()
    definition = definitions.find(saga.definition, saga.version) if saga else None
    if saga is None or definition is None:
        log.warning("saga_left_alone", saga_id=saga_id, known=saga is not None)
        return None
    if saga.has_lost_its_attempt(now):
        lost = Attempt(saga=saga, definition=definition, leg=engine.current_leg(definition, saga.state))
        record_outcome(attempt=lost, outcome=engine.Outcome.LOST, error=None, now=now)
    match engine.due(definition, saga.state):
        case engine.Run(due_leg) | engine.Compensate(due_leg) if due_leg.name == leg:
            transition = engine.begin(definition, saga.state)
            if saga_log.store(saga, transition, now=now, worker=worker):
                return Attempt(saga=saga, definition=definition, leg=due_leg)
    return None


def record_outcome(
    *, attempt: Attempt, outcome: engine.Outcome, error: BaseException | None, now: datetime
) -> Progress:
    """Store how `attempt` ended, and all that follows from it; what the worker does next.

    The outcome of an attempt that is no longer the one under way comes late: nothing is stored.
    """
    saga, definition = attempt.saga, attempt.definition
    before, started_at, worker = saga.state, saga.started_at, saga.worker
    transition = engine.record(definition, before, outcome, is_worker_free=True)
    with transaction.atomic(using=saga_log.DATABASE):
        if not saga_log.store(saga, transition, now=now, **_texts(transition, error)):
            log.info("late_outcome", step=attempt.leg.name, attempt=before.tries, outcome=outcome.value)
            return Progress()
        if _is_worth_a_line(outcome, before.tries):
            saga_log.add_line(
                saga,
                attempt.leg,
                before,
                models.Event(outcome.value),
                text=saga_log.describe(error),
                who=worker,
                started_at=started_at,
                now=now,
            )
        if transition.leaves_beginning:
            saga_log.send_due(turns.list_followers(saga, now=now), now=now)
    metrics.ATTEMPTS.labels(attempt.leg.name, outcome.value).inc()
    if transition.next:
        return Progress(next=Attempt(saga=saga, definition=definition, leg=transition.next))
    return Progress(legs=transition.legs)


def claim_due(*, now: datetime) -> int:
    """Send again what the rows say is due, and move their `due_at` forward; the number of rows (at most 2 x SWEEP_ROWS).

    Parallel sweeps share the rows. A saga whose queue is full stays due: its task waits there, or is sent when the queue
    is shorter. Sagas before their first step come by turns. Raises when the broker is unavailable: then no row moves.
    """
    full = dispatcher.full_queues(definitions.QUEUES)
    with transaction.atomic(using=saga_log.DATABASE):
        due = selectors.list_due(now, full_queues=full)
        begun = list(due.exclude(models.BEGINNING).select_for_update(skip_locked=True)[:SWEEP_ROWS])
        entering = turns.list_next(due, now=now, most=SWEEP_ROWS)
        saga_log.send_due([*begun, *entering], now=now)
    sent = len(begun) + len(entering)
    metrics.RESENT.inc(sent)
    return sent


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
