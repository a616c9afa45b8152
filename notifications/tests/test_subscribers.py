"""Rooms: everybody gets each frame once and in order, or is told that a snapshot is required. No I/O here."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import cursors, frames, selectors
from notifications.push import sockets, subscribers, turns

AUCTION = "a" * 32


def socket() -> sockets.Socket:
    return sockets.Socket(transport="websocket", drained=lambda _: None, turns=turns.Turns())


def received(one: sockets.Socket) -> list[dict[str, Any]]:
    """Take everything that waits, as if it had been sent."""
    taken: list[dict[str, Any]] = []
    while one._queue:
        entry = one._queue.popleft()
        taken += [msgspec.json.decode(frame.text) for frame in entry]
        one.sent(entry)
    return taken


def seqs(one: sockets.Socket) -> list[Any]:
    """The seqs of the frames received; other messages by their type."""
    return [body["seq"] if body["type"] == "auction" else body["type"] for body in received(one)]


def frame(seq: int) -> frames.Frame:
    return frames.auction(AUCTION, seq, msgspec.json.encode({"type": "auction", "seq": seq}).decode())


def answer(room: subscribers.Room, stored: list[int]) -> subscribers.Backlog:
    """What a store that holds the frames `stored` answers to the room's question."""
    question = room.question()
    assert question is not None
    found = [frame(seq) for seq in stored if seq > question.after]
    return subscribers.Backlog(question, stored[-1] if stored else None, found)


def heard_room(last: int | None = None) -> subscribers.AuctionRoom:
    room = subscribers.AuctionRoom(AUCTION)
    room.heard = True
    room.last = last
    return room


def test_a_crowd_gets_a_frame_slice_by_slice_and_who_joins_or_leaves_meanwhile_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribers, "MEMBERS_AT_ONCE", 2)
    room, crowd, late = heard_room(last=7), [socket() for _ in range(5)], socket()
    for one in crowd:
        room.join(one, 7)

    pushing = room.push_in_turns(frame(8))
    next(pushing)
    reached = [len(one._queue) for one in crowd]
    room.leave(crowd[3])
    room.join(late, 7)
    for _ in pushing:
        pass
    room.catch_up(answer(room, [7, 8]))
    room.push(frame(9))

    assert reached == [2, 2, 1, 1, 1]
    assert [seqs(one) for one in crowd] == [["watching", 8, 9]] * 3 + [["watching"], ["watching", 8, 9]]
    assert seqs(late) == [8, "watching", 9]


def test_a_crowd_that_is_behind_catches_up_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribers, "MEMBERS_AT_ONCE", 2)
    room, crowd = heard_room(), [socket() for _ in range(5)]
    for position, one in enumerate(crowd):
        room.join(one, position)
    behind = []

    while room.question() is not None:
        room.catch_up(answer(room, [1, 2, 3, 4, 5]))
        behind.append(len(room.behind))

    assert behind == [3, 1, 0]
    assert [seqs(one) for one in crowd] == [
        [*range(position + 1, 6), "watching"] for position in range(len(crowd))
    ]


def test_a_watcher_at_the_last_seq_needs_no_store_and_gets_what_follows() -> None:
    room, one = heard_room(last=7), socket()

    room.join(one, 7)
    room.push(frame(8))

    assert room.question() is None
    assert seqs(one) == ["watching", 8]


def test_a_watcher_ahead_of_the_feed_gets_nothing_twice() -> None:
    room, one = heard_room(last=7), socket()

    room.join(one, 9)
    for seq in (8, 9, 10):
        room.push(frame(seq))

    assert seqs(one) == ["watching", 10]


def test_a_repeated_frame_is_not_forwarded() -> None:
    room, one = heard_room(last=7), socket()
    room.join(one, 7)

    for seq in (8, 8, 7, 9, 8):
        room.push(frame(seq))

    assert seqs(one) == ["watching", 8, 9]


def test_what_was_missed_comes_from_the_store_before_anything_live() -> None:
    room, one = heard_room(last=9), socket()

    room.join(one, 6)
    room.push(frame(10))
    room.catch_up(answer(room, [5, 6, 7, 8, 9, 10]))
    room.push(frame(11))

    assert seqs(one) == [7, 8, 9, 10, "watching", 11]


def test_a_jump_is_filled_from_the_store() -> None:
    room, one = heard_room(last=7), socket()
    room.join(one, 7)

    room.push(frame(10))
    room.push(frame(11))
    before = seqs(one)
    room.catch_up(answer(room, [8, 9, 10, 11]))

    assert before == ["watching"]
    assert seqs(one) == [8, 9, 10, 11]


