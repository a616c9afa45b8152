"""A writer that begins again after a pause wakes the relay; without Redis the relay finds its entries all the same."""

import pytest
import redis

from auction_project.kernel import instants
from bidding import rules, runtime
from bidding.rules import kinds
from bidding.tests import lots
from bidding.tests.relaying import document, published, step_until
from bidding.writer import wakeup

DEAD_REDIS = "redis://127.0.0.1:1/0"


def ask_for_a_lot(log):
    """The first entry of a writer, through the runtime of this process."""
    now = instants.now()
    log.call(log.store.auctions.insert(document("x")))
    terms = lots.terms(starts_at=now, ends_at=now + lots.HOUR)
    command = kinds.Request(auction_id="x", salt="s", at=now, actor=lots.SELLER, key="k", terms=terms)
    assert isinstance(runtime.submit(command), rules.Entry)


@pytest.fixture
def relay(make_relay):
    """One that looks at the log again only after an hour, unless it is woken or cannot be."""
    return make_relay(sweep_seconds=3600.0, idle_poll_seconds=3600.0, writer_idle_after_seconds=0.0)


def test_a_writer_that_the_relay_does_not_know_yet_wakes_it(log, relay, transport):
    step_until(relay, lambda: relay._listener.is_listening and relay._news.next_slice > 0)

    ask_for_a_lot(log)

    step_until(relay, lambda: published(transport, "x") == [1])


def test_without_redis_the_idle_writers_are_asked_as_often_as_before(log, relay, transport, settings):
    settings.REDIS_URL = DEAD_REDIS
    log.register("w")
    step_until(relay, lambda: relay._news.writers)
    log.append(lots.open_lot("x").entries, batch="w:1")

    step_until(relay, lambda: published(transport, "x") == [1, 2, 3])

    assert not relay._listener.is_listening


async def test_a_notifier_without_redis_costs_its_writer_nothing(settings):
    settings.REDIS_URL = DEAD_REDIS
    notifier = wakeup.Notifier()

    notifier.notify("w")
    await notifier._publishing
    silent_until = notifier._next
    notifier.notify("w")

    assert notifier._next == silent_until
    await notifier.close()


def test_a_listener_receives_only_messages_of_its_own_log(settings):
    settings.MONGODB_DATABASE = "one"
    listener = wakeup.Listener()
    assert listener.wait(0.0) == ""
    settings.MONGODB_DATABASE = "another"
    other = wakeup.channel()
    settings.MONGODB_DATABASE = "one"

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.publish(other, "theirs")
        client.publish(wakeup.channel(), "ours")

    assert listener.wait(30.0) == "ours"
    listener.close()
