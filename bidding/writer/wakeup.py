"""Wakes the relay of the bid log as soon as a writer has stored something after a pause.

Best effort, over Redis: a message names the writer, and carries nothing else. A relay that misses it finds the entries by
its slow poll; one that cannot listen polls fast instead.
"""

import asyncio
import time

import redis
import redis.asyncio
from django.conf import settings
from redis import backoff, retry
from redis.asyncio import retry as async_retry

from auction_project.kernel import logs

NOTIFY_SECONDS = 0.5  # between two messages of a writer: the relay polls fast for longer than that
CONNECT_SECONDS = 1.0
RETRY_SECONDS = 1.0  # before Redis is tried again
MAX_NAME_CHARACTERS = 64

log = logs.get(__name__)


def channel() -> str:
    """One for each bid log, because Redis has one space of channels for all its databases."""
    return f"gavel:bid-log:{settings.MONGODB_DATABASE}"


class Notifier:
    """The writer's end. Make and use it within one event loop; `notify` never waits and never raises."""

    def __init__(self) -> None:
        self._client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS,
            retry=async_retry.Retry(backoff.NoBackoff(), 0),
            protocol=2,
        )
        self._next = 0.0
        self._publishing: asyncio.Task[None] | None = None

    def notify(self, name: str) -> None:
        """The writer `name` has stored something."""
        now = time.monotonic()
        if now >= self._next and (self._publishing is None or self._publishing.done()):
            self._next = now + NOTIFY_SECONDS
            self._publishing = asyncio.get_running_loop().create_task(self._publish(name))

    async def close(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        await self._client.aclose()

    async def _publish(self, name: str) -> None:
        try:
            await self._client.publish(channel(), name)
        except (redis.RedisError, OSError) as error:
            self._next = time.monotonic() + RETRY_SECONDS
            log.warning("relay_not_woken", error=repr(error))


class Listener:
    """The relay's end, for one thread. `is_listening`: whether a message would arrive now."""

    def __init__(self) -> None:
        self._client: redis.Redis | None = None  # closes its connections when it is garbage
        self._pubsub: redis.client.PubSub | None = None
        self._next_try = 0.0

    @property
    def is_listening(self) -> bool:
        return self._pubsub is not None

    def wait(self, seconds: float) -> str:
        """Sleep for `seconds` at most, or until a writer has stored something; the writer's name, or "".

        Never raises because of Redis. Messages from before it listened are lost, so look at the log once after it begins to.
        """
        deadline = time.monotonic() + seconds
        if self._pubsub is None and time.monotonic() >= self._next_try:
            self._listen()
        try:
            while self._pubsub is not None and (left := deadline - time.monotonic()) > 0:
                message = self._pubsub.get_message(timeout=left)
                if message is not None and message["type"] == "message":
                    return bytes(message["data"])[:MAX_NAME_CHARACTERS].decode(errors="replace")
        except (redis.RedisError, OSError) as error:
            self._lose(error)
        time.sleep(max(0.0, deadline - time.monotonic()))
        return ""

    def close(self) -> None:
        if self._pubsub is not None and self._client is not None:
            self._pubsub.close()
            self._client.close()
            self._pubsub = self._client = None

    def _listen(self) -> None:
        self._client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS,
            retry=retry.Retry(backoff.NoBackoff(), 0),
            protocol=2,
        )
        self._pubsub = self._client.pubsub()
        try:
            self._pubsub.subscribe(channel())
            if self._pubsub.get_message(timeout=CONNECT_SECONDS) is None:  # messages arrive only from then on
                raise redis.TimeoutError("the subscription was not confirmed")
        except (redis.RedisError, OSError) as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        log.warning("relay_cannot_be_woken", error=repr(error))
        self.close()
        self._next_try = time.monotonic() + RETRY_SECONDS
