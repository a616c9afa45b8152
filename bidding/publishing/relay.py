"""The relay of the bid log: publishes each entry's events in seq order per auction, and keeps the auctions' documents.

What has news it learns from the writers' batch numbers (a hint, asked for every few milliseconds while they write) and
from a slow sweep that compares heads and marks, slice by slice (the truth). A writer that begins again after a pause
wakes it (`wakeup`), so that an idle house is asked seldom. What is published is, per auction, always mark + 1, + 2 …; the
mark moves after the broker's acknowledgement. As it folds every entry anyhow, it replaces the auction's document by the
fold at its mark, at most once a second: mark = snapshot = what lists show. If it dies, the next one begins at the stored
mark and repeats at most that second. Any number may run; a lease lets one work.

Every step is bounded, whatever waits: one pass over what has news, a piece of each. An auction whose log or document is
unreadable (somebody changed the database by hand) is set aside, and holds up no other.
"""

import asyncio
import time
import uuid
from collections.abc import Iterable

import prometheus_client

from auction_project.kernel import errors, failpoints, instants, logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import failure, outbox
from bidding import rules, runtime
from bidding.publishing import batches
from bidding.publishing import messages as log_messages
from bidding.publishing import refill as log_refill
from bidding.rules import log
from bidding.store import auctions, bid_log
from bidding.writer import wakeup

POLL_SECONDS = 0.025
IDLE_STEP_SECONDS = 0.5  # of a step in which nothing happens; what is due is late by that much at most
LEASE_MS = 3_000
PUBLISH_SECONDS = 0.5  # of one step; then the writers are asked again, documents saved, the lease renewed
AUCTIONS_PER_READ = 32
ENTRIES_PER_READ = 1_600  # of these auctions together
SWEEP_SECONDS = 2.0  # from the beginning of one round to that of the next, if it takes no longer
AUCTIONS_PER_PAGE = 2_000
SLICE_AUCTIONS = 256
SLICE_SECONDS = 2.0
EPOCH_CHECK_SECONDS = 2.0
SAVE_SECONDS = 1.0
SAVES_PER_STEP = 64
SET_ASIDE_SECONDS = 60.0
WRITER_KEPT_MS = 30 * 1000  # after its last heartbeat; what it may still write is found by the sweep
MAX_AUCTIONS = 50_000

entries_published = prometheus_client.Counter(
    "gavel_bid_log_published", "Entries of the bid log that this process has published."
)

logger = logs.get(__name__)


class _Progress:
    """One auction as far as it is published: the fold at its mark."""

    __slots__ = ("created_at", "saved_at", "state")

    def __init__(self, document: auctions.AuctionDocument) -> None:
        self.state = rules.load(document.snapshot) if document.snapshot else rules.State(document.id)
        self.created_at = document.created_at
        self.saved_at = 0.0


