"""How a metric is declared: its name, its meaning, its labels, and the roles whose processes give it.

Every metric is declared here and nowhere else, in a module named metrics.py (`.ci/lint.py` holds this). DECLARED is what
docs/metrics.md is written from, and `breaches` names what breaks the conventions: one prefix, base units in names, and
labels with few values.

A counter and a histogram count in their own process. A gauge that one process sets now and then is wrong in all others, so
what belongs to the whole (a backlog, a queue) is `Measured`: at each scrape, in the processes that know how.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import prometheus_client
from django.db import connections
from prometheus_client import core, registry

PREFIX = "gavel_"
# Those of the service-level objectives are among them: bids 50 ms, frames 100 ms, sales 5 s.
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_UNITS = ("seconds", "bytes")
_OTHER_UNITS = {
    "ms",
    "us",
    "ns",
    "millis",
    "milliseconds",
    "minutes",
    "hours",
    "kb",
    "mb",
    "kilobytes",
    "percent",
}
_NAME = re.compile(r"gavel(_[a-z0-9]+)+")
_LABEL = re.compile(r"[a-z]+(_[a-z]+)*")
_UNBOUNDED = {
    "address",
    "auction",
    "email",
    "key",
    "path",
    "product",
    "sale",
    "saga",
    "user",
}  # one series for each

ANSWER_SECONDS = 2.0  # of a measure

Numbers = Mapping[tuple[str, ...], float]  # by the values of the labels

log = logging.getLogger(__name__)  # logs name traces, whose exporter has a metric


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """One metric, by the name under which Prometheus knows it. `roles`: empty for all; `module` declares it."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...]
    roles: tuple[str, ...]
    module: str

    @property
    def unit(self) -> str:
        """The unit in the name; what is counted has none."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in _UNITS else ""

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its samples."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


DECLARED: dict[str, Declared] = {}


def counter(
    name: str, meaning: str, labels: Sequence[str] = (), *, roles: Sequence[str]
) -> prometheus_client.Counter:
    """A number that only grows while its process lives. `name` ends in _total."""
    _declare(name, "counter", meaning, labels, roles)
    return prometheus_client.Counter(name, meaning, labels)


def gauge(
    name: str, meaning: str, labels: Sequence[str] = (), *, roles: Sequence[str]
) -> prometheus_client.Gauge:
    """A number that this process alone knows."""
    _declare(name, "gauge", meaning, labels, roles)
    return prometheus_client.Gauge(name, meaning, labels)


def histogram(
    name: str,
    meaning: str,
    labels: Sequence[str] = (),
    *,
    roles: Sequence[str],
    buckets: Sequence[float] = SECONDS,
) -> prometheus_client.Histogram:
    """How long something took, or how large it was, from any thread."""
    _declare(name, "histogram", meaning, labels, roles)
    return prometheus_client.Histogram(name, meaning, labels, buckets=buckets)


class Measured(registry.Collector):
    """A gauge that is measured at each scrape, in the processes that called `measure_by`; the others do not give it.

    A measure that fails, or takes longer than ANSWER_SECONDS, gives no value and holds up no other metric. One that hangs is
    not begun again before it has ended.
    """

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = (), *, roles: Sequence[str]) -> None:
        self._declared = _declare(name, "gauge", meaning, labels, roles)
        self.name = name
        self._measure: Callable[[], Numbers] | None = None
        self._lock = threading.Lock()
        self._current: _Measuring | None = None

    def measure_by(self, measure: Callable[[], Numbers]) -> None:
        """From now on, give what `measure` returns, in a thread of its own: a number by the values of the labels."""
        if self._measure is None:
            prometheus_client.REGISTRY.register(self)
        self._measure = measure

    def measure(self) -> Numbers:
        """The numbers now. Raises what the measure raises."""
        return {} if self._measure is None else self._measure()

    def describe(self) -> Iterator[core.Metric]:
        yield self._family()

    def collect(self) -> Iterator[core.Metric]:
        family = self._family()
        for values, number in self._measure_in_time().items():
            family.add_metric(values, number)
        yield family

    def _measure_in_time(self) -> Numbers:
        """What this scrape, or one at the same moment, has measured."""
        with self._lock:
            if self._current is None or not self._current.is_alive():
                self._current = _Measuring(self.measure, self._declared.name)
                self._current.start()
            current = self._current
        current.join(max(0.0, current.until - time.monotonic()))
        return current.numbers

    def _family(self) -> core.GaugeMetricFamily:
        return core.GaugeMetricFamily(
            self._declared.name, self._declared.meaning, labels=self._declared.labels
        )


class _Measuring(threading.Thread):
    """One measure under way. `numbers` is empty until it has succeeded."""

    def __init__(self, measure: Callable[[], Numbers], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.until = time.monotonic() + ANSWER_SECONDS
        self.numbers: Numbers = {}
        self._measure = measure

    def run(self) -> None:
        try:
            self.numbers = self._measure()
        except Exception as error:
            log.warning("not_measured: %s: %r", self.name, error)
        finally:
            connections.close_all()  # the thread ends and would leave them open


def declared_in(module: str) -> list[Declared]:
    """What the module of that name declares, in order."""
    return [declared for declared in DECLARED.values() if declared.module == module]


def breaches(declared: Declared) -> Iterator[str]:
    """What of `declared` breaks the conventions, each as a sentence that names the rule."""
    words = declared.name.split("_")
    if not _NAME.fullmatch(declared.name):
        yield f"{declared.name}: a name is {PREFIX} and lower-case words."
    if (declared.kind == "counter") != (words[-1] == "total"):
        yield f"{declared.name}: counters end in _total, and only they."
    if declared.kind == "histogram" and words[-1] not in _UNITS:
        yield f"{declared.name}: a histogram ends in its unit: {', '.join(_UNITS)}."
    if wrong := _OTHER_UNITS.intersection(words):
        yield f"{declared.name}: {', '.join(sorted(wrong))} is no base unit; use seconds or bytes."
    if not declared.meaning.endswith("."):
        yield f"{declared.name}: its meaning is a sentence, with a full stop."
    for label in declared.labels:
        if not _LABEL.fullmatch(label) or _UNBOUNDED.intersection(label.split("_")) or label.endswith("id"):
            yield f"{declared.name}: the label {label} must be lower case and have few values."


def _declare(name: str, kind: str, meaning: str, labels: Sequence[str], roles: Sequence[str]) -> Declared:
    module = sys._getframe(2).f_globals["__name__"]
    declared = Declared(
        name=name, kind=kind, meaning=meaning, labels=tuple(labels), roles=tuple(roles), module=module
    )
    DECLARED[name] = declared
    return declared


# --- the kernel's own -----------------------------------------------------------------------------------------------

spans_lost = counter("gavel_spans_lost_total", "Spans that no trace viewer will show.", roles=())
