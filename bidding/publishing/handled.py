"""Up to when all that the relay has published was handled by all its readers, so that a transport that is emptied needs only
what came after that.

It is learnt in rounds: at its beginning a round notes where the transport ends, and it is over when every group has handled all
up to there. What a group could not handle is a dead letter by then, which the next round waits for. So when a round is over, the
time at which the one before it began is stored beside the lease. This holds at any time: every entry that is older than the
stored instant and was published is handled. So before the relay publishes an entry that is late, it moves the instant back to
the time of that entry.
"""

from collections.abc import Mapping, Sequence

from auction_project.kernel.messaging import broker as brokers
from bidding import runtime
from bidding.publishing import lease as leases
from bidding.publishing import messages as log_messages
from bidding.publishing.pace import Pace
from bidding.writer.clocks import Clocks

_ROUNDS = 2  # after the last publication: one for its readers, and one for what they made dead letters


class Handled:
    """`readers`: by group, the topics that it reads. Without a group, nothing counts as handled."""

    def __init__(
        self,
        transport: brokers.Broker,
        readers: Mapping[str, Sequence[str]],
        lease: leases.Lease,
        *,
        clocks: Clocks,
        pace: Pace,
    ) -> None:
        self._broker = transport
        self._readers = readers
        self._lease = lease
        self._clocks = clocks
        self._pace = pace
        self._stored: int | None = None  # not read yet
        self._next_look = 0.0
        self.forget()

    def forget(self) -> None:
        """Begin a new round: what the transport had is gone."""
        self._rounds_due = _ROUNDS
        self._behind: dict[str, brokers.Places] = {}  # the groups that this round waits for
        self._of_last, self._of_round = 0, 0  # the instants of the round before this one, and of this one

    def until(self) -> int:
        """Milliseconds since the epoch; 0 where nothing is known. Raises errors.Unavailable."""
        if self._stored is None:
            self._stored = runtime.call(self._lease.handled_until())
        return self._stored

    def before_publishing(self, at: int) -> None:
        """Entries are about to be published, the oldest of that time. Raises errors.Unavailable; then they must not be."""
        self._rounds_due = _ROUNDS
        self._of_last, self._of_round = min(self._of_last, at), min(self._of_round, at)
        if at < self.until():
            self._store(at)

    def step(self) -> None:
        """Look from time to time how far the readers have come. Raises brokers.EpochMissing, errors.Unavailable."""
        if not self._readers or self._clocks.monotonic() < self._next_look:
            return
        self._next_look = self._clocks.monotonic() + self._pace.handled_look_seconds
        if self._behind:
            self._go_on()
        if not self._behind and self._rounds_due:
            self._begin()

    def _begin(self) -> None:
        self._rounds_due -= 1
        self._of_last, self._of_round = self._of_round, self._clocks.now() - self._pace.handled_margin_ms
        ends = self._broker.ends(sorted({topic for topics in self._readers.values() for topic in topics}))
        self._behind = {
            group: {place: last for place, last in ends.items() if place[0] in topics}
            for group, topics in self._readers.items()
        }

    def _go_on(self) -> None:
        self._behind = {
            group: ends for group, ends in self._behind.items() if not self._broker.has_handled(group, ends)
        }
        if self._behind:
            return
        self._broker.append([], source=log_messages.SOURCE)  # it was not emptied since the round began
        if self._of_last > self.until():
            self._store(self._of_last)

    def _store(self, at: int) -> None:
        runtime.call(self._lease.note_handled(at))
        self._stored = at
