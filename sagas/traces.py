"""The spans about a saga: itself, and each attempt that its timeline keeps. A sale's trace is always kept. See ADR 44."""

from auction_project.kernel import ids, tracing
from sagas import engine, models

_STARTED_BY = "SaleConfirmed"
GROUP = "sagas"  # of consumers


def attempt_span(saga_id: str, leg: str, attempt: int) -> str:
    """The id of the span about an attempt at the call `leg`; empty while nothing is traced."""
    return tracing.span_id("step", saga_id, leg, attempt) if tracing.is_on else ""


def saga_span(saga_id: str) -> str:
    """The id of the span about a saga; empty while nothing is traced."""
    return tracing.span_id("saga", saga_id) if tracing.is_on else ""


def record_attempt(saga: models.Saga, leg: engine.Leg, line: models.SagaStep) -> None:
    """Record the attempt at `leg` that the timeline keeps as `line`."""
    if not tracing.is_on:
        return
    tracing.record(
        f"step {leg.name}",
        _context(saga, attempt_span(saga.pk, leg.name, line.attempt)),
        parent=saga_span(saga.pk),
        start=line.started_at.timestamp(),
        end=line.finished_at.timestamp(),
        error="" if line.event == models.Event.DONE else str(line.event),
        attributes={"gavel.saga_id": saga.pk, "gavel.attempt": line.attempt},
    )


def record_end(saga: models.Saga) -> None:
    """Record a saga that has ended, from its start on. It was caused by the handling of its SaleConfirmed."""
    if not tracing.is_on:
        return
    event_id = ids.event_id(*ids.auction_of_sale(saga.pk), _STARTED_BY)
    tracing.record(
        f"saga {saga.definition}",
        _context(saga, saga_span(saga.pk)),
        parent=tracing.span_id("handle", GROUP, event_id),
        start=saga.created_at.timestamp(),
        end=saga.finished_at.timestamp(),
        error=saga.failure_reason,
        attributes={
            "gavel.saga_id": saga.pk,
            "gavel.order_number": saga.order_number,
            "gavel.status": saga.status,
        },
    )


def _context(saga: models.Saga, span_id: str) -> tracing.Context:
    return tracing.Context(tracing.trace_id(saga.correlation_id), span_id)
