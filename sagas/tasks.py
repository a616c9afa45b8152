"""The tasks of the sagas: one attempt at one step, and the sweep. The clock is read here; `services` keeps the log.

A task for a call that is not due does nothing and cuts its chain, because the row knows what is due. A worker may die on
any line: the row then says that an attempt has begun, and the sweep sends it again.
"""

from datetime import UTC, datetime

import celery
import prometheus_client
from celery.exceptions import Ignore

from auction_project.kernel import failpoints, logs
from auction_project.kernel.messaging import failure
from sagas import dispatcher, engine, metrics, services, steps

MAX_SWEEPS = 10  # batches of one sweep task

log = logs.get(__name__)
prometheus_client.REGISTRY.register(metrics.ParkedSagas())  # here: only workers import the tasks


@celery.shared_task(name=dispatcher.RUN_STEP, bind=True)
def run_step(self: celery.Task, *, saga_id: str, step: str) -> None:
    """Attempt the call `step` (of a step or a compensation) if it is due, and then all calls that follow on its queue."""
    try:
        attempt = services.begin_attempt(
            saga_id=saga_id, leg=step, worker=str(self.request.hostname), now=datetime.now(UTC)
        )
        if attempt is None:
            raise Ignore
        direction = attempt.saga.direction
        legs = _walk(attempt)
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("saga_log_unavailable", saga_id=saga_id, step=step, error=repr(error))
        raise Ignore from error
    if legs and self.request.chain and attempt.saga.direction == direction:
        return  # the rest of the chain makes these calls
    if legs:
        dispatcher.send(saga_id=saga_id, legs=legs)
    raise Ignore


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


def _walk(first: services.Attempt) -> tuple[engine.Leg, ...]:
    """Call and record, as long as the next call is on the same queue; the calls to dispatch."""
    saga, attempt = first.saga, first
    with logs.bound(
        correlation_id=saga.correlation_id, saga_id=saga.pk, sale_id=saga.pk, auction_id=saga.auction_id
    ):
        while True:  # each round is one step further forward, or further back
            leg = attempt.leg
            failpoint = f"saga.{leg.step}" if leg.name == leg.step else f"saga.{leg.step}.compensation"
            outcome, error = _call(attempt, failpoint)
            progress = services.record_outcome(
                attempt=attempt, outcome=outcome, error=error, now=datetime.now(UTC)
            )
            failpoints.reach(f"{failpoint}.after_record")
            if progress.next is None:
                return progress.legs
            attempt = progress.next


def _call(attempt: services.Attempt, failpoint: str) -> tuple[engine.Outcome, Exception | None]:
    """Call the participant, outside of any transaction of the sagas; the outcome and its error."""
    try:
        failpoints.reach(f"{failpoint}.before_call")
        steps.call(attempt.leg, attempt.saga, now=datetime.now(UTC))
        failpoints.reach(f"{failpoint}.after_effect")
    except Exception as error:
        outcome = engine.Outcome[failure.classify(error).name]
        report = log.exception if outcome is engine.Outcome.FAULT else log.info
        report("step_not_done", step=attempt.leg.name, outcome=outcome.value, error=repr(error))
        return outcome, error
    return engine.Outcome.DONE, None
