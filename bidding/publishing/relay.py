"""The relay of the bid log: publishes each entry's events in seq order per auction, and keeps the auctions' documents.

It is a loop over four parts: `lease` (any number of relays may run; one works), `news` (which auctions have entries that
are not published), `publisher` (from these to the transport) and `documents` (the fold at each mark). A writer that begins
again after a pause wakes it (`wakeup`), so that a quiet site is asked seldom. If a relay dies, the next one begins at the
stored marks and repeats at most what was published within a second of the last save.

Every step is bounded, however much waits: one pass over what has news, a piece of each. An auction whose log or document is
unreadable (the database was edited outside Gavel) is set aside, and holds up no other.
"""

import time

from auction_project.kernel import errors, instants, logs
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import outbox
from bidding import runtime
from bidding.publishing import batches, documents, news, publisher, unreadable
from bidding.publishing import lease as leases
from bidding.publishing import messages as log_messages
from bidding.publishing import refill as log_refill
from bidding.writer import wakeup

POLL_SECONDS = 0.025
IDLE_STEP_SECONDS = 0.5  # of a step in which nothing happens; what is due is late by that much at most
FOLLOWER_SECONDS = 0.5  # before a relay that does not have the lease asks for it again
EPOCH_CHECK_SECONDS = 2.0

logger = logs.get(__name__)


class LogRelay:
    """`step()` publishes what there is; see the module."""

    name = "relay:bidding"
    longest_pause_seconds = 1.0

    def __init__(self, transport: brokers.Broker) -> None:
        self._broker = transport
        self._ear = wakeup.Ear()
        self._lease = leases.Lease()
        self._next_epoch_check = 0.0
        self._forget()

    def _forget(self) -> None:
        """Begin from what is stored: another relay worked meanwhile, or nothing is remembered yet."""
        self._refill: log_refill.Refill | None = None
        set_aside = unreadable.Unreadable()
        self._documents = documents.Documents(set_aside)
        self._news = news.News(self._documents, set_aside)
        self._publisher = publisher.Publisher(self._broker, self._news, self._documents, set_aside)

    def step(self) -> bool:
        """Always True: it paces itself. Raises errors.Unavailable."""
        led = self._lease.is_held
        if not self._lease.hold():
            if led:
                self._forget()
            time.sleep(FOLLOWER_SECONDS)
            return True
        try:
            if self._refill is not None:
                self._go_on_refilling(self._refill)
                return True
            runtime.call(self._news.ask_writers(self._idle_poll_seconds()))
            self._check_epoch()
            published = self._publisher.publish()
        except brokers.EpochMissing:
            self._begin_refill()
            return True
        self._news.sweep()
        runtime.call(self._documents.save(documents.SAVES_AT_ONCE))
        if not published and not self._news.waiting:
            self._rest()
        return True

    def close(self) -> None:
        """Save, and let another relay lead. Without the store the lease ends by itself, and the next relay publishes again
        what was not saved."""
        try:
            if self._lease.is_held:
                runtime.call(self._documents.save())
                self._lease.release()
        except errors.Unavailable as away:
            logger.warning("log_relay_closed_without_store", error=str(away))
        finally:
            self._ear.close()
            runtime.stop_thread()

    def _rest(self) -> None:
        """Until there may be something to do."""
        now = time.monotonic()
        is_idle = self._ear.is_listening and self._news.are_writers_idle(now)
        self._news.wake(self._ear.wait(self._idle_seconds(now) if is_idle else POLL_SECONDS))

    def _idle_seconds(self, now: float) -> float:
        """As long as nothing is due: documents that wait for their second, the next slice of the sweep."""
        due = IDLE_STEP_SECONDS if self._documents.are_saved else POLL_SECONDS
        return max(POLL_SECONDS, min(due, self._news.next_slice - now))

    def _idle_poll_seconds(self) -> float:
        return batches.IDLE_POLL_SECONDS if self._ear.is_listening else batches.UNHEARD_POLL_SECONDS

    # --- an emptied transport --------------------------------------------------------------------------------------

    def _check_epoch(self) -> None:
        """An emptied transport lacks what was published before. Raises brokers.EpochMissing."""
        if time.monotonic() >= self._next_epoch_check:
            self._broker.append([], source=log_messages.SOURCE)
            self._next_epoch_check = time.monotonic() + EPOCH_CHECK_SECONDS

    def _begin_refill(self) -> None:
        """The transport has nothing of ours: first again what was published lately, then anything new."""
        logger.info("refill_began", source=log_messages.SOURCE)
        runtime.call(self._documents.save())
        self._forget()
        since = instants.now() - outbox.KEEP_DAYS * 24 * 3600 * 1000
        self._refill = log_refill.Refill(self._broker, since=since)

    def _go_on_refilling(self, refill: log_refill.Refill) -> None:
        until = time.monotonic() + publisher.PUBLISH_SECONDS
        while refill.step():
            if time.monotonic() >= until:
                return
        self._broker.begin_epoch(log_messages.SOURCE)
        self._refill = None
        level = logger.warning if refill.messages else logger.info  # a transport that is new has lost nothing
        level("transport_refilled", source=log_messages.SOURCE, messages=refill.messages)
