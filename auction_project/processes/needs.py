"""What a role needs before it works, by name: `postgres:<alias>` (reachable and migrated), `redis`, `mongodb`, `broker`,
`celery`. A role waits without end, so roles may start in any order; one log line says what is missing.

Reasons name hosts and users, so they are only logged. Clients read the names of needs.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from kombu import Connection

from auction_project.kernel import databases, errors, logs
from auction_project.kernel.messaging import transport as transports

PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 1.0  # for which the answer to a probe is cached

_migrated: set[str] = set()  # databases in which all migrations are known to be applied

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
    logged = ""
    while not stop.is_set():
        unmet = [reason for need in required if (reason := missing(need))]
        if not unmet:
            return True
        if unmet[0] != logged:
            logged = unmet[0]
            log.info("waiting_for", need=logged)
        stop.wait(PAUSE_SECONDS)
    return False


class Readiness:
    """The answer to a probe: ready once all `required` needs are met, and from then on while the `vital` ones are.

    For one event loop. However many probes come, each need is checked once in ANSWER_SECONDS.
    """

    def __init__(self, required: Sequence[str], *, vital: Sequence[str]) -> None:
        self._needs = required
        self._vital = vital
        self._reasons: dict[str, str] = {}
        self._next = 0.0
        self._checking = asyncio.Lock()

    async def unmet(self) -> list[str]:
        """The needs that are not met."""
        async with self._checking:
            if time.monotonic() >= self._next:
                await self._check()
                self._next = time.monotonic() + ANSWER_SECONDS
            return list(self._reasons)

    async def _check(self) -> None:
        answers = await asyncio.gather(*(asyncio.to_thread(missing, need) for need in self._needs))
        reasons = {need: reason for need, reason in zip(self._needs, answers, strict=True) if reason}
        if reasons.keys() - self._reasons.keys():
            log.warning("not_ready", reasons=list(reasons.values()))
        self._reasons = reasons
        if not reasons:
            self._needs = self._vital


def _postgres(alias: str) -> None:
    """Closes its connection, because the threads that check needs do not clean up."""
    try:
        if alias in _migrated:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
        else:
            if waiting := pending_migrations(connections[alias]):
                raise errors.Unavailable(f"{waiting} migrations wait (run: manage.py migrate_all)")
            _migrated.add(alias)
    finally:
        connections[alias].close()


def pending_migrations(connection: Any) -> int:
    """How many migrations this code has that the database of a connection of Django's lacks."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    targets = [node for node in leaves if databases.database_of(node[0]) == connection.alias]
    return len(executor.migration_plan(targets))


def _redis(_name: str) -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


def _mongodb(_name: str) -> None:
    from bidding import runtime

    runtime.ping()


def _broker(_name: str) -> None:
    broker = transports.from_settings()
    try:
        broker.ping()
    finally:
        broker.close()


def _celery(_name: str) -> None:
    address, tls = settings.CELERY_BROKER_URL, settings.CELERY_BROKER_USE_SSL
    with Connection(address, ssl=tls, connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, timeout=2)


_CHECKS: dict[str, Callable[[str], None]] = {
    "postgres": _postgres,
    "redis": _redis,
    "mongodb": _mongodb,
    "broker": _broker,
    "celery": _celery,
}
