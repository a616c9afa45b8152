"""From a writer to the channel of an auction, as the composition root connects them: the frame comes right after the commit,
shows nothing that is hidden, and comes by its event if the writer dies before the hint."""

import subprocess
import sys

import msgspec
import pytest
from django.conf import settings

from auction_project.kernel import contracts, ids, instants
from auction_project.kernel.messaging import consuming
from bidding import rules, runtime
from bidding.rules import commands, kinds
from bidding.tests import lots, relaying, stored
from bidding.tests.lots import ANN, BEN
from notifications import handlers, redis_clients

SECONDS = 10.0
RESERVE, MAXIMUM = 987_65, 543_21
DYING_WRITER = """
import sys
import django
django.setup()
from auction_project.kernel import instants
from bidding import runtime
from bidding.rules import kinds
from bidding.tests import lots
now = instants.now()
terms = lots.terms(starts_at=now, ends_at=now + lots.HOUR)
runtime.submit(kinds.Request(auction_id=sys.argv[1], salt="s", at=now, actor=lots.SELLER, key="k", terms=terms))
runtime.current.close()
"""


@pytest.fixture
def auction_id(log):
    fresh = ids.new_id()
    log.call(log.store.auctions.insert(stored.a_document(fresh)))
    yield fresh
    redis_clients.blocking().delete(redis_clients.frames_key(fresh))


@pytest.fixture
def channel(auction_id):
    """What is published on the auction's channel."""
    with redis_clients.blocking().pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(redis_clients.auction_channel(auction_id))
        pubsub.get_message(timeout=SECONDS)
        yield pubsub


def next_frame(channel):
    message = channel.get_message(timeout=SECONDS)
    assert message is not None, "no frame came"
    seq, _, text = message["data"].decode().partition(" ")
    return int(seq), text


def submit(command):
    outcome = runtime.submit(command)
    assert isinstance(outcome, rules.Entry), outcome
    return outcome


def test_each_entry_is_shown_right_after_its_commit_without_what_it_hides(log, auction_id, channel):
    now = instants.now()
    common = {"auction_id": auction_id, "salt": "s", "at": now}
    terms = lots.terms(starts_at=now, ends_at=now + lots.HOUR, has_reserve=True)
    bid = {"amount": MAXIMUM, "currency": "EUR", "has_card": True, "confirmed": "far_above_minimum"}

    submit(kinds.Request(**common, actor=lots.SELLER, key="1", terms=terms, reserve=RESERVE))
    listed = {"title": "Lamp", "text": "", "thumbnail": "", "seller_id": lots.SELLER, "stock_version": 1}
    submit(kinds.Schedule(**common, actor=commands.EVENT, key="2", **listed))
    submit(commands.PlaceBid(**common, actor=ANN, key="3", **bid))
    submit(commands.PlaceBid(**common, actor=BEN, key="4", **(bid | {"amount": 20_00})))
    frames = [next_frame(channel) for _ in range(5)]

    assert [(seq, msgspec.json.decode(text)["event"]) for seq, text in frames] == [
        (1, "AuctionRequested"), (2, "AuctionScheduled"), (3, "AuctionOpened"), (4, "BidPlaced"), (5, "BidPlaced"),
    ]  # fmt: skip
    assert len(log.call(log.store.bids.read((auction_id, seq) for seq in range(1, 6)))) == 5
    secrets = (f"{amount}" for minor in (RESERVE, MAXIMUM) for amount in (minor, f"{minor / 100:.2f}"))
    for secret in (*secrets, ANN, BEN):
        assert not any(secret in text for _, text in frames)


def test_a_writer_that_dies_between_commit_and_hint_leaves_the_frame_to_the_event(
    log, auction_id, channel, database_name, relay, transport, monkeypatch
):
    monkeypatch.setenv("GAVEL_FAILPOINTS", "hints.before_send=kill")
    monkeypatch.setenv("MONGODB_DATABASE", database_name)

    died = subprocess.run(
        [sys.executable, "-c", DYING_WRITER, auction_id], cwd=settings.BASE_DIR, check=False, timeout=60
    )

    assert died.returncode == -9
    assert len(log.call(log.store.bids.read([(auction_id, 1)]))) == 1
    assert channel.get_message(timeout=0.2) is None

    relaying.step_until(relay, lambda: relaying.published(transport, auction_id))
    for record in transport.read("auction.log"):
        envelope, event = contracts.decode(record.value)
        handlers.on_log_records([consuming.Received(envelope, event)])
    assert next_frame(channel)[0] == 1
