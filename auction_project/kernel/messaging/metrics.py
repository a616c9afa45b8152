"""The metrics of messaging."""

from auction_project.kernel import metrics

_CONSUME = ("consume",)

PUBLISHED = metrics.counter(
    "gavel_messages_published_total",
    "Messages of outboxes that the transport has stored.",
    ["topic"],
    roles=("relay",),
)
CONSUMED = metrics.counter(
    "gavel_messages_consumed_total",
    "Messages handled and acknowledged, repeats included.",
    ["topic", "group"],
    roles=_CONSUME,
)
HANDLING = metrics.histogram(
    "gavel_consumer_handling_seconds",
    "From the delivery of a group of messages to the end of its handlers, failed ones included.",
    ["group"],
    roles=_CONSUME,
)
REFUSED = metrics.counter(
    "gavel_messages_refused_total",
    "Messages that a rule of the consuming app refused; the answer is stored.",
    ["topic", "group"],
    roles=_CONSUME,
)
HELD = metrics.counter(
    "gavel_messages_held_total",
    "Failed attempts, each of which holds its partition for a pause.",
    ["topic", "group", "fate"],
    roles=_CONSUME,
)
DEAD_LETTERED = metrics.counter(
    "gavel_messages_dead_lettered_total",
    "Messages that a group gave up on and sent to the dead-letter topic.",
    ["topic", "group"],
    roles=_CONSUME,
)
HALTED = metrics.gauge(
    "gavel_consumer_halted",
    "1: the group has halted, because it gave up on too many messages in a row. An operator must act.",
    ["group"],
    roles=_CONSUME,
)
LAG = metrics.gauge(
    "gavel_consumer_lag",
    "Messages that the group has not acknowledged, over all its topics.",
    ["group"],
    roles=_CONSUME,
)
OUTBOX_WAITING = metrics.Measured(
    "gavel_outbox_waiting_messages",
    "Messages of an outbox that the transport has not stored yet.",
    ["database"],
    roles=("relay",),
)
OUTBOX_OLDEST = metrics.Measured(
    "gavel_outbox_oldest_seconds",
    "The age of the oldest message of an outbox that the transport has not stored yet; 0 without one.",
    ["database"],
    roles=("relay",),
)
DEAD_LETTERS = metrics.Measured(
    "gavel_dead_letters_waiting",
    "Dead letters that an operator has neither replayed nor dismissed.",
    roles=("relay",),
)
