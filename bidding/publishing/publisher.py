"""Publishes what has news: per auction always the entries mark + 1, + 2 …; the mark moves after the broker's
acknowledgement. A pass is bounded: a piece of each auction, as far as its time reaches. During a refill an auction waits
until its old entries are published again."""

import asyncio

from auction_project.kernel import failpoints, tracing
from auction_project.kernel.messaging import broker as brokers
from bidding import metrics, rules, runtime, traces
from bidding.publishing import documents, handled, news, unreadable
from bidding.publishing import messages as log_messages
from bidding.publishing import refill as log_refill
from bidding.publishing.pace import Pace
from bidding.rules import log
from bidding.writer.clocks import Clocks


class Publisher:
    """From what waits in the news to the transport."""

    def __init__(
        self,
        transport: brokers.Broker,
        waiting: news.News,
        published: documents.Documents,
        set_aside: unreadable.Unreadable,
        by_readers: handled.Handled,
        *,
        clocks: Clocks,
        pace: Pace,
    ) -> None:
        self._broker = transport
        self._news = waiting
        self._documents = published
        self._set_aside = set_aside
        self._handled = by_readers
        self._clocks = clocks
        self._pace = pace

    def publish(self, refill: log_refill.Refill | None = None) -> int:
        """One pass over what has news; the number of entries. An auction that has more waits behind the others. `refill`: the
        one that is under way.

        Raises brokers.EpochMissing, errors.Unavailable.
        """
        until = self._clocks.monotonic() + self._pace.publish_seconds
        metrics.entries_unpublished.set(self._news.unpublished)
        waiting = list(self._news.waiting)
        count = 0
        at_once = self._pace.auctions_per_read
        for start in range(0, len(waiting), at_once):
            if start and self._clocks.monotonic() >= until:
                break
            count += self._publish_group(waiting[start : start + at_once], refill)
        return count

    def _publish_group(self, group: list[str], refill: log_refill.Refill | None) -> int:
        source = log_messages.SOURCE
        if refill is not None:
            source = log_refill.EPOCH
            group = runtime.call(self._without_old_entries(group, refill))
        if not group:
            return 0
        limit = self._pace.entries_per_read // len(group)
        entries = runtime.call(self._read(group, limit))
        new: list[tuple[log.Entry, list[brokers.Message]]] = []
        states: dict[str, rules.State] = {}
        for auction_id, of_auction in entries.items():
            try:
                states[auction_id], published = log_messages.follow(
                    self._documents.state(auction_id), of_auction
                )
            except Exception as error:
                self._set_aside.set_aside(auction_id, error)
            else:
                mark = self._documents.mark(auction_id)
                new += [(entry, of_entry) for entry, of_entry in published if entry.seq > mark]
        messages = [message for _, of_entry in new for message in of_entry]
        if messages:
            self._handled.before_publishing(min(entries[auction_id][0].at for auction_id in states))
        log_messages.append(self._broker, messages, source=source)
        metrics.entries_published.inc(sum(len(entries[auction_id]) for auction_id in states))
        for auction_id in states:
            metrics.publish_seconds.observe((self._clocks.now() - entries[auction_id][0].at) / 1000)
        if tracing.is_on:
            for entry, of_entry in new:
                traces.record_published(entry, [message.value for message in of_entry])
        failpoints.reach("log_relay.before_mark")
        for auction_id, state in states.items():
            self._documents.move(auction_id, state, entries[auction_id])
        for auction_id in group:
            self._news.done(auction_id, has_more=auction_id in states and len(entries[auction_id]) == limit)
        metrics.entries_unpublished.set(self._news.unpublished)
        return sum(len(entries[auction_id]) for auction_id in states)

    async def _without_old_entries(self, group: list[str], refill: log_refill.Refill) -> list[str]:
        """Those of the group of which the refill has nothing left to publish. One that cannot be loaded is among them, so that it
        is set aside."""
        await self._documents.evict(before_loading=len(group))
        outcomes = await asyncio.gather(*map(self._documents.load, group), return_exceptions=True)
        return [
            auction_id
            for auction_id, outcome in zip(group, outcomes, strict=True)
            if isinstance(outcome, BaseException)
            or refill.has_published(auction_id, self._documents.mark(auction_id))
        ]

    async def _read(self, auction_ids: list[str], limit: int) -> dict[str, list[log.Entry]]:
        """The readable entries that follow the mark of each, without the auctions that have none."""
        await self._documents.evict(before_loading=len(auction_ids))
        bids = runtime.current().store.bids

        async def read(auction_id: str) -> list[log.Entry]:
            state = await self._documents.load(auction_id)
            kept = self._news.take(auction_id, after=state.seq, limit=limit)
            return kept or await bids.read_from(auction_id, state.seq, limit)

        outcomes = await asyncio.gather(*map(read, auction_ids), return_exceptions=True)
        entries: dict[str, list[log.Entry]] = {}
        for auction_id, outcome in zip(auction_ids, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                self._set_aside.set_aside(auction_id, outcome)
            elif outcome:
                entries[auction_id] = outcome
        return entries
