"""Rate limits and limits of concurrent requests: their figures, bounded tables, and no client holds up another."""

import asyncio
from typing import Any

import pytest

from auction_project.kernel import errors
from auction_project.kernel.http import budgets
from auction_project.web import concurrency


def _budget() -> budgets.Budget:
    return budgets.Budget("bids", rate=2, seconds=1, burst=3)


def _spend(budget: budgets.Budget, key: object, *, now: float, count: int = 1) -> None:
    for _ in range(count):
        budget.spend(key, now=now)


def test_a_burst_is_free_and_the_next_request_waits_as_long_as_is_said() -> None:
    budget = _budget()
    _spend(budget, "ann", now=100.0, count=3)

    with pytest.raises(errors.TooOften) as refused:
        budget.spend("ann", now=100.0)

    assert (refused.value.retry_after_seconds, refused.value.figures["limit"]) == (1, "2 per 1 s")
    _spend(budget, "ann", now=100.5)  # the rate gives one back in half a second
    with pytest.raises(errors.TooOften):
        budget.spend("ann", now=100.5)


def test_a_refusal_spends_nothing() -> None:
    budget = _budget()
    _spend(budget, "ann", now=100.0, count=3)
    for _ in range(50):
        with pytest.raises(errors.TooOften):
            budget.spend("ann", now=100.0)

    _spend(budget, "ann", now=100.5)


def test_a_check_takes_nothing_and_refuses_what_a_request_would_be_refused_for() -> None:
    budget = budgets.Budget("streams", rate=0.001, seconds=1, burst=1)
    for _ in range(5):
        budget.check("ann")

    budget.spend("ann")

    with pytest.raises(errors.TooOften):
        budget.check("ann")
    budget.check("bob")


def test_each_key_has_a_budget_of_its_own() -> None:
    budget = _budget()
    _spend(budget, ("ann", "lot-1"), now=100.0, count=3)

    _spend(budget, ("ann", "lot-2"), now=100.0, count=3)


def test_a_cost_may_be_a_part_of_a_request() -> None:
    budget = _budget()
    for _ in range(30):
        budget.spend("ann", 0.1, now=100.0)

    with pytest.raises(errors.TooOften):
        budget.spend("ann", 0.1, now=100.0)


def test_a_budget_that_is_just_enough_is_enough_at_every_instant() -> None:
    """The sums with the clock are rounded."""
    slow = budgets.Budget("streams", rate=0.001, seconds=1, burst=1)

    for number in range(1000):
        slow.spend(number, now=4000 + number / 7)


def test_a_rate_of_zero_is_no_limit() -> None:
    _spend(budgets.Budget("bids", rate=0, seconds=1, burst=0), "ann", now=100.0, count=10_000)


def test_the_table_is_bounded_and_keeps_the_latest_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "MAX_KEYS", 10)
    budget = _budget()
    for number in range(1000):
        _spend(budget, number, now=100.0, count=3)

    assert len(budget._young) + len(budget._old) <= 20
    with pytest.raises(errors.TooOften):
        budget.spend(999, now=100.0)


async def _settle(holds: Any) -> None:
    for _ in range(20_000):  # only bounds a test that fails
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


class _Visit:
    """A request that holds a slot until the test ends it."""

    def __init__(self, limit: concurrency.Limit, client: str) -> None:
        self.has_slot = False
        self._over = asyncio.Event()
        self.task = asyncio.create_task(self._run(limit, client))

    def end(self) -> None:
        self._over.set()

    async def _run(self, limit: concurrency.Limit, client: str) -> None:
        async with limit.slot(client):
            self.has_slot = True
            await self._over.wait()


def _holding(visits: list[_Visit]) -> list[bool]:
    return [visit.has_slot for visit in visits]


async def test_a_client_waits_for_its_share_while_others_pass() -> None:
    limit = concurrency.Limit(most=3, share=2, seconds=60)
    anns = [_Visit(limit, "ann") for _ in range(3)]
    await _settle(lambda: sum(_holding(anns)) == 2)

    bob = _Visit(limit, "bob")
    await _settle(lambda: bob.has_slot)
    assert _holding(anns) == [True, True, False]

    anns[0].end()
    await _settle(lambda: anns[2].has_slot)
    for visit in [*anns, bob]:
        visit.end()
    await asyncio.gather(*(visit.task for visit in [*anns, bob]))


async def test_waiting_ends_at_the_deadline_and_leaves_the_limit_as_it_was() -> None:
    limit = concurrency.Limit(most=1, share=1, seconds=0.01)
    first = _Visit(limit, "ann")
    await _settle(lambda: first.has_slot)

    for _ in range(3):
        with pytest.raises(concurrency.Busy):
            await _Visit(limit, "bob").task

    first.end()
    await first.task
    again = _Visit(limit, "bob")
    await _settle(lambda: again.has_slot)
    again.end()
    await again.task


async def test_a_client_that_leaves_while_it_waits_takes_no_turn() -> None:
    limit = concurrency.Limit(most=1, share=1, seconds=60)
    first, gone, last = (_Visit(limit, name) for name in ("ann", "bob", "eve"))
    await _settle(lambda: first.has_slot)

    gone.task.cancel()
    first.end()

    await _settle(lambda: last.has_slot)
    assert not gone.has_slot
    last.end()
    await asyncio.gather(first.task, last.task)


async def test_a_turn_that_comes_as_its_client_leaves_goes_to_the_next() -> None:
    limit = concurrency.Limit(most=1, share=1, seconds=60)
    first, gone, last = (_Visit(limit, name) for name in ("ann", "bob", "eve"))
    await _settle(lambda: first.has_slot)
    first.end()
    await first.task  # bob's turn is given, and bob has not run since

    gone.task.cancel()

    await _settle(lambda: last.has_slot)
    last.end()
    await last.task


async def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "MAX_WAITING", 1)
    limit = concurrency.Limit(most=1, share=1, seconds=60)
    visits = [_Visit(limit, "ann") for _ in range(2)]
    await _settle(lambda: visits[0].has_slot)

    with pytest.raises(concurrency.Busy):
        await _Visit(limit, "bob").task

    for visit in visits:
        visit.end()
    await asyncio.gather(*(visit.task for visit in visits))