def test_a_jump_over_frames_that_are_gone_requires_a_snapshot_and_goes_on_after_it() -> None:
    room, one, other = heard_room(last=7), socket(), socket()
    room.join(one, 7)
    room.join(other, 9)

    room.push(frame(10))
    room.catch_up(answer(room, [10]))
    room.push(frame(11))

    assert seqs(one) == ["watching", "snapshot_required", 11]
    assert seqs(other) == ["watching", 10, 11]


def test_the_snapshot_required_names_the_seq_it_must_reach() -> None:
    room, one = heard_room(), socket()

    room.join(one, 3)
    room.catch_up(answer(room, [10, 11]))

    assert received(one)[0] == {
        "type": "snapshot_required",
        "scope": "auction",
        "auction_id": AUCTION,
        "seq": 11,
    }


def test_a_watcher_without_a_seq_is_told_to_load_a_snapshot() -> None:
    room, one = heard_room(last=7), socket()

    room.join(one, subscribers.NOTHING)
    room.catch_up(answer(room, [6, 7]))
    room.push(frame(8))

    assert seqs(one) == ["snapshot_required", "watching", 8]


def test_with_an_empty_store_a_snapshot_is_required_and_whatever_comes_next_follows_it() -> None:
    room, one = heard_room(), socket()

    room.join(one, 5)
    room.catch_up(answer(room, []))
    room.push(frame(9))
    room.push(frame(10))

    assert seqs(one) == ["snapshot_required", "watching", 9, 10]


def test_who_loaded_a_snapshot_as_told_may_watch_again_without_being_told_again() -> None:
    room, one = heard_room(), socket()
    room.join(one, 5)
    room.catch_up(answer(room, []))

    room.join(one, 8)
    room.push(frame(8))
    room.push(frame(9))

    assert room.question() is None
    assert seqs(one) == ["snapshot_required", "watching", "watching", 9]


def test_nobody_is_confirmed_before_the_subscription_stands() -> None:
    room, one = subscribers.AuctionRoom(AUCTION), socket()
    room.last = 7

    room.join(one, 7)

    assert seqs(one) == []
    assert room.behind == {one}


def test_a_hint_that_comes_while_the_store_is_asked_is_asked_about_again() -> None:
    room, one = heard_room(last=7), socket()
    room.join(one, 7)
    room.suspect()
    early = answer(room, [7])

    room.suspect()
    room.catch_up(early)

    assert room.behind == {one}
    room.catch_up(answer(room, [7, 8]))
    assert seqs(one) == ["watching", 8]


def test_a_frame_that_comes_live_while_the_store_is_asked_is_no_gap() -> None:
    room, one = heard_room(last=7), socket()
    room.join(one, 7)
    room.suspect()
    early = answer(room, [7])

    room.push(frame(8))
    room.catch_up(early)
    room.catch_up(answer(room, [7, 8]))

    assert seqs(one) == ["watching", 8]


def test_a_store_that_has_lost_the_end_requires_a_snapshot_and_never_hangs() -> None:
    room, one, other = heard_room(last=57), socket(), socket()
    room.join(one, 57)
    room.join(other, 55)

    room.catch_up(answer(room, [54, 55]))

    assert room.behind == set()
    assert seqs(other) == ["snapshot_required", "watching"]
    assert seqs(one) == ["watching"]


def test_somebody_who_comes_while_the_store_is_asked_waits_for_the_next_answer() -> None:
    room, early, late = heard_room(last=9), socket(), socket()
    room.join(early, 8)
    first = answer(room, [5, 6, 7, 8, 9])
    room.join(late, 5)

    room.catch_up(first)
    assert room.behind == {late}
    room.catch_up(answer(room, [5, 6, 7, 8, 9]))

    assert seqs(early) == [9, "watching"]
    assert seqs(late) == [6, 7, 8, 9, "watching"]


def test_a_second_backlog_waits_until_the_first_is_sent() -> None:
    room, one = heard_room(last=9), socket()
    one.put_backlog([frame(1)])

    room.join(one, 5)

    assert room.question() is None
    received(one)
    assert room.question() == subscribers.Question(after=5, known=9, doubts=0)


