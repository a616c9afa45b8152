"""The stock's task: frees the units of relisted lots whose listing does not come, which beat sends it; the clock is read here."""

from datetime import UTC, datetime

import celery

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from inventory import services

log = logs.get(__name__)


@celery.shared_task(name="inventory.release_expired_lots")
def release_expired_lots() -> None:
    """A call that frees a full batch leaves the rest to the next one."""
    try:
        if released := services.release_expired_lots(now=datetime.now(UTC)):
            log.warning("relisted_lots_expired", lots=released)
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("release_met_outage", error=repr(error))
