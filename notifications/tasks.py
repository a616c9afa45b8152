"""The Celery tasks of the notifications, on the queue `email`.

A task may be lost, doubled or late, because the row of the e-mail decides what is sent.
"""

from celery import shared_task
from django.utils import timezone

from auction_project.kernel import logs
from notifications.mail import dispatcher, mailing


@shared_task(name=dispatcher.SEND_EMAIL)
def send_email(*, email_id: int, correlation_id: str | None = None) -> None:
    """Send one e-mail, if its row says that it is due."""
    with logs.bound(correlation_id=correlation_id):
        mailing.send_email(email_id=email_id, now=timezone.now())


@shared_task(name="notifications.sweep_emails")
def sweep_emails() -> None:
    """Started by celery beat: queue the e-mails that are due."""
    dispatcher.send(dict.fromkeys(mailing.sweep(now=timezone.now()), logs.correlation_id()))
