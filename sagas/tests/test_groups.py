"""A group of sagas goes together: one chain, one task a queue, a bounded number of statements. Each member has its own
outcome, and a member that leaves the group holds up no other."""

from datetime import UTC, datetime

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel.messaging import groups
from sagas import engine, models, operators, services, tasks
from sagas.tests import participants
from sagas.tests.conftest import make_sale, published, run, run_group, saga, start, timeline

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])
ALL = list(participants.ACTIONS)


def test_a_batch_of_sales_starts_in_one_chain(begin_group, fake_dispatcher):
    sales = begin_group(*[""] * 50)

    assert fake_dispatcher.chains == [(tuple(sales), tuple(ALL))]


def test_more_sales_than_one_task_takes_go_in_several_tasks(monkeypatch):
    sent = []
    monkeypatch.setattr("celery.canvas.Signature.apply_async", lambda task, **_: sent.append(task))

    leg = engine.legs_ahead(
        services.definitions.SETTLE_SALE, engine.start(services.definitions.SETTLE_SALE).state
    )
    services.saga_log.dispatcher.send(
        saga_ids=[f"a-{number}" for number in range(groups.MAX_MEMBERS + 1)], legs=leg[-1:]
    )

    assert [len(task.kwargs["saga_ids"]) for task in sent] == [100, 1]


def test_a_group_completes_and_each_sale_has_its_own_timeline_and_event(begin_group, fake_dispatcher):
    sales = begin_group(*[""] * 50)

    fake_dispatcher.deliver()

    for sale in sales:
        assert saga(sale).status == "COMPLETED"
        assert timeline(sale) == [f"{step} DONE" for step in ALL]
        assert published(sale) == ["SaleSettled"]


@pytest.mark.parametrize("members", [1, 50])
def test_the_statements_of_the_saga_log_do_not_grow_with_the_group(members, monkeypatch, fake_dispatcher):
    monkeypatch.setattr(tasks.steps, "call", lambda _leg, sagas, *, now: [None] * len(sagas))
    sales = [make_sale() for _ in range(members)]

    with CaptureQueriesContext(connections["sagas"]) as queries:
        start(*sales, now=datetime.now(UTC))
        fake_dispatcher.deliver()

    assert {saga(sale.sale_id).status for sale in sales} == {"COMPLETED"}
    assert len(queries) == 21  # with BEGIN and COMMIT, but for the first two, which are the test's own


def test_members_that_are_refused_or_fail_leave_the_group_and_the_others_go_on_together(
    begin_group, fake_dispatcher
):
    scripts = [
        "",
        "assess_risk=refuse",
        "",
        "capture_payment=away:1",
        "assess_risk=fail:1",
        "",
        "assess_risk=refuse",
    ]
    sales = begin_group(*scripts)

    run_group(sales, "reserve_stock")
    run_group(sales, "assess_risk")

    place = [saga(sale).position for sale in sales]
    status = [saga(sale).status for sale in sales]
    commit, capture, risk = 4, 2, 1
    assert [place[0], place[2], place[5]] == [commit] * 3
    assert (place[3], place[4]) == (capture, risk)
    assert (status[1], status[6]) == ("COMPENSATING", "COMPENSATING")
    compensations = [ids for ids, legs in fake_dispatcher.chains if legs[0] == "release_stock"]
    assert compensations == [(sales[1], sales[6])]


def test_those_that_turn_together_are_compensated_together(begin_group, fake_dispatcher):
    sales = begin_group(*["commit_stock=refuse"] * 20, "")

    fake_dispatcher.deliver()

    assert {saga(sale).status for sale in sales[:20]} == {"COMPENSATED"}
    assert saga(sales[20]).status == "COMPLETED"
    for sale in sales[:20]:
        assert participants.effects(sale) == ["assess_risk"]
        assert published(sale) == ["BidFailed"]


def test_an_error_of_the_whole_call_is_the_outcome_of_each_member(begin_group, fake_dispatcher, monkeypatch):
    sales = begin_group("", "")

    def fail(_leg, _sagas, *, now):
        raise ValueError("the service is broken")

    monkeypatch.setattr(tasks.steps, "call", fail)
    run_group(sales, "reserve_stock")

    assert [timeline(sale) for sale in sales] == [["reserve_stock FAULT"]] * 2


def test_a_task_leaves_those_alone_of_which_its_call_is_not_due(begin_group, fake_dispatcher):
    sales = begin_group("", "", "")
    run_group(sales[:1], "reserve_stock")
    operators.compensate_saga(saga_id=sales[1], who="ann", reason="stop", now=datetime.now(UTC))
    before = {sale: saga(sale).revision for sale in sales[:2]}

    run_group([*sales, "no-such-saga", sales[2]], "reserve_stock")

    assert {sale: saga(sale).revision for sale in sales[:2]} == before
    assert timeline(sales[2]) == ["reserve_stock DONE"]
    assert participants.calls(sales[2]) == ["reserve_stock"]


