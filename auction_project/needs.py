"""What a role waits for before it works, by name: `postgres:<alias>` (reachable and migrated), `redis`, `mongodb`,
`broker`, `celery`. One line of log says what is missing; waiting has no end, a role starts in any order.
"""

import threading
from collections.abc import Callable, Sequence

import redis
from django.conf import settings
from django.db import close_old_connections, connections
from django.db.migrations.executor import MigrationExecutor
from kombu import Connection

from auction_project import db_router, errors, logs
from auction_project.messaging import broker

PAUSE_SECONDS = 0.5

log = logs.get(__name__)


class NotReady(errors.Unavailable):
    """This process waits for a store or a service that does not answer yet."""


def missing(need: str) -> str | None:
    """Why `need` is not met, or None."""
    kind, _, name = need.partition(":")
    try:
        _CHECKS[kind](name)
    except Exception as error:
        return f"{need}: {error}".strip()
    return None


def wait(required: Sequence[str], stop: threading.Event) -> bool:
    """Return True when all needs are met, False when `stop` came first."""
    told = ""
    while not stop.is_set():
        unmet = [reason for need in required if (reason := missing(need))]
        if not unmet:
            return True
        if unmet[0] != told:
            told = unmet[0]
            log.info("waiting_for", need=told)
        stop.wait(PAUSE_SECONDS)
    return False


def _postgres(alias: str) -> None:
    close_old_connections()
    executor = MigrationExecutor(connections[alias])
    targets = [node for node in executor.loader.graph.leaf_nodes() if db_router.database_of(node[0]) == alias]
    plan = executor.migration_plan(targets)
    if plan:
        raise errors.Unavailable(f"{len(plan)} migrations wait (run: manage.py migrate_all)")


def _redis(_name: str) -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


def _mongodb(_name: str) -> None:
    from bidding import runtime

    runtime.ping()


def _broker(_name: str) -> None:
    found = broker.from_settings()
    try:
        found.ping()
    finally:
        found.close()


def _celery(_name: str) -> None:
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, timeout=2)


_CHECKS: dict[str, Callable[[str], None]] = {
    "postgres": _postgres,
    "redis": _redis,
    "mongodb": _mongodb,
    "broker": _broker,
    "celery": _celery,
}
