"""What comes to a request for a return at the same moment, with real threads and real commits: it has one end, and operators who are asked
for an answer hear of that end."""

from datetime import timedelta
from typing import Any

import pytest

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging.tests import sessions
from orders import exceptions, models, services
from orders.tests import sales
from orders.tests.parcels import CHAIR, SELLER, buyer, published, ship

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

ROUNDS = 12


def asked() -> tuple[sales.Sale, str]:
    """An order with a request for a chair of SELLER; the id of that."""
    sale = sales.confirmed_sale()
    ship(sale)
    [request] = services.request_return(
        order_number=sale.order_number,
        key="k",
        lines=[services.Units(product_id=CHAIR, quantity=1)],
        reason="It is scratched.",
        actor=buyer(sale),
        now=sales.NOW,
    )
    return sale, request.pk


def decline(sale: sales.Sale, request_id: str) -> Any:
    return services.decide_return(
        order_number=sale.order_number,
        request_id=request_id,
        accept=False,
        reason="No.",
        actor=SELLER,
        now=sales.NOW,
    )


def withdraw(sale: sales.Sale, request_id: str) -> Any:
    return services.withdraw_return(
        order_number=sale.order_number, request_id=request_id, actor=buyer(sale), now=sales.NOW
    )


def escalate() -> int:
    return services.escalate_returns(now=sales.NOW + timedelta(days=30))


def test_a_decline_and_a_withdrawal_at_once_are_one_of_the_two() -> None:
    for _ in range(ROUNDS):
        one = asked()

        outcomes = sessions.at_once("orders", lambda one=one: decline(*one), lambda one=one: withdraw(*one))

        state = models.ReturnRequest.objects.get(pk=one[1]).state
        refused = [outcome for outcome in outcomes if isinstance(outcome, exceptions.ReturnDecided)]
        assert [error.figures for error in refused] == [{"state": state}]

    ends = published(events.ReturnDecided, events.ReturnWithdrawn)
    assert len(ends) == ROUNDS


def test_operators_are_asked_once_at_most_and_hear_of_the_end_if_they_are() -> None:
    for _ in range(ROUNDS):
        one = asked()

        first, _, second = sessions.at_once("orders", escalate, lambda one=one: decline(*one), escalate)

        assert first + second in (0, 1)
        told = [
            type(event).__name__
            for event in published(events.HouseReturnRequested, events.HouseReturnDecided)
            if event.request_id == one[1]  # type: ignore[attr-defined]
        ]
        assert told == ["HouseReturnRequested", "HouseReturnDecided"] * (first + second)
