"""Which rooms need a look into a store: those of which it is known, each once, and all of them now and then, in slices."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

KEYS_AT_ONCE = 50  # in one question to a store
WEIGHT_AT_ONCE = 2_000  # members of these rooms together, unless the first alone has more
AGAIN_SECONDS = 0.01  # between two questions about the same room
LOOK_SECONDS = 3.0
LOOKED_AT_ONCE = 100  # rooms in one question of a look
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

    async def take(self) -> list[str]:
        """The next keys, as many as one turn of the event loop may deal with; waits until there are some."""
        while not self._keys:
            self._some.clear()
            await self._some.wait()
        taken: list[str] = []
        weight = 0
        for key in self._keys:
            weight += self._weight(key)
            if taken and (weight > WEIGHT_AT_ONCE or len(taken) >= KEYS_AT_ONCE):
                break
            taken.append(key)
        for key in taken:
            del self._keys[key]
        return taken

    async def add_again(self, keys: Iterable[str]) -> None:
        """Add keys that were taken just now, after a moment."""
        again = list(keys)
        if again:
            await asyncio.sleep(AGAIN_SECONDS)
            self.add(*again)


async def slices(known: Mapping[str, object]) -> AsyncIterator[list[str]]:
    """The keys of `known` as they are now, a slice at a time, spread over LOOK_SECONDS or longer."""
    keys = list(known)
    starts = range(0, len(keys), LOOKED_AT_ONCE) or range(1)
    pause = max(LOOK_PAUSE_SECONDS, LOOK_SECONDS / len(starts))
    for start in starts:
        await asyncio.sleep(pause)
        if keys:
            yield keys[start : start + LOOKED_AT_ONCE]
