"""The tasks of the sagas: one attempt at one step for a group of sagas, and the sweep. The clock is read here; `services` keeps the log.

A saga of which the call is not due is left alone, because its row knows what is due; a chain without a saga that goes on is
cut. A worker may die on any line: the row then says that an attempt has begun, and the sweep sends it again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import celery

from auction_project.kernel import failpoints, logs
from auction_project.kernel.messaging import failure
from sagas import dispatcher, engine, metrics, models, saga_log, services, steps, traces

MAX_SWEEPS = 10  # batches of one sweep task

log = logs.get(__name__)


@celery.shared_task(name=dispatcher.RUN_STEP, bind=True)
def run_step(self: celery.Task, *, saga_ids: list[str], step: str) -> None:
    """Attempt the call `step` (of a step or a compensation) for those of the sagas of which it is due, and for others that
    wait for the same; then all calls that follow on its queue."""
    try:
        attempts = services.begin_attempts(
            saga_ids=saga_ids, leg=step, worker=str(self.request.hostname), now=datetime.now(UTC)
        )
        directions = {attempt.saga.pk: attempt.saga.direction for attempt in attempts}
        waiting = _walk(attempts)
        # The rest of the chain makes the next calls of its own sagas that go on in their direction.
        own = set(saga_ids) if self.request.chain else set()
        in_chain = [
            saga.pk for saga, _ in waiting if saga.pk in own and directions[saga.pk] == saga.direction
        ]
        saga_log.send([(saga, legs) for saga, legs in waiting if saga.pk not in in_chain])
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("saga_log_unavailable", saga_ids=saga_ids, step=step, error=repr(error))
        _cut_chain(self)
        return
    if not in_chain:
        _cut_chain(self)


def _cut_chain(task: celery.Task) -> None:
    """Celery's Ignore does it too, but makes a traceback with all code positions: a quarter of the worker's CPU."""
    task.request.chain = None


@celery.shared_task(name="sagas.sweep")
def sweep() -> None:
    """Send again what is due. Beat sends this task every second."""
    try:
        for _ in range(MAX_SWEEPS):
            if services.claim_due(now=datetime.now(UTC)) < services.SWEEP_ROWS:
                break
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("sweep_met_outage", error=repr(error))


def _walk(first: Sequence[services.Attempt]) -> list[tuple[models.Saga, tuple[engine.Leg, ...]]]:
    """Call and record, as long as the next call is on the same queue; the calls to dispatch for each saga that has some.

    Sagas whose next call is the same one go on as a group.
    """
    waiting: list[tuple[models.Saga, tuple[engine.Leg, ...]]] = []
    due: dict[engine.Leg, list[services.Attempt]] = {}
    for attempt in first:
        due.setdefault(attempt.leg, []).append(attempt)
    while due:  # each round brings a group one step further forward, or further back
        leg, group = due.popitem()
        failpoint = f"saga.{leg.step}" if leg.name == leg.step else f"saga.{leg.step}.compensation"
        outcomes = _call(leg, group, failpoint)
        for progress in services.record_outcomes(outcomes=outcomes, now=datetime.now(UTC)):
            if progress.next:
                due.setdefault(progress.next.leg, []).append(progress.next)
            elif progress.legs:
                waiting.append((progress.saga, progress.legs))
        failpoints.reach(f"{failpoint}.after_record")
    return waiting


def _call(leg: engine.Leg, group: Sequence[services.Attempt], failpoint: str) -> list[services.Outcome]:
    """Call the participant, outside of any transaction of the sagas; the outcome of each attempt."""
    sagas = [attempt.saga for attempt in group]
    try:
        failpoints.reach(f"{failpoint}.before_call")
        with metrics.CALL_SECONDS.labels(leg.name).time():
            errors = steps.call(leg, sagas, now=datetime.now(UTC))
        failpoints.reach(f"{failpoint}.after_effect")
    except Exception as error:
        errors = [error] * len(group)
    return [_outcome(attempt, error) for attempt, error in zip(group, errors, strict=True)]


def _outcome(attempt: services.Attempt, error: Exception | None) -> services.Outcome:
    if error is None:
        return services.Outcome(attempt=attempt, kind=engine.Outcome.DONE)
    kind = engine.Outcome[failure.classify(error).name]
    saga = attempt.saga
    with logs.bound(
        correlation_id=saga.correlation_id,
        span_id=traces.attempt_span(saga.pk, attempt.leg.name, saga.tries),
        saga_id=saga.pk,
        auction_id=saga.auction_id,
    ):
        report = log.error if kind is engine.Outcome.FAULT else log.info
        report(
            "step_not_done",
            step=attempt.leg.name,
            outcome=kind.value,
            error=repr(error),
            exc_info=error if kind is engine.Outcome.FAULT else None,
        )
    return services.Outcome(attempt=attempt, kind=kind, error=error)
