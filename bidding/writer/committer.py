"""The only loop that writes the bid log: gather, decide, append, resolve, answer.

Every command enters by `submit(command) -> Future[Outcome]`. What gathered while the last bulk was on its way is decided
on folded state in memory and appended with ONE ordered bulk. The fence is the entry's `_id`: at a duplicate the prefix
stands, that auction is caught up, and what is left is decided again; `decide` is pure, so the entries of other auctions
come out unchanged.

Promises: an Entry is answered only after its insert was acknowledged. A Refusal is answered only from a state that was
current after the request came: an entry of that auction was stored in the same commit, or a probe found the next seq
empty. Before a refusal its key is looked up. When the store leaves an outcome open, the identical entries are sent again
until something stands at their seqs, and nothing else is decided meanwhile; the client hears 503 within ANSWER_SECONDS.
If the process dies here: what was sent may stand, and a repeat by key finds it; nothing was acknowledged that does not.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Iterable

import prometheus_client

from auction_project.kernel import errors, failpoints, instants, logs
from bidding import rules
from bidding.rules import commands, log
from bidding.store import bid_log, protocols
from bidding.writer import auction_cache, fairness, rounds

MAX_BATCH = bid_log.MAX_BULK
MIN_BATCH = 32
SLOW_BULK_SECONDS = 0.4
MAX_WAITING = 20_000
ANSWER_SECONDS = 1.5  # the client's 2 s, less a busy machine's delays
EXPIRY_CHECK_SECONDS = 0.05
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5)
HEARTBEAT_SECONDS = 10.0
MAX_CLOCK_OFFSET_MS = 100.0

entries_stored = prometheus_client.Counter("gavel_bid_log_entries_total", "Entries stored in the bid log.")
bulks_sent = prometheus_client.Counter("gavel_bid_log_bulks_total", "Bulk inserts sent to the bid log.")
conflicts = prometheus_client.Counter(
    "gavel_bid_log_conflicts_total", "Bulks that met another writer's entry."
)
refusals = prometheus_client.Counter("gavel_bid_refusals_total", "Refused commands.", ["rule"])

logger = logs.get(__name__)


class KeyReused(errors.Conflict):
    """This Idempotency-Key was used with another request. Use a fresh key for a new bid."""

    http_status = 422


class StoreAway(errors.Unavailable):
    """The bid log cannot be written at the moment. Your bid may or may not stand: ask by its key, or send it again."""


class Committer:
    """Make and use it within one event loop. `now` gives milliseconds since the epoch; `on_stored` is called after each
    bulk with the incarnation, and must not wait."""

    def __init__(
        self,
        log_store: protocols.LogStore,
        *,
        now: Callable[[], int] = instants.now,
        on_stored: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = log_store
        self._now = now
        self._on_stored = on_stored
        self.incarnation = uuid.uuid4().hex[:16]
        self._batch_number = 0
        self._batch_limit = MAX_BATCH
        self._registered_at = float("-inf")
        self._auctions = auction_cache.AuctionCache(log_store)
        self._waiting: list[rounds.Pending] = []
        self._batch: list[rounds.Pending] = []
        self._in_flight: dict[str, rounds.Pending] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stalled_since: float | None = None
        self._draining = False
        self._fairness = fairness.Fairness(log_store, self.incarnation, now=now)

    # --- the outside ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        work = (self._run(), self._expire(), self._stay_known())
        self._tasks = [asyncio.create_task(loop) for loop in work]

    async def stop(self) -> None:
        """Take nothing new, finish what waits (at most ANSWER_SECONDS), end."""
        self._draining = True
        deadline = time.monotonic() + ANSWER_SECONDS
        while (self._waiting or self._batch) and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        rounds.fail_all(self._waiting, StoreAway())

    def submit(self, command: commands.Command) -> rounds.Awaited:
        """The outcome to come: an Entry (stored) or a Refusal. Fails with KeyReused, errors.NotFound, StoreAway.

        A repeat of what is in flight joins it.
        """
        key = command.idempotency
        first = self._in_flight.get(key)
        if first is None:
            return self._enqueue(command, key)
        assert isinstance(first.command, commands.Command)  # noqa: S101 - looks are not in this map
        if first.command.request() != command.request():
            return rounds.failed(KeyReused())
        first.ask_again(command)
        return first.future

    def look(self, auction_id: str) -> rounds.Awaited:
        """The State of an auction, current after this call. Fails with errors.NotFound, StoreAway."""
        return self._enqueue(rounds.Look(auction_id, self._now()), None)

    def peek(self, auction_id: str) -> rules.State | None:
        """The state as far as this writer has followed it, without asking the store; None where it holds none."""
        return self._auctions[auction_id].state if auction_id in self._auctions else None

    def is_undecided(self, idempotency: str) -> bool:
        """Whether a command of that idempotency string waits here for its outcome: its entry may yet be stored."""
        return idempotency in self._in_flight

    @property
    def stalled(self) -> bool:
        """Whether the store has been leaving outcomes open for longer than a client waits."""
        return self._stalled_since is not None and time.monotonic() - self._stalled_since > ANSWER_SECONDS / 2

    def _enqueue(self, command: commands.Command | rounds.Look, key: str | None) -> rounds.Awaited:
        if self._draining or self.stalled or len(self._waiting) >= MAX_WAITING:
            return rounds.failed(StoreAway())
        pending = rounds.Pending(command, key)
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
            batch = self._batch = self._waiting[: self._batch_limit]
            del self._waiting[: len(batch)]
            if not self._waiting:
                self._wake.clear()
            try:
                await self._commit(batch)
            except errors.Unavailable as error:
                logger.warning("bid_log_away", error=str(error), waiting=len(self._waiting))
                rounds.fail_all(batch, StoreAway())
            except Exception:
                logger.exception("commit_failed", commands=len(batch))
                self._auctions.clear()
                rounds.fail_all(batch, StoreAway())
            finally:
                self._finish(batch)
                self._fairness.ended()

    def _finish(self, batch: list[rounds.Pending]) -> None:
        """Forget what is answered; what was asked again after its answer goes into the next batch."""
        self._batch = []
        for pending in batch:
            if not pending.future.done():
                self._waiting.append(pending)
                self._wake.set()
            elif pending.key is not None:
                self._in_flight.pop(pending.key, None)

    async def _expire(self) -> None:
        """Tell the clients of overdue commands 503; the commands themselves go on where they were sent."""
        while True:
            await asyncio.sleep(EXPIRY_CHECK_SECONDS)
            overdue = time.monotonic() - ANSWER_SECONDS
            for pending in [*self._batch, *self._waiting]:
                if pending.since < overdue:
                    pending.fail(StoreAway())

    async def _stay_known(self) -> None:
        """A writer that has written is registered as long as it lives: the relay soon stops asking for the others."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self._registered_at > float("-inf"):
                with contextlib.suppress(errors.Unavailable):
                    await self._beat()

    async def _commit(self, batch: list[rounds.Pending]) -> None:
        """Bring every command of the batch to its outcome. It ends: who has waited for too long is told so (`_expire`)."""
        await self._beat()
        left = [pending for pending in batch if not pending.future.done()]
        await self._auctions.load({pending.command.auction_id for pending in left})
        while left:
            for pending in left:
                if pending.command.auction_id in self._auctions.damaged:
                    pending.fail(StoreAway())
                elif pending.command.auction_id not in self._auctions:
                    pending.fail(errors.NotFound("There is no such auction."))
            left = [pending for pending in left if not pending.future.done()]
            current = self._decide(left)
            stored_all = await self._store_proposals(current)
            await self._answer(current, stored_all)
            left = [pending for pending in left if not pending.future.done()]
        self._auctions.evict()

    def _decide(self, left: Iterable[rounds.Pending]) -> rounds.Round:
        current = rounds.Round()
        speculative: dict[str, rules.State] = {}
        for pending in left:
            auction_id = pending.command.auction_id
            state = speculative.get(auction_id) or self._auctions[auction_id].state
            try:
                speculative[auction_id] = state = self._do_what_is_due(current, state, pending)
                speculative[auction_id] = self._do(current, state, pending)
            except Exception:  # a bug of the rules costs its own command, not those that gathered beside it
                logger.exception(
                    "decision_failed", auction_id=auction_id, command=type(pending.command).__name__
                )
                pending.fail(StoreAway())
        return current

    def _do_what_is_due(
        self, current: rounds.Round, state: rules.State, pending: rounds.Pending
    ) -> rules.State:
        at = pending.command.at
        while (due := rules.due_at(state)) is not None and due <= at:
            owed = rules.due_command(state, at=at, salt=uuid.uuid4().hex)
            state = self._propose(current, state, owed, None)
        return state

    def _do(self, current: rounds.Round, state: rules.State, pending: rounds.Pending) -> rules.State:
        if isinstance(pending.command, commands.Command):
            return self._propose(current, state, pending.command, pending)
        current.answers.setdefault(state.auction_id, []).append((pending, state))
        return state

    def _propose(
        self,
        current: rounds.Round,
        state: rules.State,
        command: commands.Command,
        pending: rounds.Pending | None,
    ) -> rules.State:
        decided = rules.decide(state, command)
        if isinstance(decided, rules.Refusal):
            if pending is not None:
                current.answers.setdefault(state.auction_id, []).append((pending, decided))
            return state
        after = rules.apply(state, decided)
        current.proposals.append(rounds.Proposal(decided, after, pending))
        return after

    # --- append and resolve --------------------------------------------------------------------------------------

    async def _store_proposals(self, current: rounds.Round) -> set[str]:
        """Append; the auctions all of whose proposals stand. The others are caught up, to be decided again."""
        stored = 0
        total = len(current.proposals)
        while stored < total:
            chunk = current.proposals[stored : stored + self._batch_limit]
            count = await self._append(chunk)
            stored += count
            if count < len(chunk):
                await self._lost_race(current.proposals[stored:])
                break
        return current.auctions_with_proposals() - {p.entry.auction_id for p in current.proposals[stored:]}

    async def _append(self, proposals: list[rounds.Proposal]) -> int:
        """Store the entries, however often it takes to know; how many from the front stand as ours."""
        self._batch_number += 1
        batch = bid_log.batch_name(self.incarnation, self._batch_number)
        done, tries = 0, 0
        while done < len(proposals):
            rest = [proposal.entry for proposal in proposals[done:]]
            began = time.monotonic()
            try:
                failpoints.reach("committer.before_append")
                appended = await self._store.bids.append(rest, batch=batch)
                failpoints.reach("committer.after_append")
                ours = appended.stored
                if appended.conflict:
                    ours += await self._count_standing(rest[appended.stored :])
            except errors.Unavailable as error:
                self._stalled_since = self._stalled_since or time.monotonic()
                self._learn(len(rest), time.monotonic() - began)
                pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                tries += 1
                logger.warning("outcome_unknown", entries=len(rest), tries=tries, error=str(error))
                await asyncio.sleep(pause)
                continue
            self._stalled_since = None
            seconds = time.monotonic() - began
            self._fairness.took(seconds)
            self._learn(len(rest), seconds)
            bulks_sent.inc()
            entries_stored.inc(ours)
            self._on_stored(self.incarnation)
            for proposal in proposals[done : done + ours]:
                self._settle(proposal)
            done += ours
            if appended.conflict and ours == appended.stored:
                conflicts.inc()
                break
            self._fairness.won()
        if not done and not tries:
            self._batch_number -= 1  # nothing has it: a number that stored nothing would be a hole
        return done

    def _learn(self, entries: int, seconds: float) -> None:
        """Keep bulks small enough that a slow store acknowledges them well before clients give up."""
        if seconds > SLOW_BULK_SECONDS:
            self._batch_limit = max(MIN_BATCH, min(self._batch_limit, entries) // 2)
        elif entries >= self._batch_limit and seconds < SLOW_BULK_SECONDS / 2:
            self._batch_limit = min(MAX_BATCH, self._batch_limit * 2)

    async def _count_standing(self, entries: list[log.Entry]) -> int:
        """How many from the front stand in the log with our hash: they were stored by an attempt of unknown outcome."""
        count = 0
        while count < len(entries):
            chunk = entries[count : count + bid_log.READ_CHUNK]
            found = await self._read_each(chunk)
            for entry in chunk:
                standing = found.get((entry.auction_id, entry.seq))
                if standing is None or standing.hash != entry.hash:
                    return count
                count += 1
        return count

    async def _read_each(self, entries: list[log.Entry]) -> dict[tuple[str, int], log.Entry]:
        """What stands at the places of `entries`. One that is unreadable is not ours, and hides no other."""
        try:
            return await self._store.bids.read((entry.auction_id, entry.seq) for entry in entries)
        except errors.Unavailable:
            raise
        except Exception:
            if len(entries) == 1:
                logger.exception("entry_is_unreadable", auction_id=entries[0].auction_id, seq=entries[0].seq)
                return {}
        found: dict[tuple[str, int], log.Entry] = {}
        for entry in entries:
            found |= await self._read_each([entry])
        return found

    def _settle(self, proposal: rounds.Proposal) -> None:
        fold = self._auctions[proposal.entry.auction_id]
        if fold.state.seq < proposal.after.seq:
            fold.advance(proposal.entry, proposal.after)
        if proposal.pending is not None:
            proposal.pending.resolve(proposal.entry)

    async def _lost_race(self, proposals: list[rounds.Proposal]) -> None:
        """Another entry stands at the seq of the first, or its key is used: catch up, and answer repeats from what stands.

        In one read, if it can be: whoever takes longer than a busier writer's next bulk never wins. A used key seldom
        comes alone (everybody repeats what an outage left unanswered), so then the others' are looked up, too.
        """
        lost = proposals[0]
        moved = await self._auctions.catch_up(
            [self._auctions[lost.entry.auction_id]], ahead=bid_log.READ_CHUNK
        )
        if lost.entry.auction_id in moved:
            await self._fairness.lost()
            suspects = proposals[:1]
        else:
            suspects = proposals
        await self._answer_repeats(
            [p.pending for p in suspects if p.pending is not None and self._may_stand(p.pending.command)]
        )

    async def _answer(self, current: rounds.Round, stored_all: set[str]) -> None:
        """Answer refusals and looks of auctions whose state is known to be current; leave the rest undone."""
        proposed = current.auctions_with_proposals()
        unproved = [
            self._auctions[auction_id]
            for auction_id, answers in current.answers.items()
            if auction_id not in proposed
            and auction_id in self._auctions
            and not all(rounds.is_final(answer) for _, answer in answers)
        ]
        moved = await self._auctions.catch_up(unproved)
        answerable = [
            (pending, answer)
            for auction_id, answers in current.answers.items()
            if auction_id in stored_all or (auction_id not in proposed and auction_id not in moved)
            for pending, answer in answers
        ]
        refused = [pending for pending, answer in answerable if isinstance(answer, rules.Refusal)]
        await self._answer_repeats([pending for pending in refused if self._may_stand(pending.command)])
        for pending, answer in answerable:
            if isinstance(answer, rules.Refusal) and not pending.future.done():
                refusals.labels(answer.rule).inc()
            pending.resolve(answer)

    def _may_stand(self, command: commands.Command | rounds.Look) -> bool:
        """Whether its key can be in the log, as far as the cached auction knows: most refused bids need no look into the store.

        A damaged auction is not cached any more; its commands fail in the next pass.
        """
        if command.auction_id not in self._auctions:
            return False
        return not isinstance(command, commands.PlaceBid) or self._auctions[command.auction_id].may_hold(
            command
        )

    async def _answer_repeats(self, pendings: list[rounds.Pending]) -> None:
        """Resolve those whose key stands in the log."""
        wanted = {pending.key: pending for pending in pendings if pending.key is not None}
        found = await self._find_each(wanted)
        for key, entry in found.items():
            pending = wanted[key]
            command = pending.command
            if isinstance(command, commands.Command) and entry.request != command.request():
                pending.fail(KeyReused())
            else:
                pending.resolve(entry)

    async def _find_each(self, wanted: dict[str, rounds.Pending]) -> dict[str, log.Entry]:
        """The entries of these keys. The command of one that is unreadable fails by itself."""
        try:
            return await self._store.bids.find(wanted) if wanted else {}
        except errors.Unavailable:
            raise
        except Exception:
            if len(wanted) == 1:
                for pending in wanted.values():
                    logger.exception("entry_is_unreadable", auction_id=pending.command.auction_id)
                    pending.fail(StoreAway())
                return {}
        found: dict[str, log.Entry] = {}
        for key, pending in wanted.items():
            found |= await self._find_each({key: pending})
        return found

    async def _beat(self) -> None:
        """Register this writer before its first bulk and now and then, and compare its clock with the store's."""
        if time.monotonic() - self._registered_at < HEARTBEAT_SECONDS:
            return
        if self._registered_at == float("-inf"):
            await self._store.prepare()
        await self._store.writers.register(self.incarnation, batch_number=self._batch_number, now=self._now())
        offset = await self._store.clock_offset_ms()
        if abs(offset) > MAX_CLOCK_OFFSET_MS:
            raise StoreAway(f"this machine's clock is {offset:.0f} ms off the store's")
        self._registered_at = time.monotonic()
