"""The only loop that writes the bid log: gather, decide, append, resolve, answer.

Every command enters by `submit(command) -> Future[Outcome]`. What gathered while the last bulk was on its way is decided
on folded state in memory and appended with ONE ordered bulk (`group_commit`, `appender`). The fence is the entry's `_id`:
of two writers that decided on the same state one gets the seq, and the other catches up and decides again.

Promises: an Entry is answered only after its insert was acknowledged. A Refusal is answered only from a state that was
current after the request came: an entry of that auction was stored in the same commit, or a probe found the next seq
empty. Before a refusal its key is looked up. When the store leaves an outcome open, the identical entries are sent again
until an entry is stored at each of their seqs, and nothing else is decided meanwhile; the client gets a 503 within
ANSWER_SECONDS. If the process dies here: what was sent may be stored, and a repeat by key finds it; nothing was
acknowledged that is not.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence

from auction_project.kernel import errors, logs
from bidding import rules
from bidding.rules import commands
from bidding.store import protocols
from bidding.writer import appender, auction_cache, failures, fairness, group_commit, heartbeat, rounds
from bidding.writer.clocks import SYSTEM, Clocks

MAX_WAITING = 20_000
ANSWER_SECONDS = 1.5  # the client's 2 s, less a busy machine's delays
EXPIRY_CHECK_SECONDS = 0.05

logger = logs.get(__name__)


class Committer:
    """What waits for its outcome, and the loop that commits it. Make and use it within one event loop.

    `on_stored` is called after each bulk with what it has stored, `on_batch` with the name of a batch that is complete. They
    must not wait, and not raise.
    """

    def __init__(
        self,
        log_store: protocols.LogStore,
        *,
        on_stored: Callable[[Sequence[rounds.Proposal]], None] = lambda _: None,
        on_batch: Callable[[str], None] = lambda _: None,
        clocks: Clocks = SYSTEM,
        pauses: fairness.Pauses = fairness.PAUSES,
    ) -> None:
        self._clocks = clocks
        self.incarnation = uuid.uuid4().hex[:16]
        self._waiting: list[rounds.Pending] = []
        self._batch: list[rounds.Pending] = []
        self._in_flight: dict[str, rounds.Pending] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = False
        self._auctions = auction_cache.AuctionCache(log_store)
        self._fairness = fairness.Fairness(log_store.writers, self.incarnation, clocks=clocks, pauses=pauses)
        self._appender = appender.Appender(
            log_store.bids,
            self.incarnation,
            self._fairness,
            clocks=clocks,
            on_stored=on_stored,
            on_batch=on_batch,
        )
        self._heartbeat = heartbeat.Heartbeat(log_store, self._appender, clocks=clocks)
        self._group_commit = group_commit.GroupCommit(
            log_store.bids, self._auctions, self._appender, self._fairness
        )

    # --- the outside ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the loops. Call it within the event loop, once."""
        work = (self._run(), self._expire(), self._heartbeat.run())
        self._tasks = [asyncio.create_task(loop) for loop in work]

    async def stop(self) -> None:
        """Take nothing new, finish what waits (at most ANSWER_SECONDS), end."""
        self._draining = True
        deadline = self._clocks.monotonic() + ANSWER_SECONDS
        while (self._waiting or self._batch) and self._clocks.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        rounds.fail_all(self._waiting, failures.StoreUnavailable())

    def submit(self, command: commands.Command, *, since: float | None = None) -> rounds.Awaited:
        """The outcome to come: an Entry (stored) or a Refusal. It fails with KeyReused, errors.NotFound, StoreUnavailable.

        `since`: the monotonic time at which the client began to wait, if that was earlier. A repeat of what is in flight
        joins it.
        """
        key = command.idempotency
        first = self._in_flight.get(key)
        if first is None:
            return self._enqueue(command, key, since)
        assert isinstance(first.command, commands.Command)  # noqa: S101 - looks are not in this map
        if first.command.request() != command.request():
            return rounds.failed(errors.KeyReused())
        first.ask_again(command, self._clocks.monotonic())
        return first.future

    def look(self, auction_id: str) -> rounds.Awaited:
        """The State of an auction, as it is after this call. It fails with errors.NotFound, StoreUnavailable."""
        return self._enqueue(rounds.Look(auction_id, self._clocks.now()), None, None)

    def peek(self, auction_id: str) -> rules.State | None:
        """The state as far as this writer has followed it, without a read; None where the auction is not cached."""
        return self._auctions[auction_id].state if auction_id in self._auctions else None

    def is_undecided(self, idempotency: str) -> bool:
        """Whether a command of that idempotency string waits here for its outcome, so that its entry may yet be stored."""
        return idempotency in self._in_flight

    @property
    def waiting(self) -> int:
        """How many commands wait for the next bulk."""
        return len(self._waiting)

    @property
    def stalled(self) -> bool:
        """Whether the store has left outcomes open for so long that a new command would time out, too."""
        since = self._appender.stalled_since
        return since is not None and self._clocks.monotonic() - since > ANSWER_SECONDS / 2

    def _enqueue(
        self, command: commands.Command | rounds.Look, key: str | None, since: float | None
    ) -> rounds.Awaited:
        if self._draining or self.stalled or len(self._waiting) >= MAX_WAITING:
            return rounds.failed(failures.StoreUnavailable())
        pending = rounds.Pending(command, key, self._clocks.monotonic() if since is None else since)
        if key is not None:
            self._in_flight[key] = pending
        self._waiting.append(pending)
        self._wake.set()
        return pending.future

    # --- the loop ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._fairness.back_off()
            batch = self._batch = self._waiting[: self._appender.limit]
            del self._waiting[: len(batch)]
            if not self._waiting:
                self._wake.clear()
            try:
                await self._heartbeat.beat()
                await self._group_commit.commit(batch)
            except errors.Unavailable as error:
                logger.warning("bid_log_unavailable", error=str(error), waiting=len(self._waiting))
                rounds.fail_all(batch, failures.StoreUnavailable())
            except Exception:
                logger.exception("commit_failed", commands=len(batch))
                self._auctions.clear()
                rounds.fail_all(batch, failures.StoreUnavailable())
            finally:
                self._finish(batch)
                self._fairness.ended()

    def _finish(self, batch: list[rounds.Pending]) -> None:
        """Forget what is answered. What its client has repeated after the answer goes into the next batch."""
        self._batch = []
        for pending in batch:
            if not pending.future.done():
                self._waiting.append(pending)
                self._wake.set()
            elif pending.key is not None:
                self._in_flight.pop(pending.key, None)

    async def _expire(self) -> None:
        """Answer overdue commands with 503; the commands themselves go on where they were sent."""
        while True:
            await asyncio.sleep(EXPIRY_CHECK_SECONDS)
            overdue = self._clocks.monotonic() - ANSWER_SECONDS
            for pending in [*self._batch, *self._waiting]:
                if pending.since < overdue:
                    pending.fail(failures.StoreUnavailable())
