"""Queues the task that sends an e-mail. Knows the task by its name, so that services need not import tasks.

An unavailable broker costs a line in the log: the sweep sends the e-mails later.
"""

from collections.abc import Mapping

import celery

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure

SEND_EMAIL = "notifications.send_email"
QUEUE = "email"

log = logs.get(__name__)


def send(correlation_ids: Mapping[int, str]) -> None:
    """Queue the e-mails, each with its correlation id. Raises what is not an outage of the broker."""
    for email_id, correlation_id in correlation_ids.items():
        try:
            celery.current_app.send_task(
                SEND_EMAIL, kwargs={"email_id": email_id, "correlation_id": correlation_id}, queue=QUEUE
            )
        except Exception as error:
            if failure.classify(error) is not failure.Fate.OUTAGE:
                raise
            log.warning("email_task_not_sent", email_id=email_id, error=repr(error))
            return
