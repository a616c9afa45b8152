"""Stories of one sale: which calls are made, what is stored, how it ends. Each reads from top to bottom."""

from datetime import UTC, datetime

import pytest

from auction_project.kernel import contracts
from sagas import models, operators, saga_log, services
from sagas.tests import participants
from sagas.tests.conftest import pass_time, published, run, saga, timeline

pytestmark = pytest.mark.django_db(databases=["sagas"])
ALL = ["reserve_stock", "assess_risk", "capture_payment", "place_order", "commit_stock", "confirm_order"]


def sweep(fake_dispatcher, saga_id):
    """After the pause, the sweep sends what is due, and it is delivered."""
    pass_time(saga_id, 60)
    services.claim_due(now=datetime.now(UTC))
    fake_dispatcher.deliver()


def end_of(saga_id):
    row = models.Outbox.objects.get(key=saga_id)
    return contracts.decode(bytes(row.body))


def test_a_good_sale_runs_every_step_once_and_settles(begin, fake_dispatcher):
    sale = begin()
    assert fake_dispatcher.sent == [(sale, tuple(ALL))]

    fake_dispatcher.deliver()

    assert participants.calls(sale) == ALL
    assert participants.effects(sale) == ALL
    assert timeline(sale) == [f"{step} DONE" for step in ALL]
    assert saga(sale).status == "COMPLETED"
    envelope, event = end_of(sale)
    row = saga(sale)
    assert event == contracts.events.SaleSettled(
        sale_id=sale, order_number=row.order_number, auction_id=row.auction_id, user_id=row.user_id
    )
    assert envelope.correlationid == "from-the-bid"


@pytest.mark.parametrize(
    ("refuser", "reason", "undone"),
    [
        ("reserve_stock", "stock_refused", ["reserve_stock"]),
        ("assess_risk", "risk_refused", ["reserve_stock"]),
        ("capture_payment", "payment_refused", ["capture_payment", "reserve_stock"]),
        ("place_order", "step_failed", ["place_order", "capture_payment", "reserve_stock"]),
        (
            "commit_stock",
            "stock_refused",
            ["commit_stock", "place_order", "capture_payment", "reserve_stock"],
        ),
    ],
)
def test_a_refused_step_undoes_the_sale_from_itself_backwards(
    begin, fake_dispatcher, refuser, reason, undone
):
    sale = begin(f"{refuser}=refuse")

    fake_dispatcher.deliver()

    done = ALL[: ALL.index(refuser)]
    expected = (
        [f"{step} DONE" for step in done] + [f"{refuser} REFUSED"] + [f"<-{step} DONE" for step in undone]
    )
    assert timeline(sale) == expected
    assert participants.effects(sale) == (["assess_risk"] if "assess_risk" in done else [])
    row, (_, event) = saga(sale), end_of(sale)
    assert (row.status, row.failure_reason) == ("COMPENSATED", reason)
    assert (event.reason, event.detail) == (reason, f"{refuser} was declined")


def test_a_step_that_fails_five_times_is_undone_and_the_bidder_reads_no_stack_trace(begin, fake_dispatcher):
    sale = begin("place_order=fail:99")
    fake_dispatcher.deliver()
    for _ in range(4):
        sweep(fake_dispatcher, sale)

    assert [line for line in timeline(sale) if "FAULT" in line] == ["place_order FAULT"] * 5
    _, event = end_of(sale)
    assert event.reason == "step_failed"
    assert "broken" not in event.detail
    assert saga(sale).status == "COMPENSATED"
    faults = models.SagaStep.objects.filter(saga_id=sale, event="FAULT").order_by("id")
    assert [(line.attempt, line.error) for line in faults] == [
        (number, "ValueError('place_order is broken')") for number in range(1, 6)
    ]


def test_a_step_that_fails_four_times_goes_on(begin, fake_dispatcher):
    sale = begin("place_order=fail:4")
    fake_dispatcher.deliver()
    for _ in range(4):
        sweep(fake_dispatcher, sale)

    assert saga(sale).status == "COMPLETED"


def test_an_outage_is_waited_for_without_end_and_its_lines_become_rarer(begin, fake_dispatcher):
    sale = begin("capture_payment=away:40")
    fake_dispatcher.deliver()
    for _ in range(39):
        sweep(fake_dispatcher, sale)
    assert (saga(sale).status, saga(sale).faults, saga(sale).tries) == ("RUNNING", 0, 40)

    sweep(fake_dispatcher, sale)

    assert saga(sale).status == "COMPLETED"
    outages = models.SagaStep.objects.filter(saga_id=sale, event="OUTAGE").order_by("id")
    assert [line.attempt for line in outages] == [1, 2, 4, 8, 16, 32]


def test_a_confirmation_that_fails_parks_the_sale_and_undoes_nothing(begin, fake_dispatcher, caplog):
    sale = begin("confirm_order=fail:5")
    fake_dispatcher.deliver()
    for _ in range(4):
        sweep(fake_dispatcher, sale)

    row = saga(sale)
    assert (row.status, row.direction, row.due_at) == ("PARKED", "FORWARD", None)
    assert row.parked_detail == "ValueError('confirm_order is broken')"
    assert participants.effects(sale) == ALL[:-1]
    assert published(sale) == []
    alerts = [record for record in caplog.records if "saga_parked" in str(record.msg)]
    assert [record.levelname for record in alerts] == ["ERROR"]


