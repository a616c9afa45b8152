"""The metrics of messaging, for Prometheus: the name and meaning of every series."""

import prometheus_client

PUBLISHED = prometheus_client.Counter(
    "gavel_messages_published", "Messages of outboxes that the transport has stored.", ["topic"]
)
UNPUBLISHED = prometheus_client.Gauge(
    "gavel_outbox_unpublished",
    "Rows that this relay found unpublished at its last look, up to one batch.",
    ["source"],
)
CONSUMED = prometheus_client.Counter(
    "gavel_messages_consumed", "Messages handled and acknowledged, repeats included.", ["topic", "group"]
)
REFUSED = prometheus_client.Counter(
    "gavel_messages_refused",
    "Messages that a rule of the consuming app refused; the answer is stored.",
    ["topic", "group"],
)
HELD = prometheus_client.Counter(
    "gavel_messages_held",
    "Failed attempts, each of which holds its partition for a pause.",
    ["topic", "group", "fate"],
)
DEAD_LETTERED = prometheus_client.Counter(
    "gavel_messages_dead_lettered",
    "Messages that a group gave up on and sent to the dead-letter topic.",
    ["topic", "group"],
)
HALTED = prometheus_client.Gauge(
    "gavel_consumer_halted",
    "1: the group has halted, because it gave up on too many messages in a row. An operator must act.",
    ["group"],
)
LAG = prometheus_client.Gauge(
    "gavel_consumer_lag", "Messages that the group has not acknowledged, over all its topics.", ["group"]
)
