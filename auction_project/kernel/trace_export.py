"""Sends spans to an OTLP endpoint, by protobuf over HTTP, from a thread of its own. `tracing` imports this file on demand.

No work ever waits for it: the queue is bounded, and its oldest spans are lost when it is full. A batch that the endpoint does not
take is lost, too, because an endpoint that is away for long must not fill the memory. A failure costs one line of log in
LOG_SECONDS, and `gavel_spans_lost_total` counts what is lost.
"""

import collections
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import urllib3
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.resource.v1 import resource_pb2 as resources
from opentelemetry.proto.trace.v1 import trace_pb2 as traces

from auction_project.kernel import metrics

QUEUE_SPANS = 16_384  # some 8 MB
BATCH_SPANS = 512  # of one request
SEND_SECONDS = 0.5  # between two looks at the queue
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 2.0
LOG_SECONDS = 60.0
PATH = "/v1/traces"
_HEADERS = {"Content-Type": "application/x-protobuf"}
_KINDS = {name.removeprefix("SPAN_KIND_").lower(): number for name, number in traces.Span.SpanKind.items()}

log = logging.getLogger(__name__)


class _Span(NamedTuple):
    """One span as `tracing.record` gives it: ids in hex digits, times in seconds since 1970 UTC."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    start: float
    end: float
    kind: str
    error: str
    attributes: Mapping[str, str | int]


class Exporter:
    """The spans of this process on their way to `endpoint`, where the process is the service `gavel-<role>`.

    `headers` go with each request, and `ca_file` holds the authority of the endpoint's certificate (empty: the system's).
    """

    def __init__(
        self, role: str, endpoint: str, *, headers: Mapping[str, str] | None = None, ca_file: str = ""
    ) -> None:
        self._url = endpoint.rstrip("/") + PATH
        self._queue: collections.deque[_Span] = collections.deque(maxlen=QUEUE_SPANS)
        self._resource = resources.Resource(
            attributes=[
                _attribute("service.name", f"gavel-{role}"),
                _attribute("service.instance.id", f"{socket.gethostname()}:{os.getpid()}"),
            ]
        )
        self._http = urllib3.PoolManager(
            headers={**_HEADERS, **(headers or {})},
            timeout=ANSWER_SECONDS,
            retries=False,
            ca_certs=ca_file or None,
        )
        self._next_line = 0.0
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

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
        """Queue one span. Never waits."""
        if len(self._queue) == QUEUE_SPANS:
            metrics.spans_lost.inc()
        self._queue.append(_Span(name, trace_id, span_id, parent, start, end, kind, error, attributes))

    def close(self) -> None:
        """Send what waits, for CLOSE_SECONDS at most."""
        self._is_ending.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._is_ending.wait(SEND_SECONDS):
            self.send_all()
        self.send_all()

    def send_all(self) -> None:
        """Send what waits, up to the first batch that fails."""
        while batch := self._take():
            try:
                self._send(batch)
            except Exception as error:
                metrics.spans_lost.inc(len(batch))
                if time.monotonic() >= self._next_line:
                    self._next_line = time.monotonic() + LOG_SECONDS
                    log.warning("spans_not_sent: %s takes none, so they are lost: %r", self._url, error)
                return

    def _take(self) -> list[_Span]:
        return [self._queue.popleft() for _ in range(min(BATCH_SPANS, len(self._queue)))]

    def _send(self, batch: Sequence[_Span]) -> None:
        """Raises urllib3.exceptions.HTTPError; ValueError for an answer that is no success."""
        scope = traces.ScopeSpans(spans=[_encoded(span) for span in batch])
        whole = traces.ResourceSpans(resource=self._resource, scope_spans=[scope])
        body = service.ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()
        answer = self._http.request("POST", self._url, body=body)
        if not 200 <= answer.status < 300:
            raise ValueError(f"it answers {answer.status}")


def _encoded(span: _Span) -> traces.Span:
    return traces.Span(
        name=span.name,
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent),
        start_time_unix_nano=int(span.start * 1e9),
        end_time_unix_nano=int(span.end * 1e9),
        kind=_KINDS[span.kind],
        status=traces.Status(code=traces.Status.STATUS_CODE_ERROR, message=span.error)
        if span.error
        else None,
        attributes=[_attribute(name, value) for name, value in span.attributes.items()],
    )


def _attribute(name: str, value: str | int) -> common.KeyValue:
    if isinstance(value, int):
        return common.KeyValue(key=name, value=common.AnyValue(int_value=value))
    return common.KeyValue(key=name, value=common.AnyValue(string_value=value))
