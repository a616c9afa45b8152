"""The relay of the bid log: publishes each entry's events in seq order per auction, and keeps the auctions' documents.

What has news it learns from the writers' batch numbers (a hint, asked for every few milliseconds) and from a slow sweep
that compares heads and marks (the truth). What is published is, per auction, always mark + 1, + 2 …; the mark moves after
the broker's acknowledgement. As it folds every entry anyhow, it replaces the auction's document by the fold at its mark,
at most once a second: mark = snapshot = what lists show. If it dies, the next one begins at the stored mark and repeats
at most that second. Any number may run; a lease lets one work.
"""

import asyncio
import time
import uuid
from datetime import UTC, datetime

from auction_project import contracts, errors, failpoints, logs
from auction_project.messaging import broker as brokers
from auction_project.messaging import outbox
from bidding import log_events, rules, runtime, store
from bidding.book import Book
from bidding.rules import log

SOURCE = "bidding"
REFILL = "bidding.refill"
POLL_SECONDS = 0.025
IDLE_POLL_SECONDS = 0.1
IDLE_AFTER_SECONDS = 1.0
LEASE_MS = 3_000
LOOK_AHEAD_BATCHES = 2
MAX_LOOK_AHEAD_BATCHES = 32
ENTRIES_PER_AUCTION = 500
MESSAGES_PER_APPEND = 500
AUCTIONS_PER_READ = 32
SWEEP_SECONDS = 2.0
SAVE_SECONDS = 1.0
SAVES_PER_STEP = 64
WRITER_KEPT_MS = 10 * 60 * 1000
MAX_BOOKS = 50_000

logger = logs.get(__name__)


class _Progress:
    """One auction as far as it is published."""

    __slots__ = ("book", "created_at", "saved_at", "saved_mark")

    def __init__(self, document: store.AuctionDocument) -> None:
        self.book = Book(document.id, document.snapshot)
        self.created_at = document.created_at
        self.saved_mark = document.mark
        self.saved_at = 0.0


class _Writer:
    """One incarnation, as far as its batches are known. `floor`: all before it are done with; it is asked for until its
    successor was seen by an earlier poll, for a bulk may become visible piece by piece."""

    __slots__ = ("asked_at", "floor", "heard_at", "seen", "width")

    def __init__(self, registered: int) -> None:
        self.floor = self.seen = registered
        self.width = LOOK_AHEAD_BATCHES
        self.asked_at = 0.0
        self.heard_at = time.monotonic()

    def registered(self, number: int) -> None:
        """Its batches up to `number` were over before the sweep that follows."""
        self.floor = max(self.floor, number)
        self.seen = max(self.seen, number)

    def to_ask(self, now: float) -> range:
        """The batch numbers to ask for now; an idle writer is asked for seldom."""
        if now - self.heard_at > IDLE_AFTER_SECONDS and now - self.asked_at < IDLE_POLL_SECONDS:
            return range(0)
        self.asked_at = now
        return range(self.floor, self.floor + self.width + 1)

    def found(self, highest: int, now: float) -> None:
        """The highest number that this poll saw; what an earlier poll had seen was complete before this one began."""
        self.floor = self.seen
        if highest > self.seen:
            self.heard_at = now
            self.width = min(MAX_LOOK_AHEAD_BATCHES, self.width * 2)
            self.seen = highest
        else:
            self.width = LOOK_AHEAD_BATCHES


