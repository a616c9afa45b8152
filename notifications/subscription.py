"""The one subscription of this process to Redis: keeps it in step with the channels wanted, and tells what it hears.

It promises no message. It promises to say `on_open(channel)` whenever a channel begins to be heard, at first and after
every break, so that its owner then reads what he may have missed. A connection that is silent for SILENT_SECONDS,
although it is pinged, counts as broken.
"""

import asyncio
import contextlib
from collections.abc import Callable

import redis

from auction_project import logs
from auction_project.messaging import failure
from notifications import background, metrics, redis_clients

PING_SECONDS = 3.0
SILENT_SECONDS = 10.0
MAX_PAUSE_SECONDS = 2.0
CHANNELS_AT_ONCE = 500
_ALWAYS = "gavel:hub"  # a subscription to nothing could not be read

log = logs.get(__name__)


class Subscription:
    """`run()` until cancelled; `want` and `unwant` at any time."""

    def __init__(
        self,
        *,
        on_open: Callable[[str], None],
        on_message: Callable[[str, bytes], None],
        on_break: Callable[[], None],
    ) -> None:
        self._on_open, self._on_message, self._on_break = on_open, on_message, on_break
        self._wanted: set[str] = {_ALWAYS}
        self._asked: set[str] = set()
        self._changed = asyncio.Event()
        self._heard_at = 0.0
        self.is_open = False

    def want(self, channel: str) -> None:
        self._wanted.add(channel)
        self._changed.set()

    def unwant(self, channel: str) -> None:
        self._wanted.discard(channel)
        self._changed.set()

    async def run(self) -> None:
        """Listen for ever; a break costs a line of log and a pause."""
        breaks = 0
        while True:
            client = redis_clients.listening()
            try:
                async with client, client.pubsub() as pubsub:
                    await self._converse(pubsub)
            except (redis.RedisError, OSError, RuntimeError) as error:
                breaks = 1 if self.is_open else breaks + 1
                log.warning("subscription_broken", error=repr(error))
            if self.is_open:
                metrics.subscription_losses.inc()
            self.is_open = False
            self._asked.clear()
            self._on_break()
            await asyncio.sleep(min(MAX_PAUSE_SECONDS, failure.pause_seconds(breaks)))

    async def _converse(self, pubsub: redis.asyncio.client.PubSub) -> None:
        """Ask and listen on one connection, until either breaks."""
        await self._ask(pubsub)
        self._heard_at = asyncio.get_running_loop().time()
        asking = asyncio.create_task(self._keep_asking(pubsub))
        listening = asyncio.create_task(self._listen(pubsub))
        try:
            await asyncio.wait((asking, listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            failures = await background.cancel(asking, listening)
        for error in failures:
            raise error

    async def _keep_asking(self, pubsub: redis.asyncio.client.PubSub) -> None:
        loop = asyncio.get_running_loop()
        pinged_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await self._changed.wait()
            await self._ask(pubsub)
            if loop.time() - pinged_at >= PING_SECONDS:
                pinged_at = loop.time()
                if pinged_at - self._heard_at > SILENT_SECONDS:
                    raise redis.ConnectionError(f"silent for {SILENT_SECONDS:g} s")
                await pubsub.ping()

    async def _ask(self, pubsub: redis.asyncio.client.PubSub) -> None:
        self._changed.clear()
        wanted, unwanted = self._wanted - self._asked, self._asked - self._wanted
        self._asked = set(self._wanted)
        for channels, ask in ((sorted(wanted), pubsub.subscribe), (sorted(unwanted), pubsub.unsubscribe)):
            for i in range(0, len(channels), CHANNELS_AT_ONCE):
                await ask(*channels[i : i + CHANNELS_AT_ONCE])

    async def _listen(self, pubsub: redis.asyncio.client.PubSub) -> None:
        loop = asyncio.get_running_loop()
        async for message in pubsub.listen():
            self._heard_at = loop.time()
            if message["type"] == "message":
                self._on_message(message["channel"].decode(), message["data"])
            elif message["type"] == "subscribe":
                channel = message["channel"].decode()
                if channel == _ALWAYS:
                    self.is_open = True
                    log.info("subscription_open", channels=len(self._wanted))
                else:
                    self._on_open(channel)
