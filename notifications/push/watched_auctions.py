"""Which sockets of this process watch which auctions, and the reads that bring them what they lack.

Only an auction that exists gets a room: Redis knows those whose frames are kept, PostgreSQL (`models.Auction`, filled by
events) knows all. An id that somebody made up costs one question, and nothing afterwards. An open room is all that is
remembered of an existence, so this memory has the bound of the rooms.
"""

import asyncio
from collections.abc import Iterable, Mapping

import redis.asyncio

from notifications import auction_frames, frames, metrics, redis_clients, selectors
from notifications.push import bridge, due, sockets, subscribers, subscription

MAX_WATCHED = 50  # auctions per socket
MAX_ROOMS = 20_000  # auctions that this process follows
MAX_ASKED = 10_000  # auctions of which it is not known yet whether they exist
MAX_UNKNOWN = 10  # auctions that do not exist, per socket; then it is closed


class TooManyWatched(Exception):
    """The socket watches as many auctions as it may."""


class TooBusy(Exception):
    """As many questions wait as may."""


class WatchedAuctions:
    """Methods that are no coroutines never wait; the coroutines are each one pass of a loop of the hub."""

    def __init__(self, *, channels: subscription.Subscription, client: redis.asyncio.Redis) -> None:
        self.rooms: dict[str, subscribers.AuctionRoom] = {}
        self._channels = channels
        self._redis = client
        # Who waits, with what position, to learn whether an auction exists.
        self._asked: dict[str, dict[sockets.Socket, int]] = {}
        self._asked_due = due.Due()
        self._behind_due = due.Due(lambda key: len(self.rooms.get(key, ())))

    def watch(self, socket: sockets.Socket, auction_id: str, after: int | None) -> None:
        """Send the public feed after `after`; an error frame where there is no such auction.

        Raises TooManyWatched, TooBusy.
        """
        if auction_id not in socket.watched and len(socket.watched) >= MAX_WATCHED:
            raise TooManyWatched
        position = subscribers.NOTHING if after is None else after
        room = self.rooms.get(auction_id)
        if room is not None:
            room.join(socket, position)
            self.mark(room)
        elif auction_id in self._asked or len(self._asked) < MAX_ASKED:
            self._asked.setdefault(auction_id, {})[socket] = position
            self._asked_due.add(auction_id)
        else:
            raise TooBusy
        socket.watched.add(auction_id)

    def unwatch(self, socket: sockets.Socket, auction_id: str) -> None:
        if auction_id not in socket.watched:
            return
        socket.watched.discard(auction_id)
        room = self.rooms.get(auction_id)
        if room is None:
            waiting = self._asked[auction_id]
            del waiting[socket]
            if not waiting:
                del self._asked[auction_id]
            return
        room.leave(socket)
        if not len(room):
            del self.rooms[auction_id]
            self._channels.unwant(redis_clients.auction_channel(auction_id))
            metrics.watched.dec()

    # --- what the subscription says ------------------------------------------------------------------------------

    def on_open(self, auction_id: str) -> None:
        if (room := self.rooms.get(auction_id)) is not None:
            room.heard = True
            self.doubt(room)

    async def on_frame(self, auction_id: str, data: bytes) -> None:
        if (room := self.rooms.get(auction_id)) is not None:
            for _ in room.push_in_turns(auction_frames.parse(auction_id, data)):
                await asyncio.sleep(0)
            self.mark(room)

    def on_break(self) -> None:
        for room in self.rooms.values():
            room.heard = False

    def on_drained(self, socket: sockets.Socket) -> None:
        for auction_id in socket.watched:
            if (room := self.rooms.get(auction_id)) is not None:
                self.mark(room)

    def doubt(self, room: subscribers.AuctionRoom) -> None:
        room.suspect()
        self.mark(room)

    def mark(self, room: subscribers.AuctionRoom) -> None:
        if room.behind:
            self._behind_due.add(room.key)

    # --- what is read from the stores ----------------------------------------------------------------------------

    async def find(self) -> None:
        """Learn whether the auctions exist that somebody asked for: open a room, or refuse."""
        missing = [key for key in await self._asked_due.take() if key in self._asked]
        try:
            heads = await auction_frames.heads(self._redis, missing) if missing else {}
            for auction_id in [key for key, last in heads.items() if last is not None]:
                self._open(auction_id)
                missing.remove(auction_id)
            known = await bridge.call(selectors.list_known_auctions, missing) if missing else set()
        except BaseException:
            self._asked_due.add(*missing)
            raise
        for auction_id in missing:
            if auction_id in known:
                self._open(auction_id)
            else:
                for socket in self._refuse(auction_id, "auction_unknown", "There is no such auction."):
                    socket.unknown += 1
                    if socket.unknown > MAX_UNKNOWN:
                        socket.close(sockets.POLICY)

    def _open(self, auction_id: str) -> None:
        if len(self.rooms) >= MAX_ROOMS:
            self._refuse(
                auction_id, "too_busy", "The server follows as many auctions as it can. Try again shortly."
            )
            return
        waiting = self._asked.pop(auction_id, {})
        if not waiting:
            return
        room = self.rooms[auction_id] = subscribers.AuctionRoom(auction_id)
        self._channels.want(redis_clients.auction_channel(auction_id))
        metrics.watched.inc()
        for socket, position in waiting.items():
            room.join(socket, position)
        self.mark(room)

    def _refuse(self, auction_id: str, code: str, detail: str) -> Iterable[sockets.Socket]:
        """Say no to all who wait for the auction; those who did."""
        waiting = self._asked.pop(auction_id, {})
        for socket in waiting:
            socket.watched.discard(auction_id)
            socket.put(frames.error(code, detail, auction_id=auction_id))
        return waiting

    async def catch_up(self) -> None:
        """Read the kept frames for auctions whose watchers are behind; those not heard yet wait for `on_open`."""
        keys = await self._behind_due.take()
        questions = subscribers.questions(
            room for key in keys if (room := self.rooms.get(key)) is not None and room.heard
        )
        if not questions:
            return
        try:
            kept = await auction_frames.read(
                self._redis, {key: asked.after for key, asked in questions.items()}
            )
        except BaseException:
            self._behind_due.add(*keys)
            raise
        for key, found in kept.items():
            if (room := self.rooms.get(key)) is not None:
                room.catch_up(subscribers.Backlog(questions[key], found.last, found.frames))
                await asyncio.sleep(0)  # a room may be large
        await self._behind_due.add_again(key for key in questions if _still_asks(self.rooms, key))

    async def look(self) -> None:
        """Find which auction has frames that nobody published to this process."""
        async for auction_ids in due.slices(self.rooms):
            kept = await auction_frames.heads(self._redis, auction_ids)
            for auction_id, last in kept.items():
                room = self.rooms.get(auction_id)
                if room is not None and last is not None and (room.last is None or last > room.last):
                    self.doubt(room)


def _still_asks(known: Mapping[str, subscribers.Room], key: str) -> bool:
    room = known.get(key)
    return room is not None and room.question() is not None