class LogRelay:
    """`step()` publishes what there is; see the module."""

    name = "relay:bidding"
    longest_pause_seconds = 1.0

    def __init__(self, transport: brokers.Broker) -> None:
        self._broker = transport
        self._owner = uuid.uuid4().hex
        self._ear = wakeup.Ear()
        self._lease_until = 0
        self._refill: log_refill.Refill | None = None
        self._next_epoch_check = 0.0
        self._forget()

    def _forget(self) -> None:
        """Begin from what is stored: another relay worked meanwhile, or nothing is remembered yet."""
        self._refill = None
        # Auctions with entries beyond their marks, the longest waiting first.
        self._news: dict[str, None] = {}
        self._progress: dict[str, _Progress] = {}
        self._unsaved: dict[str, None] = {}
        self._set_aside_until: dict[str, float] = {}
        self._writers: dict[str, batches.Writer] = {}
        self._to_compare: list[tuple[str, int]] = []  # (auction, mark): what is left of a page of the sweep
        self._page_end = ""
        self._round_began = 0.0
        self._next_slice = 0.0

    def step(self) -> bool:
        """Always True: it paces itself. Raises errors.Unavailable."""
        if not self._hold_lease():
            time.sleep(SAVE_SECONDS / 2)
            return True
        try:
            if self._refill is not None:
                self._go_on_refilling(self._refill)
                return True
            runtime.call(self._ask_writers())
            published = self._publish()
        except brokers.EpochMissing:
            self._begin_refill()
            return True
        self._sweep()
        runtime.call(self._save(SAVES_PER_STEP))
        if not published and not self._news:
            self._rest()
        return True

    def _rest(self) -> None:
        """Until there may be something to do. A writer that is not known yet is met at once."""
        now = time.monotonic()
        is_idle = self._ear.is_listening and all(writer.is_idle(now) for writer in self._writers.values())
        name = self._ear.wait(self._idle_seconds(now) if is_idle else POLL_SECONDS)
        if name and name not in self._writers:
            runtime.call(self._meet_writers())
        if writer := self._writers.get(name):
            writer.wake(time.monotonic())

    def _idle_seconds(self, now: float) -> float:
        """As long as nothing is due: documents that wait for their second, the next slice of the sweep."""
        due = IDLE_STEP_SECONDS if not self._unsaved else POLL_SECONDS
        return max(POLL_SECONDS, min(due, self._next_slice - now))

    def close(self) -> None:
        """A store that is away costs nothing: the lease ends by itself, and what was not saved is published twice."""
        try:
            if self._lease_until:
                runtime.call(self._save())
                now = instants.now()
                released = runtime.current().store.leases.hold("relay", self._owner, now=now, until=now - 1)
                runtime.call(released)
        except errors.Unavailable as away:
            logger.warning("log_relay_closed_without_store", error=str(away))
        finally:
            self._ear.close()
            runtime.stop_thread()

    def _hold_lease(self) -> bool:
        now = instants.now()
        if now < self._lease_until - LEASE_MS // 2:
            return True
        until = now + LEASE_MS
        held = runtime.call(runtime.current().store.leases.hold("relay", self._owner, now=now, until=until))
        if held and not self._lease_until:
            logger.info("log_relay_leads")
        elif not held and self._lease_until:
            self._forget()
        self._lease_until = until if held else 0
        return held

    def _begin_refill(self) -> None:
        """The transport has nothing of ours: first again what was published lately, then anything new."""
        logger.info("refill_began", source=log_messages.SOURCE)
        runtime.call(self._save())
        self._forget()
        since = instants.now() - outbox.KEEP_DAYS * 24 * 3600 * 1000
        self._refill = log_refill.Refill(self._broker, since=since)

    def _go_on_refilling(self, refill: log_refill.Refill) -> None:
        until = time.monotonic() + PUBLISH_SECONDS
        while refill.step():
            if time.monotonic() >= until:
                return
        self._broker.begin_epoch(log_messages.SOURCE)
        self._refill = None
        level = logger.warning if refill.messages else logger.info  # a transport that is new has lost nothing
        level("transport_refilled", source=log_messages.SOURCE, messages=refill.messages)

    # --- what has news -------------------------------------------------------------------------------------------

    async def _ask_writers(self) -> None:
        """Which auctions do their next batches touch?"""
        now = time.monotonic()
        idle_poll = batches.IDLE_POLL_SECONDS if self._ear.is_listening else batches.UNHEARD_POLL_SECONDS
        asked = {name: writer.to_ask(now, idle_poll) for name, writer in self._writers.items()}
        names = [bid_log.batch_name(name, number) for name, numbers in asked.items() for number in numbers]
        highest: dict[str, int] = {}
        for batch, seqs in (await runtime.current().store.bids.auctions_of_batches(names)).items():
            incarnation, number = bid_log.batch_of(batch)
            highest[incarnation] = max(number, highest.get(incarnation, 0))
            self._note(
                auction_id for auction_id, seq in seqs.items() if not self._is_published(auction_id, seq)
            )
        for name, numbers in asked.items():
            if numbers:
                self._writers[name].found(highest.get(name, 0), now)

    def _sweep(self) -> None:
        """Compare a slice, when it is time. What the writers tell is published even if this fails."""
        if time.monotonic() < self._next_slice:
            return
        try:
            runtime.call(self._compare_slice(), seconds=SLICE_SECONDS)
        except Exception as error:
            self._next_slice = time.monotonic() + SWEEP_SECONDS
            logger.warning("sweep_failed", after=self._page_end, error=repr(error))

    async def _compare_slice(self) -> None:
        """Note those of the next auctions whose log is longer than what is published."""
        log_store = runtime.current().store
        if not self._to_compare:
            if not self._page_end:
                self._round_began = time.monotonic()
                await self._meet_writers()
            marks = await log_store.auctions.marks(
                after=self._page_end, limit=AUCTIONS_PER_PAGE, unfinished=True
            )
            self._to_compare = list(marks.items())
            self._page_end = next(reversed(marks)) if len(marks) == AUCTIONS_PER_PAGE else ""
        heads = {
            auction_id: self._progress[auction_id].state.seq if auction_id in self._progress else mark
            for auction_id, mark in self._to_compare[:SLICE_AUCTIONS]
            if not self._is_set_aside(auction_id)
        }
        try:
            found = await log_store.bids.read((auction_id, head + 1) for auction_id, head in heads.items())
            self._note(auction_id for auction_id, _ in found)
        except Exception as error:
            if failure.classify(error) is failure.Fate.OUTAGE:
                raise
            self._note(heads)  # one of them is unreadable: each is looked at by itself
        del self._to_compare[:SLICE_AUCTIONS]
        if not self._to_compare and not self._page_end:
            self._next_slice = self._round_began + SWEEP_SECONDS

    async def _meet_writers(self) -> None:
        """Learn of new writers, and forget those that are gone."""
        since = instants.now() - WRITER_KEPT_MS
        await runtime.current().store.writers.forget(before=since)
        living = await runtime.current().store.writers.living(since=since)
        self._writers = {name: writer for name, writer in self._writers.items() if name in living}
        for name, number in living.items():
            self._writers.setdefault(name, batches.Writer(number)).registered(number)

    def _note(self, auction_ids: Iterable[str]) -> None:
        for auction_id in auction_ids:
            if not self._is_set_aside(auction_id):
                self._news[auction_id] = None

    def _is_published(self, auction_id: str, seq: int) -> bool:
        progress = self._progress.get(auction_id)
        return progress is not None and progress.state.seq >= seq

    def _is_set_aside(self, auction_id: str) -> bool:
        return self._set_aside_until.get(auction_id, 0.0) > time.monotonic()

    def _set_aside(self, auction_id: str, error: BaseException) -> None:
        """It is looked at again after SET_ASIDE_SECONDS. An outage is raised: it is not this auction's fault."""
        if failure.classify(error) is failure.Fate.OUTAGE or not isinstance(error, Exception):
            raise error
        logger.error("log_is_unreadable", auction_id=auction_id, exc_info=error)
        self._set_aside_until[auction_id] = time.monotonic() + SET_ASIDE_SECONDS

    # --- publish -------------------------------------------------------------------------------------------------

    def _publish(self) -> int:
        """One pass over what has news, a piece of each, as far as PUBLISH_SECONDS reach; the number of entries.

        Who has more waits behind the others.
        """
        if time.monotonic() >= self._next_epoch_check:  # an emptied transport lacks what was published before
            self._broker.append([], source=log_messages.SOURCE)
            self._next_epoch_check = time.monotonic() + EPOCH_CHECK_SECONDS
        until = time.monotonic() + PUBLISH_SECONDS
        waiting = list(self._news)
        count = 0
        for start in range(0, len(waiting), AUCTIONS_PER_READ):
            if start and time.monotonic() >= until:
                break
            count += self._publish_group(waiting[start : start + AUCTIONS_PER_READ])
        return count

    def _publish_group(self, group: list[str]) -> int:
        limit = ENTRIES_PER_READ // len(group)
        found = runtime.call(self._read(group, limit))
        messages: list[brokers.Message] = []
        states: dict[str, rules.State] = {}
        for auction_id, entries in found.items():
            try:
                states[auction_id], made = log_messages.follow(self._progress[auction_id].state, entries)
            except Exception as error:
                self._set_aside(auction_id, error)
            else:
                messages += [message for _, of_entry in made for message in of_entry]
        log_messages.append(self._broker, messages, source=log_messages.SOURCE)
        entries_published.inc(sum(len(found[auction_id]) for auction_id in states))
        failpoints.reach("log_relay.before_mark")
        for auction_id in group:
            del self._news[auction_id]
        for auction_id, state in states.items():
            self._move(auction_id, state, found[auction_id])
            if len(found[auction_id]) == limit:
                self._news[auction_id] = None
        return sum(len(found[auction_id]) for auction_id in states)

    async def _read(self, auction_ids: list[str], limit: int) -> dict[str, list[log.Entry]]:
        """What follows the mark of each, where something readable does."""
        if len(self._progress) + len(auction_ids) > MAX_AUCTIONS:
            await self._save()
            self._progress = {auction_id: self._progress[auction_id] for auction_id in self._unsaved}
        log_store = runtime.current().store

        async def read(auction_id: str) -> list[log.Entry]:
            progress = self._progress.get(auction_id)
            if progress is None:
                progress = self._progress[auction_id] = _Progress(await log_store.auctions.get(auction_id))
            return await log_store.bids.read_from(auction_id, progress.state.seq, limit)

        outcomes = await asyncio.gather(*map(read, auction_ids), return_exceptions=True)
        found: dict[str, list[log.Entry]] = {}
        for auction_id, outcome in zip(auction_ids, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                self._set_aside(auction_id, outcome)
            elif outcome:
                found[auction_id] = outcome
        return found

    def _move(self, auction_id: str, state: rules.State, entries: list[log.Entry]) -> None:
        """These entries are published: the mark moves; what changes an auction's status is saved at once."""
        progress = self._progress[auction_id]
        progress.state = state
        self._unsaved[auction_id] = None
        if any(not isinstance(entry.facts, log.Bid) for entry in entries):
            progress.saved_at = 0.0

    # --- the auctions' documents -----------------------------------------------------------------------------------

    async def _save(self, limit: int | None = None) -> None:
        """Save what is due, up to `limit` documents; without one, all. What cannot be saved is due again in SAVE_SECONDS."""
        now = time.monotonic()
        due = [
            auction_id
            for auction_id in self._unsaved
            if limit is None or now - self._progress[auction_id].saved_at >= SAVE_SECONDS
        ]
        due = due[:limit]
        for start in range(0, len(due), SAVES_PER_STEP):
            await asyncio.gather(*map(self._save_one, due[start : start + SAVES_PER_STEP]))

    async def _save_one(self, auction_id: str) -> None:
        """While it waits for the store, the auction may move on: then it stays unsaved."""
        progress = self._progress[auction_id]
        state = progress.state
        progress.saved_at = time.monotonic()
        try:
            await runtime.current().store.auctions.save_progress(_document(state, progress.created_at))
        except errors.Unavailable as away:
            logger.warning("auction_not_saved", auction_id=auction_id, error=str(away))
            return
        except Exception as error:
            self._set_aside(auction_id, error)
        if self._progress.get(auction_id) is progress and progress.state is state:
            self._unsaved.pop(auction_id, None)
            if state.ended:
                self._progress.pop(auction_id, None)


def _document(state: rules.State, created_at: int) -> auctions.AuctionDocument:
    terms = state.known_terms
    return auctions.AuctionDocument(
        id=state.auction_id,
        product_id=terms.product_id,
        requested_by=state.requested_by,
        format=terms.format,
        currency=terms.currency,
        starts_at=terms.starts_at,
        ends_at=state.ends_at,
        created_at=created_at,
        due_at=rules.due_at(state),
        status=state.status.value,
        ended=state.ended,
        seller_id=state.seller_id,
        title=state.title,
        text=state.text,
        thumbnail=state.thumbnail,
        price=state.price,
        minimum=rules.formats.of(state).minimum(state),
        start_price=terms.start_price,
        ask=state.price or terms.start_price,
        bids=state.bids,
        quantity_left=state.quantity_left,
        allocate=terms.allocate,
        outcome=state.outcome,
        mark=state.seq,
        hash=state.hash,
        snapshot=rules.dump(state),
    )
