"""A limit of concurrent requests, with a bounded share of it for each client.

Requests beyond the limit wait in order, at most MAX_WAITING of them and each for a bounded time. A client that has used
up its share does not hold up the clients behind it. One limit serves one event loop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from auction_project.kernel import errors

MAX_WAITING = 256


class Busy(errors.Unavailable):
    """Too many requests are being worked on. Try again shortly."""


class Limit:
    """At most `most` requests at once, `share` of them of one client; the others wait up to `seconds`."""

    def __init__(self, *, most: int, share: int, seconds: float) -> None:
        self.most = most
        self._free = most
        self._share = share
        self._seconds = seconds
        self._taken: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[None], str] = {}

    @property
    def taken(self) -> int:
        """How many requests have a slot."""
        return sum(self._taken.values())

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def slot(self, client: str) -> AsyncIterator[Callable[[], None]]:
        """Wait for a slot of `client`. The block gets a function that frees the slot before the block ends. Raises
        Busy.
        """
        if self._is_free_for(client):
            self._take(client)
        else:
            await self._wait(client)
        is_over = False

        def free() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._give_back(client)

        try:
            yield free
        finally:
            free()

    def _is_free_for(self, client: str) -> bool:
        return self._free > 0 and self._taken.get(client, 0) < self._share

    def _take(self, client: str) -> None:
        self._free -= 1
        self._taken[client] = self._taken.get(client, 0) + 1

    async def _wait(self, client: str) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise Busy
        taken = asyncio.get_running_loop().create_future()
        self._waiting[taken] = client
        try:
            async with asyncio.timeout(self._seconds):
                await taken
        except BaseException as error:
            self._waiting.pop(taken, None)
            if taken.done() and not taken.cancelled():
                self._give_back(client)  # the slot came in the same moment
            if isinstance(error, TimeoutError):
                raise Busy from error
            raise

    def _give_back(self, client: str) -> None:
        self._free += 1
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]
        for taken, waiting in self._waiting.items():
            if self._is_free_for(waiting) and not taken.done():
                del self._waiting[taken]
                self._take(waiting)
                taken.set_result(None)
                return
