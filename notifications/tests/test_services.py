"""Feeds: one gapless sequence for each user, one notification for each source, announced only after the commit."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connections, transaction

from auction_project.kernel.contracts import events
from notifications import cursors, kinds, models, selectors, services, wakeup
from notifications.mail import dispatcher
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])

OPERATOR, FORMER, BIDDER = "a" * 32, "b" * 32, "c" * 32


def seqs(user_id: str) -> list[int]:
    return [row.seq for row in selectors.list_after(user_id=user_id, seq=0, limit=1000)]


def account(user_id: str, version: int, **changes: Any) -> events.AccountChanged:
    fields: dict[str, Any] = {
        "email": "ada@example.org",
        "email_verified": True,
        "created_at": 0,
        "roles": ("bidder",),
        "closed": False,
    }
    return events.AccountChanged(user_id=user_id, version=version, **fields | changes)


class Recorder:
    """A wake-up and a dispatcher that record their calls."""

    def __init__(self) -> None:
        self.users: list[str] = []
        self.emails: list[int] = []

    def notify(self, user_ids: list[str]) -> None:
        self.users += user_ids

    def send(self, correlation_ids: dict[int, str]) -> None:
        assert all(correlation_ids.values())
        self.emails += correlation_ids


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recording = Recorder()
    monkeypatch.setattr(wakeup, "notify", recording.notify)
    monkeypatch.setattr(dispatcher, "send", recording.send)
    return recording


def test_each_user_has_a_sequence_from_one(user_id: str) -> None:
    conftest.notify(user_id, n=3)
    conftest.notify(BIDDER, n=2)

    assert seqs(user_id) == [1, 2, 3]
    assert seqs(BIDDER) == [1, 2]
    assert selectors.get_head(user_id).last_seq == 3


def test_one_source_and_kind_is_one_notification(user_id: str) -> None:
    conftest.notify(user_id, source="event-1", n=3)
    conftest.notify(user_id, source="event-1", kind="WON")
    conftest.notify(BIDDER, source="event-1")

    notifications = [(row.seq, row.kind) for row in selectors.list_after(user_id=user_id, seq=0, limit=9)]
    assert notifications == [(1, "LOST"), (2, "WON")]
    assert seqs(BIDDER) == [1]


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_a_rollback_leaves_no_gap_and_wakes_no_hub(user_id: str, recorder: Recorder) -> None:
    conftest.notify(user_id)

    @transaction.atomic(using=models.DATABASE)
    def notify_and_fail() -> None:
        conftest.notify(user_id)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        notify_and_fail()
    conftest.notify(user_id)

    assert seqs(user_id) == [1, 2]
    assert recorder.users == [user_id, user_id]
    assert len(recorder.emails) == 2


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_no_hub_is_woken_before_the_commit(user_id: str, recorder: Recorder) -> None:
    with transaction.atomic(using=models.DATABASE):
        conftest.notify(user_id)
        before = list(recorder.users)

    assert before == []
    assert recorder.users == [user_id]


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_concurrent_writers_of_one_feed_leave_no_gap_and_no_double(user_id: str, recorder: Recorder) -> None:
    """Eight writers add the same forty notifications to the feed of one user, who has none at first."""
    ready = threading.Barrier(8)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            ready.wait()
            for i in range(40):
                conftest.notify(user_id, source=f"event-{i}")
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert failures == []
    assert seqs(user_id) == list(range(1, 41))
    assert models.Notification.objects.values("source").distinct().count() == 40
    assert len(recorder.users) == 40


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_a_reader_who_sees_a_notification_sees_all_before_it(user_id: str, no_wakeup: None) -> None:
    done = threading.Event()
    seen: list[list[int]] = []

    def write() -> None:
        for _ in range(60):
            conftest.notify(user_id)
        connections.close_all()

    def read() -> None:
        while not done.is_set():
            seen.append(
                [row.seq for row in selectors.list_news({user_id: 0}).get(user_id, NOTHING).notifications]
            )
        connections.close_all()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write) for _ in range(3)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()

    assert len(seen) > 3
    assert all(seqs_seen == list(range(1, len(seqs_seen) + 1)) for seqs_seen in seen)


NOTHING = selectors.News(selectors.Head("0", 0), [])


def test_only_present_operators_are_notified(recorder: Recorder) -> None:
    services.follow_account(account=account(OPERATOR, 1, roles=("bidder", "operator")))
    services.follow_account(account=account(FORMER, 1, roles=("operator",)))
    services.follow_account(account=account(FORMER, 2, roles=()))
    services.follow_account(account=account(BIDDER, 1))

    services.notify([conftest.request(None, kind=kinds.of("LOW_STOCK"))], now=conftest.NOW)

    assert [row.user_id for row in models.Notification.objects.all()] == [OPERATOR]


def test_without_operators_nothing_is_written() -> None:
    services.notify([conftest.request(None, kind=kinds.of("LOW_STOCK"))], now=conftest.NOW)

    assert models.Notification.objects.count() == 0


def test_an_older_version_of_an_account_changes_nothing() -> None:
    services.follow_account(account=account(BIDDER, 5, email="new@example.org"))

    services.follow_account(account=account(BIDDER, 4, email="old@example.org", roles=("operator",)))
    services.follow_account(account=account(BIDDER, 5, email="old@example.org"))

    row = models.Account.objects.get(pk=BIDDER)
    assert (row.version, row.email, row.is_operator) == (5, "new@example.org", False)


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "ada@example.org"),
        ({"email_verified": False}, None),
        ({"closed": True}, None),
        ({"email": ""}, None),
    ],
)
def test_email_goes_to_verified_addresses_of_open_accounts_only(
    changes: dict[str, Any], address: str | None
) -> None:
    services.follow_account(account=account(BIDDER, 1, **changes))

    assert models.Account.objects.get(pk=BIDDER).address == address


def test_every_kind_but_four_are_mailed_once(user_id: str) -> None:
    for kind in kinds.TABLE:
        conftest.notify(user_id, source="event-1", kind=kind)
        conftest.notify(user_id, source="event-1", kind=kind)

    mailed = models.Email.objects.values_list("notification__kind", flat=True)
    assert sorted(mailed) == sorted(
        set(kinds.TABLE) - {"HOUSE_RETURN_DECIDED", "LEADING", "LOT_PAID", "PAYMENT_DECLINED"}
    )


def test_an_older_cursor_unreads_nothing(user_id: str) -> None:
    conftest.notify(user_id, n=3)
    epoch = selectors.get_head(user_id).epoch

    for seq in (2, 1, 2):
        services.mark_read(user_id=user_id, cursor=cursors.Cursor(epoch, seq), now=conftest.NOW)

    assert selectors.get_head(user_id).read_seq == 2


@pytest.mark.parametrize("wrong", [("0", 1), (None, 4)])
def test_an_unknown_cursor_marks_nothing(user_id: str, wrong: tuple[str | None, int]) -> None:
    conftest.notify(user_id, n=3)
    epoch = wrong[0] or selectors.get_head(user_id).epoch

    with pytest.raises(services.CursorUnknown):
        services.mark_read(user_id=user_id, cursor=cursors.Cursor(epoch, wrong[1]), now=conftest.NOW)

    assert selectors.get_head(user_id).read_seq == 0


def test_news_of_many_users_take_two_queries_and_come_page_by_page(
    user_id: str, django_assert_num_queries: Callable
) -> None:
    conftest.notify(user_id, n=3)
    conftest.notify(BIDDER, n=selectors.PAGE + 1)

    with django_assert_num_queries(2, using=models.DATABASE):
        news = selectors.list_news({user_id: 1, BIDDER: 0, "d" * 32: 0})

    assert sorted(news) == sorted([user_id, BIDDER])
    assert [row.seq for row in news[user_id].notifications] == [2, 3]
    assert [row.seq for row in news[BIDDER].notifications] == list(range(1, selectors.PAGE + 1))
    assert news[BIDDER].head.last_seq == selectors.PAGE + 1


def test_a_kind_that_is_no_row_of_the_table_is_refused(user_id: str) -> None:
    conftest.notify(user_id)
    gossip = msgspec.structs.replace(kinds.of("LOST"), name="GOSSIP")

    with pytest.raises(ValueError, match="GOSSIP is no row"), transaction.atomic(using=models.DATABASE):
        services.notify([conftest.request(user_id, kind=gossip)], now=conftest.NOW)

    assert seqs(user_id) == [1]


@pytest.mark.parametrize("changes", [{"seq": 1}, {"seq": 0}, {"seq": 2, "source": "event-1"}], ids=str)
def test_the_database_itself_refuses_a_second_seq_and_a_second_source(
    user_id: str, changes: dict[str, Any]
) -> None:
    conftest.notify(user_id, source="event-1")
    row: dict[str, Any] = {
        "user_id": user_id,
        "seq": 2,
        "kind": "LOST",
        "source": "event-2",
        "data": {},
        "at": 0,
    }

    with pytest.raises(IntegrityError), transaction.atomic(using=models.DATABASE):
        models.Notification.objects.create(created_at=conftest.NOW, **row | changes)

    assert seqs(user_id) == [1]
