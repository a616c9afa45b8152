"""The Celery tasks of the notifications, on the queue `email`.

A task may be lost, doubled or late, because the row of the e-mail decides what is sent.
"""

import time

from celery import shared_task
from django.utils import timezone

from auction_project.kernel import logs
from notifications.mail import dispatcher, mailing

SECONDS = 1.0  # of one task, so that other work of its process does not wait long behind a slow mail server


@shared_task(name=dispatcher.SEND_EMAILS)
def send_emails(*, emails: list[tuple[int, str]]) -> None:
    """Send those of the e-mails whose rows say that they may go; each comes with its correlation id.

    What does not go in SECONDS is queued again.
    """
    left = mailing.send_emails(
        correlation_ids=dict(emails), now=timezone.now(), deadline=time.monotonic() + SECONDS
    )
    if left:
        dispatcher.send(left)


@shared_task(name="notifications.sweep_emails")
def sweep_emails() -> None:
    """Started by celery beat: queue the e-mails that are due."""
    dispatcher.send(dict.fromkeys(mailing.sweep(now=timezone.now()), logs.correlation_id()))
