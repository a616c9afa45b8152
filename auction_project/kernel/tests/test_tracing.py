"""Ids follow from what they name, all processes keep the same traces, and the exporter never holds up work."""

import random
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from auction_project.kernel import correlation, logs, trace_export, tracing
from auction_project.kernel.tests import spans

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def receiver() -> Iterator[spans.Receiver]:
    found = spans.Receiver()
    yield found
    found.close()


def _record(span_id: str = SPAN, **options: object) -> None:
    arguments: dict[str, object] = {"parent": "", "start": 1.5, "end": 2.25} | options
    tracing.record("step", tracing.Context(TRACE, span_id), **arguments)  # type: ignore[arg-type]


# --- ids -------------------------------------------------------------------------------------------------------------


def test_a_correlation_id_of_32_hex_digits_is_the_trace_and_any_other_one_has_a_digest() -> None:
    assert tracing.trace_id(TRACE) == TRACE
    assert tracing.trace_id("checkout-7") == "7689ab138acaaf40d31299eab96168e7"
    assert tracing.trace_id("0" * 32) == "84e0c0eafaa95a34c293f278ac52e45c"  # W3C: no trace has this id


def test_the_id_of_a_span_follows_from_the_kind_and_the_keys_of_the_thing() -> None:
    assert tracing.span_id("entry", "a1", 7) == tracing.span_id("entry", "a1", "7")
    assert len({tracing.span_id("step", "s1", "capture_payment", attempt) for attempt in range(100)}) == 100


def test_a_traceparent_names_trace_and_span_and_whether_the_trace_is_kept() -> None:
    assert tracing.parse(TRACEPARENT) == tracing.Context(TRACE, SPAN, True)
    assert tracing.parse(f"00-{TRACE}-{SPAN}-02") == tracing.Context(TRACE, SPAN, False)
    assert tracing.parse(f"01-{TRACE}-{SPAN}-01-more") == tracing.Context(TRACE, SPAN, True)
    assert str(tracing.Context(TRACE, SPAN)) == TRACEPARENT


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
    ],
)
def test_a_malformed_traceparent_is_ignored(malformed: str) -> None:
    assert tracing.parse(malformed) is None
    assert correlation.accept("", malformed) not in ("", TRACE)


def test_the_trace_of_a_caller_becomes_the_correlation_id_unless_it_sent_one() -> None:
    assert correlation.accept("", TRACEPARENT) == TRACE
    assert correlation.accept("checkout-7", TRACEPARENT) == "checkout-7"
    assert correlation.accept("no good!", TRACEPARENT) == TRACE


# --- sampling --------------------------------------------------------------------------------------------------------


def _kept(ratio: float) -> set[str]:
    """Those of a thousand UUIDs, as Gavel and others make ids, that are kept."""
    numbers = random.Random(7)
    ids = [uuid.UUID(int=numbers.getrandbits(128), version=4).hex for _ in range(1000)]
    with spans.recorded(ratio=ratio):
        return {each for each in ids if tracing.is_sampled(each)}


def test_the_ratio_holds_for_uuids_whose_leading_bits_are_not_random() -> None:
    assert [len(_kept(ratio)) for ratio in (0, 0.01, 0.1, 0.5, 1)] == [0, 17, 119, 507, 1000]


def test_what_a_low_ratio_keeps_a_higher_one_keeps_too() -> None:
    assert _kept(0.01) < _kept(0.1) < _kept(0.5)


def test_an_event_whose_trace_is_not_kept_is_not_recorded() -> None:
    with spans.recorded():
        assert tracing.kept(TRACEPARENT) == tracing.Context(TRACE, SPAN)
        assert tracing.kept(f"00-{TRACE}-{SPAN}-00") is None
        assert tracing.kept(None) is None
    assert tracing.kept(TRACEPARENT) is None  # this process does not record


# --- off -------------------------------------------------------------------------------------------------------------


def test_without_an_endpoint_nothing_is_recorded_and_the_exporter_is_not_loaded() -> None:
    program = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "auction_project.settings.test"
os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
import django
django.setup()
from auction_project import celery
from auction_project.kernel import tracing
from auction_project.management.commands import consume
tracing.start("web")
tracing.record("step", tracing.Context("1" * 32, "2" * 16), parent="", start=1.0, end=2.0)
assert not tracing.is_on and not tracing.is_sampled("f" * 32)
print([name for name in sys.modules if name.startswith(("opentelemetry.", "google.protobuf")) or "trace_export" in name])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- log lines -------------------------------------------------------------------------------------------------------


def test_a_line_with_a_correlation_id_names_its_trace_while_traces_are_on() -> None:
    program = f"""
from auction_project.kernel import logs
from auction_project.kernel.tests import spans
logs.configure(json=True, level="INFO")
with logs.bound(correlation_id="{TRACE}", span_id="{SPAN}"):
    with spans.recorded():
        logs.get("a").info("traced")
        assert logs.span_id() == "{SPAN}"
    logs.get("a").info("off")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    traced, off = done.stderr.splitlines()
    assert f'"trace_id": "{TRACE}"' in traced
    assert f'"span_id": "{SPAN}"' in traced
    assert "trace_id" not in off


def test_no_span_is_bound_where_the_trace_is_not_kept() -> None:
    with logs.bound(correlation_id=TRACE, span_id=""):
        assert logs.span_id() == ""


# --- the exporter ----------------------------------------------------------------------------------------------------


def test_a_recorded_span_reaches_the_collector_as_it_was(receiver: spans.Receiver) -> None:
    tracing.record_to(trace_export.Exporter("web", receiver.url + "/"))
    try:
        _record(
            parent="00f067aa0ba902b7",
            kind="server",
            error="503",
            attributes={"http.route": "/a", "http.response.status_code": 503, "gavel.none": None},
        )
        _record("1111111111111111", end=1.0)
    finally:
        tracing.stop()

    first, second = receiver.spans
    assert first == spans.Span(
        name="step",
        trace_id=TRACE,
        span_id=SPAN,
        parent="00f067aa0ba902b7",
        start=1.5,
        end=2.25,
        kind="server",
        error="503",
        attributes={"http.route": "/a", "http.response.status_code": 503},
        service="gavel-web",
    )
    assert (second.parent, second.start, second.end) == (
        "",
        1.5,
        1.5,
    )  # a clock that was set back makes no negative time
    assert not tracing.is_on


def test_what_the_queue_does_not_hold_is_lost_and_no_work_waits(
    receiver: spans.Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_export, "QUEUE_SPANS", 20)
    monkeypatch.setattr(trace_export, "BATCH_SPANS", 5)
    receiver.may_answer.clear()
    tracing.record_to(trace_export.Exporter("web", receiver.url))
    try:
        for number in range(1000):
            _record(tracing.span_id("step", number))
        receiver.may_answer.set()
    finally:
        tracing.stop()

    assert 20 <= len(receiver.spans) <= 25  # and the batch that was on its way
    assert receiver.spans[-1].span_id == tracing.span_id("step", 999)


def test_a_collector_that_is_away_costs_one_line_and_no_end_waits_for_it(
    receiver: spans.Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.close()
    exporter = trace_export.Exporter("web", receiver.url)
    tracing.record_to(exporter)
    for number in range(100):
        _record(tracing.span_id("step", number))
        exporter.send_all()
    tracing.stop()

    lines = [line.message for line in caplog.records if line.name == trace_export.__name__]
    assert len(lines) == 1
    assert lines[0].startswith(f"spans_not_sent: {receiver.url}/v1/traces takes none")
