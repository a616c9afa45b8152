"""Rate limits of requests per address, per user, and per user and lot, in the memory of this process.

A budget is a rate and a burst. `spend` takes the cost of one request, and refuses with the seconds to wait when nothing
is left. It needs two dictionary look-ups, so that it fits in front of a bid. The tables are bounded: a flood of keys
drops the oldest records, which gives their clients a fresh budget.
"""

import math
import time

from django.conf import settings

from auction_project.kernel import errors

MAX_KEYS = 20_000  # in each of the two generations of a budget's table
ROUNDING_SECONDS = 1e-6  # of sums with the monotonic clock: a budget that is just enough is enough


class Budget:
    """`rate` requests per `seconds` and key, and `burst` of them at once. A rate of 0 means no limit."""

    def __init__(self, rule: str, *, rate: float, seconds: float, burst: float) -> None:
        self._rule = rule
        self._limit = f"{rate:g} per {seconds:g} s"
        self._cost_seconds = seconds / rate if rate else 0.0
        self._burst_seconds = burst * self._cost_seconds
        self._young: dict[object, float] = {}
        self._old: dict[object, float] = {}

    def spend(self, key: object, cost: float = 1.0, now: float | None = None) -> None:
        """Take `cost` requests from the budget of `key` at `now` (monotonic seconds). Raises TooOften; then nothing is
        taken.
        """
        if not self._cost_seconds:
            return
        spent_until = self._after(key, cost, now)
        if len(self._young) >= MAX_KEYS:
            self._old, self._young = self._young, {}
        self._young[key] = spent_until

    def check(self, key: object) -> None:
        """Raise TooOften if `key` could not spend on one request now. Nothing is taken."""
        if self._cost_seconds:
            self._after(key, 1.0, None)

    def _after(self, key: object, cost: float, now: float | None) -> float:
        """Until when the budget of `key` is spent once `cost` requests are taken. Raises TooOften."""
        if now is None:
            now = time.monotonic()
        spent_until = self._young.get(key) or self._old.get(key, 0.0)
        if spent_until < now:
            spent_until = now
        spent_until += cost * self._cost_seconds
        excess = spent_until - now - self._burst_seconds
        if excess > ROUNDING_SECONDS:
            raise errors.TooOften(
                retry_after_seconds=max(1, math.ceil(excess)), rule=self._rule, limit=self._limit
            )
        return spent_until


ANONYMOUS = Budget(
    "requests of an address",
    rate=settings.ANONYMOUS_REQUESTS_PER_SECOND,
    seconds=1,
    burst=10 * settings.ANONYMOUS_REQUESTS_PER_SECOND,
)
USERS = Budget(
    "requests of a user",
    rate=settings.USER_REQUESTS_PER_SECOND,
    seconds=1,
    burst=10 * settings.USER_REQUESTS_PER_SECOND,
)
STREAMS = Budget(
    "streams of an address",
    rate=settings.STREAMS_PER_SECOND,
    seconds=1,
    burst=settings.STREAMS_PER_ADDRESS,  # all may come back at once, when a server that served them has stopped
)
AUCTIONS = Budget(
    "auctions of a seller",
    rate=settings.AUCTIONS_PER_HOUR,
    seconds=3600,
    burst=settings.AUCTIONS_PER_HOUR / 10,
)
BIDS = Budget(
    "bids of a user on a lot", rate=settings.BIDS_PER_SECOND, seconds=1, burst=5 * settings.BIDS_PER_SECOND
)
