"""kill -9 of the process that runs a step, at every named point of every step, forward and back; and races of threads.

Each victim is a real process on real PostgreSQL, killed by a failpoint. Then time passes, and the sweep sends the rest.
"""

import os
import signal
import threading
import warnings
from datetime import UTC, datetime

import pytest
from django.db import connections

from auction_project.kernel import failpoints
from sagas import invariants, models, operators, services
from sagas.tests import participants
from sagas.tests.conftest import pass_time, published, run, run_group, saga, timeline

pytestmark = pytest.mark.django_db(databases=["sagas"], transaction=True)
ALL = list(participants.ACTIONS)
POINTS = [f"saga.{step}.{point}" for step in ALL for point in ("before_call", "after_effect", "after_record")]
BACK_POINTS = [
    f"saga.{step}.compensation.{point}"
    for step in ("commit_stock", "place_order", "capture_payment", "reserve_stock")
    for point in ("before_call", "after_effect", "after_record")
]


def deliver_in_a_process(fake_dispatcher, point):
    """Deliver what was sent, in a process that dies at `point`."""
    connections.close_all()  # no connection survives a fork
    with warnings.catch_warnings():
        # It is about threads that other tests have left; the child has none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        failpoints._armed = {point: "kill"}
        try:
            fake_dispatcher.deliver()
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"{point} was not reached"
    assert os.WTERMSIG(status) == signal.SIGKILL
    fake_dispatcher.lose()


def finish(fake_dispatcher, *saga_ids):
    for saga_id in saga_ids:
        pass_time(saga_id, 60)
    services.claim_due(now=datetime.now(UTC))
    fake_dispatcher.deliver()


def assert_sound():
    assert [finding for finding in invariants.check(now=datetime.now(UTC)) if finding.violations] == []


@pytest.mark.parametrize("point", POINTS)
def test_a_sale_survives_the_kill_at_any_point_of_any_step(begin, fake_dispatcher, point):
    sale = begin()

    deliver_in_a_process(fake_dispatcher, point)
    finish(fake_dispatcher, sale)

    assert participants.effects(sale) == ALL
    assert [line for line in timeline(sale) if line.endswith("DONE")] == [f"{step} DONE" for step in ALL]
    assert (saga(sale).status, published(sale)) == ("COMPLETED", ["SaleSettled"])
    assert_sound()


@pytest.mark.parametrize("point", BACK_POINTS)
def test_a_compensation_survives_the_kill_at_any_point(begin, fake_dispatcher, point):
    sale = begin("commit_stock=refuse")

    deliver_in_a_process(fake_dispatcher, point)
    finish(fake_dispatcher, sale)

    assert participants.effects(sale) == ["assess_risk"]
    assert (saga(sale).status, published(sale)) == ("COMPENSATED", ["BidFailed"])
    assert_sound()


GROUP_POINTS = [point for point in POINTS if not point.endswith("before_call")]


@pytest.mark.parametrize("point", GROUP_POINTS)
def test_a_group_of_fifty_survives_the_kill_after_any_effect_and_any_record(
    begin_group, fake_dispatcher, point
):
    sales = begin_group(*[""] * 50)

    deliver_in_a_process(fake_dispatcher, point)
    finish(fake_dispatcher, *sales)

    for sale in sales:
        assert participants.effects(sale) == ALL
        assert [line for line in timeline(sale) if line.endswith("DONE")] == [f"{step} DONE" for step in ALL]
        assert (saga(sale).status, published(sale)) == ("COMPLETED", ["SaleSettled"])
    assert_sound()


@pytest.mark.parametrize("point", [point for point in BACK_POINTS if point.endswith("after_effect")])
def test_a_group_that_is_undone_survives_the_kill_after_any_effect(begin_group, fake_dispatcher, point):
    sales = begin_group(*["commit_stock=refuse"] * 25, *[""] * 25)

    deliver_in_a_process(fake_dispatcher, point)
    finish(fake_dispatcher, *sales)

    assert {saga(sale).status for sale in sales[:25]} == {"COMPENSATED"}
    assert {saga(sale).status for sale in sales[25:]} == {"COMPLETED"}
    assert all(participants.effects(sale) == ["assess_risk"] for sale in sales[:25])
    assert_sound()


def test_a_step_that_comes_after_its_compensation_meets_the_tombstone(begin, fake_dispatcher):
    sale = begin("place_order=refuse")
    (late,) = services.begin_attempts(saga_ids=[sale], leg="reserve_stock", worker="w", now=datetime.now(UTC))
    operators.compensate_saga(saga_id=sale, who="ann", reason="stop", now=datetime.now(UTC))
    fake_dispatcher.lose()
    run(sale, "release_stock")

    (error,) = participants.steps.call(late.leg, [late.saga], now=datetime.now(UTC))

    assert isinstance(error, participants.messaging_steps.Voided)
    assert participants.effects(sale) == []
    assert saga(sale).status == "COMPENSATED"


# --- races -----------------------------------------------------------------------------------------------------------


def at_once(count, function):
    barrier, results = threading.Barrier(count), []

    def act():
        barrier.wait()
        try:
            results.append(function())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_eight_doubles_of_a_task_one_makes_the_call(begin, fake_dispatcher):
    sale = begin()
    fake_dispatcher.lose()

    at_once(8, lambda: run(sale, "reserve_stock"))

    assert participants.calls(sale) == ["reserve_stock"]
    assert timeline(sale) == ["reserve_stock DONE"]


def test_of_eight_doubles_of_a_groups_task_each_call_is_made_once(begin_group, fake_dispatcher):
    sales = begin_group(*[""] * 20)
    fake_dispatcher.lose()

    at_once(8, lambda: run_group(sales, "reserve_stock"))

    assert [participants.calls(sale) for sale in sales] == [["reserve_stock"]] * 20
    assert [timeline(sale) for sale in sales] == [["reserve_stock DONE"]] * 20


def test_parallel_sweeps_send_each_saga_once(begin, fake_dispatcher):
    sales = {begin() for _ in range(40)}
    fake_dispatcher.lose()
    now = max(models.Saga.objects.values_list("due_at", flat=True))

    counts = at_once(4, lambda: services.claim_due(now=now))

    assert sum(counts) == 40
    assert sorted(sent for sent, _ in fake_dispatcher.sent) == sorted(sales)


def test_an_operator_and_a_worker_at_the_same_step_leave_one_direction(begin, fake_dispatcher):
    for _ in range(10):
        sale = begin()
        fake_dispatcher.lose()

        def turn(sale=sale):
            operators.compensate_saga(saga_id=sale, who="ann", reason="stop", now=datetime.now(UTC))

        acts = iter([turn, lambda sale=sale: run(sale, "reserve_stock")])
        lock = threading.Lock()

        def next_act(acts=acts, lock=lock):
            with lock:
                act = next(acts)
            act()

        at_once(2, next_act)
        fake_dispatcher.lose()
        finish(fake_dispatcher, sale)

        assert saga(sale).status == "COMPENSATED"
        assert "reserve_stock" not in participants.effects(sale)
    assert_sound()
