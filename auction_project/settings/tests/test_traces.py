"""A setting of traces that cannot work is refused at the start, by its name."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from auction_project.settings import environment, traces

VIEWER = "https://jaeger.example/trace/{trace_id}"


def test_without_variables_traces_are_off_and_nothing_links_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "HEADERS"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    env = environment.Env()

    assert (traces.endpoint(env), traces.headers(env), traces.ratio(env), traces.viewer(env)) == (
        "",
        {},
        1,
        "",
    )


def test_what_is_right_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=se%20cret=, x-tenant=7")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.01")
    monkeypatch.setenv("TRACE_VIEWER_URL", VIEWER)
    env = environment.Env()

    assert (traces.endpoint(env), traces.ratio(env), traces.viewer(env)) == (
        "http://collector:4318",
        0.01,
        VIEWER,
    )
    assert traces.headers(env) == {"api-key": "se cret=", "x-tenant": "7"}


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("TRACE_VIEWER_URL", "javascript:alert('{trace_id}')", traces.viewer),
        ("TRACE_VIEWER_URL", "//jaeger.example/{trace_id}", traces.viewer),
        ("TRACE_VIEWER_URL", "https://jaeger.example/trace/", traces.viewer),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", traces.endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key", traces.headers),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", traces.ratio),
        ("OTEL_TRACES_SAMPLER_ARG", "nan", traces.ratio),
    ],
)
def test_what_cannot_work_is_refused_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured, match=name):
        read(environment.Env())  # type: ignore[operator]
