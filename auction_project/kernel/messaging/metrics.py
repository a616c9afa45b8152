"""What messaging counts, for Prometheus: one place that names every series and says what it means."""

import prometheus_client

PUBLISHED = prometheus_client.Counter(
    "gavel_messages_published", "Messages that the transport has taken from an outbox.", ["topic"]
)
CONSUMED = prometheus_client.Counter(
    "gavel_messages_consumed", "Messages dealt with and acknowledged, repeats included.", ["topic", "group"]
)
REFUSED = prometheus_client.Counter(
    "gavel_messages_refused",
    "Messages that a rule of the reading app refused; the answer is stored.",
    ["topic", "group"],
)
HELD = prometheus_client.Counter(
    "gavel_messages_held", "Attempts that failed and made their partition wait.", ["topic", "group", "fate"]
)
DEAD_LETTERED = prometheus_client.Counter(
    "gavel_messages_dead_lettered",
    "Messages given up on. Any on sale-confirmed needs a person at once.",
    ["topic", "group"],
)
HALTED = prometheus_client.Gauge(
    "gavel_consumer_halted",
    "1: the group takes no messages, because it gave up on too many in a row. An operator must act.",
    ["group"],
)
LAG = prometheus_client.Gauge(
    "gavel_consumer_lag", "Messages that the group has not acknowledged, over all its topics.", ["group"]
)
