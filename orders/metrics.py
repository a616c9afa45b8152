"""The metrics of orders."""

from auction_project.kernel import metrics

_WORKER = ("worker",)

payments = metrics.counter(
    "gavel_payments_total", "Payments by what became of them.", ["state"], roles=_WORKER
)
refunds = metrics.counter(
    "gavel_refunds_total",
    "Refunds of confirmed orders by what became of a call of the provider: done, failed.",
    ["outcome"],
    roles=_WORKER,
)
provider_seconds = metrics.histogram(
    "gavel_provider_call_seconds",
    "Calls of the payment provider, by their end: answered (refusals, too), no_answer, unavailable.",
    ["outcome"],
    roles=_WORKER,
)
