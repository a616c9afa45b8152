"""Each checker finds nothing in a sound log, and names the sale whose stored data was broken."""

from datetime import UTC, datetime, timedelta

import pytest

from sagas import invariants, models
from sagas.tests.conftest import pass_time

pytestmark = pytest.mark.django_db(databases=["sagas"])


def findings(now=None):
    return {finding.invariant: finding for finding in invariants.check(now=now or datetime.now(UTC))}


def violated(now=None):
    return {name: finding.violations for name, finding in findings(now).items() if finding.violations}


@pytest.fixture
def settled(begin, fake_dispatcher):
    sale = begin()
    fake_dispatcher.deliver()
    return sale


@pytest.fixture
def undone(begin, fake_dispatcher):
    sale = begin("commit_stock=refuse")
    fake_dispatcher.deliver()
    return sale


@pytest.fixture
def parked(begin, fake_dispatcher):
    sale = begin("commit_stock=refuse cancel_order=refuse")
    fake_dispatcher.deliver()
    return sale


def test_a_sound_log_has_no_violation(settled, undone, parked, begin, fake_dispatcher):
    begin("place_order=away:9")
    fake_dispatcher.deliver()
    begin()

    checked = findings()

    assert {
        name: (finding.checked, finding.violations) for name, finding in checked.items()
    } == dict.fromkeys(("S1", "S2", "S4", "S5"), (5, ()))


def test_s1_sees_a_completed_sale_without_one_of_its_steps(settled, undone):
    models.SagaStep.objects.filter(saga_id=settled, step="place_order").delete()

    assert list(violated()) == ["S1", "S4"]
    assert violated()["S1"][0].startswith(f"{settled}: completed, but the steps done are")


def test_s1_sees_a_compensated_sale_that_kept_an_effect(settled, undone):
    models.SagaStep.objects.filter(saga_id=undone, step="capture_payment", direction="BACKWARD").delete()

    assert violated()["S1"] == (f"{undone}: compensated, but not undone: ['capture_payment']",)


def test_s1_sees_an_end_that_was_never_published(settled, undone):
    models.Outbox.objects.filter(key=settled).delete()

    assert violated() == {"S1": (f"{settled}: COMPLETED, but its outbox tells []",)}


def test_s1_sees_that_both_ends_were_published(settled, undone):
    event = models.Outbox.objects.get(key=undone)
    event.pk, event.event_id, event.type = None, f"{undone}:COMPLETED", "SaleSettled"
    event.save(force_insert=True)

    assert violated() == {
        "S1": (f"{undone}: COMPENSATED, but its outbox tells ['BidFailed', 'SaleSettled']",)
    }


def test_s1_does_not_ask_for_events_that_are_no_longer_kept(settled):
    models.Outbox.objects.all().delete()

    assert violated(datetime.now(UTC) + timedelta(days=8)) == {}


def test_s2_sees_what_happens_after_the_end(settled, undone):
    line = models.SagaStep.objects.filter(saga_id=settled).last()
    line.pk, line.event = None, "FAULT"
    line.save(force_insert=True)

    assert violated() == {"S2": (f"{settled}: COMPLETED, but something happened afterwards",)}


def test_s2_goes_by_the_order_of_the_lines_and_not_by_the_workers_clocks(settled, undone):
    fast = models.SagaStep.objects.filter(saga_id__in=[settled, undone])
    fast.update(finished_at=datetime.now(UTC) + timedelta(seconds=5))

    assert violated() == {}


def test_s2_sees_an_end_that_was_taken_back(settled, undone):
    models.Saga.objects.filter(pk=settled).update(
        status="RUNNING", finished_at=None, due_at=datetime.now(UTC)
    )

    assert violated() == {"S2": (f"{settled}: RUNNING, but its outbox tells ['SaleSettled']",)}


def test_s4_sees_compensations_out_of_order(settled, undone):
    first, second = models.SagaStep.objects.filter(saga_id=undone, direction="BACKWARD", event="DONE")[:2]
    models.SagaStep.objects.filter(pk=first.pk).update(step="swapped")
    models.SagaStep.objects.filter(pk=second.pk).update(step=first.step)
    models.SagaStep.objects.filter(pk=first.pk).update(step=second.step)

    assert list(violated()) == ["S4"]
    assert violated()["S4"][0].startswith(f"{undone}: undone out of order")


def test_s4_sees_a_missing_tombstone_of_the_step_that_was_due(undone):
    models.SagaStep.objects.filter(saga_id=undone, step="commit_stock", direction="BACKWARD").delete()

    kept = ["place_order", "capture_payment", "reserve_stock"]
    assert violated() == {
        "S4": (f"{undone}: undone out of order: {kept}, not {['commit_stock', *kept]}",),
    }


def test_s4_sees_a_last_undoing_that_is_missing(begin, fake_dispatcher):
    refused = begin("reserve_stock=refuse")
    fake_dispatcher.deliver()
    models.SagaStep.objects.filter(saga_id=refused, direction="BACKWARD").delete()

    assert violated() == {"S4": (f"{refused}: undone out of order: [], not ['reserve_stock']",)}


def test_s4_sees_a_step_forward_after_the_turn(parked):
    line = models.SagaStep.objects.filter(saga_id=parked, step="commit_stock", direction="FORWARD").get()
    line.pk, line.event = None, "FAULT"
    line.save(force_insert=True)

    assert violated() == {"S4": (f"{parked}: went forward after it had turned",)}


def test_s5_sees_a_saga_that_does_not_move_and_no_parked_one(parked, begin):
    stuck = begin()
    pass_time(stuck, 31)
    pass_time(parked, 3600)

    (violation,) = violated()["S5"]

    assert violation.startswith(f"{stuck}: RUNNING at step 1, has not moved for 31 s")


def test_a_sale_of_another_release_is_not_judged_by_this_ones_steps(settled):
    models.Saga.objects.filter(pk=settled).update(version=99)
    models.SagaStep.objects.filter(saga_id=settled, step="place_order").delete()

    assert violated() == {}
