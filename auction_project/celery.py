"""The Celery application: one queue per app that a saga calls, one for the sweep, one for e-mail; JSON only.

Live: the loop of worker or beat turns, and no task has been running for health.STALE_SECONDS. Whoever waits for the broker
has nothing to say, and is alive.

A chain may be lost, doubled or late: correctness rests on the sagas' rows and on `once`, not on chains. Messages are
acknowledged late and redelivered soon; results are never stored.
"""

import logging
import os
import threading
from typing import Any

from celery import Celery, beat, bootsteps, signals
from kombu import Exchange, Queue

from auction_project.kernel import logs
from auction_project.processes import celery_transport, health, roles

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")

# As for every role (running.RoleCommand): a worker that died is back sooner without Django's system checks.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

SWEEP_SECONDS = 1.0
EMAIL_SWEEP_SECONDS = 10.0
EXPIRED_LOTS_SECONDS = 60.0
SWEEP_EXPIRES_SECONDS = 5.0  # rings that nobody heard must not pile up
BEAT_SECONDS = 5.0

log = logs.get(__name__)
_state = health.State("worker")

celery_transport.install(roles.QUEUES)
app = Celery("gavel")
app.conf.update(
    task_queues=[Queue(name, Exchange("gavel", type="direct"), routing_key=name) for name in roles.QUEUES],
    task_default_queue="sweep",
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_track_started=False,
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    beat_scheduler="auction_project.celery:Scheduler",
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "queue_order_strategy": "priority",
        "visibility_timeout": 60,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
    },
    timezone="UTC",
    enable_utc=True,
)
app.conf.beat_schedule = {
    "sweep": {
        "task": "sagas.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"queue": "sweep", "expires": SWEEP_EXPIRES_SECONDS},
    },
    "emails": {
        "task": "notifications.sweep_emails",
        "schedule": EMAIL_SWEEP_SECONDS,
        "options": {"queue": "email", "expires": EMAIL_SWEEP_SECONDS},
    },
    "security-notices": {
        "task": "accounts.sweep_notices",
        "schedule": EMAIL_SWEEP_SECONDS,
        "options": {"queue": "email", "expires": EMAIL_SWEEP_SECONDS},
    },
    "expired-lots": {
        "task": "inventory.release_expired_lots",
        "schedule": EXPIRED_LOTS_SECONDS,
        "options": {"queue": "inventory", "expires": EXPIRED_LOTS_SECONDS},
    },
}
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()  # of all threads: consumers send chains from threads of their own


@signals.setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """The settings configured it; a receiver keeps Celery from doing so. Two lines a task say nothing that the sagas'
    timelines do not say."""
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@signals.worker_init.connect
def start_worker(**_: object) -> None:
    """Answer probes and wait for what a worker needs; in the prefork pool this is the parent, before the fork."""
    _start("worker")


@signals.beat_init.connect
def start_beat(**_: object) -> None:
    _start("beat")


@signals.worker_ready.connect
def _become_ready(**_: object) -> None:
    _state.ready = True


@signals.worker_shutting_down.connect
def _drain(**_: object) -> None:
    _state.ready = False


@signals.task_prerun.connect
def _begin_task(task_id: str, **_: object) -> None:
    _state.beat(f"task:{task_id}")


@signals.task_postrun.connect
def _end_task(task_id: str, **_: object) -> None:
    _state.rest(f"task:{task_id}")


class ConsumerBeat(bootsteps.StartStopStep):
    """Beats on the worker's loop. Celery stops its steps when the broker is lost and starts them when it is back."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        _state.beat("consumer")
        self._entry = consumer.timer.call_repeatedly(BEAT_SECONDS, _state.beat, ("consumer",))

    def stop(self, consumer: Any) -> None:
        if self._entry is not None:
            consumer.timer.cancel(self._entry)
        _state.rest("consumer")


app.steps["consumer"].add(ConsumerBeat)


class Scheduler(beat.Scheduler):
    """One ring a second needs no memory of the last; every tick is a sign of life."""

    max_interval = BEAT_SECONDS

    def tick(self, *arguments: Any, **options: Any) -> Any:
        _state.beat("beat")
        return super().tick(*arguments, **options)

    def _ensure_connected(self) -> Any:
        _state.rest("beat")
        try:
            return super()._ensure_connected()
        finally:
            _state.beat("beat")


def _start(role: str) -> None:
    """Serve health on GAVEL_HEALTH_HOST and GAVEL_HEALTH_PORT (0: any free port), then wait for what the role needs."""
    from auction_project.processes import needs

    _state.role = role
    server = health.serve_by_environment(_state)
    log.info("role_starting", role=role, health=server.url)
    needs.wait(roles.BY_NAME[role].needs, threading.Event())
    _state.ready = role == "beat"  # a worker is ready when it consumes
