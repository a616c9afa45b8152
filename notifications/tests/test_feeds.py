"""Feeds: each subscriber gets each frame once and in order, or learns that a snapshot is required. No I/O here."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import cursors, frames, selectors
from notifications.push import feeds, sockets, turns

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


def push(feed: feeds.AuctionFeed, seq: int) -> None:
    """A live frame, to all subscribers at once."""
    for _ in feed.push(frame(seq)):
        pass


def answer(feed: feeds.Feed, stored: list[int]) -> feeds.Answer:
    """What a store that holds the frames `stored` answers to the feed's question."""
    question = feed.question()
    assert question is not None
    missed = [frame(seq) for seq in stored if seq > question.after]
    return feeds.Answer(question, stored[-1] if stored else None, missed)


def heard_feed(last: int | None = None) -> feeds.AuctionFeed:
    feed = feeds.AuctionFeed(AUCTION)
    feed.is_heard = True
    feed.last = last
    return feed


def test_a_crowd_gets_a_frame_slice_by_slice_and_watchers_may_join_or_leave_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "WRITTEN_AT_ONCE", 2)
    feed, crowd, late = heard_feed(last=7), [socket() for _ in range(5)], socket()
    for one in crowd:
        feed.join(one, 7)

    pushing = feed.push(frame(8))
    next(pushing)
    reached = [len(one._queue) for one in crowd]
    feed.leave(crowd[3])
    feed.join(late, 7)
    for _ in pushing:
        pass
    feed.catch_up(answer(feed, [7, 8]))
    push(feed, 9)

    assert reached == [2, 2, 1, 1, 1]
    assert [seqs(one) for one in crowd] == [["watching", 8, 9]] * 3 + [["watching"], ["watching", 8, 9]]
    assert seqs(late) == [8, "watching", 9]


def test_a_crowd_that_is_behind_catches_up_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "SUBSCRIBERS_AT_ONCE", 2)
    feed, crowd = heard_feed(), [socket() for _ in range(5)]
    for position, one in enumerate(crowd):
        feed.join(one, position)
    behind = []

    while feed.question() is not None:
        feed.catch_up(answer(feed, [1, 2, 3, 4, 5]))
        behind.append(len(feed.due))

    assert behind == [3, 1, 0]
    assert [seqs(one) for one in crowd] == [
        [*range(position + 1, 6), "watching"] for position in range(len(crowd))
    ]


def test_a_watcher_at_the_last_seq_needs_no_store_and_gets_what_follows() -> None:
    feed, one = heard_feed(last=7), socket()

    feed.join(one, 7)
    push(feed, 8)

    assert feed.question() is None
    assert seqs(one) == ["watching", 8]


def test_a_watcher_ahead_of_the_feed_gets_nothing_twice() -> None:
    feed, one = heard_feed(last=7), socket()

    feed.join(one, 9)
    for seq in (8, 9, 10):
        push(feed, seq)

    assert seqs(one) == ["watching", 10]


def test_a_repeated_frame_is_not_forwarded() -> None:
    feed, one = heard_feed(last=7), socket()
    feed.join(one, 7)

    for seq in (8, 8, 7, 9, 8):
        push(feed, seq)

    assert seqs(one) == ["watching", 8, 9]


def test_what_was_missed_comes_from_the_store_before_anything_live() -> None:
    feed, one = heard_feed(last=9), socket()

    feed.join(one, 6)
    push(feed, 10)
    feed.catch_up(answer(feed, [5, 6, 7, 8, 9, 10]))
    push(feed, 11)

    assert seqs(one) == [7, 8, 9, 10, "watching", 11]


def test_a_jump_is_filled_from_the_store() -> None:
    feed, one = heard_feed(last=7), socket()
    feed.join(one, 7)

    push(feed, 10)
    push(feed, 11)
    before = seqs(one)
    feed.catch_up(answer(feed, [8, 9, 10, 11]))

    assert before == ["watching"]
    assert seqs(one) == [8, 9, 10, 11]


def test_a_jump_over_frames_that_are_gone_requires_a_snapshot_and_goes_on_after_it() -> None:
    feed, one, other = heard_feed(last=7), socket(), socket()
    feed.join(one, 7)
    feed.join(other, 9)

    push(feed, 10)
    feed.catch_up(answer(feed, [10]))
    push(feed, 11)

    assert seqs(one) == ["watching", "snapshot_required", 11]
    assert seqs(other) == ["watching", 10, 11]


