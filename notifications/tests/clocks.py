"""Clocks for the hub: one that runs faster than the event loop's, and one by which no look ever comes."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from notifications.push import clock, due


class FastClock(clock.Clock):
    """`speed` of its seconds pass in one of the event loop."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def now(self) -> float:
        return super().now() * self._speed

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._speed)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[Any]:
        return super().timeout(seconds / self._speed)


class LooklessClock(clock.Clock):
    """A pause as long as that between two looks never ends, so that what arrives was not found by a look."""

    async def sleep(self, seconds: float) -> None:
        if seconds >= due.LOOK_SECONDS:
            await asyncio.get_running_loop().create_future()
        await super().sleep(seconds)
