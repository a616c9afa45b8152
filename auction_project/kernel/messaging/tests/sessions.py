"""The sessions of a test's own database: calls that run at once, each with its own, and the wait for one that is blocked."""

import threading
import time
from collections.abc import Callable
from concurrent import futures

from django.db import connections

from auction_project.kernel import errors

WAIT_SECONDS = (
    120.0  # only bounds a test that fails: fifty connections take long while other tests have the cores
)


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
            connect()
            barrier.wait(WAIT_SECONDS)
            return call()
        except errors.DomainError as refused:
            return refused
        finally:
            connections.close_all()

    def connect() -> None:
        try:
            connections[alias].ensure_connection()
        except Exception:
            barrier.abort()  # this thread never comes to it
            raise

    with futures.ThreadPoolExecutor(len(calls)) as pool:
        outcomes = [pool.submit(run, call) for call in calls]
    failures = [error for outcome in outcomes if (error := outcome.exception()) is not None]
    for failure in sorted(failures, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise failure
    return [outcome.result() for outcome in outcomes]
