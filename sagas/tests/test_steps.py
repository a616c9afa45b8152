"""Each step calls its service, with arguments that this service really takes, under the key of the step."""

import inspect

import pytest

from auction_project.kernel.contracts import events
from inventory import services as inventory
from orders import services as orders
from sagas import definitions, engine, models, steps
from sagas.tests.conftest import NOW, make_sale

FORWARD = [engine.Leg(step.name, step.name, step.queue) for step in definitions.SETTLE_SALE.steps]
BACKWARD = [
    engine.Leg(step.compensation, step.name, step.queue)
    for step in definitions.SETTLE_SALE.steps
    if step.compensation
]
SERVICE = {  # the service of each call
    "reserve_stock": (inventory, "reserve"),
    "release_stock": (inventory, "release"),
    "commit_stock": (inventory, "commit"),
    "restock": (inventory, "restock"),
    **{
        name: (orders, name)
        for name in (
            "assess_risk",
            "capture_payment",
            "refund_payment",
            "place_order",
            "cancel_order",
            "confirm_order",
        )
    },
}


def sale():
    return models.Saga.new(
        make_sale("A title"), definitions.SETTLE_SALE, correlation_id="c", now=NOW, due_at=NOW
    )


def test_every_call_of_every_known_definition_has_a_participant():
    assert set(steps.PARTICIPANTS) == {leg.name for leg in FORWARD + BACKWARD} == set(SERVICE)


@pytest.mark.parametrize("leg", FORWARD + BACKWARD, ids=lambda leg: leg.name)
def test_a_call_asks_its_service_with_the_keys_of_its_step_for_each_sale_of_a_group(leg, monkeypatch):
    rows, calls = [sale(), sale()], []
    for row in rows:
        row.failure_reason = "payment_refused"
    participant = steps.PARTICIPANTS[leg.name]
    module, name = SERVICE[leg.name]
    assert participant.service is getattr(module, name)

    def record(requests, *, now):
        inspect.signature(participant.service).bind(requests, now=now)
        calls.append((requests, now))
        return [ValueError("no"), object()]

    monkeypatch.setattr(steps, "PARTICIPANTS", {leg.name: steps.Participant(record, participant.request)})
    errors = steps.call(leg, rows, now=NOW)

    ((requests, now),) = calls
    assert (now, [type(error) for error in errors]) == (NOW, [ValueError, type(None)])
    assert [request.key for request in requests] == [f"saga:{row.sale_id}:{leg.step}" for row in rows]
    for row, request in zip(rows, requests, strict=True):
        units = tuple(events.Units(product_id=line.product_id, quantity=line.quantity) for line in row.sold)
        renamed = {
            "amount": row.price,
            "reason": "payment_refused",
            "key": request.key,
            "span_id": "",
            "lines": row.sold,
            "units": units,
            "lots": {},
        }
        for field in request.__struct_fields__:
            assert getattr(request, field) == renamed.get(field, getattr(row, field, None)), field
