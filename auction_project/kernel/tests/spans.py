"""Two ways for a test to see spans: `recorded` keeps those of this process, `Receiver` is an OTLP endpoint for whole processes."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from auction_project.kernel import tracing


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span; the ids are hex digits, the times seconds since 1970 UTC."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    start: float
    end: float
    kind: str
    error: str
    attributes: dict[str, Any]
    service: str = ""


class Spans:
    """An exporter that keeps what it is given."""

    def __init__(self) -> None:
        self.all: list[Span] = []

    def put(
        self,
        name: str,
        trace_id: str,
        span_id: str,
        parent: str,
        start: float,
        end: float,
        kind: str,
        error: str,
        attributes: Mapping[str, str | int],
    ) -> None:
        self.all.append(
            Span(
                name=name,
                trace_id=trace_id,
                span_id=span_id,
                parent=parent,
                start=start,
                end=end,
                kind=kind,
                error=error,
                attributes=dict(attributes),
            )
        )

    def close(self) -> None:
        """There is nothing to send."""

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.all]

    def named(self, name: str) -> Span:
        """The only span of that name."""
        (span,) = [span for span in self.all if span.name == name]
        return span


@contextlib.contextmanager
def recorded(*, ratio: float = 1.0) -> Iterator[Spans]:
    """The spans that this process records inside, when it keeps this share of the traces that are no sales."""
    spans = Spans()
    tracing.record_to(spans, ratio=ratio)  # type: ignore[arg-type]
    try:
        yield spans
    finally:
        tracing.record_to(None)


class Receiver:
    """A collector: takes OTLP over HTTP at `url`, and keeps the spans. Without `may_answer` it hangs."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []  # a whole session sends many, and few are looked at
        self.may_answer = threading.Event()
        self.may_answer.set()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[Span]:
        requests = map(trace_service_pb2.ExportTraceServiceRequest.FromString, list(self.bodies))
        return [span for request in requests for span in _spans(request)]

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace. Bodies that do not name it are not decoded."""
        named = [body for body in list(self.bodies) if bytes.fromhex(trace_id) in body]
        requests = map(trace_service_pb2.ExportTraceServiceRequest.FromString, named)
        return [span for request in requests for span in _spans(request) if span.trace_id == trace_id]


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.may_answer.wait()
        if self.path == "/v1/traces":
            self.receiver.bodies.append(body)
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log no requests."""


def _spans(request: trace_service_pb2.ExportTraceServiceRequest) -> Iterator[Span]:
    for of_process in request.resource_spans:
        service = _attributes(of_process.resource)["service.name"]
        for of_scope in of_process.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    start=span.start_time_unix_nano / 1e9,
                    end=span.end_time_unix_nano / 1e9,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    error=span.status.message,
                    attributes=_attributes(span),
                    service=service,
                )


def _attributes(described: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in described.attributes}
