"""The refill: publishes again what an emptied transport has lost of the bid log, every published entry since some time.

It goes through the auctions in the order of their ids, in bounded pieces. What is not published yet is left to the relay,
which goes on publishing meanwhile. An auction's new entries must come after its old ones, so the relay asks by
`has_published`, and an auction that it asks for is next. Nor may new entries wait behind a heap of old ones, so the refill
goes no faster than its readers. An epoch of its own shows when the transport is emptied once more
in the middle: then a new refill must begin.
"""

from collections.abc import Mapping, Sequence

from auction_project.kernel import logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import failure
from bidding import rules, runtime
from bidding.publishing import messages as log_messages
from bidding.publishing.pace import PACE, Pace
from bidding.writer.clocks import SYSTEM, Clocks

EPOCH = "bidding.refill"

logger = logs.get(__name__)


class Refill:
    """Call `step()` until it returns False. `since`: milliseconds since the epoch. `readers`: by group, the topics that it reads.
    `messages`: how many it has published."""

    def __init__(
        self,
        transport: brokers.Broker,
        *,
        since: int,
        readers: Mapping[str, Sequence[str]],
        clocks: Clocks = SYSTEM,
        pace: Pace = PACE,
    ) -> None:
        self._transport = transport
        self._readers = readers
        self._clocks = clocks
        self._pace = pace
        self._since = since
        self._topics: set[str] = set()  # of what it has published
        self._go_on_at = 0.0  # monotonic: from then on no reader is waited for
        self._read = 0  # auctions
        # By auction, the mark up to which it is published again. Those asked for and the first have new entries that wait for
        # this. Whether those asked for have moved since is still to be read.
        self._asked_for: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        # Of those that were begun: as far as they are published again.
        self._states: dict[str, rules.State] = {}
        self._done: set[str] = set()
        self.messages = 0
        transport.begin_epoch(EPOCH)

    def has_published(self, auction_id: str, mark: int) -> bool:
        """Whether the auction has nothing left to publish again up to its mark. If it has, it is next."""
        if not mark:
            self._done.add(auction_id)  # nothing of it was published before
        if auction_id in self._done:
            return True
        if auction_id not in self._first:
            self._asked_for[auction_id] = max(mark, self._waiting.pop(auction_id, 0))
        return False

    def is_ahead(self) -> bool:
        """Whether a reader has yet to handle so much that the next piece must wait; no longer than `refill_wait_seconds`,
        because a reader may have stopped. Raises errors.Unavailable."""
        if self._clocks.monotonic() >= self._go_on_at:
            return False
        return any(
            self._transport.lag(group, [topic for topic in topics if topic in self._topics])
            > self._pace.refill_ahead_messages
            for group, topics in self._readers.items()
        )

    def step(self) -> bool:
        """Publish a piece; whether there is more. A step can be repeated. Raises brokers.EpochMissing,
        errors.Unavailable."""
        if self._asked_for:
            self._first |= self._with_old_entries(self._asked_for)
            self._asked_for = {}
        elif self._first:
            self._publish_a_piece(min(self._first, key=self._entries_left), self._first)
        elif self._waiting:
            self._publish_a_piece(next(iter(self._waiting)), self._waiting)
        elif not self._turn_the_page():
            self._transport.append([], source=EPOCH)
            return False
        return True

    def _entries_left(self, auction_id: str) -> int:
        """Of one that is first: so a crowded auction holds up no other."""
        begun = self._states.get(auction_id)
        return self._first[auction_id] - (begun.seq if begun else 0)

    def _turn_the_page(self) -> bool:
        """Whether there was another page."""
        store = runtime.current().store
        marks = runtime.call(store.auctions.marks(skip=self._read, limit=self._pace.refill_page_auctions))
        self._waiting |= self._with_old_entries(
            {auction_id: mark for auction_id, mark in marks.items() if mark and auction_id not in self._done}
        )
        self._read += len(marks)
        return bool(marks)

    def _with_old_entries(self, marks: Mapping[str, int]) -> dict[str, int]:
        """Without what has not moved since: that is done, because `at` never decreases within a log."""
        try:
            last = runtime.call(runtime.current().store.bids.read(marks.items()))
        except Exception as error:
            if failure.classify(error) is failure.Fate.OUTAGE:
                raise
            last = {}  # one of them is unreadable, so each is read by itself
        moved = {key[0] for key in marks.items() if key not in last or last[key].at >= self._since}
        self._done |= marks.keys() - moved
        return {auction_id: mark for auction_id, mark in marks.items() if auction_id in moved}

    def _publish_a_piece(self, auction_id: str, queue: dict[str, int]) -> None:
        mark = queue[auction_id]
        state = self._states.get(auction_id) or rules.State(auction_id)
        limit = min(self._pace.refill_step_entries, mark - state.seq)
        try:
            entries = runtime.call(runtime.current().store.bids.read_from(auction_id, state.seq, limit))
            state, with_messages = log_messages.follow(state, entries, since=self._since)
        except Exception as error:
            if failure.classify(error) is failure.Fate.OUTAGE:
                raise
            logger.exception("log_is_unreadable", auction_id=auction_id)
            self._end(auction_id, queue)
            return
        messages = [message for _, of_entry in with_messages for message in of_entry]
        log_messages.append(self._transport, messages, source=EPOCH)
        self.messages += len(messages)
        if messages:
            self._topics |= {message.topic for message in messages}
            self._go_on_at = self._clocks.monotonic() + self._pace.refill_wait_seconds
        self._states[auction_id] = state
        if state.seq >= mark or not entries:
            self._end(auction_id, queue)

    def _end(self, auction_id: str, queue: dict[str, int]) -> None:
        del queue[auction_id]
        self._states.pop(auction_id, None)
        self._done.add(auction_id)
