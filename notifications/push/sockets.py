"""What waits to be sent to one client, WebSocket or SSE: a bounded queue, and how it ends.

Single frames as they happen go through `put`; at most QUEUE_FRAMES of them wait. If nothing waits and the connection takes
bytes at once, a frame does not even wait for the client's task. What a client missed comes as one
backlog, however long; the next backlog waits until that one is sent. A client that reads too slowly for the queue is closed
with OVERFLOW: it connects again and resumes, so no frame is ever left out.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from notifications import frames, metrics
from notifications.push import turns

QUEUE_FRAMES = 256

FAILED = 1011
GOING_AWAY = 1012
TOO_MANY = 1013
POLICY = 1008
TOO_LARGE = 1009
UNAUTHENTICATED = 4401
FORBIDDEN_ORIGIN = 4403
UNKNOWN_PATH = 4404
OVERFLOW = 4408
SESSION_ENDED = 4410
ACCOUNT_CLOSED = 4411
TOO_MANY_HERE = 4429

# Each close code of a WebSocket with its reason; a stream of server-sent events says them in its last event.
REASONS: dict[int, str] = {
    POLICY: "Too many messages, or too many auctions that do not exist.",
    TOO_LARGE: "A message was too large, or was not text.",
    FAILED: "The server failed. Connect again and resume.",
    GOING_AWAY: "The server stops. Connect again and resume.",
    TOO_MANY: "The server cannot take this stream now. Try again shortly.",
    UNAUTHENTICATED: "Ask for a new ticket: it is missing, used up or too old.",
    FORBIDDEN_ORIGIN: "Pages of this origin may not open a stream.",
    UNKNOWN_PATH: "There is no stream at this path.",
    OVERFLOW: "The client reads too slowly. Connect again and resume.",
    SESSION_ENDED: "The session has ended. Sign in again.",
    ACCOUNT_CLOSED: "The account is closed or barred.",
    TOO_MANY_HERE: "There are too many streams from this address or of this account.",
}
FINAL = frozenset({SESSION_ENDED, ACCOUNT_CLOSED})  # the same client may not come back


class Socket:
    """One connected client. For the event loop. `drained` is called when a backlog was sent. `write`: writes a WebSocket frame
    at once; False if the connection cannot take it now."""

    __slots__ = (
        *("_backlog", "_drained", "_frames_sent", "_queue", "_waiter", "_write"),
        *("address", "code", "session", "transport", "turns", "unknown", "user_id", "watched"),
    )

    def __init__(
        self,
        *,
        transport: str,
        drained: Callable[["Socket"], None],
        turns: turns.Turns,
        address: str = "",
        write: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.address = address
        self.user_id: str | None = None
        self.session = ""
        self.transport = transport
        self.turns = turns
        self.code: int | None = None
        self.watched: set[str] = set()
        self.unknown = 0  # auctions named by the client that do not exist
        self._queue: deque[Sequence[frames.Frame]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._backlog: Sequence[frames.Frame] | None = None
        self._drained = drained
        self._write = write
        self._frames_sent = metrics.frames_sent.labels(transport)

    def put(self, frame: frames.Frame) -> None:
        """Write a frame, or queue it. A full queue closes the connection with OVERFLOW."""
        if self.code is not None:
            return
        if self._write is not None and self._is_idle() and self._write(frame.wire):
            self._frames_sent.inc()
            return
        if len(self._queue) >= QUEUE_FRAMES:
            self.close(OVERFLOW)
            return
        self._append((frame,))

    @property
    def has_backlog(self) -> bool:
        return self._backlog is not None

    def put_backlog(self, missed: Sequence[frames.Frame]) -> None:
        """Queue what the client missed. There must be no other backlog."""
        if self.code is None:
            self._backlog = missed
            self._append(missed)

    def close(self, code: int) -> None:
        """End the connection with `code`. What waits is dropped, because the client resumes from what it has."""
        if self.code is None:
            self.code = code
            self._queue.clear()
            self._backlog = None
            metrics.closed.labels(self.transport, str(code)).inc()
            if waiter := self._pending_waiter():
                waiter.set_result(None)

    async def next(self) -> Sequence[frames.Frame] | None:
        """Wait for what to send next and for the step of its first write; each further write needs a step of `turns`. None:
        end the connection with `code`."""
        if self.code is None and not (self._queue and self.turns.take()):
            self._waiter = asyncio.get_running_loop().create_future()
            if self._queue:
                self.turns.enqueue(self._waiter)
            await self._waiter
        return self._queue.popleft() if self.code is None else None

    def write_all(self, some: Sequence[frames.Frame]) -> bool:
        """Write frames that `next` returned, all at once; False if the connection cannot take them now."""
        return self._write is not None and self._write(b"".join(frame.wire for frame in some))

    def sent(self, entry: Sequence[frames.Frame]) -> None:
        """Note that `entry`, as `next` returned it, was handed to the connection."""
        self._frames_sent.inc(len(entry))
        if entry is self._backlog:
            self._backlog = None
            self._drained(self)

    def _append(self, entry: Sequence[frames.Frame]) -> None:
        self._queue.append(entry)
        if len(self._queue) == 1 and (waiter := self._pending_waiter()):
            self.turns.enqueue(waiter)

    def _is_idle(self) -> bool:
        """Whether all that was put is handed to the connection, so that what is written now comes after it."""
        return not self._queue and self._pending_waiter() is not None

    def _pending_waiter(self) -> asyncio.Future[None] | None:
        return self._waiter if self._waiter is not None and not self._waiter.done() else None
