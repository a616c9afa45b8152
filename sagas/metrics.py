"""The metrics of the sagas, for Prometheus. Counters are of this process; `gavel_sagas_parked` is of the whole log.

A gauge that one process sets now and then is wrong in all others. So each process that runs sagas counts the parked ones
at each scrape, and gives no value while the database is unavailable.
"""

from collections.abc import Iterator

import prometheus_client
from django.db import connections
from prometheus_client import core, registry

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from sagas import selectors

log = logs.get(__name__)

STARTED = prometheus_client.Counter("gavel_sagas_started", "Sagas started by this process.")
ENDED = prometheus_client.Counter(
    "gavel_sagas_ended", "Sagas that this process brought to this state.", ["state"]
)
ATTEMPTS = prometheus_client.Counter(
    "gavel_saga_attempts", "Attempts at steps, by their outcome.", ["step", "outcome"]
)
RESENT = prometheus_client.Counter("gavel_sagas_resent", "Chains that the sweep has sent.")
SECONDS = prometheus_client.Histogram(
    "gavel_saga_seconds",
    "From the sale to the saga's end.",
    ["state"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)


class ParkedSagas(registry.Collector):
    """The gauge of sales that wait for an operator, counted at each scrape."""

    _databases = ("sagas", "default")

    def describe(self) -> Iterator[core.GaugeMetricFamily]:
        yield self._family()

    def collect(self) -> Iterator[core.GaugeMetricFamily]:
        family = self._family()
        try:
            family.add_metric([], selectors.count_parked())
        except Exception as error:
            is_outage = failure.classify(error) is failure.Fate.OUTAGE
            report = log.warning if is_outage else log.error  # the other metrics do not depend on this one
            report("parked_not_counted", error=repr(error))
        finally:
            self._close_connections()
        yield family

    def _close_connections(self) -> None:
        """The thread of a scrape ends and would leave them open. (A test counts inside its transaction.)"""
        for name in self._databases:
            if not connections[name].in_atomic_block:
                connections[name].close()

    def _family(self) -> core.GaugeMetricFamily:
        return core.GaugeMetricFamily(
            "gavel_sagas_parked",
            "Sales that wait for an operator: parked sagas, and dead letters of sale-confirmed.",
        )
