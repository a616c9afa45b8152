"""The tasks of orders, which beat sends: the provider makes the refunds that are due, awards that were not paid lapse, and operators are
asked for returns that sellers leave unanswered. A call that finds a full batch leaves the rest to the next one. The clock is read here.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import celery

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from orders import services

log = logs.get(__name__)


@celery.shared_task(name="orders.send_refunds")
def send_refunds() -> None:
    _done(services.send_refunds)


@celery.shared_task(name="orders.lapse_awards")
def lapse_awards() -> None:
    if lapsed := _done(services.lapse_awards):
        log.info("awards_lapsed", awards=lapsed)


@celery.shared_task(name="orders.escalate_returns")
def escalate_returns() -> None:
    if escalated := _done(services.escalate_returns):
        log.info("returns_escalated", requests=escalated)


def _done(do: Callable[..., int]) -> int:
    try:
        return do(now=datetime.now(UTC))
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("sweep_met_outage", error=repr(error))
        return 0
