"""A gate lets a bounded number of requests work at once, and a bounded share of them per client.

Requests beyond that wait in order, at most MAX_WAITING of them and each for a bounded time. A client that has used up
its share does not hold up the clients behind it. For one event loop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from auction_project.kernel import errors

MAX_WAITING = 256


class Busy(errors.Unavailable):
    """Too many requests are being worked on. Try again shortly."""


class Gate:
    """At most `most` at once, `share` of them of one client; the rest wait up to `seconds`."""

    def __init__(self, *, most: int, share: int, seconds: float) -> None:
        self._free = most
        self._share = share
        self._seconds = seconds
        self._inside: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[None], str] = {}

    @contextlib.asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[Callable[[], None]]:
        """Wait for a turn of `client`. It ends with the block, or earlier by a call of what the block gets. Raises Busy."""
        if self._may_enter(client):
            self._enter(client)
        else:
            await self._wait(client)
        is_over = False

        def end() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._leave(client)

        try:
            yield end
        finally:
            end()

    def _may_enter(self, client: str) -> bool:
        return self._free > 0 and self._inside.get(client, 0) < self._share

    def _enter(self, client: str) -> None:
        self._free -= 1
        self._inside[client] = self._inside.get(client, 0) + 1

    async def _wait(self, client: str) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise Busy
        entered = asyncio.get_running_loop().create_future()
        self._waiting[entered] = client
        try:
            async with asyncio.timeout(self._seconds):
                await entered
        except BaseException as error:
            self._waiting.pop(entered, None)
            if entered.done() and not entered.cancelled():
                self._leave(client)  # the turn came in the same moment
            if isinstance(error, TimeoutError):
                raise Busy from error
            raise

    def _leave(self, client: str) -> None:
        self._free += 1
        self._inside[client] -= 1
        if not self._inside[client]:
            del self._inside[client]
        for entered, waiting in self._waiting.items():
            if self._may_enter(waiting) and not entered.done():
                del self._waiting[entered]
                self._enter(waiting)
                entered.set_result(None)
                return
