"""A step is one function and one row: a new one is called in its turn, and undone in its turn."""

import pytest

from auction_project.kernel.messaging import steps as messaging_steps
from sagas import definitions, engine, models, steps
from sagas.tests import participants
from sagas.tests.conftest import published, saga, timeline

pytestmark = pytest.mark.django_db(databases=["sagas"])


def _insure_parcel(requests, *, now):
    """A toy step, to show what a new one takes: it does its work once for each key, and answers each request."""
    done = participants.Done()
    return participants.STEPS.perform(
        requests, lambda members: [done] * len(members), participants.Done, now=now
    )


def _cancel_insurance(requests, *, now):
    done = participants.Done()
    return participants.STEPS.undo(
        requests, lambda members: [done] * len(members), participants.Done, now=now
    )


def _request(sale, key):
    return messaging_steps.Request(key=key, correlation_id=sale.correlation_id)


STEP = engine.Step(name="insure_parcel", queue="orders", compensation="cancel_insurance")
WITH_INSURANCE = engine.Definition(
    name="SETTLE_SALE",
    version=3,
    steps=(*definitions.SETTLE_SALE.steps[:4], STEP, *definitions.SETTLE_SALE.steps[4:]),
)


@pytest.fixture
def toy(fakes, monkeypatch):
    monkeypatch.setitem(steps.PARTICIPANTS, "insure_parcel", steps.Participant(_insure_parcel, _request))
    monkeypatch.setitem(
        steps.PARTICIPANTS, "cancel_insurance", steps.Participant(_cancel_insurance, _request)
    )
    known = {**definitions.KNOWN, ("SETTLE_SALE", 3): WITH_INSURANCE}
    monkeypatch.setattr(definitions, "KNOWN", known)
    monkeypatch.setattr(definitions, "NEWEST", WITH_INSURANCE)


def state_of(key):
    return models.Once.objects.get(key=key).state


def test_a_step_of_two_functions_and_a_version_is_done_in_its_turn(begin, toy, fake_dispatcher):
    sale = begin()

    fake_dispatcher.deliver()

    done = [line for line in timeline(sale) if line.endswith("DONE")]
    assert done[3:6] == ["place_order DONE", "insure_parcel DONE", "commit_stock DONE"]
    assert (saga(sale).status, saga(sale).version, published(sale)) == ("COMPLETED", 3, ["SaleSettled"])
    assert state_of(f"saga:{sale}:insure_parcel") == "DONE"


def test_it_is_undone_in_its_turn_when_a_later_step_is_refused(begin, toy, fake_dispatcher):
    sale = begin("commit_stock=refuse")

    fake_dispatcher.deliver()

    undone = [line for line in timeline(sale) if line.startswith("<-") and line.endswith("DONE")]
    assert undone[0:3] == ["<-commit_stock DONE", "<-insure_parcel DONE", "<-place_order DONE"]
    assert (saga(sale).status, published(sale)) == ("COMPENSATED", ["BidFailed"])
    assert models.Once.objects.filter(key=f"saga:{sale}:insure_parcel:undo").exists()
