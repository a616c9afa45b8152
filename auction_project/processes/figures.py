"""What a process says of its work in the registry, out of the metrics that it has anyway."""

from collections.abc import Callable

from prometheus_client import metrics

from auction_project.processes import registry


def of(metric: metrics.MetricWrapperBase, unit: str) -> Callable[[], registry.Figure]:
    """The value of a counter or a gauge, over all its labels."""
    return lambda: registry.Figure(total(metric), unit)


def total(metric: metrics.MetricWrapperBase) -> float:
    samples = [sample for family in metric.collect() for sample in family.samples]
    return sum(sample.value for sample in samples if not sample.name.endswith("_created"))
