"""The spans about notices, their e-mails and the frames that streams get. See ADR 44."""

import time
from collections.abc import Iterable

from auction_project.kernel import tracing
from auction_project.kernel.contracts import events
from notifications import kinds, models


def of_record(record: events.LogRecord, correlation_id: str) -> str:
    """The `traceparent` of the entry of the bid log that `record` shows."""
    span_id = tracing.span_id("entry", record.auction_id, record.seq)
    return str(tracing.Context(tracing.trace_id(correlation_id), span_id))


def record_notices(added: Iterable[tuple[models.Request, models.Notification]]) -> None:
    """Record notices that were just committed."""
    now = time.time()
    for request, notice in added:
        if (span := tracing.kept(notice.traceparent)) is not None:
            tracing.record(
                f"notice {kinds.of(notice.kind).wire_name}",
                span,
                parent=request.span_id,
                start=notice.created_at.timestamp(),
                end=now,
            )


def record_emails(changes: Iterable[models.Change], *, began: float) -> None:
    """Record what became of these e-mails, which were handed over since `began` (seconds since 1970 UTC)."""
    now = time.time()
    for change in changes:
        notice = change.email.notification
        if change.state != models.EmailState.PENDING and (span := tracing.kept(notice.traceparent)):
            tracing.record(
                f"mail {kinds.of(notice.kind).wire_name}",
                tracing.Context(span.trace_id, tracing.span_id("mail", span.span_id)),
                parent=span.span_id,
                start=began,
                end=now,
                kind="client",
                error="" if change.state == models.EmailState.SENT else change.state.value,
            )


def record_push(name: str, traceparent: str, *, began: float, subscribers: int) -> None:
    """Record that this process has pushed a frame since `began`: one span for all its subscribers."""
    if (span := tracing.kept(traceparent)) is not None:
        tracing.record(
            name,
            tracing.Context(span.trace_id, tracing.span_id("push", tracing.PROCESS, span.span_id)),
            parent=span.span_id,
            start=began,
            end=time.time(),
            kind="producer",
            attributes={"gavel.subscribers": subscribers},
        )
