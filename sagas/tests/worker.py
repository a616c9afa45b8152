"""A real Celery worker process whose participants are the fakes: `celery -A sagas.tests.worker worker`."""

from celery import signals

from auction_project.celery import app

__all__ = ["app"]


@signals.worker_init.connect
def _install_fakes(**_: object) -> None:
    from sagas.tests import participants  # the apps are ready only now

    participants.install()