@given(
    st.lists(
        st.one_of(
            st.just("publish"),
            st.just("publish unheard"),
            st.just("publish again"),
            st.just("wipe"),
            st.just("read"),
            st.just("ask"),
            st.just("told"),
            st.just("break"),
            st.tuples(st.just("watch"), st.integers(-1, 30)),
        ),
        max_size=60,
    )
)
def test_there_is_never_a_silent_gap_whatever_happens(story: list[Any]) -> None:
    """A log of which a store keeps the last five, publications that get lost, wipes, breaks, late answers."""
    room = heard_room()
    log, stored = 0, list[int]()
    watchers: list[sockets.Socket] = []
    at: dict[sockets.Socket, int | None] = {}  # up to where each has it; None: he was told to load a snapshot
    asked: subscribers.Backlog | None = None

    def deliver() -> None:
        for one in watchers:
            for body in received(one):
                if body["type"] == "snapshot_required":
                    at[one] = None
                elif body["type"] == "auction":
                    known = at[one]
                    assert known is None or body["seq"] == known + 1, "a gap, or a repetition"
                    at[one] = body["seq"]

    for step in story:
        if isinstance(step, tuple):
            one = socket()
            position = min(step[1], log)
            watchers.append(one)
            at[one] = position if position >= 0 else None
            room.join(one, position)
        elif step in ("publish", "publish unheard"):
            log += 1
            stored = [*stored, log][-5:]
            if step == "publish" and room.heard:
                room.push(frame(log))
            else:
                room.suspect()  # the look, or the new subscription, finds it later
        elif step == "publish again" and stored and room.heard:
            room.push(frame(stored[0]))
        elif step == "wipe":
            stored = []
        elif step == "ask" and room.question() is not None:
            asked = answer(room, stored)
        elif step == "told" and asked is not None:
            room.catch_up(asked)
            asked = None
        elif step == "read" and room.question() is not None:
            room.catch_up(answer(room, stored))
        elif step == "break":
            room.heard = not room.heard
            room.suspect()
        deliver()

    room.heard = True
    room.suspect()
    for _ in range(20):
        if room.question() is None:
            break
        room.catch_up(answer(room, stored))
        deliver()
    assert room.behind == set()
    assert all(known is None or known == log for known in at.values())


# --- a user's room -----------------------------------------------------------------------------------------------


def note(seq: int) -> frames.Frame:
    return frames.Frame(msgspec.json.encode({"type": "auction", "seq": seq}).decode(), seq=seq)


def news(room: subscribers.UserRoom, head: selectors.Head, *, page: int = 200) -> None:
    """PostgreSQL answers: it has everything up to the head."""
    question = room.question()
    assert question is not None
    found = [note(seq) for seq in range(min(question.after, head.last_seq) + 1, head.last_seq + 1)][:page]
    room.take(head, subscribers.Backlog(question, head.last_seq, found))


def test_a_user_without_a_cursor_gets_what_comes_from_now_on() -> None:
    room, one = subscribers.UserRoom("u"), socket()

    room.resume(one, None)
    news(room, selectors.Head("e1", 4))
    room.suspect()
    news(room, selectors.Head("e1", 5))

    assert [body.get("cursor", body.get("seq")) for body in received(one)] == ["e1:4", 5]


def test_a_user_resumes_after_his_cursor() -> None:
    room, one, other = subscribers.UserRoom("u"), socket(), socket()

    room.resume(one, cursors.Cursor("e1", 2))
    room.resume(other, cursors.Cursor("e1", 4))
    news(room, selectors.Head("e1", 4))

    assert seqs(one) == [3, 4, "resumed"]
    assert seqs(other) == ["resumed"]


def test_a_long_absence_comes_page_by_page() -> None:
    room, one = subscribers.UserRoom("u"), socket()
    room.resume(one, cursors.Cursor("e1", 0))
    taken: list[Any] = []

    while room.question() is not None:
        news(room, selectors.Head("e1", 7), page=3)
        taken += seqs(one)

    assert taken == [1, 2, 3, 4, 5, 6, 7, "resumed"]


def test_a_cursor_that_leads_nowhere_requires_a_snapshot() -> None:
    for cursor in (cursors.Cursor("e0", 2), cursors.Cursor("e1", 5), cursors.Cursor("e1", 0)):
        room, one = subscribers.UserRoom("u"), socket()
        head = selectors.Head("e1", 4 if cursor.seq else subscribers.MAX_RESUMED + 1)

        room.resume(one, cursor)
        news(room, head)

        assert [body["type"] for body in received(one)] == ["snapshot_required", "resumed"]
        assert room.positions[one] == head.last_seq


def test_a_restored_store_requires_a_snapshot_of_everybody() -> None:
    room, one = subscribers.UserRoom("u"), socket()
    room.resume(one, None)
    news(room, selectors.Head("e1", 4))
    received(one)

    room.suspect()
    news(room, selectors.Head("e2", 1))
    room.suspect()
    news(room, selectors.Head("e2", 2))

    assert seqs(one) == ["snapshot_required", 2]
