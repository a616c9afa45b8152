"""An event's span, that of its relay and those of its handlers: each once, below what caused it, and only for what happened."""

import contextlib
from typing import Any

import pytest
from django.db import transaction

from auction_project.kernel import contracts, errors, logs, tracing
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming, outbox, relay
from auction_project.kernel.messaging.backends import memory
from auction_project.kernel.messaging.tests import conftest, tables
from auction_project.kernel.tests import spans

TRACE, CAUSE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
EVENT = tracing.span_id("event", "lamp:1")
TOPIC = "inventory.stock"

pytestmark = pytest.mark.usefixtures("committed")


class SoldOut(errors.Refused):
    """Nothing is left."""


def publish(*, span_id: str = CAUSE) -> None:
    """Publish one event, which `span_id` causes; relay it to a broker that then has it."""
    with logs.bound(correlation_id=TRACE, span_id=span_id), transaction.atomic(using="default"):
        event = conftest.stock_changed("lamp", 1)
        outbox.publish(tables.Outbox, event, now=conftest.NOW, version=1, event_id="lamp:1")


def relayed(broker: memory.MemoryBroker) -> list[brokers.Record]:
    broker.begin_epoch(tables.APP)
    one = relay.OutboxRelay(tables.Outbox, broker)
    one.step()
    one.close()
    return list(broker.read(TOPIC))


def consume(records: list[brokers.Record], handle: Any = lambda _envelope, _event: None) -> None:
    subscription = consuming.Subscription(
        group="window",
        inbox=tables.Once,
        handlers={contracts.events.StockChanged: consuming.each(handle)},
    )
    consuming.apply(subscription, records)


def test_an_event_hangs_below_its_cause_and_its_relay_and_handler_below_it(
    memory_broker: memory.MemoryBroker,
) -> None:
    seen = []
    with spans.recorded(ratio=0) as recorded:
        publish()
        records = relayed(memory_broker)
        consume(records, lambda *_: seen.append(logs.span_id()))

    assert contracts.decode_envelope(records[0].value).traceparent == f"00-{TRACE}-{EVENT}-01"
    handled = tracing.span_id("handle", "window", "lamp:1")
    assert [(span.name, span.parent, span.span_id, span.trace_id) for span in recorded.all] == [
        ("event StockChanged", CAUSE, EVENT, TRACE),
        ("relay StockChanged", EVENT, tracing.span_id("relay", "lamp:1"), TRACE),
        ("handle StockChanged (window)", EVENT, handled, TRACE),
    ]
    assert seen == [handled]  # what the handler publishes hangs below it


def test_an_event_that_comes_twice_is_handled_in_one_span(memory_broker: memory.MemoryBroker) -> None:
    with spans.recorded() as recorded:
        publish()
        records = relayed(memory_broker)
        consume(records * 2)
        consume(records)

    assert recorded.names.count("handle StockChanged (window)") == 1


def test_a_refused_event_is_a_span_with_its_error(memory_broker: memory.MemoryBroker) -> None:
    def refuse(*_: object) -> None:
        raise SoldOut

    with spans.recorded() as recorded:
        publish()
        consume(relayed(memory_broker), refuse)

    assert recorded.named("handle StockChanged (window)").error == "sold_out"


def test_a_change_that_is_rolled_back_leaves_no_span() -> None:
    with spans.recorded() as recorded, contextlib.suppress(SoldOut), transaction.atomic(using="default"):
        publish()
        raise SoldOut

    assert recorded.all == []


def test_what_no_kept_trace_has_caused_is_not_recorded(memory_broker: memory.MemoryBroker) -> None:
    with spans.recorded() as recorded:
        publish(span_id="")
        records = relayed(memory_broker)
        consume(records)

    assert contracts.decode_envelope(records[0].value).traceparent is None
    assert recorded.all == []
