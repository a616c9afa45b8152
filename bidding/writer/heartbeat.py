"""Keeps a writer registered in the store, and its clock compared with the store's."""

import asyncio
import contextlib

from auction_project.kernel import errors
from bidding.store import protocols
from bidding.writer import appender, failures
from bidding.writer.clocks import Clocks

HEARTBEAT_SECONDS = 10.0
MAX_CLOCK_OFFSET_MS = 100.0


class Heartbeat:
    """Of one writer."""

    def __init__(self, log_store: protocols.LogStore, batches: appender.Appender, *, clocks: Clocks) -> None:
        self._store = log_store
        self._batches = batches
        self._clocks = clocks
        self._registered_at = float("-inf")

    async def run(self) -> None:
        """A writer that has written is registered as long as it lives, because the relay soon stops asking for the batches
        of any other."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self._registered_at > float("-inf"):
                with contextlib.suppress(errors.Unavailable):
                    await self.beat()

    async def beat(self) -> None:
        """Register before the first bulk and then once in HEARTBEAT_SECONDS; the first time, also check the fences of the store.

        Raises errors.Unavailable; failures.StoreUnavailable when the clocks differ by more than MAX_CLOCK_OFFSET_MS.
        """
        if self._clocks.monotonic() - self._registered_at < HEARTBEAT_SECONDS:
            return
        if self._registered_at == float("-inf"):
            await self._store.check_fences()
        await self._store.writers.register(
            self._batches.incarnation, batch_number=self._batches.number, now=self._clocks.now()
        )
        offset = await self._store.clock_offset_ms()
        if abs(offset) > MAX_CLOCK_OFFSET_MS:
            raise failures.StoreUnavailable(f"this machine's clock is {offset:.0f} ms off the store's")
        self._registered_at = self._clocks.monotonic()
