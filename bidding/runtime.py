"""The bid log's part of a process: one event loop, one store, one committer; `current()` from anywhere in it.

The web process starts it on its own loop. Every other role gets a loop in a thread of its own at its first call.
Synchronous code (REST views, handlers, clock) uses `submit`, `look` and `call`.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from django.conf import settings

from auction_project.kernel import errors, logs, owned, tracing
from bidding import metrics, reports, rules, traces
from bidding.catalogue import catalogue
from bidding.rules import commands, log
from bidding.store import mongo
from bidding.writer import committer, heartbeat, rounds, wakeup

CALL_SECONDS = 5.0

_T = TypeVar("_T")

logger = logs.get(__name__)


class Announcer(Protocol):
    """What gets each entry right after its commit, at most once, on the runtime's loop. This is a hint: a process that dies
    before it announces nothing, so a reader that needs every entry follows the events."""

    def announce(self, stored: Sequence[rounds.Proposal]) -> None:
        """These were stored. Must not wait."""

    async def close(self) -> None: ...


class Runtime:
    """Store, committer, catalogue and what other apps have reported, on `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, announcer: Announcer | None = None) -> None:
        self.loop = loop
        self._announcer = announcer
        self.store = mongo.MongoStore(settings.MONGODB_URL, settings.MONGODB_DATABASE)
        self._notifier = wakeup.Notifier()
        self.committer = committer.Committer(
            self.store, on_stored=self._on_stored, on_batch=self._notifier.notify
        )
        self.committer.start()
        self.catalogue = catalogue.Catalogue(settings.REDIS_URL, settings.MONGODB_DATABASE)
        self.cards = reports.Cards(self.store)
        self.stock = reports.Stock(self.store)
        metrics.waiting_commands.measure_by(lambda: {(): self.committer.waiting})
        metrics.stalled.measure_by(lambda: {(): self.committer.stalled})

    def _on_stored(self, stored: Sequence[rounds.Proposal]) -> None:
        try:
            if self._announcer is not None:
                self._announcer.announce(stored)
            if tracing.is_on:
                traces.record_stored(stored)
        except Exception:  # what is stored is stored: its bidders must get their answers
            logger.exception("not_announced", entries=len(stored))

    async def close(self) -> None:
        """Finish what waits, for as long as a client may wait, then close every connection."""
        await self.committer.stop()
        await self._notifier.close()
        if self._announcer is not None:
            await self._announcer.close()
        await self.catalogue.close()
        await self.store.close()


current: owned.Owned[Runtime] = owned.Owned("bid log")


async def start(announcer: Announcer | None = None) -> None:
    """Begin on the running loop. It answers at once; a store that does not answer is waited for by those who need it."""
    current.put(Runtime(asyncio.get_running_loop(), announcer))


async def stop() -> None:
    """Finish what waits, then let go of the store."""
    if current.is_made:
        await current().close()  # who still calls it meanwhile gets its answer, and makes no other
        current.take()


@contextlib.contextmanager
def on_a_thread(make_announcer: Callable[[], Announcer] | None = None) -> Iterator[Runtime]:
    """A runtime whose loop runs in a thread of its own, until the exit."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=_run, args=(loop,), name="bid-log", daemon=True).start()

    async def make() -> Runtime:
        return Runtime(loop, make_announcer() if make_announcer is not None else None)

    runtime = asyncio.run_coroutine_threadsafe(make(), loop).result(CALL_SECONDS)
    try:
        yield runtime
    finally:
        try:
            asyncio.run_coroutine_threadsafe(runtime.close(), loop).result(CALL_SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def call(operation: Coroutine[Any, Any, _T], *, seconds: float | None = CALL_SECONDS) -> _T:
    """Run a coroutine on the runtime's loop, from another thread. Raises errors.Unavailable after `seconds` (None: without
    end)."""
    future = asyncio.run_coroutine_threadsafe(operation, current().loop)
    try:
        return future.result(seconds)
    except TimeoutError as error:
        future.cancel()
        raise errors.Unavailable from error


def submit(command: commands.Command) -> log.Entry | rules.Refusal:
    """The outcome of `command`. Raises errors.KeyReused, errors.NotFound, errors.Unavailable."""
    (outcome,) = submit_all([command])
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def submit_all(
    submitted: Sequence[commands.Command], *, then_look: bool = False
) -> list[log.Entry | rules.Refusal | BaseException]:
    """The outcome of each command, or what `submit` raises. All are submitted at once, so that they share a bulk. `then_look`:
    it also has what is due in these auctions after the commands, such as that a lot opens whose start has passed."""

    async def outcomes() -> list[Any]:
        committer = current().committer
        futures = [committer.submit(command) for command in submitted]
        looks = [committer.look(command.auction_id) for command in submitted] if then_look else []
        return (await asyncio.gather(*futures, *looks, return_exceptions=True))[: len(futures)]

    return call(outcomes())


def look(auction_id: str) -> rules.State:
    """The state of an auction as it is now. Raises errors.NotFound, errors.Unavailable."""

    async def state() -> rounds.Outcome:
        return await current().committer.look(auction_id)

    outcome = call(state())
    assert isinstance(outcome, rules.State)  # noqa: S101
    return outcome


def ping() -> None:
    """Raises errors.Unavailable when the bid log cannot be written, e.g. because its indexes are missing, or for a clock that
    is off."""
    running = current()
    call(running.store.check_fences())
    offset = call(running.store.clock_offset_ms())
    if abs(offset) > heartbeat.MAX_CLOCK_OFFSET_MS:
        raise errors.Unavailable(f"this machine's clock is {offset:.0f} ms off the store's")
