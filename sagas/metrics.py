"""The figures of the sagas, for Prometheus. Counters are of this process; `parked` is of the whole log."""

import prometheus_client

STARTED = prometheus_client.Counter("gavel_sagas_started", "Sagas started by this process.")
ENDED = prometheus_client.Counter(
    "gavel_sagas_ended", "Sagas that this process brought to this state.", ["state"]
)
ATTEMPTS = prometheus_client.Counter(
    "gavel_saga_attempts", "Attempts at steps, by their end.", ["step", "outcome"]
)
RESENT = prometheus_client.Counter("gavel_sagas_resent", "Chains that the sweep sent again.")
PARKED = prometheus_client.Gauge(
    "gavel_sagas_parked",
    "Sales that wait for an operator (parked sagas, dead letters of sale-confirmed), as the last sweep found.",
)
SECONDS = prometheus_client.Histogram(
    "gavel_saga_seconds",
    "From the sale to the saga's end.",
    ["state"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
