"""What waits to be sent to one client, WebSocket or SSE: a bounded queue, and how it ends.

Single frames as they happen go through `put`, at most QUEUE_FRAMES of them wait. What a client missed comes as one
backlog, however long; the next backlog waits until that one is sent. A client too slow for the queue is closed with
OVERFLOW, which says: connect again and resume; nothing is ever left out instead.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from notifications import frames, metrics

QUEUE_FRAMES = 256

# Close codes of WebSocket; an SSE stream just ends.
FAILED = 1011
GOING_AWAY = 1012
TOO_MANY = 1013
POLICY = 1008
TOO_LARGE = 1009
UNAUTHENTICATED = 4401
FORBIDDEN_ORIGIN = 4403
UNKNOWN_PATH = 4404
OVERFLOW = 4408


class Socket:
    """One connected client. Everything here happens on the event loop."""

    __slots__ = (
        *("_backlog", "_drained", "_frames_sent", "_queue", "_waiter"),
        *("code", "transport", "user_id", "watched"),
    )

    def __init__(self, *, user_id: str | None, transport: str, drained: Callable[["Socket"], None]) -> None:
        self.user_id = user_id
        self.transport = transport
        self.code: int | None = None
        self.watched: set[str] = set()
        self._queue: deque[Sequence[frames.Frame]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._backlog: Sequence[frames.Frame] | None = None
        self._drained = drained
        self._frames_sent = metrics.frames_sent.labels(transport)

    def put(self, frame: frames.Frame) -> None:
        if self.code is not None:
            return
        if len(self._queue) >= QUEUE_FRAMES:
            self.close(OVERFLOW)
            return
        self._queue.append((frame,))
        self._wake()

    @property
    def has_backlog(self) -> bool:
        return self._backlog is not None

    def put_backlog(self, missed: Sequence[frames.Frame]) -> None:
        """Queue what the client missed. There must be no other backlog."""
        if self.code is None:
            self._backlog = missed
            self._queue.append(missed)
            self._wake()

    def close(self, code: int) -> None:
        """End the connection; what waits is dropped, the client resumes from what it has."""
        if self.code is None:
            self.code = code
            self._queue.clear()
            self._backlog = None
            metrics.closed.labels(self.transport, str(code)).inc()
            self._wake()

    async def next(self) -> Sequence[frames.Frame] | None:
        """What to send next, once all that came before is sent; None when the connection is to end with `code`."""
        while self.code is None and not self._queue:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.code is not None:
            return None
        return self._queue.popleft()

    def sent(self, entry: Sequence[frames.Frame]) -> None:
        """`entry`, as `next` gave it, was handed to the connection."""
        self._frames_sent.inc(len(entry))
        if entry is self._backlog:
            self._backlog = None
            self._drained(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
