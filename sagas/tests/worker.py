"""A real Celery worker process whose participants are the fakes: `celery -A sagas.tests.worker worker`.

It needs only the sagas' database and the broker, so it does not wait for what the real participants need.
"""

from celery import signals

from auction_project import celery
from auction_project.processes import celery_hooks

app = celery.app
signals.worker_init.disconnect(celery_hooks.start_worker)


@signals.worker_init.connect
def _install_fakes(**_: object) -> None:
    from sagas.tests import participants  # the apps are ready only now

    participants.install()
