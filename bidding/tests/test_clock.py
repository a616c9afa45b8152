"""The clock over a real store: it looks at what is due, and seldom at what never began."""

import itertools
import time

import pytest

from auction_project.kernel import errors, instants
from bidding import clock, rules, runtime
from bidding.tests import lots
from bidding.tests.stored import a_document
from bidding.writer.clocks import Clocks


class Time:
    """Time that passes when the clock sleeps, and at no other time."""

    def __init__(self):
        self.ms = instants.now()

    @property
    def clocks(self):
        return Clocks(now=lambda: int(self.ms), monotonic=lambda: self.ms / 1000)

    def sleep(self, seconds):
        self.ms += seconds * 1000


@pytest.fixture
def passing():
    return Time()


@pytest.fixture
def looks(log, monkeypatch, passing):
    """The auctions that the clock has looked at, each with the time that had passed by then (milliseconds)."""
    looked, look, began = [], runtime.current().committer.look, passing.ms

    def remember(auction_id):
        looked.append((auction_id, round(passing.ms - began)))
        return look(auction_id)

    monkeypatch.setattr(runtime.current().committer, "look", remember)
    return looked


def _insert(log, auction_id, *, due_at):
    document = a_document(auction_id, due_at=due_at)
    log.call(log.store.auctions.insert(document))


def _step_until(role, condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the clock did not get there"
        role.step()


def _scheduled(auction_id, *, starts_at):
    lot = lots.Lot(auction_id)
    lot.request(starts_at=starts_at, ends_at=starts_at + lots.HOUR, at=starts_at - 2)
    lot.schedule(at=starts_at - 1)
    return lot


def _opened(log, auction_id):
    return log.call(log.store.bids.read([(auction_id, 3)])).get((auction_id, 3))


def test_what_is_due_is_opened_on_time(log):
    starts_at = instants.now() + 300
    log.append(_scheduled("x", starts_at=starts_at).entries)
    log.call(log.store.auctions._auctions.update_one({"_id": "x"}, {"$set": {"due_at": starts_at}}))

    _step_until(clock.Clock(), lambda: _opened(log, "x"))

    opened = _opened(log, "x")
    assert isinstance(opened.facts, rules.kinds.Opened)
    assert 0 <= opened.at - starts_at < 200


def test_a_document_whose_log_never_began_is_looked_at_ever_more_seldom(log, looks, passing):
    _insert(log, "empty", due_at=int(passing.ms) - 1)
    role = clock.Clock(clocks=passing.clocks, sleep=passing.sleep, not_due_again_ms=50, empty_again_ms=400)

    _step_until(role, lambda: len(looks) == 7)

    pauses = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(looks)]
    assert pauses == [50, 100, 200, 400, 400, 400]


def test_an_auction_whose_first_entries_come_after_the_first_look_is_opened_soon(log, looks, passing):
    starts_at = int(passing.ms) - 1
    _insert(log, "late", due_at=starts_at)
    role = clock.Clock(clocks=passing.clocks, sleep=passing.sleep)
    _step_until(role, lambda: looks)
    log.append(_scheduled("late", starts_at=starts_at).entries)

    _step_until(role, lambda: _opened(log, "late"))

    assert [at for _, at in looks] == [0, clock.NOT_DUE_AGAIN_MS]


def test_what_could_not_be_looked_at_is_looked_at_again(log, passing, monkeypatch):
    starts_at = int(passing.ms) - 1
    log.append(_scheduled("x", starts_at=starts_at).entries)
    log.call(log.store.auctions._auctions.update_one({"_id": "x"}, {"$set": {"due_at": starts_at}}))
    look_at, failed = clock._look_at, []

    async def fail_at_first(auction_ids):
        if not failed:
            failed.append(auction_ids)
            raise errors.Unavailable
        return await look_at(auction_ids)

    monkeypatch.setattr(clock, "_look_at", fail_at_first)

    _step_until(clock.Clock(clocks=passing.clocks, sleep=passing.sleep), lambda: _opened(log, "x"))

    assert failed == [["x"]]
    assert set(log.call(log.store.bids.read([("x", 3)]))) == {("x", 3)}
