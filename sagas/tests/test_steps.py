"""Each step calls its service, with arguments that this service really takes, under the key of the step."""

import inspect

import pytest

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


@pytest.fixture
def calls(monkeypatch):
    """The calls of services, each bound to the real signature."""
    made = []
    for module, name in SERVICE.values():
        signature = inspect.signature(getattr(module, name))

        def record(*arguments, _name=name, _signature=signature, **named):
            made.append((_name, _signature.bind(*arguments, **named).arguments))

        monkeypatch.setattr(module, name, record)
    return made


def sale():
    return models.Saga.new(
        make_sale("A title"), definitions.SETTLE_SALE, correlation_id="c", now=NOW, due_at=NOW
    )


def test_every_call_of_every_known_definition_has_a_participant():
    assert set(steps.PARTICIPANTS) == {leg.name for leg in FORWARD + BACKWARD} == set(SERVICE)


@pytest.mark.parametrize("leg", FORWARD + BACKWARD, ids=lambda leg: leg.name)
def test_a_call_reaches_its_service_with_the_key_of_its_step(calls, leg):
    row = sale()
    row.failure_reason = "payment_refused"

    steps.call(leg, row, now=NOW)

    ((name, arguments),) = calls
    assert name == SERVICE[leg.name][1]
    assert arguments["key"] == f"saga:{row.sale_id}:{leg.step}"
    assert arguments["now"] == NOW
    renamed = {"amount": row.price, "reason": "payment_refused"}
    for argument, value in arguments.items():
        if argument not in ("key", "now"):
            assert value == renamed.get(argument, getattr(row, argument, None)), argument
