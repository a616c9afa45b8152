"""The metrics of bidding: the writer, and the relay of the bid log."""

from auction_project.kernel import metrics

_WRITERS = ("web", "clock", "consume")
_RELAY = ("relay",)
_HOLDERS = (*_WRITERS, *_RELAY)  # each has a writer, whether it writes or not

refusals = metrics.counter("gavel_bid_refusals_total", "Refused commands.", ["rule"], roles=_WRITERS)
entries_stored = metrics.counter(
    "gavel_bid_log_entries_total", "Entries stored in the bid log.", roles=_WRITERS
)
bulks_sent = metrics.counter("gavel_bid_log_bulks_total", "Bulk inserts sent to the bid log.", roles=_WRITERS)
append_seconds = metrics.histogram(
    "gavel_bid_log_append_seconds",
    "How long the store took for one bulk insert. An insert without an answer is counted, too.",
    roles=_WRITERS,
)
conflicts = metrics.counter(
    "gavel_bid_log_conflicts_total", "Bulks that met another writer's entry.", roles=_WRITERS
)
waiting_commands = metrics.Measured(
    "gavel_bid_writer_waiting_commands",
    "Commands that wait for the next bulk insert of this process.",
    roles=_HOLDERS,
)
stalled = metrics.Measured(
    "gavel_bid_writer_stalled",
    "1: the store leaves outcomes open, so this process refuses bids with 503.",
    roles=_HOLDERS,
)
entries_published = metrics.counter(
    "gavel_bid_log_published_total", "Entries of the bid log that this process has published.", roles=_RELAY
)
entries_unpublished = metrics.gauge(
    "gavel_bid_log_unpublished_entries",
    "Entries of the bid log that this relay knows of and has not published, at least.",
    roles=_RELAY,
)
publish_seconds = metrics.histogram(
    "gavel_bid_log_publish_seconds",
    "From the arrival of the oldest entry of an auction's turn to the publication of the turn.",
    roles=_RELAY,
)
waiting_auctions = metrics.gauge(
    "gavel_bid_log_waiting_auctions",
    "Auctions with entries that are not published; 0 in a relay that does not lead.",
    roles=_RELAY,
)
