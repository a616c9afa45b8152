"""The stock's tasks, which beat sends: they free the units of expired checkouts, and of relisted lots whose listing does not
come, and compare new offers and lots with saved searches. The clock is read here."""

from collections.abc import Callable
from datetime import UTC, datetime

import celery

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from inventory import services

log = logs.get(__name__)


@celery.shared_task(name="inventory.release_expired_lots")
def release_expired_lots() -> None:
    """A call that frees a full batch leaves the rest to the next one."""
    if released := _done(services.release_expired_lots):
        log.warning("relisted_lots_expired", lots=released)


@celery.shared_task(name="inventory.release_expired_checkouts")
def release_expired_checkouts() -> None:
    """A call that frees a full batch leaves the rest to the next one."""
    if released := _done(services.release_expired_checkouts):
        log.info("checkouts_expired", reservations=released)


@celery.shared_task(name="inventory.compare_with_searches")
def compare_with_searches() -> None:
    """A call that does not compare all of them leaves the rest to the next one."""
    if matches := _done(services.compare_with_searches):
        log.info("saved_searches_matched", matches=matches)


def _done(do: Callable[..., int]) -> int:
    try:
        return do(now=datetime.now(UTC))
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("sweep_met_outage", error=repr(error))
        return 0
