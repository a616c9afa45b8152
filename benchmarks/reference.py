"""The reference point of what commits rows: how often one client of this PostgreSQL can insert a row and commit, in this run."""

import time

from django.db import connections

NAME = "INSERT and COMMIT by one client"
SECONDS = 2.0


def commits_per_second() -> float:
    """Measured in the database of the sagas, while nothing is under way. Takes SECONDS."""
    with connections["sagas"].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS bench_reference (id bigserial PRIMARY KEY, body text NOT NULL)"
        )
        count, began = 0, time.monotonic()
        while time.monotonic() - began < SECONDS:
            cursor.execute("INSERT INTO bench_reference (body) VALUES (%s)", ["x" * 200])
            count += 1
        seconds = time.monotonic() - began
        cursor.execute("DROP TABLE bench_reference")
    return count / seconds
