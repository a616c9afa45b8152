"""The spans of a saga: one for itself and one for each line of its timeline; the participants get the attempt's."""

from datetime import UTC, datetime

import pytest

from auction_project.kernel import ids, tracing
from auction_project.kernel.tests import spans
from sagas import services, steps
from sagas.tests.conftest import pass_time, saga, timeline

pytestmark = pytest.mark.django_db(databases=["sagas"])


def test_each_attempt_hangs_below_the_saga_and_the_saga_below_the_handling_of_its_sale(
    begin, fake_dispatcher
):
    with spans.recorded(ratio=0) as recorded:
        sale_id = begin("capture_payment=away:1")
        fake_dispatcher.deliver()
        pass_time(sale_id, 60)
        services.claim_due(now=datetime.now(UTC))
        fake_dispatcher.deliver()

    whole = recorded.named("saga SETTLE_SALE")
    event_id = ids.event_id(*ids.auction_of_sale(sale_id), "SaleConfirmed")
    assert whole.parent == tracing.span_id("handle", "sagas", event_id)
    assert whole.trace_id == tracing.trace_id("from-the-bid")
    attempts = [span for span in recorded.all if span.name.startswith("step ")]
    assert [(span.name, span.attributes["gavel.attempt"], span.error) for span in attempts] == [
        ("step reserve_stock", 1, ""),
        ("step assess_risk", 1, ""),
        ("step capture_payment", 1, "OUTAGE"),
        ("step capture_payment", 2, ""),
        ("step place_order", 1, ""),
        ("step commit_stock", 1, ""),
        ("step confirm_order", 1, ""),
    ]
    assert {(span.parent, span.trace_id) for span in attempts} == {(whole.span_id, whole.trace_id)}
    assert len({span.span_id for span in attempts}) == len(attempts) == len(timeline(sale_id))


def test_a_saga_that_is_undone_shows_why_and_each_compensation(begin, fake_dispatcher):
    with spans.recorded() as recorded:
        sale_id = begin("place_order=refuse")
        fake_dispatcher.deliver()

    assert recorded.named("saga SETTLE_SALE").error == saga(sale_id).failure_reason
    assert [(span.name, span.error) for span in recorded.all if span.name.startswith("step ")][-4:] == [
        ("step place_order", "REFUSED"),
        ("step cancel_order", ""),
        ("step refund_payment", ""),
        ("step release_stock", ""),
    ]


def test_a_participant_gets_the_span_of_the_attempt(begin, fake_dispatcher, monkeypatch):
    requests = []

    def keep(group, *, now):
        requests.extend(group)
        return [None] * len(group)

    participant = steps.PARTICIPANTS["reserve_stock"]
    monkeypatch.setitem(steps.PARTICIPANTS, "reserve_stock", participant._replace(service=keep))
    with spans.recorded() as recorded:
        begin()
        fake_dispatcher.deliver()
    begin()
    fake_dispatcher.deliver()

    traced, off = requests
    assert (traced.span_id, off.span_id) == (recorded.named("step reserve_stock").span_id, "")