def test_a_task_takes_along_those_that_wait_for_the_same_call_and_their_own_tasks_find_nothing(
    begin_group, fake_dispatcher
):
    sales = begin_group("", "", "")
    for sale in sales:
        run(sale, "reserve_stock")
    fake_dispatcher.lose()

    run(sales[1], "assess_risk")
    before = {sale: saga(sale).revision for sale in sales}
    for sale in (sales[0], sales[2]):
        run(sale, "assess_risk")

    assert {sale: saga(sale).revision for sale in sales} == before
    assert [participants.calls(sale).count("assess_risk") for sale in sales] == [1, 1, 1]
    assert [legs[0] for _, legs in fake_dispatcher.chains] == ["commit_stock"]
    assert sorted(fake_dispatcher.chains[0][0]) == sorted(sales)


def run_in_chain(sale: str, step: str) -> list[str] | None:
    """One task of one saga with another behind it in its chain; the chain that it leaves."""
    tasks.run_step.push_request(chain=["the next task"])
    try:
        tasks.run_step.run(saga_ids=[sale], step=step)
        chain: list[str] | None = tasks.run_step.request.chain
    finally:
        tasks.run_step.pop_request()
    return chain


def test_those_that_a_task_took_along_get_a_chain_of_their_own(begin_group, fake_dispatcher):
    sales = begin_group("", "")
    for sale in sales:
        run(sale, "reserve_stock")
    fake_dispatcher.lose()

    chain = run_in_chain(sales[0], "assess_risk")

    assert chain == ["the next task"]
    assert [ids for ids, _ in fake_dispatcher.chains] == [(sales[1],)]


def test_a_chain_without_a_saga_that_goes_on_is_cut(begin_group, fake_dispatcher):
    (refused,) = begin_group("assess_risk=refuse")
    run(refused, "reserve_stock")

    chain = run_in_chain(refused, "assess_risk")

    assert chain is None
    assert saga(refused).direction == "BACKWARD"


@pytest.mark.parametrize("script", ["assess_risk=fail:1", "assess_risk=away:1"])
def test_a_saga_that_has_tried_the_call_before_goes_by_itself(begin_group, fake_dispatcher, script):
    failed, other = begin_group(script, "")
    for sale in (failed, other):
        run(sale, "reserve_stock")
    run_group([failed], "assess_risk")  # takes the other one along
    late = begin_group("")[0]
    run(late, "reserve_stock")

    run(late, "assess_risk")

    assert (saga(late).position, saga(other).position) == (4, 4)
    assert participants.calls(failed).count("assess_risk") == 1


def test_a_task_takes_along_no_saga_that_waits_for_a_turn_and_no_more_than_its_group_has_room_for(
    begin_group, fake_dispatcher, monkeypatch
):
    monkeypatch.setattr(groups, "MAX_MEMBERS", 2)
    sales = begin_group("", "", "")
    run(sales[0], "reserve_stock")
    assert [saga(sale).position for sale in sales] == [1, 0, 0]
    for sale in sales[1:]:
        run(sale, "reserve_stock")

    run(sales[2], "assess_risk")

    assert saga(sales[2]).position == 4
    assert sorted(saga(sale).position for sale in sales[:2]) == [1, 4]


def test_a_member_that_another_writer_has_moved_is_not_stored_and_the_others_are(begin_group):
    sales = begin_group("", "")
    attempts = services.begin_attempts(saga_ids=sales, leg="reserve_stock", worker="w", now=datetime.now(UTC))
    operators.compensate_saga(saga_id=sales[0], who="ann", reason="stop", now=datetime.now(UTC))

    late, in_time = services.record_outcomes(
        outcomes=[services.Outcome(attempt=attempt, kind=engine.Outcome.DONE) for attempt in attempts],
        now=datetime.now(UTC),
    )

    assert (late.next, late.legs) == (None, ())
    assert [leg.name for leg in in_time.legs] == ALL[1:]
    assert [timeline(sale) for sale in sales] == [["reserve_stock TURNED"], ["reserve_stock DONE"]]


def test_the_sweep_sends_those_that_wait_for_the_same_calls_in_one_chain(begin_group, fake_dispatcher):
    sales = begin_group(*[""] * 5)
    fake_dispatcher.lose()
    run_group(sales[:2], "reserve_stock")
    fake_dispatcher.lose()
    models.Saga.objects.update(due_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert services.claim_due(now=datetime.now(UTC)) == 5

    assert {(frozenset(ids), legs[0]) for ids, legs in fake_dispatcher.chains} == {
        (frozenset(sales[:2]), "assess_risk"),
        (frozenset(sales[2:]), "reserve_stock"),
    }