def test_a_resumed_sale_goes_on_from_where_it_was_parked(begin, fake_dispatcher):
    sale = begin("confirm_order=fail:5")
    fake_dispatcher.deliver()
    for _ in range(4):
        sweep(fake_dispatcher, sale)

    operators.resume_saga(saga_id=sale, who="ann@example.com", reason="fixed", now=saga(sale).moved_at)
    fake_dispatcher.deliver()

    assert saga(sale).status == "COMPLETED"
    assert saga(sale).parked_detail == ""
    line = models.SagaStep.objects.get(saga_id=sale, event="RESUMED")
    assert (line.who, line.error, line.step) == ("ann@example.com", "fixed", "confirm_order")


def test_a_compensation_that_is_refused_parks_the_sale_before_anything_else_is_undone(begin, fake_dispatcher):
    sale = begin("commit_stock=refuse cancel_order=refuse")
    fake_dispatcher.deliver()

    assert timeline(sale)[-3:] == ["commit_stock REFUSED", "<-commit_stock DONE", "<-place_order REFUSED"]
    assert saga(sale).status == "PARKED"
    assert participants.effects(sale) == ["reserve_stock", "assess_risk", "capture_payment", "place_order"]
    assert published(sale) == []


def test_a_compensation_that_fails_five_times_parks_the_sale(begin, fake_dispatcher):
    sale = begin("place_order=refuse refund_payment=fail:99")
    fake_dispatcher.deliver()
    for _ in range(4):
        sweep(fake_dispatcher, sale)

    assert timeline(sale).count("<-capture_payment FAULT") == 5
    assert (saga(sale).status, saga(sale).direction) == ("PARKED", "BACKWARD")

    sweep(fake_dispatcher, sale)
    assert timeline(sale).count("<-capture_payment FAULT") == 5  # a parked saga is left alone


def test_an_operator_turns_a_sale_that_waits_and_the_bidder_reads_why(begin, fake_dispatcher):
    sale = begin("place_order=away:99")
    fake_dispatcher.deliver()

    operators.compensate_saga(
        saga_id=sale, who="ann@example.com", reason="The lot was damaged.", now=saga(sale).moved_at
    )
    fake_dispatcher.deliver()

    assert timeline(sale)[-5:] == [
        "place_order OUTAGE",
        "place_order TURNED",
        "<-place_order DONE",
        "<-capture_payment DONE",
        "<-reserve_stock DONE",
    ]
    _, event = end_of(sale)
    assert (event.reason, event.detail) == ("operator", "The lot was damaged.")


# --- chains that are lost, doubled and late --------------------------------------------------------------------------


def test_a_chain_that_is_lost_after_any_step_is_sent_again_by_the_sweep(begin, fake_dispatcher):
    for lost_after in range(len(ALL)):
        sale = begin()
        for step in ALL[:lost_after]:
            run(sale, step)
        fake_dispatcher.lose()

        sweep(fake_dispatcher, sale)

        assert participants.calls(sale) == ALL, f"lost after {lost_after} steps"
        assert saga(sale).status == "COMPLETED"


def test_a_doubled_task_makes_no_call(begin, fake_dispatcher):
    sale = begin()
    fake_dispatcher.deliver()
    before = timeline(sale), participants.calls(sale), saga(sale).revision

    for step in [*ALL, *ALL[::-1], "release_stock", "refund_payment", "no_such_step"]:
        run(sale, step)

    assert (timeline(sale), participants.calls(sale), saga(sale).revision) == before
    assert published(sale) == ["SaleSettled"]


def test_a_task_that_is_early_makes_no_call(begin, fake_dispatcher):
    sale = begin()

    run(sale, "commit_stock")

    assert participants.calls(sale) == []
    assert saga(sale).revision == 0


def test_a_task_of_an_unknown_sale_does_nothing(fake_dispatcher, fakes):
    run("unknown-1", "reserve_stock")

    assert not models.Saga.objects.exists()


def test_the_sweep_sends_nothing_before_its_time_and_only_once(begin, fake_dispatcher):
    sale = begin()
    fake_dispatcher.lose()
    now = saga(sale).created_at

    assert services.claim_due(now=now) == 0
    due = saga(sale).due_at
    assert services.claim_due(now=due) == 1
    assert services.claim_due(now=due) == 0

    assert [sent for sent, _ in fake_dispatcher.sent] == [sale]
    assert (saga(sale).due_at - due).total_seconds() == saga_log.CHAIN_SECONDS


def test_the_sweep_adds_nothing_to_a_full_queue_and_passes_over_it_to_others(begin, fake_dispatcher):
    goes = begin("assess_risk=away:1")
    fake_dispatcher.deliver()
    waits = begin()
    fake_dispatcher.lose()
    fake_dispatcher.full = frozenset({"inventory"})
    pass_time(waits, 60)
    pass_time(goes, 60)
    due = saga(waits).due_at

    assert services.claim_due(now=datetime.now(UTC)) == 1

    assert [sent for sent, _ in fake_dispatcher.sent] == [goes]
    assert saga(waits).due_at == due
    fake_dispatcher.full = frozenset()
    assert services.claim_due(now=datetime.now(UTC)) == 1
    assert [sent for sent, _ in fake_dispatcher.sent] == [goes, waits]
