"""The relay of the bid log: publishes each entry's events in seq order per auction, and keeps the auctions' documents.

It is a loop over six parts: `lease` (any number of relays may run; one works), `news` (which auctions have entries that
are not published), `publisher` (from these to the transport), `documents` (the fold at each mark), `catalogue_keeper`
(what lists show) and `handled` (what a transport that is emptied need not have again). The writers wake it (`wakeup`), so
that it asks for nothing that is not there. If a relay dies, the next one begins at the stored marks and repeats at most what
was published within a second of the last save.

Every step is bounded, however much waits: one pass over what has news, a piece of each. An auction whose log or document is
unreadable (the database was edited outside Gavel) is set aside, and holds up no other.
"""

import time
from collections.abc import Mapping, Sequence

from auction_project.kernel import errors, logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import outbox
from bidding import metrics, runtime
from bidding.publishing import catalogue_keeper, documents, handled, news, publisher, unreadable
from bidding.publishing import lease as leases
from bidding.publishing import messages as log_messages
from bidding.publishing import refill as log_refill
from bidding.publishing.pace import PACE, Pace
from bidding.writer import wakeup
from bidding.writer.clocks import SYSTEM, Clocks

logger = logs.get(__name__)


class LogRelay:
    """`step()` publishes what there is; see the module. `readers`: by group of consumers, the topics that it reads."""

    name = "relay:bidding"
    longest_pause_seconds = 1.0

    def __init__(
        self,
        transport: brokers.Broker,
        *,
        readers: Mapping[str, Sequence[str]],
        clocks: Clocks = SYSTEM,
        pace: Pace = PACE,
    ) -> None:
        self._broker = transport
        self._readers = readers
        self._clocks = clocks
        self._pace = pace
        self._listener = wakeup.Listener()
        self._lease = leases.Lease(clocks=clocks, pace=pace)
        self._next_epoch_check = 0.0
        self._forget()

    def _forget(self) -> None:
        """Begin from what is stored: another relay worked meanwhile, or nothing is remembered yet."""
        self._refill: log_refill.Refill | None = None
        clocks, pace = self._clocks, self._pace
        set_aside = unreadable.Unreadable(clocks=clocks, pace=pace)
        self._catalogue = catalogue_keeper.Keeper(clocks=clocks, pace=pace)
        self._documents = documents.Documents(set_aside, self._catalogue, clocks=clocks, pace=pace)
        self._news = news.News(self._documents, set_aside, clocks=clocks, pace=pace)
        self._handled = handled.Handled(self._broker, self._readers, self._lease, clocks=clocks, pace=pace)
        self._publisher = publisher.Publisher(
            self._broker, self._news, self._documents, set_aside, self._handled, clocks=clocks, pace=pace
        )

    def step(self) -> bool:
        """Always True: it paces itself. Raises errors.Unavailable."""
        led = self._lease.is_held
        if not self._lease.hold():
            if led:
                self._forget()
            metrics.waiting_auctions.set(0)
            time.sleep(self._pace.follower_seconds)
            return True
        is_filling = self._catalogue.is_due and runtime.call(self._catalogue.step())
        try:
            runtime.call(self._news.ask_writers(self._writers_poll_seconds()))
            if self._refill is None:
                self._check_epoch()
            published = self._publisher.publish(self._refill)
            if self._refill is None:
                self._handled.step()
                has_more = bool(self._news.waiting)
            else:
                has_more = self._go_on_refilling(self._refill)
        except brokers.EpochMissing:
            self._begin_refill()
            return True
        metrics.waiting_auctions.set(len(self._news.waiting))
        self._news.sweep()
        runtime.call(self._documents.save_due())
        if not (published or has_more or is_filling):
            self._rest()
        return True

    def close(self) -> None:
        """Save, and let another relay lead. Without the store the lease ends by itself, and the next relay publishes again
        what was not saved."""
        try:
            if self._lease.is_held:
                runtime.call(self._documents.save_all())
                runtime.call(self._catalogue.hand_over())
                self._lease.release()
        except errors.Unavailable as error:
            logger.warning("log_relay_closed_without_store", error=str(error))
        finally:
            self._listener.close()

    def _rest(self) -> None:
        """Until there may be something to do."""
        now = self._clocks.monotonic()
        is_idle = self._refill is None and self._listener.is_listening
        self._news.hear(self._listener.wait(self._idle_seconds(now) if is_idle else self._pace.poll_seconds))

    def _idle_seconds(self, now: float) -> float:
        """As long as nothing is due: documents that wait for their second, the next slice of the sweep."""
        pace = self._pace
        due = pace.idle_step_seconds if self._documents.are_saved else pace.saving_step_seconds
        return max(pace.poll_seconds, min(due, self._news.next_slice - now))

    def _writers_poll_seconds(self) -> float:
        pace = self._pace
        return pace.heard_poll_seconds if self._listener.is_listening else pace.unheard_poll_seconds

    # --- an emptied transport --------------------------------------------------------------------------------------

    def _check_epoch(self) -> None:
        """An emptied transport lacks what was published before. Raises brokers.EpochMissing."""
        if self._clocks.monotonic() >= self._next_epoch_check:
            self._broker.append([], source=log_messages.SOURCE)
            self._next_epoch_check = self._clocks.monotonic() + self._pace.epoch_check_seconds

    def _begin_refill(self) -> None:
        """The transport has nothing of ours: of each auction first again what may not be handled, then what is new. The refill
        goes up to the stored marks, so what could not be saved is forgotten, and published again as new."""
        logger.info("refill_began", source=log_messages.SOURCE)
        self._refill = None
        runtime.call(self._documents.save_all())
        if not self._documents.are_saved:
            self._forget()
        self._handled.forget()
        kept = self._clocks.now() - outbox.KEEP_DAYS * 24 * 3600 * 1000
        since = max(kept, self._handled.until())
        self._refill = log_refill.Refill(
            self._broker, since=since, readers=self._readers, clocks=self._clocks, pace=self._pace
        )

    def _go_on_refilling(self, refill: log_refill.Refill) -> bool:
        """Publish some pieces; False where the readers must come first."""
        until = self._clocks.monotonic() + self._pace.refill_seconds
        if refill.is_ahead():
            return False
        while refill.step():
            if self._clocks.monotonic() >= until or refill.is_ahead():
                return True
        self._broker.begin_epoch(log_messages.SOURCE)
        self._refill = None
        level = logger.warning if refill.messages else logger.info  # a transport that is new has lost nothing
        level("transport_refilled", source=log_messages.SOURCE, messages=refill.messages)
        return True
