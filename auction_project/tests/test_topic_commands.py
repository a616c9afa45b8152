"""`manage.py topics` and `manage.py replay`, on the memory transport."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from auction_project.kernel import contracts, errors
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming
from auction_project.kernel.messaging import transport as transports
from auction_project.kernel.messaging.backends import memory
from auction_project.management.commands import relay
from auction_project.processes import roles

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class _Shared(memory.MemoryBroker):
    """One transport for the test and for the command."""


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> memory.MemoryBroker:
    one = _Shared()
    monkeypatch.setattr(transports, "from_settings", lambda: one)
    return one


def _send(transport: brokers.Broker, order: str) -> None:
    event = contracts.events.OrderConfirmed(
        order_number=order, sale_id="s", auction_id="a", user_id="u", amount=1, currency="EUR"
    )
    body = contracts.encode(event, event_id=order, source="orders", time=NOW, version=0, correlation_id="c")
    transport.append([brokers.Message("orders", order, body)])


def _run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_log_relay_waits_for_every_group_and_so_for_the_dead_letters_too() -> None:
    readers = relay._readers()

    assert readers.keys() == roles.GROUPS.keys()
    assert {f"{topic}.dlq" for topic in contracts.events.TOPICS} <= set(readers["dead-letters"])


def test_topics_lists_events_readers_and_lag(transport: memory.MemoryBroker) -> None:
    for order in ("GV-1", "GV-2"):
        _send(transport, order)

    lines = _run("topics", "--create")

    (at,) = (number for number, line in enumerate(lines) if line.startswith("orders  "))
    assert {"OrderCancelled", "OrderConfirmed", "PaymentCaptured"} <= {
        word.strip(",") for word in lines[at].split()
    }
    readers = [line.split() for line in lines[at + 1 : at + 4]]
    assert sorted(readers) == [[group, "2", "to", "go"] for group in ("desk", "inventory", "notifications")]
    assert any(line.split() == ["dead-letters", "0", "to", "go"] for line in lines)
    assert {line.split()[0] for line in lines if line.strip()} >= set(contracts.events.TOPICS)


def test_replay_hands_a_topic_to_a_group_again_and_acknowledges_nothing(
    transport: memory.MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    handlers = {
        contracts.events.OrderConfirmed: consuming.each(
            lambda _envelope, event: seen.append(event.order_number)
        )
    }
    subscription = consuming.Subscription(group="notifications", handlers=handlers)
    monkeypatch.setattr(roles, "subscription", lambda _group: subscription)
    for order in ("GV-1", "GV-2", "GV-3"):
        _send(transport, order)
    transport.append([brokers.Message("orders", "GV-9", b"poison")])
    stored = list(transport.read("orders"))

    lines = _run("replay", "orders", "notifications")
    assert sorted(seen) == ["GV-1", "GV-2", "GV-3"]
    assert lines == [
        f"4 messages of orders handed to notifications (1 undecodable); the last was {stored[-1].place}"
    ]

    seen.clear()
    _run("replay", "orders", "notifications", "--after", stored[1].place)
    assert seen == [record.key for record in stored[2:] if record.key != "GV-9"]
    assert transport.lag("notifications", ["orders"]) == 4


def test_replay_stops_at_a_failure_and_says_where_to_go_on(
    transport: memory.MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_envelope: contracts.Envelope, event: contracts.events.OrderConfirmed) -> None:
        if event.order_number == stored[1].key:
            raise errors.Unavailable("the database is unavailable")

    subscription = consuming.Subscription(
        group="notifications", handlers={contracts.events.OrderConfirmed: consuming.each(fail)}
    )
    monkeypatch.setattr(roles, "subscription", lambda _group: subscription)
    for order in ("GV-1", "GV-2", "GV-3"):
        _send(transport, order)
    stored = list(transport.read("orders"))

    with pytest.raises(CommandError, match=f"stopped after 1 messages; go on with --after {stored[0].place}"):
        _run("replay", "orders", "notifications")


@pytest.mark.parametrize(
    ("topic", "group"), [("cards", "inventory"), ("nothing", "orders"), ("orders", "nobody")]
)
def test_replay_refuses_what_no_group_reads(transport: memory.MemoryBroker, topic: str, group: str) -> None:
    with pytest.raises(CommandError):
        _run("replay", topic, group)
