"""Brings the public record of a stored entry to an auction's watchers at once, ahead of its event: a hint.

Best effort. The event brings the same frame in any case, and `auction_frames` ignores the second of the two; so a hint that is
lost, refused or sent twice costs no watcher anything but the time that the event takes.
"""

import asyncio

import redis

from auction_project.kernel import failpoints, logs
from auction_project.kernel.contracts import events
from notifications import auction_frames, frames, redis_clients
from notifications.push import background

PER_SECOND = 500  # of one process; each costs the loop that bids share about 30 us
MUTE_SECONDS = 1.0  # after a failure, so that a hanging Redis gathers no tasks

log = logs.get(__name__)


class Hints:
    """The hints of one event loop. `put` never waits, and never raises because of Redis."""

    def __init__(self) -> None:
        self._client = redis_clients.asking()
        self._waiting: list[tuple[events.LogRecord, str]] = []
        self._sending: asyncio.Task[None] | None = None
        self._second = 0
        self._left = 0
        self._muted_until = 0.0

    def room(self) -> int:
        """How many records `put` takes now."""
        now = asyncio.get_running_loop().time()
        if int(now) != self._second:
            self._second, self._left = int(now), PER_SECOND
        return 0 if now < self._muted_until else self._left

    def put(self, record: events.LogRecord, *, traceparent: str = "") -> None:
        """Send the frame of `record`, whose entry has the span `traceparent`, soon. Without room it is dropped."""
        if not self.room():
            return
        self._left -= 1
        self._waiting.append((record, traceparent))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def close(self) -> None:
        """Send no more."""
        if self._sending is not None:
            await background.cancel(self._sending)
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _send(self) -> None:
        """Send what waits, in one question to Redis for all that has gathered."""
        try:
            while self._waiting:
                records, self._waiting = self._waiting, []
                failpoints.reach("hints.before_send")
                await auction_frames.hint(
                    self._client,
                    [
                        auction_frames.Addition(
                            record.auction_id, record.seq, frames.auction_text(record), traceparent
                        )
                        for record, traceparent in records
                    ],
                )
        except (redis.RedisError, OSError) as error:
            self._waiting.clear()
            self._muted_until = asyncio.get_running_loop().time() + MUTE_SECONDS
            log.warning("hints_not_sent", error=repr(error))
