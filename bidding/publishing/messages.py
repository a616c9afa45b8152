"""The entries of a log as messages for the transport, and the way there. A consumer recognises a repeat, because the id of an
event is a function of (auction, seq).
"""

from collections.abc import Iterable, Sequence

from auction_project.kernel import contracts, instants
from auction_project.kernel.messaging import broker as brokers
from bidding import rules, traces
from bidding.publishing import events as log_events
from bidding.rules import log
from bidding.writer import auction_fold

SOURCE = "bidding"
MESSAGES_PER_APPEND = 500


def follow(
    state: rules.State, entries: Iterable[log.Entry], *, since: int = 0
) -> tuple[rules.State, list[tuple[log.Entry, list[brokers.Message]]]]:
    """The state after `entries`, and each of them that is not older than `since` with its messages.

    Raises BrokenChain; the rules may raise anything on an edited log.
    """
    with_messages = []
    for entry in entries:
        before, state = state, auction_fold.apply_next(state, entry)
        if entry.at >= since:
            events = log_events.of_entry(before, entry, state)
            with_messages.append((entry, [_message(entry, event) for event in events]))
    return state, with_messages


def append(transport: brokers.Broker, messages: Sequence[brokers.Message], *, source: str) -> None:
    """Append in bounded pieces. Raises brokers.EpochMissing, errors.Unavailable: then any prefix may be stored."""
    for start in range(0, len(messages), MESSAGES_PER_APPEND):
        transport.append(messages[start : start + MESSAGES_PER_APPEND], source=source)


def _message(entry: log.Entry, event: contracts.events.Event) -> brokers.Message:
    event_id = log_events.event_id(entry, event)
    span = traces.of_event(entry, event_id)
    body = contracts.encode(
        event,
        event_id=event_id,
        source=SOURCE,
        time=instants.moment(entry.at),
        version=entry.seq,
        correlation_id=entry.correlation,
        traceparent=None if span is None else str(span),
    )
    return brokers.Message(event.TOPIC, event.key(), body)
