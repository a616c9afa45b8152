"""The sessions of a test's own database: calls that run at once, each with its own, and the wait for one that is blocked."""

import threading
import time
from collections.abc import Callable
from concurrent import futures

from django.db import connections

from auction_project.kernel import errors

WAIT_SECONDS = 30.0  # only bounds a test that fails


def wait_for_blocked(alias: str) -> None:
    """Wait until a session of the database `alias` waits for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + WAIT_SECONDS
    with connections[alias].cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(blocked)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("no session waits for a lock")


def at_once(alias: str, *calls: Callable[[], object]) -> list[object]:
    """Start all calls together, each in a thread with a connection to `alias` of its own; what each returned, or the
    DomainError that it raised. Raises any other error."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connections[alias].ensure_connection()
            barrier.wait(WAIT_SECONDS)
            return call()
        except errors.DomainError as refused:
            return refused
        finally:
            connections.close_all()

    with futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls, timeout=2 * WAIT_SECONDS))
