"""What a Celery worker and beat do besides tasks: they answer probes, wait for what they need, and keep logs as they are.

Live: the loop of worker or beat has turned, and no task has run for longer than health.STALE_SECONDS. A process that
waits for the broker has no loop that could be stale, so it is live.
"""

import atexit
import functools
import logging
import threading
from collections.abc import Sequence
from typing import Any
from urllib import parse

import redis
from celery import Celery, beat, bootsteps, signals
from django.conf import settings

from auction_project.kernel import logs, tracing
from auction_project.processes import figures, health, metrics, registry, roles

BEAT_SECONDS = 5.0
SCHEDULER = f"{__name__}:Scheduler"

log = logs.get(__name__)
_state = health.State("worker")


def install(app: Celery) -> None:
    """Let the workers of `app` beat on their loops. The rest is connected to Celery's signals by importing this module."""
    app.steps["consumer"].add(ConsumerBeat)


@signals.setup_logging.connect
def _keep_logging_as_it_is(**_: object) -> None:
    """The settings have configured it; a receiver of this signal keeps Celery from doing so. Celery's two lines a task
    repeat what the sagas' timelines say."""
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@signals.worker_init.connect
def start_worker(sender: Any, **_: object) -> None:
    """Answer probes and wait for what this worker needs; its node is named for its role, as mail@host is. In the prefork pool
    this is the parent, before the fork."""
    name = sender.hostname.partition("@")[0]
    _start(name if name in roles.BY_NAME else "worker")


@signals.beat_init.connect
def start_beat(**_: object) -> None:
    """Answer probes and wait for what beat needs."""
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
    metrics.tasks.inc()


class ConsumerBeat(bootsteps.StartStopStep):
    """Beats on the worker's loop. Celery stops its steps when the broker is lost and starts them when it is back."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer_entry: Any = None

    def start(self, consumer: Any) -> None:
        _state.beat("consumer")
        self._timer_entry = consumer.timer.call_repeatedly(BEAT_SECONDS, _state.beat, ("consumer",))

    def stop(self, consumer: Any) -> None:
        if self._timer_entry is not None:
            consumer.timer.cancel(self._timer_entry)
        _state.rest("consumer")


class Scheduler(beat.Scheduler):
    """Celery's scheduler in memory: a sweep every second needs no record of the last one. Every tick is a heartbeat."""

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
    # These read the settings, which are not ready before.
    from auction_project.processes import needs
    from sagas import metrics as sagas

    _state.role = role
    if role == "worker":
        sagas.measure_log()
    server = health.serve_by_environment(_state)
    tracing.start(role)
    log.info("role_starting", role=role, health=server.url)
    about = registry.About()
    if queues := roles.BY_NAME[role].queues:
        about = registry.About(
            lag=functools.partial(_waiting_tasks, queues), work=figures.of(metrics.tasks, "tasks")
        )
    entry = registry.Registration(
        role,
        about,
        redis_url=settings.REDIS_URL,
        private_address=server.address,
        is_ready=_state.serves,
    )
    atexit.register(entry.start().close)
    needs.wait(roles.BY_NAME[role].needs, threading.Event())
    _state.ready = role == "beat"  # a worker is ready when it consumes


def _waiting_tasks(queues: Sequence[str]) -> registry.Figure | None:
    """The tasks that no worker has taken yet; None if the broker does not answer, or is no Redis."""
    if not settings.CELERY_BROKER_URL.startswith("redis"):
        return None
    try:
        return registry.Figure(sum(_broker().ask(*(("LLEN", queue) for queue in queues))), "tasks")
    except (redis.RedisError, OSError):
        return None


@functools.cache
def _broker() -> registry.Line:
    return registry.Line(_redis_url(settings.CELERY_BROKER_URL))


def _redis_url(broker_url: str) -> str:
    """The URL of Celery's broker as redis-py reads it. For a Unix socket, kombu has a spelling of its own."""
    parts = parse.urlsplit(broker_url)
    if parts.scheme != "redis+socket":
        return broker_url
    database = parse.parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.netloc}{parts.path}?db={database}"