class LogRelay:
    """`step()` publishes what there is; see the module."""

    name = "relay:bidding"

    def __init__(self, transport: brokers.Broker) -> None:
        self._broker = transport
        self._owner = uuid.uuid4().hex
        self._lease_until = 0
        self._progress: dict[str, _Progress] = {}
        self._writers: dict[str, _Writer] = {}
        self._next_sweep = 0.0
        self._unsaved: dict[str, None] = {}

    def step(self) -> bool:
        """Always True: it paces itself. Raises errors.Unavailable."""
        if not self._hold_lease():
            time.sleep(SAVE_SECONDS / 2)
            return True
        swept = time.monotonic() >= self._next_sweep
        news = runtime.call(self._news(sweep=swept))
        try:
            if swept:  # even when there is no news: an emptied transport lacks what was published before
                self._broker.append([], source=SOURCE)
            published = self._publish(news)
        except brokers.EpochMissing:
            self.refill()
            self._next_sweep = 0.0
            return True
        except errors.Unavailable:
            self._next_sweep = 0.0  # what was news is found by comparing
            raise
        runtime.call(self._save(force=False))
        if not published:
            time.sleep(POLL_SECONDS)
        return True

    def close(self) -> None:
        if self._lease_until:
            runtime.call(self._save(force=True))
            now = int(time.time() * 1000)
            runtime.call(runtime.current().store.hold_lease("relay", self._owner, now=now, until=now - 1))
        runtime.stop_thread()

    def refill(self) -> int:
        """Publish again every entry that is younger than the outboxes' days, then begin the epoch; their number.

        An epoch of the refill itself tells when the transport is emptied once more in the middle: then it is broken off,
        as it is when another relay took over, and begins again with the next step.
        """
        since = int(time.time() * 1000) - outbox.KEEP_DAYS * 24 * 3600 * 1000
        self._broker.begin_epoch(REFILL)
        runtime.call(self._save(force=True))
        count = 0
        for auction_id in runtime.call(runtime.current().store.all_auction_ids()):
            if not self._hold_lease():
                return count
            try:
                count += self._refill_one(auction_id, since)
            except brokers.EpochMissing:
                return count
        self._broker.begin_epoch(SOURCE)
        logger.warning("transport_refilled", source=SOURCE, messages=count)
        return count

    def _refill_one(self, auction_id: str, since: int) -> int:
        document = runtime.call(runtime.current().store.get_auction(auction_id))
        book = Book(auction_id)
        count = 0
        while book.state.seq < document.mark:
            wanted = min(ENTRIES_PER_AUCTION, document.mark - book.state.seq)
            entries = runtime.call(runtime.current().store.read_from(auction_id, book.state.seq, wanted))
            messages = [m for entry, ms in _messages(book, entries) if entry.at >= since for m in ms]
            self._append(messages, source=REFILL)
            count += len(messages)
        return count

    # --- what has news -------------------------------------------------------------------------------------------

    def _hold_lease(self) -> bool:
        now = int(time.time() * 1000)
        if now < self._lease_until - LEASE_MS // 2:
            return True
        until = now + LEASE_MS
        held = runtime.call(runtime.current().store.hold_lease("relay", self._owner, now=now, until=until))
        if held and not self._lease_until:
            logger.info("log_relay_leads")
        elif not held and self._lease_until:
            self._forget()
        self._lease_until = until if held else 0
        return held

    def _forget(self) -> None:
        """Another relay works: what this one remembers is of no use."""
        self._progress.clear()
        self._unsaved.clear()
        self._writers.clear()
        self._next_sweep = 0.0

    async def _news(self, *, sweep: bool) -> set[str]:
        """The auctions that have entries beyond what is published."""
        log_store = runtime.current().store
        news: set[str] = set()
        if sweep:
            await self._meet_writers()
            news |= await self._sweep()
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
        now = time.monotonic()
        asked = {name: writer.to_ask(now) for name, writer in self._writers.items()}
        names = [store.batch_name(name, number) for name, numbers in asked.items() for number in numbers]
        highest: dict[str, int] = {}
        for batch, auctions in (await log_store.auctions_of_batches(names)).items():
            incarnation, number = store.batch_of(batch)
            highest[incarnation] = max(number, highest.get(incarnation, 0))
            news.update(
                auction_id for auction_id, seq in auctions.items() if not self._is_published(auction_id, seq)
            )
        for name, numbers in asked.items():
            if numbers:
                self._writers[name].found(highest.get(name, 0), now)
        return news

    async def _meet_writers(self) -> None:
        """Learn of new writers, and forget those that are gone."""
        since = int(time.time() * 1000) - WRITER_KEPT_MS
        living = await runtime.current().store.incarnations(since=since)
        self._writers = {name: writer for name, writer in self._writers.items() if name in living}
        for name, number in living.items():
            self._writers.setdefault(name, _Writer(number)).registered(number)

    async def _sweep(self) -> set[str]:
        """The auctions whose log is longer than what is published."""
        log_store = runtime.current().store
        marks = await log_store.unfinished_marks()
        for auction_id, progress in self._progress.items():
            if auction_id in marks:
                marks[auction_id] = progress.book.state.seq
        found = await log_store.read((auction_id, mark + 1) for auction_id, mark in marks.items())
        return {auction_id for auction_id, _ in found}

    def _is_published(self, auction_id: str, seq: int) -> bool:
        progress = self._progress.get(auction_id)
        return progress is not None and progress.book.state.seq >= seq

    # --- publish -------------------------------------------------------------------------------------------------

    def _publish(self, news: set[str]) -> int:
        """Publish what follows the marks of these auctions; the number of entries."""
        count = 0
        waiting = sorted(news)
        while waiting:
            group, waiting = waiting[:AUCTIONS_PER_READ], waiting[AUCTIONS_PER_READ:]
            found = runtime.call(self._read(group))
            books, messages = {}, []
            for auction_id, entries in found.items():
                books[auction_id] = ahead = Book(auction_id)
                ahead.state = self._progress[auction_id].book.state
                messages += [m for _, ms in _messages(ahead, entries) for m in ms]
            self._append(messages, source=SOURCE)
            failpoints.reach("log_relay.before_mark")
            for auction_id, entries in found.items():
                self._move(self._progress[auction_id], books[auction_id], entries)
                count += len(entries)
            waiting += [
                auction_id for auction_id, entries in found.items() if len(entries) == ENTRIES_PER_AUCTION
            ]
        return count

    async def _read(self, auction_ids: list[str]) -> dict[str, list[log.Entry]]:
        """What follows the mark of each, where something does."""
        if len(self._progress) + len(auction_ids) > MAX_BOOKS:
            await self._save(force=True)
            self._progress.clear()
        log_store = runtime.current().store

        async def read(auction_id: str) -> list[log.Entry]:
            progress = self._progress.get(auction_id)
            if progress is None:
                progress = self._progress[auction_id] = _Progress(await log_store.get_auction(auction_id))
            return await log_store.read_from(auction_id, progress.book.state.seq, ENTRIES_PER_AUCTION)

        found = await asyncio.gather(*map(read, auction_ids))
        return {
            auction_id: entries for auction_id, entries in zip(auction_ids, found, strict=True) if entries
        }

    def _move(self, progress: _Progress, book: Book, entries: list[log.Entry]) -> None:
        """These entries are published: the mark moves; what changes an auction's status is saved at once."""
        progress.book = book
        self._unsaved[book.auction_id] = None
        if any(not isinstance(entry.facts, log.Bid) for entry in entries):
            progress.saved_at = 0.0

    def _append(self, messages: list[brokers.Message], *, source: str) -> None:
        for start in range(0, len(messages), MESSAGES_PER_APPEND):
            self._broker.append(messages[start : start + MESSAGES_PER_APPEND], source=source)

    # --- the auctions' documents -----------------------------------------------------------------------------------

    async def _save(self, *, force: bool) -> None:
        now = time.monotonic()
        due = [
            auction_id
            for auction_id in self._unsaved
            if force or now - self._progress[auction_id].saved_at >= SAVE_SECONDS
        ]
        if not force:
            due = due[:SAVES_PER_STEP]
        await asyncio.gather(*(self._save_one(auction_id, now) for auction_id in due))

    async def _save_one(self, auction_id: str, now: float) -> None:
        progress = self._progress[auction_id]
        state = progress.book.state
        await runtime.current().store.save_progress(_document(state, progress.created_at))
        progress.saved_at, progress.saved_mark = now, state.seq
        del self._unsaved[auction_id]
        if state.ended:
            del self._progress[auction_id]


def _messages(book: Book, entries: list[log.Entry]) -> list[tuple[log.Entry, list[brokers.Message]]]:
    """Each entry with its messages; `book` moves on."""
    found = []
    for entry in entries:
        before = book.state
        book.take({(entry.auction_id, entry.seq): entry})
        found.append(
            (entry, [_message(entry, event) for event in log_events.of_entry(before, entry, book.state)])
        )
    return found


def _message(entry: log.Entry, event: contracts.events.Event) -> brokers.Message:
    body = contracts.encode(
        event,
        event_id=log_events.event_id(entry, event),
        source=SOURCE,
        time=datetime.fromtimestamp(entry.at / 1000, UTC),
        version=entry.seq,
        correlation_id=entry.correlation_id or f"{entry.auction_id}-{entry.seq}",
    )
    return brokers.Message(event.TOPIC, event.key(), body)


def _document(state: rules.State, created_at: int) -> store.AuctionDocument:
    terms = state.known_terms
    return store.AuctionDocument(
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
        minimum=state.minimum,
        start_price=terms.start_price,
        bids=state.bids,
        quantity_left=state.quantity_left,
        mark=state.seq,
        hash=state.hash,
        snapshot=rules.dump(state),
    )
