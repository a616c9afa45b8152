"""The sessions of a test's own database."""

import time

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
