"""Steps in groups: a bounded number of statements, one outcome for each member, and no harm by one for another."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import contracts
from orders import exceptions, models, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

CONFIRMED = models.OrderFact.Kind.CONFIRMED


@contextlib.contextmanager
def statements(expected: int) -> Iterator[None]:
    """With BEGIN and COMMIT."""
    with CaptureQueriesContext(connections["orders"]) as queries:
        yield
    assert len(queries) == expected, "\n".join(query["sql"] for query in queries.captured_queries)


def assess(group: Sequence[sales.Sale]) -> list[Any]:
    return list(services.assess_risk([sale.request("assess_risk") for sale in group], now=sales.NOW))


def place(group: Sequence[sales.Sale]) -> list[Any]:
    return list(services.place_order([sale.request("place_order") for sale in group], now=sales.NOW))


def cancel(group: Sequence[sales.Sale]) -> list[Any]:
    return list(services.cancel_order([sale.cancel_request() for sale in group], now=sales.NOW))


def confirm(group: Sequence[sales.Sale]) -> list[Any]:
    return list(
        services.confirm_order([sale.order_request("confirm_order") for sale in group], now=sales.NOW)
    )


def with_own_correlation_ids(requests: Sequence[Any]) -> list[Any]:
    return [msgspec.structs.replace(request, correlation_id=request.order_number) for request in requests]


def correlation_ids() -> dict[str, str]:
    """The correlation id of each event about an order, by order number."""
    rows = models.Outbox.objects.filter(topic=contracts.events.OrderEvent.TOPIC)
    decoded = [contracts.decode(bytes(row.body)) for row in rows]
    return {event.order_number: envelope.correlationid for envelope, event in decoded}


def scores(group: Sequence[sales.Sale]) -> list[int]:
    stored = models.RiskAssessment.objects.in_bulk()
    return [stored[sale.order_number].score for sale in group]


# --- the cost of a group -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 50])
@pytest.mark.parametrize(
    ("act", "make", "expected"),
    [
        (assess, sales.new_sale, 7),
        (place, sales.new_sale, 6),
        (cancel, sales.sale_with_order, 10),
        (confirm, sales.sale_with_order, 11),
    ],
    ids=["assess", "place", "cancel", "confirm"],
)
def test_a_step_sends_the_same_number_of_statements_for_a_group_of_any_size(
    members: int,
    act: Callable[[Sequence[sales.Sale]], list[Any]],
    make: Callable[[], sales.Sale],
    expected: int,
) -> None:
    group = [make() for _ in range(members)]

    with statements(expected):
        outcomes = act(group)

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert act(group) == outcomes


# --- risk --------------------------------------------------------------------------------------------------------


def test_sales_of_one_buyer_in_a_group_count_as_if_they_came_one_after_the_other() -> None:
    first, second = sales.new_sale(), sales.new_sale()
    together = [sales.new_sale(user_id=first.user_id) for _ in range(32)]
    alone = [sales.new_sale(user_id=second.user_id) for _ in range(32)]

    outcomes = assess(together)

    for sale in alone[:-1]:
        sale.assess()
    with pytest.raises(exceptions.RiskRefused):
        alone[-1].assess()
    assert scores(together) == scores(alone) == [60] * 11 + [80] * 20 + [100]
    assert [isinstance(outcome, exceptions.RiskRefused) for outcome in outcomes] == [False] * 31 + [True]


def test_a_refused_sale_stores_its_score_and_leaves_the_others_alone() -> None:
    group = [sales.new_sale() for _ in range(3)]
    services.record_account(
        user_id=group[1].user_id,
        version=1,
        email_verified=True,
        closed=True,
        created_at=sales.NOW - timedelta(days=99),
        now=sales.NOW,
    )

    with statements(7):
        before, refused, after = assess(group)

    assert (before.score, after.score) == (60, 60)
    assert isinstance(refused, exceptions.RiskRefused)
    assert scores(group) == [60, 100, 60]
    assert models.RiskAssessment.objects.get(refused=True).order_number == group[1].order_number
    assert isinstance(assess(group)[1], exceptions.RiskRefused)


# --- orders ------------------------------------------------------------------------------------------------------


def test_one_poisoned_sale_costs_only_itself() -> None:
    group = [sales.new_sale(), sales.new_sale(amount=0), sales.new_sale()]

    outcomes = place(group)

    assert [type(outcome) for outcome in outcomes] == [
        services.OrderResult,
        IntegrityError,
        services.OrderResult,
    ]
    assert [sale.order_facts() for sale in group] == [["PLACED"], [], ["PLACED"]]
    assert set(models.Once.objects.values_list("key", flat=True)) == {
        group[0].key("place_order"),
        group[2].key("place_order"),
    }


def test_an_order_that_is_not_paid_is_not_confirmed_and_the_others_are() -> None:
    group = [sales.sale_with_order(), sales.new_sale(), sales.sale_with_order()]
    group[1].place()

    outcomes = confirm(group)

    assert isinstance(outcomes[1], exceptions.OrderNotPaid)
    assert [outcomes[0].status, outcomes[2].status] == [CONFIRMED, CONFIRMED]
    assert [sale.order_facts() for sale in group] == [
        ["PLACED", "CONFIRMED"],
        ["PLACED"],
        ["PLACED", "CONFIRMED"],
    ]
    assert not models.Once.objects.filter(key=group[1].key("confirm_order")).exists()


def test_a_confirmed_order_is_not_cancelled_and_the_others_are() -> None:
    group = [sales.sale_with_order() for _ in range(3)]
    group[1].confirm()

    outcomes = cancel(group)

    assert isinstance(outcomes[1], exceptions.OrderIsConfirmed)
    assert [outcomes[0].cancelled, outcomes[2].cancelled] == [True, True]
    assert [sale.order_facts()[1:] for sale in group] == [["CANCELLED"], ["CONFIRMED"], ["CANCELLED"]]


def test_an_order_that_was_never_placed_is_void_and_the_others_are_cancelled() -> None:
    group = [sales.sale_with_order(), sales.new_sale()]

    assert [outcome.cancelled for outcome in cancel(group)] == [True, False]

    assert models.Once.objects.get(key=group[1].key("place_order")).state == "VOID"


@pytest.mark.parametrize("service", [services.cancel_order, services.confirm_order])
def test_each_event_has_the_correlation_id_of_its_sale(service: Callable[..., Any]) -> None:
    group = [sales.sale_with_order() for _ in range(3)]
    requests = {
        services.cancel_order: [sale.cancel_request() for sale in group],
        services.confirm_order: [sale.order_request("confirm_order") for sale in group],
    }[service]

    service(with_own_correlation_ids(requests), now=sales.NOW)

    assert correlation_ids() == {sale.order_number: sale.order_number for sale in group}
