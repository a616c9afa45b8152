"""The metrics that the processes of all roles have, and those of the stores."""

from collections.abc import Mapping

from django.db import connections

from auction_project.kernel import metrics

ready = metrics.Measured("gavel_process_ready", "1: the process is ready, as `/readyz` says.", roles=())
pool_connections = metrics.Measured(
    "gavel_database_pool_connections",
    "Connections of this process to PostgreSQL, in use or idle.",
    ["database", "state"],
    roles=(),
)
pool_waiting = metrics.Measured(
    "gavel_database_pool_waiting_requests",
    "Threads of this process that wait for a connection to PostgreSQL.",
    ["database"],
    roles=(),
)
store_up = metrics.gauge(
    "gavel_store_up",
    "1: the store answered the relay within two seconds, and has what Gavel needs of it.",
    ["store"],
    roles=("relay",),
)
store_seconds = metrics.gauge(
    "gavel_store_answer_seconds",
    "How long the store took for the last answer to the relay.",
    ["store"],
    roles=("relay",),
)
tasks = metrics.counter(
    "gavel_tasks_total", "Tasks of Celery that this process has run.", roles=("worker", "mail")
)


def measure_pools() -> None:
    """Give the figures of the pools that this process has opened."""
    pool_connections.measure_by(_connections)
    pool_waiting.measure_by(
        lambda: {(alias,): stats.get("requests_waiting", 0) for alias, stats in _pools().items()}
    )


def _connections() -> Mapping[tuple[str, ...], float]:
    numbers: dict[tuple[str, ...], float] = {}
    for alias, stats in _pools().items():
        idle = stats.get("pool_available", 0)
        numbers[alias, "idle"] = idle
        numbers[alias, "in_use"] = stats.get("pool_size", 0) - idle
    return numbers


def _pools() -> dict[str, dict[str, int]]:
    """The statistics of each pool by alias. Django keeps the pools by alias in its class of connections, and opens none for
    a look there."""
    pools = getattr(type(connections["default"]), "_connection_pools", {})
    return {alias: pool.get_stats() for alias, pool in list(pools.items())}
