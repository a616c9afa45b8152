"""The time by which the hub and its streams pause: the event loop's own. Tests bring others.

The subscription to Redis keeps to the event loop's, because the silence of a connection is real time.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any


class Clock:
    """Seconds of the running event loop."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[Any]:
        """Raises TimeoutError in the block after `seconds`."""
        return asyncio.timeout(seconds)
