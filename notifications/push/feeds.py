"""Who follows one feed (an auction's public frames, or a user's notifications), and what each lacks. No I/O.

One invariant: a subscriber has `next_seq`, the seq that it must get next. A live frame goes to the subscribers whose next_seq
it is, and to no other. A frame beyond next_seq makes the subscriber due, as does any doubt: then the store is read from the
least next_seq of those due, and each gets what follows on its own next_seq, or `snapshot_required` where the store no
longer holds it. So a lost message, an emptied store, a repetition or a jump never becomes a silent gap.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from notifications import cursors, frames, metrics, selectors
from notifications.push import sockets

HEAD_ONLY = 2**53  # no frame comes after this seq, so the store answers its last seq alone
SUBSCRIBERS_AT_ONCE = 500  # in one turn of the event loop
WRITTEN_AT_ONCE = 50  # the same, of a live frame: each is a write to a connection; about a millisecond
MAX_RESUMED = 1000  # notifications; a client that missed more loads the list
_EVERYTHING = 0  # the next_seq of a subscriber that has nothing: no store holds a frame 0


class Question(msgspec.Struct, frozen=True):
    """A read of the store: the frames after `after`. `known`: the highest seq that was known when asking; `doubts`:
    how many there were by then, because this question does not answer a later one."""

    after: int
    known: int
    doubts: int


class Answer(msgspec.Struct, frozen=True):
    """The store's last seq (None: it holds nothing), and its frames without a gap, maybe only the first ones."""

    question: Question
    last: int | None
    frames: Sequence[frames.Frame]

    @property
    def has_lost(self) -> bool:
        """A store that holds less than was known has lost something, so it cannot say that nothing is missing."""
        return self.last is None or self.last < self.question.known

    def lacks(self, seq: int) -> bool:
        """Whether the frames from `seq` on are gone. A frame that came live while the store was read is in its next answer."""
        if self.last is None or self.has_lost:
            return True
        return seq <= self.last and (not self.frames or seq < self.frames[0].seq)


class Feed:
    """The subscribers of one feed. `scope` names its kind in the metrics."""

    scope: ClassVar[str]

    def __init__(self, key: str) -> None:
        self.key = key
        self.last: int | None = None  # the highest seq known here
        self.next_seqs: dict[sockets.Socket, int] = {}
        # Subscribers for whom the store must be read. True: confirm the subscription once nothing is missing.
        self.due: dict[sockets.Socket, bool] = {}
        # Subscribers that load a snapshot of a seq not known here, so that any later frame follows. None of them is due.
        self._loose: set[sockets.Socket] = set()
        self._doubts = 0

    def __len__(self) -> int:
        return len(self.next_seqs)

    def leave(self, socket: sockets.Socket) -> None:
        self.next_seqs.pop(socket, None)
        self.due.pop(socket, None)
        self._loose.discard(socket)

    def doubt(self) -> None:
        """Frames may have been missed: every subscriber is due until the store was read after this."""
        self._doubts += 1
        self.due = dict.fromkeys(self.next_seqs, False) | self.due
        self._loose.clear()

    def question(self) -> Question | None:
        """What to ask the store; None when no subscriber that is due can take anything now."""
        ready = self._ready()
        if not ready:
            return None
        seqs = filter(None, (self.next_seqs[socket] for socket in ready))  # _EVERYTHING is lost at any rate
        return Question(min(seqs, default=HEAD_ONLY + 1) - 1, self.last or 0, self._doubts)

    def catch_up(self, answer: Answer) -> None:
        """Give subscribers that are due what the store holds. Of a crowd only SUBSCRIBERS_AT_ONCE: for the others there is
        another `question`."""
        self._learn(answer.last)
        for socket in self._ready():
            next_seq = self.next_seqs[socket]
            if _EVERYTHING < next_seq <= min(answer.question.after, self.last or 0):
                continue  # became due after the store was read
            if answer.lacks(next_seq):
                self._lose(socket)
            elif missed := _frames_from(answer.frames, next_seq):
                self.next_seqs[socket] = missed[-1].seq + 1
                socket.put_backlog(missed)
            if answer.question.doubts == self._doubts and not self._lacks(socket):
                self._settle(socket)
                if answer.has_lost:
                    self._loose.add(socket)

    def _ready(self) -> list[sockets.Socket]:
        ready = (socket for socket in self.due if not socket.has_backlog)
        return list(itertools.islice(ready, SUBSCRIBERS_AT_ONCE))

    def _learn(self, last: int | None) -> None:
        """The store has frames up to `last`: subscribers that lack some are due."""
        if last is not None and (self.last is None or last > self.last):
            self.last = last
            for socket in filter(self._lacks, self.next_seqs):
                self._become_due(socket)

    def _lacks(self, socket: sockets.Socket) -> bool:
        return self.last is not None and self.next_seqs[socket] <= self.last

    def _become_due(self, socket: sockets.Socket) -> None:
        self.due.setdefault(socket, False)
        self._loose.discard(socket)

    def _lose(self, socket: sockets.Socket) -> None:
        """Tell the client to load a snapshot; it goes on after the last seq known here."""
        socket.put(self._lost_frame())
        metrics.snapshots.labels(self.scope).inc()
        if self.last is not None:
            self.next_seqs[socket] = self.last + 1

    def _settle(self, socket: sockets.Socket) -> None:
        """Nothing is missing: what follows comes live."""
        if self.due.pop(socket):
            socket.put(self._confirmation(max(0, self.next_seqs[socket] - 1)))

    def _lost_frame(self) -> frames.Frame:
        raise NotImplementedError

    def _confirmation(self, seq: int) -> frames.Frame:
        raise NotImplementedError


