"""Which auctions have entries that are not published yet.

The relay learns it from the writers' batches (a hint: they name those that are complete, and the relay asks for the next
ones now and then) and from a slow sweep that compares the ends of the logs with the marks, slice by slice (the truth). The
entries of a batch are kept until they are published, so that most are read once.
"""

from collections.abc import Iterable

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from bidding import runtime
from bidding.publishing import batches, documents, unreadable
from bidding.publishing.pace import Pace
from bidding.rules import log
from bidding.store import bid_log
from bidding.writer.clocks import Clocks

WRITER_KEPT_MS = 30 * 1000  # after its last heartbeat; the sweep finds what it may still write

logger = logs.get(__name__)


class News:
    """`waiting`: the auctions with news, those that have waited longest first. `next_slice`: the monotonic time of the next
    slice of the sweep."""

    def __init__(
        self,
        published: documents.Documents,
        set_aside: unreadable.Unreadable,
        *,
        clocks: Clocks,
        pace: Pace,
    ) -> None:
        self._documents = published
        self._set_aside = set_aside
        self._clocks = clocks
        self._pace = pace
        self.waiting: dict[str, None] = {}
        self._entries: dict[str, dict[int, log.Entry]] = {}  # by auction and seq: not published yet
        self._kept = 0  # entries
        self.writers: dict[str, batches.Writer] = {}
        self._to_compare: list[tuple[str, int]] = []  # (auction, mark): what is left of a page of the sweep
        self._read = 0  # auctions of this round
        self._round_began = 0.0
        self._rounds = 0
        self.next_slice = 0.0

    @property
    def unpublished(self) -> int:
        """So many entries are not published yet, at least: those that are kept, and one of each auction that waits."""
        return max(self._kept, len(self.waiting))

    def note(self, auction_ids: Iterable[str]) -> None:
        """These auctions have news."""
        for auction_id in auction_ids:
            if auction_id not in self._set_aside:
                self.waiting[auction_id] = None

    async def ask_writers(self, poll_seconds: float) -> None:
        """Note the auctions that the writers' next batches touch: the batches that are complete, and every `poll_seconds` those
        that may come next. Raises errors.Unavailable."""
        now = self._clocks.monotonic()
        numbers = {name: writer.next_numbers(now, poll_seconds) for name, writer in self.writers.items()}
        positions = {
            bid_log.batch_name(name, number): self.writers[name].known(number)
            for name, of_writer in numbers.items()
            for number in of_writer
        }
        counts: dict[str, dict[int, int]] = {name: {} for name, of_writer in numbers.items() if of_writer}
        for batch_name, batch in (await runtime.current().store.bids.batches(positions)).items():
            name, number = bid_log.batch_of(batch_name)
            counts[name][number] = batch.count
            self._note_batch(batch)
        for name, of_writer in counts.items():
            self.writers[name].saw(numbers[name], of_writer)

    def _note_batch(self, batch: bid_log.Batch) -> None:
        self.note(
            auction_id
            for auction_id, seq in batch.last_seqs.items()
            if not self._is_published(auction_id, seq)
        )
        for entry in batch.entries:
            if entry.auction_id in self.waiting and self._kept < self._pace.entries_kept:
                kept = self._entries.setdefault(entry.auction_id, {})
                self._kept += entry.seq not in kept
                kept[entry.seq] = entry

    def take(self, auction_id: str, *, after: int, limit: int) -> list[log.Entry]:
        """Up to `limit` of the kept entries that follow the seq `after` without a gap. They are not kept any longer."""
        kept = self._entries.get(auction_id, {})
        taken: list[log.Entry] = []
        while len(taken) < limit and (entry := kept.pop(after + 1 + len(taken), None)) is not None:
            taken.append(entry)
        self._kept -= len(taken)
        return taken

    def done(self, auction_id: str, *, has_more: bool) -> None:
        """The auction has had its turn. If it has more entries, it waits behind the others. Kept entries behind a gap stay: the
        batch of another writer that fills it is not seen yet."""
        del self.waiting[auction_id]
        if has_more:
            self.waiting[auction_id] = None
        kept = self._entries.pop(auction_id, {})
        seq = None if auction_id in self._set_aside else self._documents.seq(auction_id)
        ahead = {} if seq is None else {at: entry for at, entry in kept.items() if at > seq}
        self._kept -= len(kept) - len(ahead)
        if ahead:
            self._entries[auction_id] = ahead

    def hear(self, batch_names: Iterable[str]) -> None:
        """These batches are complete. A writer that is not known yet is met at once. Raises errors.Unavailable."""
        for batch_name in batch_names:
            try:
                name, number = bid_log.batch_of(batch_name)
            except ValueError:  # no writer's message
                continue
            if name not in self.writers:
                runtime.call(self._meet_writers())
            if writer := self.writers.get(name):
                writer.completed(number)

    def sweep(self) -> None:
        """Compare a slice, when it is time. If this fails, the relay still publishes what it learns from the writers."""
        if self._clocks.monotonic() < self.next_slice:
            return
        began = self._clocks.monotonic()
        try:
            is_over = runtime.call(self._compare_slice(), seconds=self._pace.slice_seconds)
        except Exception as error:
            self.next_slice = self._clocks.monotonic() + self._pace.sweep_seconds
            logger.warning("sweep_failed", after=self._read, error=repr(error))
            return
        ended = self._clocks.monotonic()
        if is_over:
            self.next_slice = self._round_began + self._pace.sweep_seconds
        elif self._rounds:
            self.next_slice = ended + (ended - began) * self._pace.sweep_rest

    async def _compare_slice(self) -> bool:
        """Note those of the next auctions whose log is longer than what is published; whether this ended a round."""
        log_store = runtime.current().store
        if not self._to_compare:
            if not self._read:
                self._round_began = self._clocks.monotonic()
                await self._meet_writers()
            marks = await log_store.auctions.unfinished_marks(skip=self._read, limit=self._pace.page_auctions)
            self._to_compare = list(marks.items())
            self._read = self._read + len(marks) if len(marks) == self._pace.page_auctions else 0
        heads = {
            auction_id: mark if (seq := self._documents.seq(auction_id)) is None else seq
            for auction_id, mark in self._to_compare[: self._pace.slice_auctions]
            if auction_id not in self._set_aside
        }
        try:
            entries = await log_store.bids.read((auction_id, head + 1) for auction_id, head in heads.items())
            self.note(auction_id for auction_id, _ in entries)
        except Exception as error:
            if failure.classify(error) is failure.Fate.OUTAGE:
                raise
            self.note(heads)  # one of them is unreadable, so each is read by itself
        del self._to_compare[: self._pace.slice_auctions]
        is_over = not self._to_compare and not self._read
        self._rounds += is_over
        return is_over

    async def _meet_writers(self) -> None:
        """Learn of new writers, and forget those that are gone."""
        since = self._clocks.now() - WRITER_KEPT_MS
        writers = runtime.current().store.writers
        await writers.forget(before=since)
        living = await writers.living(since=since)
        self.writers = {name: writer for name, writer in self.writers.items() if name in living}
        for name, number in living.items():
            self.writers.setdefault(name, batches.Writer(number)).registered(number)

    def _is_published(self, auction_id: str, seq: int) -> bool:
        published = self._documents.seq(auction_id)
        return published is not None and published >= seq
