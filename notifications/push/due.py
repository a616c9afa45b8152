"""Which feeds need a read of their store: each that is known to, once, and all of them now and then, in slices."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from notifications.push import clock

KEYS_AT_ONCE = 50  # in one read of a store
WEIGHT_AT_ONCE = 2_000  # subscribers of these feeds together, unless the first alone has more
AGAIN_SECONDS = 0.01  # between two reads of the same feed
LOOK_SECONDS = 3.0
LOOKED_AT_ONCE = 100  # feeds in one read of a look
LOOK_PAUSE_SECONDS = 0.02  # the least between two of them


class Due:
    """A queue without doubles. `weight` says how much work a key means."""

    def __init__(self, weight: Callable[[str], int] = lambda _: 1) -> None:
        self._weight = weight
        self._keys: dict[str, None] = {}
        self._some = asyncio.Event()

    def add(self, *keys: str) -> None:
        self._keys.update(dict.fromkeys(keys))
        self._some.set()

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[list[str]]:
        """Wait for keys, and take as many as one turn of the event loop may deal with. A block that fails puts them back."""
        while not self._keys:
            self._some.clear()
            await self._some.wait()
        keys = self._take()
        try:
            yield keys
        except BaseException:
            self.add(*keys)
            raise

    def _take(self) -> list[str]:
        keys: list[str] = []
        weight = 0
        for key in self._keys:
            weight += self._weight(key)
            if keys and (weight > WEIGHT_AT_ONCE or len(keys) >= KEYS_AT_ONCE):
                break
            keys.append(key)
        for key in keys:
            del self._keys[key]
        return keys

    async def add_again(self, keys: Iterable[str], clock: clock.Clock) -> None:
        """Add keys that were taken just now, after a moment."""
        again = list(keys)
        if again:
            await clock.sleep(AGAIN_SECONDS)
            self.add(*again)


async def slices(feeds: Mapping[str, object], clock: clock.Clock) -> AsyncIterator[list[str]]:
    """The keys of `feeds` as they are now, a slice at a time, spread over LOOK_SECONDS or longer."""
    keys = list(feeds)
    starts = range(0, len(keys), LOOKED_AT_ONCE) or range(1)
    pause = max(LOOK_PAUSE_SECONDS, LOOK_SECONDS / len(starts))
    for start in starts:
        await clock.sleep(pause)
        if keys:
            yield keys[start : start + LOOKED_AT_ONCE]
