"""Writers name the batches that are complete; without Redis the relay finds their entries all the same."""

import asyncio

import pytest
import redis
from django.conf import settings

from auction_project.kernel import instants
from bidding import rules, runtime
from bidding.rules import kinds
from bidding.tests import lots
from bidding.tests.relaying import published, step_until
from bidding.tests.stored import a_document
from bidding.writer import wakeup

DEAD_REDIS = "redis://127.0.0.1:1/0"


def ask_for_a_lot(log):
    """The first entry of a writer, through the runtime of this process."""
    now = instants.now()
    log.call(log.store.auctions.insert(a_document("x")))
    terms = lots.terms(starts_at=now, ends_at=now + lots.HOUR)
    command = kinds.Request(auction_id="x", salt="s", at=now, actor=lots.SELLER, key="k", terms=terms)
    assert isinstance(runtime.submit(command), rules.Entry)


def name(batch):
    """Tell the relay that the batch is complete, as its writer does."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.publish(wakeup.channel(), batch)


@pytest.fixture
def relay(make_relay):
    """A relay that reads a batch only when its writer names it, or when it cannot listen: its other looks are an hour apart."""
    return make_relay(sweep_seconds=3600.0, heard_poll_seconds=3600.0)


def test_a_writer_that_the_relay_does_not_know_yet_wakes_it(log, relay, transport):
    step_until(relay, lambda: relay._listener.is_listening and relay._news.next_slice > 0)

    ask_for_a_lot(log)

    step_until(relay, lambda: published(transport, "x") == [1])


def test_without_redis_the_writers_are_asked_all_the_time(log, relay, transport, settings):
    settings.REDIS_URL = DEAD_REDIS
    log.register("w")
    step_until(relay, lambda: relay._news.writers)
    log.append(lots.open_lot("x").entries, batch="w:1")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])

    assert not relay._listener.is_listening


async def test_a_notifier_without_redis_costs_its_writer_nothing(settings):
    settings.REDIS_URL = DEAD_REDIS
    notifier = wakeup.Notifier()

    notifier.notify("w:1")
    await notifier._publishing
    tried = notifier._publishing
    notifier.notify("w:2")

    assert notifier._publishing is tried
    await notifier.close()


async def test_a_notifier_names_the_last_batch_that_is_complete_and_one_at_a_time(settings):
    notifier, sent, go_on = wakeup.Notifier(), [], asyncio.Event()

    async def publish(_channel, batch):
        sent.append(batch)
        await go_on.wait()

    notifier._client.publish = publish
    for number in range(1, 5):
        notifier.notify(f"w:{number}")
        await asyncio.sleep(0)
    go_on.set()
    await notifier._publishing

    assert sent == ["w:1", "w:4"]
    await notifier.close()


def test_a_batch_that_is_named_is_read_once_and_nothing_beside_it(log, relay, transport, monkeypatch):
    log.register("w")
    step_until(relay, lambda: relay._listener.is_listening and relay._news.writers)
    relay.step()
    asked, batches = [], log.store.bids.batches

    async def recording(known):
        asked.extend(known)
        return await batches(known)

    monkeypatch.setattr(log.store.bids, "batches", recording)
    lot = lots.open_lot("x")
    log.append(lot.entries[:1], batch="w:1")
    log.append(lot.entries[1:], batch="w:2")
    name("w:2")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])
    log.append([lot.bid(lots.ANN, 20_00)], batch="w:3")
    name("w:3")
    step_until(relay, lambda: published(transport, "x") == [1, 2, 3, 4])
    for _ in range(3):
        relay.step()

    assert asked == ["w:0", "w:1", "w:2", "w:3"]


def test_a_batch_whose_name_was_lost_is_found_by_the_next_poll(log, make_relay, transport):
    relay = make_relay(sweep_seconds=3600.0)
    log.register("w")
    step_until(relay, lambda: relay._listener.is_listening and relay._news.writers)
    lot = lots.open_lot("x")
    log.append(lot.entries[:1], batch="w:1")
    name("w:1")
    log.append(lot.entries[1:], batch="w:2")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])


@pytest.mark.parametrize("junk", ["", "w", "w:", "w:x", ":", "\x00:1"])
def test_what_is_no_name_of_a_batch_changes_nothing(log, relay, transport, junk):
    log.register("w")
    step_until(relay, lambda: relay._listener.is_listening and relay._news.writers)
    name(junk)
    log.append(lots.open_lot("x").entries, batch="w:1")
    name("w:1")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])


def test_a_listener_receives_only_messages_of_its_own_log(settings):
    settings.MONGODB_DATABASE = "one"
    listener = wakeup.Listener()
    assert listener.wait(0.0) == []
    settings.MONGODB_DATABASE = "another"
    other = wakeup.channel()
    settings.MONGODB_DATABASE = "one"

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.publish(other, "theirs")
        client.publish(wakeup.channel(), "ours:1")

    assert listener.wait(30.0) == ["ours:1"]
    listener.close()
