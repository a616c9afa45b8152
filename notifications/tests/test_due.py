"""What needs a read of its store is taken in bounded portions, with pauses between those of a look."""

import asyncio

import pytest

from notifications.push import clock, due


class StoppedClock(clock.Clock):
    """Notes the pauses instead of waiting."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.mark.parametrize("count", [1, due.LOOKED_AT_ONCE, 3 * due.LOOKED_AT_ONCE + 1, 20_000])
async def test_a_look_comes_in_slices_with_a_pause_before_each(count: int) -> None:
    stopped = StoppedClock()
    feeds = {f"feed-{number}": None for number in range(count)}

    slices = [keys async for keys in due.slices(feeds, stopped)]

    assert [key for keys in slices for key in keys] == list(feeds)
    assert max(map(len, slices)) <= due.LOOKED_AT_ONCE
    assert len(stopped.pauses) == len(slices)
    assert min(stopped.pauses) >= due.LOOK_PAUSE_SECONDS
    assert sum(stopped.pauses) == pytest.approx(max(due.LOOK_SECONDS, len(slices) * due.LOOK_PAUSE_SECONDS))


async def test_a_look_at_nothing_waits_as_long() -> None:
    stopped = StoppedClock()

    assert [keys async for keys in due.slices({}, stopped)] == []
    assert stopped.pauses == [due.LOOK_SECONDS]


async def test_due_keys_are_taken_once_and_in_bounded_portions() -> None:
    queue = due.Due()
    keys = [f"feed-{number}" for number in range(2 * due.KEYS_AT_ONCE + 1)]
    queue.add(*keys, *keys)

    portions: list[list[str]] = []
    while sum(map(len, portions)) < len(keys):
        async with queue.taken() as portion:
            portions.append(portion)

    assert list(map(len, portions)) == [due.KEYS_AT_ONCE, due.KEYS_AT_ONCE, 1]
    assert [key for portion in portions for key in portion] == keys


async def test_feeds_with_many_subscribers_share_no_portion() -> None:
    weights = {"full": due.WEIGHT_AT_ONCE, "one": 1, "another": 1}
    queue = due.Due(weights.__getitem__)
    queue.add(*weights)

    async with queue.taken() as first:
        assert first == ["full"]
    async with queue.taken() as second:
        assert second == ["one", "another"]


async def test_a_portion_whose_work_fails_is_due_again() -> None:
    queue = due.Due()
    queue.add("feed")

    with pytest.raises(ZeroDivisionError):
        async with queue.taken():
            raise ZeroDivisionError
    async with asyncio.timeout(20), queue.taken() as again:  # only bounds a test that fails
        assert again == ["feed"]
