"""Declarations of metrics: their conventions, and gauges that are measured."""

import threading
from collections.abc import Iterator

import prometheus_client
import pytest
from prometheus_client import registry

from auction_project.kernel import metrics


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[registry.CollectorRegistry]:
    own = registry.CollectorRegistry()
    monkeypatch.setattr(prometheus_client, "REGISTRY", own)
    monkeypatch.setattr(metrics, "DECLARED", {})
    return own


def declared(name: str, kind: str = "gauge", meaning: str = "A thing.", labels: tuple[str, ...] = ()):
    return metrics.Declared(name=name, kind=kind, meaning=meaning, labels=labels, roles=(), module="m")


def samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#") and "_created" not in line]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (declared("bids_total", "counter"), "a name is gavel_ and lower-case words"),
        (declared("gavel_Bids_total", "counter"), "a name is gavel_ and lower-case words"),
        (declared("gavel_bids", "counter"), "counters end in _total"),
        (declared("gavel_bids_total"), "counters end in _total"),
        (declared("gavel_bid_time", "histogram"), "a histogram ends in its unit"),
        (declared("gavel_bid_ms", "histogram"), "ms is no base unit"),
        (declared("gavel_age_minutes"), "minutes is no base unit"),
        (declared("gavel_age_seconds", meaning="An age"), "its meaning is a sentence"),
        (declared("gavel_bids_total", "counter", labels=("user_id",)), "the label user_id"),
        (declared("gavel_bids_total", "counter", labels=("auction",)), "the label auction"),
        (declared("gavel_bids_total", "counter", labels=("Rule",)), "the label Rule"),
    ],
)
def test_a_breach_of_the_conventions_is_named(broken: metrics.Declared, said: str) -> None:
    assert any(said in breach for breach in metrics.breaches(broken))


def test_what_keeps_the_conventions_has_no_breach() -> None:
    kept = [
        declared("gavel_bids_total", "counter", labels=("rule", "close_code")),
        declared("gavel_bid_seconds", "histogram"),
        declared("gavel_sent_bytes_total", "counter"),
        declared("gavel_sockets"),
    ]

    assert [list(metrics.breaches(one)) for one in kept] == [[], [], [], []]
    assert [one.unit for one in kept] == ["", "seconds", "bytes", ""]


def test_a_measured_gauge_is_given_only_where_it_is_measured(
    own_registry: registry.CollectorRegistry,
) -> None:
    waiting = metrics.Measured("gavel_waiting", "W.", ["queue"], roles=("worker",))
    assert prometheus_client.generate_latest(own_registry) == b""

    numbers = {("a",): 1.0}
    waiting.measure_by(lambda: numbers)
    assert own_registry.get_sample_value("gavel_waiting", {"queue": "a"}) == 1.0

    waiting.measure_by(lambda: {("a",): 2.0})  # a process that makes its part anew
    assert own_registry.get_sample_value("gavel_waiting", {"queue": "a"}) == 2.0


def test_a_measure_that_fails_gives_no_value_and_keeps_the_others(
    own_registry: registry.CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> dict[tuple[str, ...], float]:
        raise OSError("unreachable")

    metrics.Measured("gavel_waiting", "W.", roles=()).measure_by(fail)
    metrics.Measured("gavel_other", "O.", roles=()).measure_by(lambda: {(): 1})

    text = prometheus_client.generate_latest(own_registry).decode()

    assert samples(text) == ["gavel_other 1.0"]


def test_a_measure_that_hangs_gives_no_value_and_is_not_begun_again(
    own_registry: registry.CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "ANSWER_SECONDS", 0.05)
    released, begun = threading.Event(), []

    def hang() -> dict[tuple[str, ...], float]:
        begun.append(1)
        released.wait(20)
        return {(): 7}

    waiting = metrics.Measured("gavel_waiting", "W.", roles=())
    waiting.measure_by(hang)
    try:
        assert [own_registry.get_sample_value("gavel_waiting") for _ in range(3)] == [None] * 3
        assert len(begun) == 1
    finally:
        released.set()
    waiting._current.join(20)
    assert own_registry.get_sample_value("gavel_waiting") == 7


def test_scrapes_at_the_same_moment_share_a_measure(
    own_registry: registry.CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_wait = threading.Barrier(3)
    join, begun, values = metrics._Measuring.join, [], []

    def measure() -> dict[tuple[str, ...], float]:
        begun.append(1)
        both_wait.wait(20)
        return {(): 7}

    def wait(measuring: threading.Thread, seconds: float) -> None:
        both_wait.wait(20)
        join(measuring, seconds)

    monkeypatch.setattr(metrics._Measuring, "join", wait)
    metrics.Measured("gavel_waiting", "W.", roles=()).measure_by(measure)
    scrapes = [
        threading.Thread(target=lambda: values.append(own_registry.get_sample_value("gavel_waiting")))
        for _ in range(2)
    ]
    for scrape in scrapes:
        scrape.start()
    for scrape in scrapes:
        scrape.join(20)

    assert (values, begun) == ([7, 7], [1])
