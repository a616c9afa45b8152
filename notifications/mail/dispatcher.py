"""Queues the tasks that send e-mails. Knows them by their name, so that services need not import tasks.

An unavailable broker costs a line in the log: the sweep sends the e-mails later.
"""

from collections.abc import Mapping

import celery

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure, groups

SEND_EMAILS = "notifications.send_emails"
QUEUE = "email"

log = logs.get(__name__)


def send(correlation_ids: Mapping[int, str]) -> None:
    """Queue the e-mails, each with its correlation id, in one task for a group. Raises what is not an outage of the broker."""
    for group in groups.split(list(correlation_ids.items())):
        try:
            celery.current_app.send_task(SEND_EMAILS, kwargs={"emails": group}, queue=QUEUE)
        except Exception as error:
            if failure.classify(error) is not failure.Fate.OUTAGE:
                raise
            log.warning("email_task_not_sent", emails=len(group), error=repr(error))
            return
