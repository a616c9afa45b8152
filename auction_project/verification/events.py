"""E1 to E4: what the transport and the tables of events say together.

E1: a change and its event, both or neither. E2: order per key. E3: applied once. E4: poison never blocks a partition.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from auction_project.kernel import contracts
from auction_project.kernel.findings import Finding
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import models as messaging
from auction_project.kernel.messaging import outbox
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles
from auction_project.verification import world as worlds
from inventory import models as stock
from orders import models as orders
from sagas import models as sagas

_KEPT = timedelta(days=outbox.KEEP_DAYS - 1)


def check(world: worlds.World, *, settled: bool, stuck: Mapping[str, int], groups: int) -> list[Finding]:
    """`stuck`: of the `groups` that were watched, those whose backlog did not move, with its size."""
    transport = transports.from_settings()
    try:
        return [
            _both_or_neither(world, settled),
            _order_per_key(transport),
            _applied_once(),
            _flows(stuck, groups),
        ]
    finally:
        transport.close()


def _both_or_neither(world: worlds.World, settled: bool) -> Finding:
    since = datetime.now(UTC) - _KEPT
    violations: list[str] = []
    checked = 0
    ended = sagas.Saga.objects.filter(finished_at__gte=since)
    facts = orders.OrderFact.objects.filter(at__gte=since)
    pairs: list[tuple[str, set[str], set[str]]] = [
        (
            "SaleSettled",
            _ids(ended.filter(status="COMPLETED"), "sale_id"),
            _keys(sagas.Outbox, "SaleSettled"),
        ),
        ("BidFailed", _ids(ended.filter(status="COMPENSATED"), "sale_id"), _keys(sagas.Outbox, "BidFailed")),
        (
            "OrderConfirmed",
            _ids(facts.filter(kind="CONFIRMED"), "order_id"),
            _keys(orders.Outbox, "OrderConfirmed"),
        ),
        (
            "OrderCancelled",
            _ids(facts.filter(kind="CANCELLED"), "order_id"),
            _keys(orders.Outbox, "OrderCancelled"),
        ),
    ]
    for name, changed, told in pairs:
        checked += len(changed | told)
        violations += (f"{key} changed without {name}" for key in sorted(changed - told))
        if settled:
            violations += (f"{name} of {key} without its change" for key in sorted(told - changed))
    moved = set(stock.Move.objects.filter(at__gte=since).values_list("product_id", "version").distinct())
    told_stock = set(_versions(stock.Outbox, "StockChanged"))
    violations += (
        f"stock of {product_id} moved to version {version} without StockChanged"
        for product_id, version in sorted(moved - told_stock)
    )
    if settled:
        checked += len(world.states)
        violations += (
            f"auction {auction_id}: published up to {world.marks[auction_id]} of {state.seq}"
            for auction_id, state in world.states.items()
            if state.seq != world.marks[auction_id]
        )
    return Finding("E1", checked + len(told_stock), tuple(violations))


def _ids(rows: Any, field: str) -> set[str]:
    return set(rows.values_list(field, flat=True))


def _keys(table: type[outbox.OutboxRow], event_type: str) -> set[str]:
    return set(table.objects.filter(type=event_type).values_list("key", flat=True))


def _versions(table: type[outbox.OutboxRow], event_type: str) -> Iterator[tuple[str, int]]:
    for key, body in table.objects.filter(type=event_type).values_list("key", "body").iterator():
        yield key, contracts.decode_envelope(bytes(body)).version


def _order_per_key(transport: brokers.Broker) -> Finding:
    """The first arrival of each event, per topic and key, is in the order in which its source made it.

    What an operator had sent again comes late on purpose, and its first arrival may be gone from the transport.
    """
    positions = {
        event_id: row_id
        for table in roles.outboxes()
        for event_id, row_id in table.objects.values_list("event_id", "id").iterator()
    }
    replayed = messaging.Replay.objects.values_list("dead_letter__event_id", flat=True)
    violations: list[str] = []
    checked = 0
    for topic in contracts.events.TOPICS:
        seen = set(replayed)
        last: dict[tuple[str, str, str], int] = {}
        for source, key, event_id, version in _arrivals(transport, topic):
            if event_id in seen:
                continue
            seen.add(event_id)
            checked += 1
            place = version if source == "bidding" else positions.get(event_id, -1)
            # One bidder's notices come from many auctions: their order is that of each auction.
            lane = (source, key, event_id.partition(":")[0] if source == "bidding" else "")
            if place != -1 and place < last.get(lane, 0):
                violations.append(f"{topic}: {event_id} of {key} came after a later one")
            last[lane] = max(place, last.get(lane, 0))
    return Finding("E2", checked, tuple(violations))


def _arrivals(transport: brokers.Broker, topic: str) -> Iterator[tuple[str, str, str, int]]:
    for record in transport.read(topic):
        try:
            envelope = contracts.decode_envelope(record.value)
        except contracts.Undecodable:
            continue  # poison is E4's
        yield envelope.source, record.key, envelope.id, envelope.version


def _applied_once() -> Finding:
    """A row of `once` that stands for an event was finished in the transaction that made it, done or refused."""
    inboxes = [inbox for group in roles.GROUPS if (inbox := roles.subscription(group).inbox) is not None]
    violations: list[str] = []
    checked = 0
    for inbox in inboxes:
        rows = inbox.objects.filter(key__startswith="event:")
        checked += rows.count()
        violations += (
            f"{inbox._meta.app_label}: {key} is {state}"
            for key, state in rows.exclude(state__in=("DONE", "REFUSED")).values_list("key", "state")
        )
    return Finding("E3", checked, tuple(violations))


def _flows(stuck: Mapping[str, int], groups: int) -> Finding:
    """A backlog that moves is only behind; one that stands still is held up."""
    return Finding(
        "E4", groups, tuple(f"group {group} has {lag} messages before it" for group, lag in stuck.items())
    )
