"""The Celery task of accounts, on the queue `email`. A task may be lost, doubled or late, because the rows say what is due."""

from celery import shared_task
from django.utils import timezone

from auction_project.accounts import notices


@shared_task(name="accounts.sweep_notices")
def sweep_notices() -> None:
    """Sent by celery beat: mail the security notices that did not leave after their commit."""
    notices.sweep(clock=timezone.now)
