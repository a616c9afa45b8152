"""What an emptied transport gets again of the bid log: all that some reader may not have handled, and little more."""

import msgspec
import pytest

from auction_project.kernel import instants
from auction_project.kernel.messaging import broker as brokers
from bidding.publishing import relay as log_relay
from bidding.publishing.pace import Pace
from bidding.tests import lots
from bidding.tests.relaying import published, resealed, step_until

MINUTE = 60_000
DEAD = "auction.log.dlq"
READERS = {"frames": ("auction.log",), "notices": ("auction.private", "auction.log"), "dead-letters": (DEAD,)}


class Reader:
    """A member of a group that acknowledges when a test says so."""

    def __init__(self, transport, group):
        self._consumer = transport.consumer(group, READERS[group], member="m")

    def handle_all(self):
        for record in self._consumer.poll(0.0):
            self._consumer.acknowledge(record)


@pytest.fixture
def readers(transport):
    return [Reader(transport, group) for group in READERS]


@pytest.fixture
def relay(log, transport):
    log.register()
    return log_relay.LogRelay(transport, readers=READERS, pace=Pace(handled_look_seconds=0.0))


def written(log, auction_id, *, minutes_ago):
    """A lot of three entries of that time, which is returned."""
    at = instants.now() - minutes_ago * MINUTE
    lot = lots.open_lot(auction_id)
    log.append(
        resealed([msgspec.structs.replace(entry, at=at) for entry in lot.entries]), batch=f"w:{auction_id}"
    )
    return at


def publish(relay, transport, auction_id):
    step_until(relay, lambda: published(transport, auction_id) == [1, 2, 3])


def handled_until(log):
    return log.call(log.store.leases.noted("relay"))


def handled_by_all(log, relay, transport, readers):
    """A lot of five minutes ago, which all readers have handled, and the relay knows; the time of the lot."""
    at = written(log, "a", minutes_ago=5)
    publish(relay, transport, "a")
    for reader in readers:
        reader.handle_all()
    step_until(relay, lambda: handled_until(log) > at)
    return at


def refilled(relay, transport, auction_ids):
    """Of each auction what an emptied transport gets again."""
    transport.wipe()
    step_until(relay, lambda: relay._refill is not None)
    step_until(relay, lambda: relay._refill is None)
    return [published(transport, auction_id) for auction_id in auction_ids]


def test_what_every_reader_has_handled_is_not_published_again(log, relay, transport, readers):
    handled_by_all(log, relay, transport, readers)
    written(log, "b", minutes_ago=0)
    publish(relay, transport, "b")

    assert refilled(relay, transport, "ab") == [[], [1, 2, 3]]


def test_what_one_reader_has_not_handled_is_published_again(log, relay, transport, readers):
    at = written(log, "a", minutes_ago=5)
    publish(relay, transport, "a")
    readers[0].handle_all()
    for _ in range(5):
        relay.step()
    assert handled_until(log) <= at

    assert refilled(relay, transport, "a") == [[1, 2, 3]]


def test_an_entry_that_is_published_late_is_published_again(log, relay, transport, readers):
    handled_by_all(log, relay, transport, readers)
    written(log, "late", minutes_ago=10)
    publish(relay, transport, "late")
    readers[0].handle_all()

    assert refilled(relay, transport, ["late"]) == [[1, 2, 3]]


def test_an_entry_that_is_published_late_between_two_looks_is_published_again(log, relay, transport, readers):
    written(log, "a", minutes_ago=5)
    publish(relay, transport, "a")
    readers[0].handle_all()
    relay.step()  # the first reader has handled all
    written(log, "late", minutes_ago=10)
    publish(relay, transport, "late")
    readers[1].handle_all()
    for _ in range(5):
        relay.step()

    assert refilled(relay, transport, ["late"]) == [[1, 2, 3]]


def test_what_became_a_dead_letter_is_handled_when_that_is_listed(log, relay, transport, readers):
    at = written(log, "a", minutes_ago=5)
    publish(relay, transport, "a")
    relay.step()  # the round that waits for the readers
    transport.append([brokers.Message(DEAD, "a", b"of one that failed")])
    *readers, dead_letters = readers
    for reader in readers:
        reader.handle_all()
    for _ in range(5):
        relay.step()
    assert handled_until(log) <= at

    dead_letters.handle_all()

    step_until(relay, lambda: handled_until(log) > at)


def test_an_emptied_transport_has_no_backlog_and_yet_nothing_was_handled(log, relay, transport, readers):
    at = written(log, "a", minutes_ago=5)
    publish(relay, transport, "a")

    assert refilled(relay, transport, "a") == [[1, 2, 3]]
    assert handled_until(log) <= at


def test_a_transport_that_others_filled_again_has_not_had_everything_handled(log, transport, readers):
    log.register()
    relay = log_relay.LogRelay(
        transport, readers=READERS, pace=Pace(handled_look_seconds=0.0, epoch_check_seconds=3_600.0)
    )
    at = written(log, "a", minutes_ago=5)
    publish(relay, transport, "a")
    relay.step()  # the round that waits for the readers
    lost = [record for topic in ("auction.log", "auction.private") for record in transport.read(topic)]

    transport.wipe()
    transport.append([brokers.Message(record.topic, record.key, b"of others") for record in lost])
    for reader in readers:
        reader.handle_all()
    step_until(relay, lambda: relay._refill is not None)

    assert handled_until(log) <= at


def test_the_next_relay_knows_what_was_handled(log, relay, transport, readers):
    handled_by_all(log, relay, transport, readers)
    relay.close()
    transport.wipe()

    after = log_relay.LogRelay(transport, readers=READERS)

    assert refilled(after, transport, "a") == [[]]


def test_a_relay_that_has_nothing_to_learn_asks_nothing(log, relay, transport, readers, monkeypatch):
    handled_by_all(log, relay, transport, readers)
    for _ in range(5):
        relay.step()  # the round that began last ends
    asked = []
    monkeypatch.setattr(transport, "ends", asked.append)
    monkeypatch.setattr(transport, "has_handled", lambda group, _places: asked.append(group))

    for _ in range(5):
        relay.step()

    assert asked == []
