"""The clock over a real store: it rings for what is due, and little for what never began."""

import time

import msgspec
import pytest

from auction_project.kernel import errors, instants
from bidding import clock, rules, runtime
from bidding.tests import lots, relaying


@pytest.fixture
def looks(log, monkeypatch):
    """The ids that the clock has looked at, in order."""
    found, look = [], runtime.current().committer.look

    def remember(auction_id):
        found.append(auction_id)
        return look(auction_id)

    monkeypatch.setattr(runtime.current().committer, "look", remember)
    return found


def _insert(log, auction_id, *, due_at):
    document = msgspec.structs.replace(relaying.document(auction_id), due_at=due_at)
    log.call(log.store.auctions.insert(document))


def _step_for(ringing, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ringing.step()


def _scheduled(auction_id, *, starts_at):
    lot = lots.Lot(auction_id)
    lot.request(starts_at=starts_at, ends_at=starts_at + lots.HOUR, at=starts_at - 2)
    lot.schedule(at=starts_at - 1)
    return lot


def test_what_is_due_is_opened_on_time(log, looks):
    starts_at = instants.now() + 300
    log.append(_scheduled("x", starts_at=starts_at).entries)
    _insert(log, "x", due_at=starts_at)
    log.call(log.store.auctions._auctions.update_one({"_id": "x"}, {"$set": {"due_at": starts_at}}))

    _step_for(clock.Clock(), 0.6)

    (opened,) = log.call(log.store.bids.read([("x", 3)])).values()
    assert isinstance(opened.facts, rules.log.Opened)
    assert 0 <= opened.at - starts_at < 200


def test_a_document_whose_log_never_began_is_looked_at_ever_more_seldom(log, looks, monkeypatch):
    monkeypatch.setattr(clock, "NOT_DUE_AGAIN_MS", 50)
    monkeypatch.setattr(clock, "EMPTY_AGAIN_MS", 400)
    _insert(log, "empty", due_at=instants.now() - 1)

    _step_for(clock.Clock(), 1.5)

    assert 4 <= len(looks) <= 7  # after 0, 50, 150, 350, 750, 1150 ms


def test_an_auction_whose_first_entries_come_after_the_first_look_is_opened_soon(log, looks, monkeypatch):
    monkeypatch.setattr(clock, "NOT_DUE_AGAIN_MS", 50)
    starts_at = instants.now() - 1
    _insert(log, "late", due_at=starts_at)
    ringing = clock.Clock()
    while not looks:
        ringing.step()
    log.append(_scheduled("late", starts_at=starts_at).entries)

    _step_for(ringing, 0.5)

    assert set(log.call(log.store.bids.read([("late", 3)]))) == {("late", 3)}


def test_what_could_not_be_looked_at_is_looked_at_again(log, looks, monkeypatch):
    monkeypatch.setattr(clock, "NOT_DUE_AGAIN_MS", 50)
    starts_at = instants.now() - 1
    log.append(_scheduled("x", starts_at=starts_at).entries)
    log.call(log.store.auctions._auctions.update_one({"_id": "x"}, {"$set": {"due_at": starts_at}}))
    look_at, failed = clock._look_at, []

    async def fail_at_first(auction_ids):
        if not failed:
            failed.append(auction_ids)
            raise errors.Unavailable
        return await look_at(auction_ids)

    monkeypatch.setattr(clock, "_look_at", fail_at_first)

    _step_for(clock.Clock(), 0.5)

    assert failed == [["x"]]
    assert set(log.call(log.store.bids.read([("x", 3)]))) == {("x", 3)}
