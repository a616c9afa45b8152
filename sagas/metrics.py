"""The metrics of the sagas. Counters are of this process; what is measured is of the whole saga log."""

from datetime import UTC, datetime

from auction_project.kernel import metrics
from sagas import definitions, dispatcher, selectors

_WORKER = ("worker",)

STARTED = metrics.counter("gavel_sagas_started_total", "Sagas started by this process.", roles=("consume",))
ENDED = metrics.counter(
    "gavel_sagas_ended_total", "Sagas that this process brought to this state.", ["state"], roles=_WORKER
)
ATTEMPTS = metrics.counter(
    "gavel_saga_attempts_total", "Attempts at steps, by their outcome.", ["step", "outcome"], roles=_WORKER
)
RESENT = metrics.counter("gavel_sagas_resent_total", "Chains that the sweep has sent.", roles=_WORKER)
SECONDS = metrics.histogram(
    "gavel_saga_seconds",
    "From the start of a saga to its end.",
    ["state"],
    roles=_WORKER,
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
CALL_SECONDS = metrics.histogram(
    "gavel_saga_call_seconds",
    "One call of a participant, for a group of sagas.",
    ["step"],
    roles=_WORKER,
)
PARKED = metrics.Measured(
    "gavel_sagas_parked",
    "Sales that wait for an operator: parked sagas, and dead letters of sale-confirmed.",
    roles=_WORKER,
)
UNDER_WAY = metrics.Measured(
    "gavel_sagas_under_way",
    "Sagas that go on by themselves, those that wait for their turn included.",
    roles=_WORKER,
)
OLDEST = metrics.Measured(
    "gavel_sagas_oldest_seconds",
    "The age of the oldest saga that goes on by itself; 0 without one.",
    roles=_WORKER,
)
WAITING_TASKS = metrics.Measured(
    "gavel_tasks_waiting", "Tasks in a queue of the sales that no worker has taken.", ["queue"], roles=_WORKER
)


def measure_log() -> None:
    """Give what is measured. The role worker alone does, so that other processes need no connection for it."""
    PARKED.measure_by(lambda: {(): selectors.count_parked()})
    UNDER_WAY.measure_by(lambda: {(): selectors.list_under_way().count()})
    OLDEST.measure_by(lambda: {(): selectors.oldest_seconds(datetime.now(UTC))})
    WAITING_TASKS.measure_by(
        lambda: {(name,): count for name, count in dispatcher.count_waiting(definitions.QUEUES).items()}
    )
