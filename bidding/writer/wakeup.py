"""Tells the relay of the bid log which batches are complete, so that it reads each once and asks for no other.

Best effort, over Redis: a message is the name of a batch, after which its writer stores nothing more under that name or an
earlier one. A relay that misses it finds the entries by its slow poll; one that cannot listen polls faster.
"""

import asyncio
import time

import redis
import redis.asyncio
from django.conf import settings
from redis import backoff, retry
from redis.asyncio import retry as async_retry

from auction_project.kernel import logs

CONNECT_SECONDS = 1.0
RETRY_SECONDS = 1.0  # before Redis is tried again
MAX_NAME_CHARACTERS = 64

log = logs.get(__name__)


def channel() -> str:
    """One for each bid log, because Redis has one space of channels for all its databases."""
    return f"gavel:bid-log:{settings.MONGODB_DATABASE}"


class Notifier:
    """The writer's end. Make and use it within one event loop; `notify` never waits and never raises.

    One message is on its way at a time. The next one names the last batch that is complete by then."""

    def __init__(self) -> None:
        self._client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS,
            retry=async_retry.Retry(backoff.NoBackoff(), 0),
            protocol=2,
        )
        self._silent_until = 0.0
        self._batch = ""  # to be sent
        self._publishing: asyncio.Task[None] | None = None

    def notify(self, batch: str) -> None:
        """The batch of that name is complete."""
        self._batch = batch
        is_publishing = self._publishing is not None and not self._publishing.done()
        if not is_publishing and time.monotonic() >= self._silent_until:
            self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def close(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        await self._client.aclose()

    async def _publish(self) -> None:
        try:
            while self._batch:
                batch, self._batch = self._batch, ""
                await self._client.publish(channel(), batch)
        except (redis.RedisError, OSError) as error:
            self._silent_until = time.monotonic() + RETRY_SECONDS
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

    def wait(self, seconds: float) -> list[str]:
        """Sleep for `seconds` at most, or until a batch is complete; the names of all that have come by then.

        Never raises because of Redis. Messages from before it listened are lost, so look at the log once after it begins to.
        """
        deadline = time.monotonic() + seconds
        if self._pubsub is None and time.monotonic() >= self._next_try:
            self._listen()
        names: list[str] = []
        try:
            while self._pubsub is not None:
                left = 0.0 if names else deadline - time.monotonic()
                message = self._pubsub.get_message(timeout=max(0.0, left))
                if message is not None and message["type"] == "message":
                    names.append(bytes(message["data"])[:MAX_NAME_CHARACTERS].decode(errors="replace"))
                elif left <= 0:
                    return names
        except (redis.RedisError, OSError) as error:
            self._lose(error)
        if not names:
            time.sleep(max(0.0, deadline - time.monotonic()))
        return names

    def close(self) -> None:
        """Stop listening; `wait` would begin again."""
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
