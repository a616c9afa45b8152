"""E1 to E4, the invariants of events: the transport and the tables of all apps, together.

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
    """Check E1 to E4. `groups` is the number of groups that were watched, and `stuck` holds those of them whose backlog did
    not move, with its size. With `settled`, nothing is under way, so an event without its change is a violation, too."""
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
    awards = orders.Award.objects.filter(changed_at__gte=since)
    pairs += [
        (
            "SaleSettled",
            _ids(awards.filter(state="PAID"), "sale_id"),
            _keys(orders.Outbox, "SaleSettled"),
        ),
        ("BidFailed", _ids(awards.filter(state="LAPSED"), "sale_id"), _keys(orders.Outbox, "BidFailed")),
    ]
    shipments = orders.Shipment.objects.filter(at__gte=since)
    refunds = orders.Refund.objects.filter(done_at__gte=since)
    returns = orders.Return.objects.filter(at__gte=since)
    requests = orders.ReturnRequest.objects.filter(at__gte=since)
    facts = orders.ReturnRequestFact.objects.filter(at__gte=since)
    decisions = facts.filter(kind__in=["ACCEPTED", "DECLINED"])
    withdrawals = facts.filter(kind="WITHDRAWN")
    pairs += [
        ("OrderShipped", _ids(shipments, "order_id"), _keys(orders.Outbox, "OrderShipped")),
        ("OrderRefunded", _ids(refunds, "payment_id"), _keys(orders.Outbox, "OrderRefunded")),
        ("OrderReturned", _ids(returns, "order_id"), _keys(orders.Outbox, "OrderReturned")),
        ("ReturnRequested", _ids(requests, "order_id"), _keys(orders.Outbox, "ReturnRequested")),
        ("ReturnDecided", _ids(decisions, "request__order_id"), _keys(orders.Outbox, "ReturnDecided")),
        ("ReturnWithdrawn", _ids(withdrawals, "request__order_id"), _keys(orders.Outbox, "ReturnWithdrawn")),
    ]
    for name, changed, announced in pairs:
        checked += len(changed | announced)
        violations += (f"{key} changed without {name}" for key in sorted(changed - announced))
        if settled:
            violations += (f"{name} of {key} without its change" for key in sorted(announced - changed))
    moved = set(stock.Move.objects.filter(at__gte=since).values_list("product_id", "version").distinct())
    announced_stock = set(_versions(stock.Outbox, "StockChanged"))
    violations += (
        f"stock of {product_id} moved to version {version} without StockChanged"
        for product_id, version in sorted(moved - announced_stock)
    )
    if settled:
        checked += len(world.states)
        violations += (
            f"auction {auction_id}: published up to {world.marks[auction_id]} of {state.seq}"
            for auction_id, state in world.states.items()
            if state.seq != world.marks[auction_id]
        )
    return Finding("E1", checked + len(announced_stock), tuple(violations))


def _ids(rows: Any, field: str) -> set[str]:
    return set(rows.values_list(field, flat=True))


def _keys(table: type[outbox.OutboxRow], event_type: str) -> set[str]:
    return set(table.objects.filter(type=event_type).values_list("key", flat=True))


def _versions(table: type[outbox.OutboxRow], event_type: str) -> Iterator[tuple[str, int]]:
    for key, body in table.objects.filter(type=event_type).values_list("key", "body").iterator():
        yield key, contracts.decode_envelope(bytes(body)).version


def _order_per_key(transport: brokers.Broker) -> Finding:
    """The first arrivals of the events of a topic and key are in the order in which their source made them.

    Events that an operator replayed are left out: they come late on purpose, and their first arrival may be trimmed.
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
            position = version if source == "bidding" else positions.get(event_id, -1)
            # The notices to one bidder come from many auctions, and have an order within each auction only.
            sequence = (source, key, event_id.partition(":")[0] if source == "bidding" else "")
            if position != -1 and position < last.get(sequence, 0):
                violations.append(f"{topic}: {event_id} of {key} came after a later one")
            last[sequence] = max(position, last.get(sequence, 0))
    return Finding("E2", checked, tuple(violations))


def _arrivals(transport: brokers.Broker, topic: str) -> Iterator[tuple[str, str, str, int]]:
    for record in transport.read(topic):
        try:
            envelope = contracts.decode_envelope(record.value)
        except contracts.Undecodable:
            continue  # poison is a matter of E4
        yield envelope.source, record.key, envelope.id, envelope.version


def _applied_once() -> Finding:
    """Each row of `once` for an event was finished, as done or refused, in the transaction that made it."""
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
    """A backlog that moves is only behind; a backlog that does not move is blocked."""
    return Finding(
        "E4", groups, tuple(f"group {group} has {lag} messages before it" for group, lag in stuck.items())
    )