def test_the_snapshot_required_names_the_seq_it_must_reach() -> None:
    feed, one = heard_feed(), socket()

    feed.join(one, 3)
    feed.catch_up(answer(feed, [10, 11]))

    assert received(one)[0] == {
        "type": "snapshot_required",
        "scope": "auction",
        "auction_id": AUCTION,
        "seq": 11,
    }


def test_a_watcher_without_a_seq_must_load_a_snapshot() -> None:
    feed, one = heard_feed(last=7), socket()

    feed.join(one, None)
    feed.catch_up(answer(feed, [6, 7]))
    push(feed, 8)

    assert seqs(one) == ["snapshot_required", "watching", 8]


def test_with_an_empty_store_a_snapshot_is_required_and_any_frame_follows_it() -> None:
    feed, one = heard_feed(), socket()

    feed.join(one, 5)
    feed.catch_up(answer(feed, []))
    push(feed, 9)
    push(feed, 10)

    assert seqs(one) == ["snapshot_required", "watching", 9, 10]


def test_a_watcher_that_loaded_its_snapshot_watches_again_without_another() -> None:
    feed, one = heard_feed(), socket()
    feed.join(one, 5)
    feed.catch_up(answer(feed, []))

    feed.join(one, 8)
    push(feed, 8)
    push(feed, 9)

    assert feed.question() is None
    assert seqs(one) == ["snapshot_required", "watching", "watching", 9]


def test_no_watcher_is_confirmed_before_the_channel_is_heard() -> None:
    feed, one = feeds.AuctionFeed(AUCTION), socket()
    feed.last = 7

    feed.join(one, 7)

    assert seqs(one) == []
    assert set(feed.due) == {one}


def test_a_doubt_that_comes_while_the_store_is_read_is_read_about_again() -> None:
    feed, one = heard_feed(last=7), socket()
    feed.join(one, 7)
    feed.doubt()
    early = answer(feed, [7])

    feed.doubt()
    feed.catch_up(early)

    assert set(feed.due) == {one}
    feed.catch_up(answer(feed, [7, 8]))
    assert seqs(one) == ["watching", 8]


def test_a_frame_that_comes_live_while_the_store_is_read_is_no_gap() -> None:
    feed, one = heard_feed(last=7), socket()
    feed.join(one, 7)
    feed.doubt()
    early = answer(feed, [7])

    push(feed, 8)
    live = seqs(one)
    feed.catch_up(early)

    assert live == ["watching", 8]
    assert (feed.question(), seqs(one)) == (None, [])


def test_a_store_that_has_lost_the_end_requires_a_snapshot_and_never_hangs() -> None:
    feed, one, other = heard_feed(last=57), socket(), socket()
    feed.join(one, 57)
    feed.join(other, 55)

    feed.catch_up(answer(feed, [54, 55]))

    assert feed.due == {}
    assert seqs(other) == ["snapshot_required", "watching"]
    assert seqs(one) == ["watching"]


def test_a_watcher_that_comes_while_the_store_is_read_waits_for_the_next_answer() -> None:
    feed, early, late = heard_feed(last=9), socket(), socket()
    feed.join(early, 8)
    first = answer(feed, [5, 6, 7, 8, 9])
    feed.join(late, 5)

    feed.catch_up(first)
    assert set(feed.due) == {late}
    feed.catch_up(answer(feed, [5, 6, 7, 8, 9]))

    assert seqs(early) == [9, "watching"]
    assert seqs(late) == [6, 7, 8, 9, "watching"]


def test_a_second_backlog_waits_until_the_first_is_sent() -> None:
    feed, one = heard_feed(last=9), socket()
    one.put_backlog([frame(1)])

    feed.join(one, 5)

    assert feed.question() is None
    received(one)
    assert feed.question() == feeds.Question(after=5, known=9, doubts=0)


