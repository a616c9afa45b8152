"""The refill: publishes again what an emptied transport has lost of the bid log, every published entry since some time.

It goes through the auctions in the order of their ids, in bounded pieces. An epoch of its own shows when the transport
is emptied once more in the middle: then a new refill must begin. What is not published yet is left to the relay.
"""

from collections import deque

from auction_project.kernel import logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import failure
from bidding import rules, runtime
from bidding.publishing import messages as log_messages
from bidding.publishing.pace import PACE, Pace

EPOCH = "bidding.refill"

logger = logs.get(__name__)


class Refill:
    """Call `step()` until it returns False. `since`: milliseconds since the epoch. `messages`: how many it has published."""

    def __init__(self, transport: brokers.Broker, *, since: int, pace: Pace = PACE) -> None:
        self._transport = transport
        self._pace = pace
        self._since = since
        self._read = 0  # auctions
        self._waiting: deque[tuple[str, int]] = deque()  # (auction, mark)
        self._state: rules.State | None = None  # of the first that waits: as far as it is published again
        self.messages = 0
        transport.begin_epoch(EPOCH)

    def step(self) -> bool:
        """Publish a piece; whether there is more. A step can be repeated. Raises brokers.EpochMissing,
        errors.Unavailable."""
        if self._waiting:
            self._publish_a_piece(*self._waiting[0])
            return True
        if self._turn_the_page():
            return True
        self._transport.append([], source=EPOCH)
        return False

    def _turn_the_page(self) -> bool:
        """Whether there was another page. What has not moved since is left out: `at` never decreases within a log."""
        store = runtime.current().store
        marks = runtime.call(store.auctions.marks(skip=self._read, limit=self._pace.refill_page_auctions))
        published = [(auction_id, mark) for auction_id, mark in marks.items() if mark]
        try:
            last = runtime.call(store.bids.read(published))
        except Exception as error:
            if failure.classify(error) is failure.Fate.OUTAGE:
                raise
            last = {}  # one of them is unreadable, so each is read by itself
        self._waiting.extend(key for key in published if key not in last or last[key].at >= self._since)
        self._read += len(marks)
        return bool(marks)

    def _publish_a_piece(self, auction_id: str, mark: int) -> None:
        state = self._state or rules.State(auction_id)
        limit = min(self._pace.refill_step_entries, mark - state.seq)
        try:
            entries = runtime.call(runtime.current().store.bids.read_from(auction_id, state.seq, limit))
            state, with_messages = log_messages.follow(state, entries, since=self._since)
        except Exception as error:
            if failure.classify(error) is failure.Fate.OUTAGE:
                raise
            logger.exception("log_is_unreadable", auction_id=auction_id)
            self._next_auction()
            return
        messages = [message for _, of_entry in with_messages for message in of_entry]
        log_messages.append(self._transport, messages, source=EPOCH)
        self.messages += len(messages)
        self._state = state
        if state.seq >= mark or not entries:
            self._next_auction()

    def _next_auction(self) -> None:
        self._waiting.popleft()
        self._state = None
