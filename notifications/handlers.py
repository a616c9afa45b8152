"""What the events of other apps do here: SUBSCRIPTION fills users' feeds, AUCTION_FRAMES the public feeds of auctions.

They are two groups of consumers. A user's feed needs PostgreSQL and an inbox. An auction's frames need Redis alone and
recognise repeats by their seq, so that bids are shown while PostgreSQL is down, and no bid waits behind an e-mail.
"""

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from auction_project.kernel import contracts, instants
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from notifications import kinds, models, services, traces


def _now() -> datetime:
    return datetime.now(UTC)


def on_kinds(by_event: Mapping[type[events.Event], kinds.Kind], run: Sequence[consuming.Received]) -> None:
    """Write the notifications of a run, whose kinds may differ; of an event that its kind is not about there is none."""
    about = [(by_event[type(one.event)], one) for one in run]
    services.notify([_request(kind, one) for kind, one in about if kind.concerns(one.event)], now=_now())


def _request(kind: kinds.Kind, received: consuming.Received) -> models.Request:
    """The time of a notification is the event's own, or that of the envelope for an event without one."""
    envelope, event = received.envelope, received.event
    data: dict[str, Any] = msgspec.to_builtins(event)
    return models.Request(
        user_id=None if kind.is_for_operators else data.pop("user_id"),
        kind=kind,
        source=kind.source(envelope, event),
        data=data,
        at=event.at if isinstance(event, events.BidderNotice) else instants.of(envelope.time),
        correlation_id=envelope.correlationid,
        span_id=received.span_id,
    )


def of_kinds() -> dict[type[events.Event], consuming.Handler]:
    """One handler for all events that the table of kinds names, so that they share the runs."""
    by_event = {event_type: kind for kind in kinds.TABLE.values() for event_type in kind.events}
    return dict.fromkeys(by_event, functools.partial(on_kinds, by_event))


def on_account_changed(_envelope: contracts.Envelope, event: events.AccountChanged) -> None:
    services.follow_account(account=event)


def on_session_ended(_envelope: contracts.Envelope, event: events.SessionEnded) -> None:
    services.end_session(user_id=event.user_id, session_id=event.session_id, now=_now())


def on_listing_requested(_envelope: contracts.Envelope, event: events.ListingRequested) -> None:
    services.record_auction(auction_id=event.auction_id)


def on_log_records(run: Sequence[consuming.Received]) -> None:
    services.publish_records([(received.event, _traceparent(received)) for received in run])


def _traceparent(received: consuming.Received) -> str:
    """The span of the entry of which this is the record; empty where its trace is not kept. A hint carries the same."""
    return traces.of_record(received.event, received.envelope.correlationid) if received.span_id else ""


SUBSCRIPTION = consuming.Subscription(
    group="notifications",
    inbox=models.Once,
    handlers={
        **of_kinds(),
        events.AccountChanged: consuming.each(on_account_changed),
        events.SessionEnded: consuming.each(on_session_ended),
        events.ListingRequested: consuming.each(on_listing_requested),
    },
)

# AuctionExtended shares its seq with the BidPlaced that carries the new end.
AUCTION_FRAMES = consuming.Subscription(
    group="auction-frames",
    handlers={
        event_type: on_log_records
        for event_type in events.BY_NAME.values()
        if issubclass(event_type, events.LogRecord) and event_type is not events.AuctionExtended
    },
)
