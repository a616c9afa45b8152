"""The tasks of the sagas: one attempt at one step, and the sweep. The clock is read here; `services` keeps the log.

A task that finds that it is not what is due does nothing and cuts its chain: whatever is due, the row knows. A
worker may die on any line: the row then says that an attempt was begun, and the sweep sends it again.
"""

from datetime import UTC, datetime

import celery
from celery.exceptions import Ignore

from auction_project import failpoints, logs
from auction_project.messaging import failure
from sagas import courier, engine, metrics, selectors, services, steps

MAX_SWEEPS = 10  # batches of one sweep task

log = logs.get(__name__)


@celery.shared_task(name=courier.RUN_STEP, bind=True)
def run_step(self: celery.Task, *, saga_id: str, step: str) -> None:
    """Attempt `step` (or the compensation of that name) if that is what is due."""
    try:
        legs = _attempt(saga_id, step, str(self.request.hostname))
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("saga_log_away", saga_id=saga_id, step=step, error=repr(error))
        raise Ignore from error
    if not legs:
        raise Ignore  # the rest of the chain is not due
    if not self.request.chain:
        courier.send(saga_id=saga_id, legs=legs)


@celery.shared_task(name="sagas.sweep")
def sweep() -> None:
    """Send again what is due; the celery beat rings for it."""
    try:
        for _ in range(MAX_SWEEPS):
            if services.claim_due(now=datetime.now(UTC)) < services.SWEEP_ROWS:
                break
        metrics.PARKED.set(selectors.count_parked())
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("sweep_met_outage", error=repr(error))


def _attempt(saga_id: str, step: str, worker: str) -> tuple[engine.Leg, ...]:
    """Begin, call, record; the calls that follow at once."""
    attempt = services.begin_attempt(saga_id=saga_id, leg=step, worker=worker, now=datetime.now(UTC))
    if attempt is None:
        return ()
    saga = attempt.saga
    place = f"saga.{attempt.leg.step}" + ("" if attempt.leg.name == attempt.leg.step else ".compensation")
    with logs.bound(
        correlation_id=saga.correlation_id, saga_id=saga.pk, sale_id=saga.pk, auction_id=saga.auction_id
    ):
        outcome, error = _call(attempt, place)
        legs = services.record_outcome(attempt=attempt, outcome=outcome, error=error, now=datetime.now(UTC))
    failpoints.reach(f"{place}.after_record")
    return legs


def _call(attempt: services.Attempt, place: str) -> tuple[engine.Outcome, Exception | None]:
    """Have the participant act, in no transaction of ours; how it ended."""
    try:
        failpoints.reach(f"{place}.before_call")
        steps.call(attempt.leg, attempt.saga, now=datetime.now(UTC))
        failpoints.reach(f"{place}.after_effect")
    except Exception as error:
        outcome = engine.Outcome[failure.classify(error).name]
        report = log.exception if outcome is engine.Outcome.FAULT else log.info
        report("step_not_done", step=attempt.leg.name, outcome=outcome.value, error=repr(error))
        return outcome, error
    return engine.Outcome.DONE, None
