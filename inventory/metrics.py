"""The metrics of the stock."""

from auction_project.kernel import metrics

cache_reads = metrics.counter(
    "gavel_shop_cache_reads_total",
    "Answers of the shop: a hit was cached, a miss was read, the previous one was given while another request read it.",
    ["outcome"],
    roles=("web",),
)