class AuctionFeed(Feed):
    """The watchers of one auction. One may be ahead of the feed, because it read the log."""

    scope = "auction"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.is_heard = False  # Redis has confirmed the subscription to its channel: what is published from now on arrives

    def join(self, socket: sockets.Socket, after: int | None) -> None:
        """Subscribe `socket`, which has the frames up to `after`; a subscriber begins anew there. None: it has none."""
        has_reloaded = socket in self._loose
        self.leave(socket)
        self.next_seqs[socket] = _EVERYTHING if after is None else after + 1
        self.due[socket] = True
        if (
            self.is_heard
            and after is not None
            and (has_reloaded if self.last is None else after >= self.last)
        ):
            self._settle(socket)

    def question(self) -> Question | None:
        """As above, but none before the channel is heard: what is published until then could be missed."""
        return super().question() if self.is_heard else None

    def push(self, frame: frames.Frame) -> Iterator[None]:
        """Forward a live frame to the subscribers, WRITTEN_AT_ONCE between two pauses. Anything but another push may
        happen in a pause, because what a subscriber gets depends on its own next_seq alone."""
        if self.last is None or frame.seq > self.last:
            self.last = frame.seq
        subscribers = list(self.next_seqs)
        for start in range(0, len(subscribers), WRITTEN_AT_ONCE):
            self._push(frame, subscribers[start : start + WRITTEN_AT_ONCE])
            yield

    def _push(self, frame: frames.Frame, subscribers: Sequence[sockets.Socket]) -> None:
        seq, next_seqs, loose = frame.seq, self.next_seqs, self._loose
        for socket in subscribers:
            next_seq = next_seqs.get(socket, seq + 1)  # one that has left lacks nothing
            if next_seq > seq:
                continue
            if next_seq == seq or socket in loose:
                next_seqs[socket] = seq + 1
                loose.discard(socket)
                socket.put(frame)
            else:
                self._become_due(socket)

    def _lost_frame(self) -> frames.Frame:
        return frames.auction_lost(self.key, self.last)

    def _confirmation(self, seq: int) -> frames.Frame:
        return frames.watching(self.key, seq)


class UserFeed(Feed):
    """The connections of one user, whether they follow the feed or not. PostgreSQL is the store, so the last seq that it
    names is the truth, and no frame comes live."""

    scope = "user"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.epoch = ""
        self.connections: set[sockets.Socket] = set()
        # Subscribers whose cursor was not compared with the feed yet; None: from now on.
        self._arriving: dict[sockets.Socket, cursors.Cursor | None] = {}

    def __len__(self) -> int:
        return len(self.connections)

    def resume(self, socket: sockets.Socket, cursor: cursors.Cursor | None) -> None:
        """Subscribe `socket`, which has the notifications up to `cursor`; without one it gets those from now on."""
        self.next_seqs[socket] = _EVERYTHING if cursor is None else cursor.seq + 1
        self.due[socket] = True
        self._arriving[socket] = cursor

    def leave(self, socket: sockets.Socket) -> None:
        super().leave(socket)
        self.connections.discard(socket)
        self._arriving.pop(socket, None)

    def is_news(self, head: selectors.Head, seq: int) -> bool:
        """Whether the notification `seq` is newer than all that was known here, and has a subscriber."""
        return bool(self.next_seqs) and self.epoch == head.epoch and seq > (self.last or 0)

    def take(self, head: selectors.Head, answer: Answer) -> None:
        """Catch up with what PostgreSQL says of this user."""
        if self.epoch != head.epoch or (self.last or 0) > head.last_seq:
            self._begin_epoch(head)
            question = msgspec.structs.replace(answer.question, known=0)
            answer = msgspec.structs.replace(answer, question=question)
        self._learn(head.last_seq)
        self._admit(head)
        self.catch_up(answer)

    def _begin_epoch(self, head: selectors.Head) -> None:
        """The numbering is not the one known here, because a store was restored: every client must load anew."""
        self.epoch, self.last = head.epoch, head.last_seq
        for socket in self.next_seqs.keys() - self._arriving.keys():
            self._lose(socket)

    def _admit(self, head: selectors.Head) -> None:
        arriving, self._arriving = self._arriving, {}
        for socket, cursor in arriving.items():
            if cursor is None:
                self.next_seqs[socket] = head.last_seq + 1
            elif not head.knows(cursor) or head.last_seq - cursor.seq > MAX_RESUMED:
                self._lose(socket)

    def _lost_frame(self) -> frames.Frame:
        return frames.feed_lost(cursors.Cursor(self.epoch, self.last or 0))

    def _confirmation(self, seq: int) -> frames.Frame:
        return frames.resumed(cursors.Cursor(self.epoch, seq))


def _frames_from(read: Sequence[frames.Frame], seq: int) -> Sequence[frames.Frame]:
    if not read or read[-1].seq < seq:
        return ()
    return read[max(0, seq - read[0].seq) :]
