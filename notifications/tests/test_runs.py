"""A run of events: it leaves what its events leave one after the other, in a fixed number of statements."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import msgspec
import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import strategies as st

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from notifications import handlers, models, wakeup
from notifications.mail import dispatcher
from notifications.tests import conftest

pytestmark = pytest.mark.django_db(databases=["notifications"])

LOTS = ("a" * 32, "b" * 32)
_OF_ORDER: dict[str, Any] = {"order_number": "GV-1", "amount": 9, "currency": "EUR", "title": "Lamp"}


def outbid(user_id: str, lot: str = LOTS[0], **changes: Any) -> events.Outbid:
    return events.Outbid(**_notice(user_id, lot), price=9, minimum=10, currency="EUR", ends_at=9, **changes)


def leading(user_id: str, lot: str = LOTS[0]) -> events.Leading:
    return events.Leading(**_notice(user_id, lot), price=9, currency="EUR", ends_at=9)


def won(user_id: str, lot: str) -> events.Won:
    return events.Won(
        **_notice(user_id, lot), sale_id=f"{lot}-7", order_number="GV-1", price=9, currency="EUR"
    )


def cancelled(user_id: str, lot: str) -> events.OrderCancelled:
    return events.OrderCancelled(
        **_OF_ORDER, sale_id=f"{lot}-7", auction_id=lot, user_id=user_id, reason="stock_refused"
    )


def asked_to_return(user_id: str, lot: str, request_id: str) -> events.ReturnRequested:
    return events.ReturnRequested(
        **_of_sale(user_id, lot), request_id=request_id, seller_id="s", reason="x", lines=()
    )


MAKERS: list[Callable[[str, str], events.Event]] = [
    outbid,
    lambda user_id, lot: outbid(user_id, lot, own_bid=True),
    leading,
    won,
    cancelled,
    lambda user_id, lot: events.Lost(**_notice(user_id, lot), price=9, currency="EUR"),
    lambda user_id, lot: events.NextInLine(**_notice(user_id, lot), price=9, next_price=8, currency="EUR"),
    lambda user_id, lot: events.AuctionCancelled(**_notice(user_id, lot), reason="broken"),
    lambda user_id, lot: events.BidFailed(
        sale_id=f"{lot}-7", order_number="GV-1", auction_id=lot, user_id=user_id, detail="", reason="operator"
    ),
    lambda user_id, lot: asked_to_return(user_id, lot, f"{lot}-q1"),
    lambda user_id, lot: asked_to_return(user_id, lot, f"{lot}-q2"),
    lambda user_id, lot: events.ReturnDecided(
        **_of_sale(user_id, lot), request_id=f"{lot}-q1", seller_id="s", reason="x", accepted=True
    ),
    lambda user_id, lot: events.ReturnWithdrawn(
        **_of_sale(user_id, lot), request_id=f"{lot}-q1", seller_id="s"
    ),
    lambda user_id, lot: events.OrderReturned(
        **_of_sale(user_id, lot), return_id="r", lines=(), reason="x", request_ids=(f"{lot}-q1", f"{lot}-q2")
    ),
    lambda user_id, lot: events.OrderConfirmed(
        **_OF_ORDER, sale_id=f"{lot}-7", auction_id=lot, user_id=user_id
    ),
]
low_stock = events.StockLow(
    product_id="p", version=3, title="Lamp", on_hand=4, available=2, reserved=1, committed=1, threshold=2
)


def _notice(user_id: str, lot: str) -> dict[str, Any]:
    return {"user_id": user_id, "auction_id": lot, "seq": 7, "title": "Lamp", "at": 5}


def _of_sale(user_id: str, lot: str) -> dict[str, Any]:
    return {**_OF_ORDER, "sale_id": f"{lot}-7", "auction_id": lot, "user_id": user_id}


def received(event: events.Event, event_id: str | None = None) -> consuming.Received:
    return consuming.Received(conftest.envelope_of(event, event_id=event_id), event)


def handle(run: Sequence[consuming.Received]) -> None:
    """As the consumer does: inside a transaction."""
    with transaction.atomic(using=models.DATABASE):
        for handler in {handlers.SUBSCRIPTION.handlers[type(one.event)] for one in run}:
            handler(run)


def feed_of(user_id: str) -> tuple[int, list[tuple[Any, ...]]]:
    """Where the feed ends, and what it holds, each notification with its e-mail."""
    rows = models.Notification.objects.filter(user_id=user_id).order_by("seq").select_related("email")
    last_seq = models.Feed.objects.get(user_id=user_id).last_seq
    return last_seq, [
        (row.seq, row.kind, row.source, row.data, _is_withdrawn(row), *_mail(row)) for row in rows
    ]


def _is_withdrawn(notification: models.Notification) -> bool:
    return notification.withdrawn_at is not None


def _mail(notification: models.Notification) -> tuple[str | None, str]:
    email = getattr(notification, "email", None)
    return (email.state, email.reason) if email else (None, "")


_steps = st.lists(
    st.tuples(
        st.integers(0, 1),  # the user
        st.sampled_from(MAKERS),
        st.sampled_from(LOTS),
        st.integers(0, 9),  # the event's id, so that some come twice
    ),
    min_size=1,
    max_size=25,
)


@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(steps=_steps, cut=st.integers(0, 25), read=st.integers(0, 25))
def test_a_run_leaves_what_its_events_leave_one_after_the_other(
    steps: list[tuple[int, Callable[[str, str], events.Event], str, int]], cut: int, read: int
) -> None:
    """The events before `cut` are a run of their own; after it the users read up to seq `read`."""
    alone, together = [[conftest.new_id(), conftest.new_id()] for _ in range(2)]

    def play(user_ids: list[str], *, in_runs: bool) -> None:
        everything = [
            received(make(user_ids[user], lot), f"event-{number}") for user, make, lot, number in steps
        ]
        for part in (everything[:cut], everything[cut:]):
            for run in [part] if in_runs else [[one] for one in part]:
                handle(run)
            for feed in models.Feed.objects.filter(user_id__in=user_ids):
                feed.mark_read(min(read, feed.last_seq))

    play(alone, in_runs=False)
    play(together, in_runs=True)

    present = {user for user, *_ in steps}
    assert [feed_of(together[user]) for user in present] == [feed_of(alone[user]) for user in present]


def statements(run: Sequence[consuming.Received]) -> list[str]:
    with CaptureQueriesContext(connections[models.DATABASE]) as captured:
        handle(run)
    return [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]


@pytest.mark.parametrize("members", [1, 100])
def test_a_run_takes_the_same_statements_whatever_its_size(members: int) -> None:
    users = [conftest.new_id() for _ in range(members)]

    first = statements([received(outbid(user_id)) for user_id in users])
    second = statements([received(outbid(user_id)) for user_id in users])
    confirmed = statements([received(MAKERS[-1](user_id, LOTS[0])) for user_id in users])

    # lock the feeds, known, standing, e-mails about the lot; insert, feeds, e-mails
    assert len(first) == 7
    # the same, but withdraw and drop in place of the e-mails
    assert len(second) == 8
    # lock, known; insert, feeds, e-mails
    assert len(confirmed) == 5
    assert models.Notification.objects.count() == 3 * members


@pytest.mark.parametrize("members", [1, 100])
def test_a_run_for_operators_takes_six_statements(members: int) -> None:
    operators = [conftest.new_id() for _ in range(3)]
    models.Account.objects.bulk_create(
        [models.Account(user_id=user_id, is_operator=True) for user_id in operators]
    )

    taken = statements([received(low_stock, f"event-{number}") for number in range(members)])

    assert len(taken) == 6
    for user_id in operators:
        last_seq, rows = feed_of(user_id)
        assert last_seq == members
        assert [row[2] for row in rows] == [f"event-{number}" for number in range(members)]


def test_a_run_that_comes_again_writes_nothing(user_id: str) -> None:
    run = [received(outbid(user_id), "event-1"), received(leading(user_id), "event-2")]
    handle(run)
    before = feed_of(user_id)

    again = statements(run)

    assert len(again) == 4
    assert feed_of(user_id) == before


def test_outbid_leading_outbid_in_one_run(user_id: str) -> None:
    handle([received(outbid(user_id)), received(leading(user_id)), received(outbid(user_id))])

    _, rows = feed_of(user_id)
    assert [(kind, is_withdrawn, state) for _, kind, _, _, is_withdrawn, state, _ in rows] == [
        ("OUTBID", True, "DROPPED"),
        ("LEADING", True, None),
        ("OUTBID", False, "PENDING"),
    ]


def test_one_outbid_mail_of_a_lot_in_a_run(user_id: str) -> None:
    handle([received(outbid(user_id)), received(outbid(user_id)), received(outbid(user_id, LOTS[1]))])

    _, rows = feed_of(user_id)
    assert [state for *_, state, _ in rows] == ["DROPPED", None, "PENDING"]


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_a_run_wakes_the_hubs_once_and_sends_its_emails_once_each_with_the_correlation_id_of_its_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken: list[list[str]] = []
    sent: list[dict[int, str]] = []
    monkeypatch.setattr(wakeup, "notify", woken.append)
    monkeypatch.setattr(dispatcher, "send", sent.append)
    users = sorted(conftest.new_id() for _ in range(3))
    run = [received(outbid(user_id)) for user_id in (*users, users[0])]

    handle(
        [
            consuming.Received(
                msgspec.structs.replace(one.envelope, correlationid=f"request-{number}"), one.event
            )
            for number, one in enumerate(run)
        ]
    )

    assert woken == [users]
    (correlation_ids,) = sent
    by_user = {
        models.Notification.objects.get(pk=email_id).user_id: correlation_id
        for email_id, correlation_id in correlation_ids.items()
    }
    assert by_user == {users[1]: "request-1", users[2]: "request-2"}


@pytest.mark.django_db(databases=["notifications"], transaction=True)
def test_concurrent_runs_with_common_users_leave_no_gap_and_none_fails(no_wakeup: None) -> None:
    """Each of four writers has its own order of the users, who have no feeds at first."""
    users = [conftest.new_id() for _ in range(8)]
    ready = threading.Barrier(4)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            ready.wait()
            for _ in range(10):
                handle([received(outbid(user_id)) for user_id in users[2 * number :] + users[: 2 * number]])
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert failures == []
    for user_id in users:
        last_seq, rows = feed_of(user_id)
        assert (last_seq, [row[0] for row in rows]) == (40, list(range(1, 41)))
