"""Who follows one sequence (an auction's public feed, or a user's own), and up to where each has it. No I/O.

Promises: every member gets each frame after its position once, in order and without a gap, or is told that a snapshot
is required. A frame that does not follow on a member's position puts that member `behind`; those behind get nothing
live until `catch_up` has brought them what the store holds. So a lost message, an emptied store, a repetition or a jump
never becomes a silent gap.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from notifications import cursors, frames, metrics, selectors
from notifications.push import sockets

NOTHING = -1  # the position of somebody who has nothing, and wants to be told so
HEAD_ONLY = 2**53  # after this there is nothing: only the last seq is asked for
MEMBERS_AT_ONCE = 500  # in one turn of the event loop
MAX_RESUMED = 1000  # notifications; whoever missed more loads the list


class Question(msgspec.Struct, frozen=True):
    """What the store is asked: the frames after `after`. `known`: the highest seq that was known when asking; `doubts`:
    how often the room had been suspected by then, since a later hint is not answered by it."""

    after: int
    known: int
    doubts: int


class Backlog(msgspec.Struct, frozen=True):
    """The store's answer: its last seq (None: it holds nothing), and frames without a gap, maybe only the first ones."""

    question: Question
    last: int | None
    frames: Sequence[frames.Frame]


class Room:
    """The members of one sequence."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.heard = False  # the subscription stands: whatever is published from now on comes
        self.last: int | None = None  # the highest seq known here
        self.positions: dict[sockets.Socket, int] = {}
        self.behind: set[sockets.Socket] = set()
        self._doubts = 0
        self._unconfirmed: set[sockets.Socket] = set()
        # Told to load anew, of an unknown seq: whatever comes next follows.
        self._loose: set[sockets.Socket] = set()

    def __len__(self) -> int:
        return len(self.positions)

    def join(self, socket: sockets.Socket, position: int) -> None:
        """Become a member who has everything up to `position`, or, as a member, say so."""
        was_in_touch = socket in self.positions and socket not in self.behind
        self.positions[socket] = position
        self._loose.discard(socket)
        self._unconfirmed.add(socket)
        in_touch = self.heard and (was_in_touch or self.last is not None)
        if in_touch and position != NOTHING and (self.last is None or position >= self.last):
            self._arrive(socket)
        else:
            self.behind.add(socket)

    def leave(self, socket: sockets.Socket) -> None:
        self.positions.pop(socket, None)
        for members in (self.behind, self._unconfirmed, self._loose):
            members.discard(socket)

    def suspect(self) -> None:
        """Something may have been missed: everybody is behind until the store was asked after this."""
        self._doubts += 1
        self.behind.update(self.positions)

    def push(self, frame: frames.Frame) -> None:
        """A frame as it happens, to all at once."""
        for _ in self.push_in_turns(frame):
            pass

    def push_in_turns(self, frame: frames.Frame) -> Iterator[None]:
        """The same, MEMBERS_AT_ONCE between two pauses. Anything but another push may happen in a pause, since what a member
        gets depends on its own position alone."""
        if self.last is None or frame.seq > self.last:
            self.last = frame.seq
        members = list(self.positions)
        for start in range(0, len(members), MEMBERS_AT_ONCE):
            self._push(frame, members[start : start + MEMBERS_AT_ONCE])
            yield

    def _push(self, frame: frames.Frame, members: Sequence[sockets.Socket]) -> None:
        seq, behind, positions = frame.seq, self.behind, self.positions
        for socket in members:
            position = positions.get(socket, seq)  # one that has left lacks nothing
            if socket in behind or position >= seq:
                continue
            if position == seq - 1 or socket in self._loose:
                positions[socket] = seq
                self._loose.discard(socket)
                socket.put(frame)
            else:
                behind.add(socket)

    def question(self) -> Question | None:
        """What to ask the store; None when nobody who is behind can take anything now."""
        ready = [self.positions[socket] for socket in self._ready()]
        return self._question([position for position in ready if position != NOTHING]) if ready else None

    def _question(self, positions: Sequence[int]) -> Question:
        known = NOTHING if self.last is None else self.last
        return Question(min(positions, default=HEAD_ONLY), known, self._doubts)

    def catch_up(self, backlog: Backlog) -> None:
        """Bring those who are behind what the store holds, or tell them that it is not there any more. Of a crowd only
        MEMBERS_AT_ONCE: the others still have a `question`."""
        self._learn(backlog.last)
        for socket in self._ready():
            position = self.positions[socket]
            if NOTHING < position < min(backlog.question.after, self.last or 0):
                continue  # came after the store was asked
            if self._is_lost(position, backlog):
                self._lose(socket, is_end_known=not _has_lost(backlog))
            elif missed := _after(backlog.frames, position):
                self.positions[socket] = missed[-1].seq
                socket.put_backlog(missed)
            is_up_to_date = self.last is None or self.positions[socket] >= self.last
            if is_up_to_date and backlog.question.doubts == self._doubts:
                self._arrive(socket)

    def _ready(self) -> list[sockets.Socket]:
        ready = (socket for socket in self.behind if not socket.has_backlog)
        return list(itertools.islice(ready, MEMBERS_AT_ONCE))

    def _learn(self, last: int | None) -> None:
        """The store has frames up to `last`: whoever lacks some is behind."""
        if last is not None and (self.last is None or last > self.last):
            self.last = last
            self.behind.update(socket for socket, position in self.positions.items() if position < last)

    def _is_lost(self, position: int, backlog: Backlog) -> bool:
        """Whether what follows `position` is not to be had. What came live while the store was asked, its next answer
        holds."""
        if self.last is None or backlog.last is None or _has_lost(backlog):
            return True
        if position >= self.last or position >= backlog.last:
            return False
        return not backlog.frames or position + 1 < backlog.frames[0].seq

    def _lose(self, socket: sockets.Socket, *, is_end_known: bool = True) -> None:
        socket.put(self._lost_frame())
        metrics.snapshots.labels(type(self).__name__).inc()
        if self.last is not None:
            self.positions[socket] = self.last
        if not is_end_known:
            self._loose.add(socket)

    def _arrive(self, socket: sockets.Socket) -> None:
        self.behind.discard(socket)
        if socket in self._unconfirmed:
            self._unconfirmed.discard(socket)
            socket.put(self._confirmation(self.positions[socket]))

    def _lost_frame(self) -> frames.Frame:
        raise NotImplementedError

    def _confirmation(self, position: int) -> frames.Frame:
        raise NotImplementedError


class AuctionRoom(Room):
    """The watchers of one auction. A watcher may be ahead: the log, which he read, is ahead of its feed."""

    def _lost_frame(self) -> frames.Frame:
        return frames.auction_lost(self.key, self.last)

    def _confirmation(self, position: int) -> frames.Frame:
        return frames.watching(self.key, max(position, 0))


class UserRoom(Room):
    """The connections of one user, whether they follow the feed or not. The store is PostgreSQL, so the last seq it names
    is the truth."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.epoch = ""
        self.members: set[sockets.Socket] = set()
        self._arriving: dict[sockets.Socket, cursors.Cursor | None] = {}

    def __len__(self) -> int:
        return len(self.members)

    def resume(self, socket: sockets.Socket, cursor: cursors.Cursor | None) -> None:
        """Become a member who has everything up to `cursor`; with none, who wants what comes from now on."""
        super().leave(socket)
        self._arriving[socket] = cursor

    def leave(self, socket: sockets.Socket) -> None:
        super().leave(socket)
        self.members.discard(socket)
        self._arriving.pop(socket, None)

    def question(self) -> Question | None:
        known = super().question()
        if not self._arriving:
            return known
        wanted = [cursor.seq for cursor in self._arriving.values() if cursor is not None]
        return self._question(wanted if known is None else [*wanted, known.after])

    def take(self, head: selectors.Head, backlog: Backlog) -> None:
        """What PostgreSQL says of this user."""
        if self.epoch != head.epoch or (self.last or 0) > head.last_seq:
            self._begin_epoch(head)
            asked = msgspec.structs.replace(backlog.question, known=NOTHING)
            backlog = msgspec.structs.replace(backlog, question=asked)
        self._admit(head)
        self.catch_up(backlog)

    def _begin_epoch(self, head: selectors.Head) -> None:
        """The numbering is not the one known here (a store was restored): whoever is here must load anew."""
        self.epoch, self.last = head.epoch, head.last_seq
        for socket in list(self.positions):
            self._lose(socket)

    def _admit(self, head: selectors.Head) -> None:
        self.last = max(self.last or 0, head.last_seq)
        arriving, self._arriving = self._arriving, {}
        for socket, cursor in arriving.items():
            self._unconfirmed.add(socket)
            if cursor is None:
                self.positions[socket] = head.last_seq
            elif head.knows(cursor) and head.last_seq - cursor.seq <= MAX_RESUMED:
                self.positions[socket] = cursor.seq
            else:
                self._lose(socket)
            self.behind.add(socket)

    def _lost_frame(self) -> frames.Frame:
        return frames.feed_lost(cursors.Cursor(self.epoch, self.last or 0))

    def _confirmation(self, position: int) -> frames.Frame:
        return frames.resumed(cursors.Cursor(self.epoch, position))


def questions(waiting: Iterable[Room]) -> dict[str, Question]:
    """What to ask the store for all these rooms, by key."""
    return {room.key: question for room in waiting if (question := room.question()) is not None}


def _has_lost(backlog: Backlog) -> bool:
    """A store that holds less than was known has lost something, so it cannot say that nothing is missing."""
    return backlog.last is None or backlog.last < backlog.question.known


def _after(found: Sequence[frames.Frame], position: int) -> Sequence[frames.Frame]:
    if not found or found[-1].seq <= position:
        return ()
    return found[max(0, position + 1 - found[0].seq) :]
