"""Awaited delivery over a client that reports each message by a callback, as librdkafka does. Knows no transport.

One thread polls. A batch ends when all its messages are delivered, or with its first failure.

Note [callbacks]: a delivery callback only counts, because polling or flushing inside one crashes the client library.
"""

import threading
from collections.abc import Sequence
from typing import Any

_POLL_SECONDS = 0.2


class Failed(Exception):
    """Not every message of the batch was delivered; any part of it may be stored."""


class Producer:
    """A client with its poll thread. Thread-safe."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._discarded = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="producer-poll", daemon=True)
        self._thread.start()

    def send(self, messages: Sequence[tuple[str, bytes, bytes]], timeout_seconds: float) -> None:
        """Send (topic, key, value) of each message and wait until all are delivered. Raises Failed, and what the client's
        `produce` raises."""
        batch = _Batch(len(messages))
        for topic, key, value in messages:
            self._client.produce(topic, value, key, on_delivery=batch.count)
        batch.wait(timeout_seconds)

    def discard(self) -> None:
        """Drop all messages that are not delivered; their `send` raises Failed. The client is not usable afterwards."""
        self._client.purge(blocking=False)
        self._discarded.set()
        self._thread.join(2 * _POLL_SECONDS + 1)

    def _poll(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._discarded.is_set()  # one more poll reports the purged deliveries
            try:
                self._client.poll(_POLL_SECONDS)
            except (
                Exception
            ):  # the client has failed for good: its batches become overdue, and it is discarded
                self._discarded.wait(_POLL_SECONDS)


class _Batch:
    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._error: Any = None
        self._ended = threading.Event()

    def count(self, error: Any, _message: Any) -> None:
        """See Note [callbacks]."""
        self._expected -= 1
        self._error = self._error or error
        if error or not self._expected:
            self._ended.set()

    def wait(self, timeout_seconds: float) -> None:
        if not self._ended.wait(timeout_seconds):
            raise Failed(f"{self._expected} deliveries are overdue")
        if self._error:
            raise Failed(str(self._error))