@given(
    st.lists(
        st.one_of(
            st.just("publish"),
            st.just("publish unheard"),
            st.just("publish again"),
            st.just("wipe"),
            st.just("read"),
            st.just("ask"),
            st.just("answered"),
            st.just("break"),
            st.tuples(st.just("watch"), st.integers(-1, 30)),
        ),
        max_size=60,
    )
)
def test_no_story_leaves_a_silent_gap(story: list[Any]) -> None:
    """A log of which a store keeps the last five, publications that get lost, wipes, breaks, late answers."""
    feed = heard_feed()
    log, stored = 0, list[int]()
    watchers: list[sockets.Socket] = []
    at: dict[sockets.Socket, int | None] = {}  # up to where each has it; None: it must load a snapshot
    waiting: feeds.Answer | None = None

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
            feed.join(one, position if position >= 0 else None)
        elif step in ("publish", "publish unheard"):
            log += 1
            stored = [*stored, log][-5:]
            if step == "publish" and feed.is_heard:
                push(feed, log)
            else:
                feed.doubt()  # the look, or the new subscription, finds it later
        elif step == "publish again" and stored and feed.is_heard:
            push(feed, stored[0])
        elif step == "wipe":
            stored = []
        elif step == "ask" and feed.question() is not None:
            waiting = answer(feed, stored)
        elif step == "answered" and waiting is not None:
            feed.catch_up(waiting)
            waiting = None
        elif step == "read" and feed.question() is not None:
            feed.catch_up(answer(feed, stored))
        elif step == "break":
            feed.is_heard = not feed.is_heard
            feed.doubt()
        deliver()

    feed.is_heard = True
    feed.doubt()
    for _ in range(20):
        if feed.question() is None:
            break
        feed.catch_up(answer(feed, stored))
        deliver()
    assert feed.due == {}
    assert all(known is None or known == log for known in at.values())


# --- a user's feed -----------------------------------------------------------------------------------------------


def note(seq: int) -> frames.Frame:
    return frames.Frame(msgspec.json.encode({"type": "auction", "seq": seq}).decode(), seq=seq)


def news(feed: feeds.UserFeed, head: selectors.Head, *, page: int = 200) -> None:
    """PostgreSQL answers: it has everything up to the head."""
    question = feed.question()
    assert question is not None
    page_of_notes = [note(seq) for seq in range(min(question.after, head.last_seq) + 1, head.last_seq + 1)][
        :page
    ]
    feed.take(head, feeds.Answer(question, head.last_seq, page_of_notes))


def test_a_user_without_a_cursor_gets_what_comes_from_now_on() -> None:
    feed, one = feeds.UserFeed("u"), socket()

    feed.resume(one, None)
    news(feed, selectors.Head("e1", 4))
    feed.doubt()
    news(feed, selectors.Head("e1", 5))

    assert [body.get("cursor", body.get("seq")) for body in received(one)] == ["e1:4", 5]


def test_a_user_resumes_after_the_cursor() -> None:
    feed, one, other = feeds.UserFeed("u"), socket(), socket()

    feed.resume(one, cursors.Cursor("e1", 2))
    feed.resume(other, cursors.Cursor("e1", 4))
    news(feed, selectors.Head("e1", 4))

    assert seqs(one) == [3, 4, "resumed"]
    assert seqs(other) == ["resumed"]


def test_a_read_for_one_connection_brings_the_others_what_no_wakeup_named() -> None:
    feed, one, other = feeds.UserFeed("u"), socket(), socket()
    feed.resume(one, None)
    news(feed, selectors.Head("e1", 4))
    received(one)

    feed.resume(other, None)
    news(feed, selectors.Head("e1", 5))
    while feed.question() is not None:
        news(feed, selectors.Head("e1", 5))

    assert seqs(one) == [5]
    assert seqs(other) == ["resumed"]


def test_a_long_absence_comes_page_by_page() -> None:
    feed, one = feeds.UserFeed("u"), socket()
    feed.resume(one, cursors.Cursor("e1", 0))
    taken: list[Any] = []

    while feed.question() is not None:
        news(feed, selectors.Head("e1", 7), page=3)
        taken += seqs(one)

    assert taken == [1, 2, 3, 4, 5, 6, 7, "resumed"]


def test_a_cursor_that_leads_nowhere_requires_a_snapshot() -> None:
    for cursor in (cursors.Cursor("e0", 2), cursors.Cursor("e1", 5), cursors.Cursor("e1", 0)):
        feed, one = feeds.UserFeed("u"), socket()
        head = selectors.Head("e1", 4 if cursor.seq else feeds.MAX_RESUMED + 1)

        feed.resume(one, cursor)
        news(feed, head)

        assert [body["type"] for body in received(one)] == ["snapshot_required", "resumed"]
        assert feed.next_seqs[one] == head.last_seq + 1


def test_after_a_restore_every_client_must_load_a_snapshot() -> None:
    feed, one = feeds.UserFeed("u"), socket()
    feed.resume(one, None)
    news(feed, selectors.Head("e1", 4))
    received(one)

    feed.doubt()
    news(feed, selectors.Head("e2", 1))
    feed.doubt()
    news(feed, selectors.Head("e2", 2))

    assert seqs(one) == ["snapshot_required", 2]
