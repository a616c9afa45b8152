"""A consumer that gives up on too many messages in a row halts: it takes no more, loses none, and raises an alarm."""

import threading
from typing import Any

import httpx
import prometheus_client
import pytest

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming, dead_letters, failure
from auction_project.kernel.messaging.tests import conftest, transports
from auction_project.processes import health, running

TOPIC = "inventory.stock"
MAX = 4  # instead of twenty: each dead letter takes its tries and their pauses

pytestmark = pytest.mark.usefixtures("committed")  # each step closes old database connections


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, short_pauses: None) -> None:
    monkeypatch.setattr(consuming, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(consuming, "HALTED_SECONDS", 0.1)
    monkeypatch.setattr(failure, "MAX_DEAD_LETTERS_IN_A_ROW", MAX)


class Handler:
    """Fails for the versions in `poison`."""

    def __init__(self, *poison: int) -> None:
        self.poison = set(poison)
        self.seen: list[int] = []

    def __call__(self, _envelope: contracts.Envelope, event: contracts.events.StockChanged) -> None:
        if event.version in self.poison:
            raise ValueError("a handler that cannot do its work")
        self.seen.append(event.version)


def _loop(broker: brokers.Broker, handler: Handler, member: str = "one") -> consuming.ConsumerLoop:
    subscription = consuming.Subscription(
        group="window", handlers={contracts.events.StockChanged: consuming.each(handler)}
    )
    return consuming.ConsumerLoop(subscription, broker, member=member)


def _send(broker: brokers.Broker, versions: range) -> None:
    broker.append(
        [
            brokers.Message(TOPIC, "lamp", conftest.encoded(conftest.stock_changed("lamp", n), f"lamp:{n}"))
            for n in versions
        ]
    )


def _work(loop: consuming.ConsumerLoop, broker: brokers.Broker, *, steps: int = 600) -> None:
    """Step until the loop halts, or has no message left."""
    for _ in range(steps):
        loop.step()
        if loop.halted or broker.lag("window", [TOPIC]) == 0:
            return
    raise AssertionError("it neither halts nor ends")


def _count_dead_letters(broker: brokers.Broker) -> int:
    return sum(1 for record in broker.read(f"{TOPIC}.dlq") if dead_letters.decode(record))


def _halted_gauge() -> float | None:
    return prometheus_client.REGISTRY.get_sample_value("gavel_consumer_halted", {"group": "window"})


@pytest.mark.everywhere
def test_a_consumer_halts_at_the_ceiling_and_a_restart_goes_on_behind_it(
    broker: brokers.Broker, transport: transports.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(consuming.log, "critical", lambda event, **data: logged.append((event, data)))
    _send(broker, range(1, MAX + 6))
    broken = Handler(*range(1, MAX + 6))
    loop = _loop(broker, broken)

    _work(loop, broker)

    assert (loop.halted, _halted_gauge()) == (TOPIC, 1)
    ((event, data),) = logged
    assert (event, data["alert"], data["group"], data["topic"], data["dead_letters"]) == (
        "consumer_halted",
        True,
        "window",
        TOPIC,
        MAX,
    )
    assert "restart this process" in data["next_step"]
    for _ in range(5):  # it polls, so that it stays a member, and takes nothing
        loop.step()
    assert (_count_dead_letters(broker), broker.lag("window", [TOPIC]), broken.seen) == (MAX, 5, [])
    loop.close()

    mended = Handler()
    again = _loop(broker, mended, member="two")
    _work(again, broker)
    again.close()

    assert mended.seen == list(range(MAX + 1, MAX + 6))
    assert (again.halted, _halted_gauge(), _count_dead_letters(broker)) == ("", 0, MAX)


def test_a_handled_message_begins_the_count_again(broker: brokers.Broker) -> None:
    poison = [*range(1, MAX), *range(MAX + 1, 2 * MAX)]
    _send(broker, range(1, 2 * MAX + 1))
    handler = Handler(*poison)
    loop = _loop(broker, handler)

    _work(loop, broker)
    loop.close()

    assert (loop.halted, handler.seen, _count_dead_letters(broker)) == ("", [MAX, 2 * MAX], 2 * MAX - 2)


class _HaltedLoop:
    name, halted = "consume:window", TOPIC

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def step(self) -> bool:
        self._stop.set()
        return True

    def close(self) -> None: ...


def test_a_role_with_a_halted_loop_is_live_and_not_ready() -> None:
    state, stop = health.State("consume"), threading.Event()
    state.ready = True
    server = health.serve(state)
    running._drive(lambda: _HaltedLoop(stop), state, stop, threading.Event())

    ready, live = httpx.get(f"{server.url}/readyz"), httpx.get(f"{server.url}/livez")
    server.close()

    assert (ready.status_code, ready.json()) == (
        503,
        {"role": "consume", "ready": False, "halted": ["consume:window"]},
    )
    assert live.status_code == 200
