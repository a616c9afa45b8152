"""The settings of traces, checked in every process: a wrong one must not show first when a trace is missing."""

from urllib import parse

from django.core.exceptions import ImproperlyConfigured

from auction_project.settings import environment

TRACE_ID = "{trace_id}"  # in the address of a viewer


def endpoint(env: environment.Env) -> str:
    """Where spans go, by OTLP over HTTP; empty: nowhere. Raises ImproperlyConfigured."""
    url: str = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
    return _web_address("OTEL_EXPORTER_OTLP_ENDPOINT", url, "http://collector:4318")


def headers(env: environment.Env) -> dict[str, str]:
    """What goes with each request to the endpoint: `name=value,…`, the values percent-encoded. Raises ImproperlyConfigured."""
    listed = [pair.partition("=") for pair in env.list("OTEL_EXPORTER_OTLP_HEADERS", default=[])]
    if any(not (name.strip() and separator) for name, separator, _ in listed):
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_HEADERS cannot be read. It looks like api-key=secret,x-tenant=7."
        )
    return {name.strip(): parse.unquote(value.strip()) for name, _, value in listed}


def ratio(env: environment.Env) -> float:
    """The share of the traces that are kept although they are no sales. Raises ImproperlyConfigured."""
    share: float = env.float("OTEL_TRACES_SAMPLER_ARG", default=1.0)
    if not 0 <= share <= 1:
        raise ImproperlyConfigured(
            f"OTEL_TRACES_SAMPLER_ARG is {share:g}. It is a share: from 0 to 1, such as 0.01."
        )
    return share


def viewer(env: environment.Env) -> str:
    """The address of a trace in its viewer, with TRACE_ID in it; empty: there is none. Raises ImproperlyConfigured."""
    url: str = env.str("TRACE_VIEWER_URL", default="")
    if url and TRACE_ID not in url:
        raise ImproperlyConfigured(f"TRACE_VIEWER_URL has no place for the trace: write {TRACE_ID} there.")
    return _web_address("TRACE_VIEWER_URL", url, f"https://jaeger.example/trace/{TRACE_ID}")


def _web_address(name: str, url: str, example: str) -> str:
    address = parse.urlsplit(url)
    if url and not (address.scheme in ("http", "https") and address.hostname):
        raise ImproperlyConfigured(f"{name} is no address of the web. It looks like {example}.")
    return url
