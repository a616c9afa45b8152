"""Traces: which spans a sale, a bid or a request leaves behind, for a viewer of OpenTelemetry. See ADR 44.

Work goes in groups, so no span encloses a call. Instead, code that has just done a thing records it afterwards, and the ids
follow from what the span describes: the trace from the correlation id, the span from a kind and the keys of the thing. So a
parent needs no look-up, a message that comes twice makes the same span, and a process that dies leaves a span out at worst.

A trace is kept or not as a whole. Its root decides: always for a sale, by TRACES_RATIO for anything else. What follows from it
inherits the decision with the id of its parent: an empty id means that the trace is not kept.

Without an OTLP endpoint `is_on` is False, nothing is recorded, and the exporter is never imported. Attributes hold no maximum, no
reserve, no card and no address: traces leave the house.
"""

import atexit
import functools
import hashlib
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.conf import settings

if TYPE_CHECKING:
    from auction_project.kernel.trace_export import Exporter

Kind = Literal["internal", "server", "client", "producer", "consumer"]

PROCESS = os.urandom(4).hex()  # in the key of what each process does by itself
is_on = False  # read by every bid, so it is an attribute and no call
_exporter: "Exporter | None" = None
_kept_from = 0

_RANDOM_BITS = 56  # W3C Trace Context, level 2: these bits of a trace id are random, in a UUID as well
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


class Context(NamedTuple):
    """A span as a W3C `traceparent` names it: its trace, itself, and whether its trace is kept."""

    trace_id: str
    span_id: str
    is_kept: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_kept else '00'}"


def start(role: str) -> None:
    """Record from now on, if the settings name an endpoint. Each role calls it when it starts."""
    if settings.OTLP_ENDPOINT:
        from auction_project.kernel import trace_export

        exporter = trace_export.Exporter(
            role, settings.OTLP_ENDPOINT, headers=settings.OTLP_HEADERS, ca_file=settings.OTLP_CA_FILE
        )
        record_to(exporter, ratio=settings.TRACES_RATIO)
        atexit.register(stop)


def stop() -> None:
    """Send what waits, for trace_export.CLOSE_SECONDS at most, and record nothing more."""
    exporter = _exporter
    record_to(None)
    if exporter is not None:
        exporter.close()


def record_to(exporter: "Exporter | None", *, ratio: float = 1.0) -> None:
    """Record to `exporter`, and keep this share (0 to 1) of the traces that are no sales."""
    global is_on, _exporter, _kept_from
    _kept_from = round((1 - ratio) * (1 << _RANDOM_BITS))
    _exporter, is_on = exporter, exporter is not None


@functools.lru_cache(maxsize=4096)  # a writer asks three times for each bid
def trace_id(correlation_id: str) -> str:
    """The trace (32 hex digits) of all that carries this correlation id: the id itself if it is one, else a digest."""
    if _TRACE_ID.fullmatch(correlation_id) and correlation_id != _NO_TRACE:
        return correlation_id
    return hashlib.sha256(correlation_id.encode()).hexdigest()[:32]


def span_id(kind: str, *keys: str | int) -> str:
    """The id (16 hex digits) of the span about this thing."""
    return hashlib.sha256(":".join(map(str, (kind, *keys))).encode()).hexdigest()[:16]


def is_sampled(trace_id: str) -> bool:
    """Whether this trace is kept although it is no sale. All processes agree, because they read the same bits."""
    return is_on and int(trace_id[-_RANDOM_BITS // 4 :], 16) >= _kept_from


def parse(traceparent: str | None) -> Context | None:
    """What a `traceparent` names; None if it is missing or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return Context(trace, span, bool(int(flags, 16) & 1))


def kept(traceparent: str | None) -> Context | None:
    """What a `traceparent` names, if its trace is kept and this process records."""
    context = parse(traceparent) if is_on and traceparent else None
    return context if context is not None and context.is_kept else None


def record(
    name: str,
    span: Context,
    *,
    parent: str,
    start: float,
    end: float,
    kind: Kind = "internal",
    error: str = "",
    attributes: Mapping[str, str | int | None] = MappingProxyType({}),
) -> None:
    """Record what happened from `start` to `end` (seconds since 1970 UTC). Never waits.

    `parent` is the id of the span that caused it, or empty for a root. `error` says why it failed. Attributes that are None are
    left out.
    """
    if _exporter is not None:
        given = {name: value for name, value in attributes.items() if value is not None}
        _exporter.put(name, span.trace_id, span.span_id, parent, start, max(start, end), kind, error, given)


def record_request(
    method: str,
    route: str | None,
    span: Context,
    *,
    caller: str,
    start: float,
    end: float,
    status: int,
    attributes: Mapping[str, str | int | None] = MappingProxyType({}),
) -> None:
    """Record a request by its route, because an address may hold what no trace may. `caller` is the `traceparent` that came with
    it: a parent if the trace is its own."""
    called_by = parse(caller)
    record(
        method if route is None else f"{method} /{route.removeprefix('/')}",
        span,
        parent=called_by.span_id if called_by is not None and called_by.trace_id == span.trace_id else "",
        start=start,
        end=end,
        kind="server",
        error=str(status) if status >= 500 else "",
        attributes={
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            **attributes,
        },
    )
