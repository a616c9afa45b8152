"""The sessions of a test's own database: calls that run at once, each with its own, and the wait for one that is blocked."""

import threading
import time
from collections.abc import Callable

from django.db import connections

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
    """Start all calls together, each in a thread with a connection to `alias` of its own; what each returned or raised."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[object] = [None] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        try:
            connections[alias].ensure_connection()
            barrier.wait(WAIT_SECONDS)
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    return outcomes
