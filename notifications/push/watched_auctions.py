"""Which sockets of this process watch which auctions.

Only an auction that exists is followed: Redis knows those whose frames are kept, PostgreSQL (`models.Auction`, filled by
events) knows all. A made-up id costs one look-up, and nothing afterwards. The feeds are all that is remembered of what
exists, so this memory has their bound.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping

import redis.asyncio

from auction_project.kernel import instants, tracing
from notifications import auction_frames, frames, metrics, redis_clients, selectors, traces
from notifications.push import bridge, clock, due, feeds, followed, sockets, subscription

MAX_WATCHED = 50  # auctions per socket
MAX_FEEDS = 20_000  # auctions that this process follows
MAX_UNPROVEN = 10_000  # auctions of which it is not known yet whether they exist
MAX_UNKNOWN = 10  # auctions that do not exist, per socket; then it is closed


class TooManyWatched(Exception):
    """The socket watches as many auctions as it may."""


class TooBusy(Exception):
    """As many auctions wait to be looked up as may."""


class WatchedAuctions(followed.Followed[feeds.AuctionFeed, auction_frames.Kept]):
    """The feeds of auctions that exist, and of those that wait to be looked up."""

    def __init__(
        self, *, channels: subscription.Subscription, clock: clock.Clock, client: redis.asyncio.Redis
    ) -> None:
        super().__init__(channels=channels, clock=clock)
        self._redis = client
        self._unproven: dict[str, feeds.AuctionFeed] = {}
        self._unproven_due = due.Due()

    def watch(self, socket: sockets.Socket, auction_id: str, after: int | None) -> None:
        """Send the public feed after `after`; an error frame where there is no such auction.

        Raises TooManyWatched, TooBusy.
        """
        if auction_id not in socket.watched and len(socket.watched) >= MAX_WATCHED:
            raise TooManyWatched
        if (feed := self.feeds.get(auction_id)) is not None:
            feed.join(socket, after)
            self._mark(feed)
        elif auction_id in self._unproven or len(self._unproven) < MAX_UNPROVEN:
            self._unproven.setdefault(auction_id, feeds.AuctionFeed(auction_id)).join(socket, after)
            self._unproven_due.add(auction_id)
        else:
            raise TooBusy
        socket.watched.add(auction_id)

    def unwatch(self, socket: sockets.Socket, auction_id: str) -> None:
        if auction_id not in socket.watched:
            return
        socket.watched.discard(auction_id)
        exists = auction_id in self.feeds
        feeds = self.feeds if exists else self._unproven
        feeds[auction_id].leave(socket)
        if len(feeds[auction_id]):
            return
        del feeds[auction_id]
        if exists:
            self._channels.unwant(redis_clients.auction_channel(auction_id))
            metrics.watched.dec()

    # --- what the subscription says ------------------------------------------------------------------------------

    def on_open(self, auction_id: str) -> None:
        if (feed := self.feeds.get(auction_id)) is not None:
            feed.is_heard = True
            self.doubt(feed)

    async def on_frame(self, auction_id: str, data: bytes) -> None:
        if (feed := self.feeds.get(auction_id)) is not None:
            frame, began = auction_frames.parse(auction_id, data), time.time()
            for _ in feed.push(frame):
                await asyncio.sleep(0)
            if (arrived_at := auction_frames.arrival(data)) is not None:
                metrics.frame_seconds.labels(feed.scope).observe((instants.now() - arrived_at) / 1000)
            self._mark(feed)
            if tracing.is_on:
                traces.record_push("push frame", frame.traceparent, began=began, subscribers=len(feed))

    def on_break(self) -> None:
        for feed in self.feeds.values():
            feed.is_heard = False

    def on_drained(self, socket: sockets.Socket) -> None:
        for auction_id in socket.watched:
            if (feed := self.feeds.get(auction_id)) is not None:
                self._mark(feed)

    # --- what is read from the stores ----------------------------------------------------------------------------

    async def look_up(self) -> None:
        """Learn which of the auctions exist that clients named: follow those, and refuse the others."""
        async with self._unproven_due.taken() as keys:
            missing = [key for key in keys if key in self._unproven]
            heads = await auction_frames.heads(self._redis, missing) if missing else {}
            for auction_id in [key for key, last in heads.items() if last is not None]:
                self._follow(auction_id)
                missing.remove(auction_id)
            existing = await bridge.call(selectors.list_known_auctions, missing) if missing else set()
        for auction_id in missing:
            if auction_id in existing:
                self._follow(auction_id)
                continue
            for socket in self._refuse(auction_id, "auction_unknown", "There is no such auction."):
                socket.unknown += 1
                if socket.unknown > MAX_UNKNOWN:
                    socket.close(sockets.POLICY)

    def _follow(self, auction_id: str) -> None:
        if len(self.feeds) >= MAX_FEEDS:
            self._refuse(
                auction_id, "too_busy", "The server follows as many auctions as it can. Try again shortly."
            )
        elif (feed := self._unproven.pop(auction_id, None)) is not None:
            self.feeds[auction_id] = feed
            self._channels.want(redis_clients.auction_channel(auction_id))
            metrics.watched.inc()

    def _refuse(self, auction_id: str, code: str, detail: str) -> Iterable[sockets.Socket]:
        """Refuse the auction to all who wait for it, and return them."""
        feed = self._unproven.pop(auction_id, None)
        waiting = () if feed is None else feed.next_seqs.keys()
        for socket in waiting:
            socket.watched.discard(auction_id)
            socket.put(frames.error(code, detail, auction_id=auction_id))
        return waiting

    async def _read(self, questions: Mapping[str, feeds.Question]) -> dict[str, auction_frames.Kept]:
        return await auction_frames.read(
            self._redis, {key: question.after for key, question in questions.items()}
        )

    def _catch_up(self, feed: feeds.AuctionFeed, question: feeds.Question, read: auction_frames.Kept) -> None:
        feed.catch_up(feeds.Answer(question, read.last, read.frames))

    async def look(self) -> None:
        """Find auctions with frames whose publication did not reach this process."""
        async for auction_ids in due.slices(self.feeds, self._clock):
            heads = await auction_frames.heads(self._redis, auction_ids)
            for auction_id, last in heads.items():
                feed = self.feeds.get(auction_id)
                if feed is not None and last is not None and (feed.last is None or last > feed.last):
                    self.doubt(feed)
