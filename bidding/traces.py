"""The spans about entries of the bid log and their events: all follow from the entry. See ADR 44.

An entry that makes or ends a sale is always kept; any other one if its trace is sampled. So writers, the relay and the push decide
alike, and a sale has its whole trace.
"""

import time
from collections.abc import Iterable, Sequence

from auction_project.kernel import contracts, tracing
from auction_project.kernel.http import answers
from bidding.rules import commands, log
from bidding.writer import rounds

BID_ROUTE = "/api/v1/auctions/{id}/bids"


def of_entry(entry: log.Entry) -> tracing.Context | None:
    """The span of `entry`; None if its trace is not kept."""
    if not tracing.is_on:
        return None
    trace_id = tracing.trace_id(entry.correlation)
    if not (_concerns_sale(entry) or tracing.is_sampled(trace_id)):
        return None
    return tracing.Context(trace_id, tracing.span_id("entry", entry.auction_id, entry.seq))


def traceparent(entry: log.Entry) -> str:
    """The span of `entry` as a `traceparent`; empty if its trace is not kept."""
    span = of_entry(entry)
    return "" if span is None else str(span)


def of_event(entry: log.Entry, event_id: str) -> tracing.Context | None:
    """The span of an event of `entry`; None if its trace is not kept."""
    span = of_entry(entry)
    return None if span is None else tracing.Context(span.trace_id, tracing.span_id("event", event_id))


def record_bid(
    command: commands.PlaceBid, entry: log.Entry | None, answer: answers.Answer, *, caller: str, since: float
) -> None:
    """Record the request of a bid. `entry`: what it became, if anything; `caller`: the `traceparent` that came with it;
    `since`: the monotonic time of its arrival."""
    trace_id = tracing.trace_id(command.correlation_id)
    if not (tracing.is_sampled(trace_id) or (entry is not None and _concerns_sale(entry))):
        return
    now = time.time()
    tracing.record_request(
        "POST",
        BID_ROUTE,
        tracing.Context(trace_id, _bid_span(command)),
        caller=caller,
        start=now - (time.monotonic() - since),
        end=now,
        status=answer[0],
        attributes={"gavel.auction_id": command.auction_id},
    )


def record_stored(stored: Iterable[rounds.Proposal]) -> None:
    """Record the entries that were just stored, each from the submission of its command."""
    now, monotonic = time.time(), time.monotonic()
    for proposal in stored:
        entry, pending = proposal.entry, proposal.pending
        if (span := of_entry(entry)) is None:
            continue
        tracing.record(
            f"entry {entry.kind}",
            span,
            parent="" if pending is None else _cause(pending.command),
            start=entry.at / 1000 if pending is None else now - (monotonic - pending.since),
            end=now,
            attributes={"gavel.auction_id": entry.auction_id, "gavel.seq": entry.seq},
        )


def record_published(entry: log.Entry, messages: Sequence[bytes]) -> None:
    """Record the events of `entry`, which the transport has just stored."""
    cause = of_entry(entry)
    if cause is None:
        return
    now = time.time()
    for message in messages:
        envelope = contracts.decode_envelope(message)
        tracing.record(
            f"event {envelope.type}",
            tracing.Context(cause.trace_id, tracing.span_id("event", envelope.id)),
            parent=cause.span_id,
            start=entry.at / 1000,
            end=now,
            kind="producer",
        )


def _bid_span(command: commands.PlaceBid) -> str:
    return tracing.span_id("bid", command.idempotency)


def _cause(command: commands.Command | rounds.Look) -> str:
    """The id of the span that sent `command`."""
    if isinstance(command, commands.PlaceBid):
        return _bid_span(command)
    return command.span_id if isinstance(command, commands.Command) else ""


def _concerns_sale(entry: log.Entry) -> bool:
    facts = entry.facts
    return getattr(facts, "sale", None) is not None or hasattr(facts, "sale_id")
