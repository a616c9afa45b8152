"""The one subscription of this process to Redis: keeps it in step with the channels wanted, and passes messages on.

It does not promise that a message arrives. It promises to call `on_open(channel)` whenever messages of a channel begin to
arrive, at first and after every break, so that its owner then reads what it may have missed. A connection that is silent
for SILENT_SECONDS, although it is pinged, counts as broken, and so does one with a message that cannot be handled.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

import redis

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from notifications import metrics, redis_clients
from notifications.push import background

PING_SECONDS = 3.0
SILENT_SECONDS = 10.0
MAX_PAUSE_SECONDS = 2.0
CHANNELS_AT_ONCE = 100
_ALWAYS = "gavel:hub"  # a subscription to nothing could not be read

log = logs.get(__name__)


class Subscription:
    """`run()` until cancelled; `want` and `unwant` at any time."""

    def __init__(
        self,
        *,
        on_open: Callable[[str], None],
        on_message: Callable[[str, bytes], Awaitable[None]],
        on_break: Callable[[], None],
    ) -> None:
        self._on_open, self._on_message, self._on_break = on_open, on_message, on_break
        self._wanted: set[str] = {_ALWAYS}
        self._asked: set[str] = set()  # subscribed on this connection
        self._open: set[str] = set()  # and confirmed
        self._changes: dict[str, None] = {_ALWAYS: None}  # channels to subscribe to, or to unsubscribe from
        self._changed = asyncio.Event()
        self._heard_at = 0.0
        self.is_open = False

    def want(self, channel: str) -> None:
        """Begin to listen; `on_open` follows, also for a channel that is still open."""
        self._wanted.add(channel)
        if channel in self._open:
            asyncio.get_running_loop().call_soon(self._open_again, channel)
        else:
            self._change(channel)

    def unwant(self, channel: str) -> None:
        """Stop listening."""
        self._wanted.discard(channel)
        self._change(channel)

    def _change(self, channel: str) -> None:
        self._changes[channel] = None
        self._changed.set()

    def _open_again(self, channel: str) -> None:
        if channel in self._open:
            self._on_open(channel)

    async def run(self) -> None:
        """Listen until cancelled. A break costs a line of log and a pause."""
        breaks = 0
        while True:
            client = redis_clients.listening()
            try:
                async with client, client.pubsub() as pubsub:
                    await self._use(pubsub)
            except Exception as error:  # nothing but a cancellation may end the one subscription
                breaks = 1 if self.is_open else breaks + 1
                is_outage = isinstance(error, (redis.RedisError, OSError, RuntimeError))
                log.warning("subscription_broken", error=repr(error), exc_info=not is_outage)
            if self.is_open:
                metrics.subscription_losses.inc()
            self.is_open = False
            self._asked.clear()
            self._open.clear()
            self._changes = dict.fromkeys(self._wanted)
            self._on_break()
            await asyncio.sleep(min(MAX_PAUSE_SECONDS, failure.pause_seconds(breaks)))

    async def _use(self, pubsub: redis.asyncio.client.PubSub) -> None:
        """Subscribe and listen on one connection until it breaks."""
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
        """Subscribe and unsubscribe as the changes say, a slice at a time."""
        self._changed.clear()
        while self._changes:
            slice_ = list(itertools.islice(self._changes, CHANNELS_AT_ONCE))
            for channel in slice_:
                del self._changes[channel]
            added = [channel for channel in slice_ if channel in self._wanted and channel not in self._asked]
            dropped = [
                channel for channel in slice_ if channel not in self._wanted and channel in self._asked
            ]
            self._asked.update(added)
            self._asked.difference_update(dropped)
            self._open.difference_update(dropped)
            if added:
                await pubsub.subscribe(*added)
            if dropped:
                await pubsub.unsubscribe(*dropped)
            await asyncio.sleep(0)

    async def _listen(self, pubsub: redis.asyncio.client.PubSub) -> None:
        loop = asyncio.get_running_loop()
        async for message in pubsub.listen():
            self._heard_at = loop.time()
            if message["type"] == "message":
                await self._on_message(message["channel"].decode(), message["data"])
            elif message["type"] == "subscribe":
                channel = message["channel"].decode()
                if channel == _ALWAYS:
                    self.is_open = True
                    log.info("subscription_open", channels=len(self._wanted))
                elif channel in self._asked:
                    self._open.add(channel)
                    self._on_open(channel)
            await asyncio.sleep(0)  # reading buffered messages never yields: let bids run between two of them
