"""Steps in groups: a bounded number of statements, one outcome for each member, and no harm by one for another."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import contracts, errors
from orders import capture_calls, exceptions, invariants, models, provider, services
from orders.tests import bank_process, conftest, sales

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


def capture(group: Sequence[sales.Sale]) -> list[Any]:
    return list(services.capture_payment([sale.request("capture_payment") for sale in group], now=sales.NOW))


def refund(group: Sequence[sales.Sale]) -> list[Any]:
    return list(
        services.refund_payment([sale.order_request("capture_payment") for sale in group], now=sales.NOW)
    )


def sale_with_card(number: str = sales.ACCEPTS) -> sales.Sale:
    sale = sales.new_sale()
    sale.pay_with(number)
    return sale


def with_own_correlation_ids(requests: Sequence[Any]) -> list[Any]:
    return [msgspec.structs.replace(request, correlation_id=request.order_number) for request in requests]


def correlation_ids() -> dict[str, str]:
    """The correlation id of each event, by its subject: the order number, or the user of a card."""
    decoded = [contracts.decode(bytes(row.body)) for row in models.Outbox.objects.order_by("id")]
    return {envelope.subject: envelope.correlationid for envelope, _ in decoded}


def scores(group: Sequence[sales.Sale]) -> list[int]:
    stored = models.RiskAssessment.objects.in_bulk()
    return [stored[sale.order_number].score for sale in group]


# --- the cost of a group -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 50])
@pytest.mark.parametrize(
    ("act", "make", "expected"),
    [
        (assess, sales.new_sale, 6),
        (place, sales.new_sale, 5),
        (cancel, sales.sale_with_order, 8),
        (confirm, sales.sale_with_order, 7),
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
        barred=False,
        created_at=sales.NOW - timedelta(days=99),
        now=sales.NOW,
    )

    with statements(6):
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


# --- payments ----------------------------------------------------------------------------------------------------


class Bank:
    """A provider that answers at once: by the card, and for the amounts in `faults` with a fault."""

    def __init__(self, *, faults: tuple[int, ...] = ()) -> None:
        self._faults = faults

    def capture(self, *, key: str, token: str, amount: int, currency: str, reference: str) -> provider.Result:
        if amount in self._faults:
            raise provider.ProviderFault("The amount makes no sense.")
        if token.startswith("tok_refuses"):
            return provider.Result(provider.Status.DECLINED, "The card was declined.")
        return provider.Result(provider.Status.CAPTURED)

    def refund(self, *, key: str) -> None:
        """It is done."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider that answers in time."""
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", 30.0)
    with provider.current.replaced_by(Bank(faults=(666,))):
        yield


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("members", [1, 50])
def test_payments_are_captured_and_refunded_by_the_same_number_of_statements(members: int) -> None:
    group = [sale_with_card() for _ in range(members)]

    with statements(12):
        captured = capture(group)
    with statements(14):
        refunded = refund(group)

    assert [outcome.state for outcome in captured] == ["CAPTURED"] * members
    assert [outcome.refunded for outcome in refunded] == [True] * members
    assert [sale.payment_facts() for sale in group] == [
        ["STARTED", "CAPTURED", "REFUNDING", "REFUNDED"]
    ] * members
    assert models.JournalEntry.objects.count() == 2 * members
    assert invariants.check_ledger().violations == ()
    assert sorted(sales.published_types()) == ["PaymentCaptured"] * members + ["PaymentRefunded"] * members


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("members", [1, 50])
def test_payments_are_declined_and_cards_suspended_by_the_same_number_of_statements(members: int) -> None:
    group = [sale_with_card(sales.REFUSES) for _ in range(members)]

    with statements(14):
        outcomes = capture(group)

    assert [type(outcome) for outcome in outcomes] == [exceptions.PaymentRefused] * members
    assert sorted(sales.published_types()) == ["PaymentDeclined"] * members
    assert {card[1:] for card in sales.card_states()} == {(1, True), (2, False)}
    assert models.Card.objects.filter(version=2, declined_at=sales.NOW).count() == members


@pytest.mark.usefixtures("answering")
def test_a_card_that_is_declined_twice_in_a_group_is_suspended_once() -> None:
    first = sale_with_card(sales.REFUSES)
    group = [first, sales.new_sale(user_id=first.user_id)]

    outcomes = capture(group)

    assert [type(outcome) for outcome in outcomes] == [exceptions.PaymentRefused] * 2
    assert sales.card_states() == [(first.user_id, 1, True), (first.user_id, 2, False)]


def test_each_member_of_a_group_is_charged_as_its_card_says(own_bank: bank_process.BankProcess) -> None:
    numbers = [sales.ACCEPTS, sales.TIMEOUT_NOT_DONE, sales.REFUSES, sales.TIMEOUT_DONE, sales.ACCEPTS]
    group = [*map(sale_with_card, numbers), sales.new_sale()]

    for _ in range(20):
        if not any(isinstance(outcome, errors.Unavailable) for outcome in capture(group)):
            break

    assert [sale.payment().state for sale in group] == [
        "CAPTURED",
        "CANCELLED",
        "DECLINED",
        "CAPTURED",
        "CAPTURED",
        "DECLINED",
    ]
    assert [sale.payment().timeouts for sale in group] == [0, 3, 0, 3, 0, 0]
    assert sorted(sales.published_types()) == ["PaymentCaptured"] * 3 + ["PaymentDeclined"] * 3
    assert [outcome.refunded for outcome in refund(group)] == [True, False, False, True, True, False]
    assert invariants.check_provider(provider.current()).violations == ()


@pytest.mark.usefixtures("answering")
def test_a_payment_that_cannot_be_begun_or_sent_costs_only_itself() -> None:
    group = [sale_with_card() for _ in range(4)]
    group[1].capture()
    other_key = msgspec.structs.replace(group[1], sale_id=sales.new_sale().sale_id)
    fault = msgspec.structs.replace(group[2], amount=666)

    outcomes = capture([group[0], other_key, fault, group[3]])

    assert [type(outcome) for outcome in outcomes] == [
        services.PaymentResult,
        exceptions.OrderNumberTaken,
        provider.ProviderFault,
        services.PaymentResult,
    ]
    assert [sale.payment().state for sale in group] == ["CAPTURED", "CAPTURED", "STARTED", "CAPTURED"]
    assert not models.Once.objects.filter(key=other_key.key("capture_payment")).exists()


@pytest.mark.usefixtures("answering")
def test_a_confirmed_order_is_not_refunded_and_the_others_are() -> None:
    group = [sale_with_card() for _ in range(3)]
    capture(group)
    place(group)
    group[1].confirm()

    outcomes = refund(group)

    assert isinstance(outcomes[1], exceptions.OrderIsConfirmed)
    assert [sale.payment().state for sale in group] == ["REFUNDED", "CAPTURED", "REFUNDED"]


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("long_wait_seconds", [30.0, 0.0], ids=["in_time", "late"])
def test_each_payment_s_events_have_the_correlation_id_of_its_sale(
    monkeypatch: pytest.MonkeyPatch, long_wait_seconds: float
) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", long_wait_seconds)
    group = [sale_with_card(), sale_with_card(sales.REFUSES), sales.new_sale()]
    requests = with_own_correlation_ids([sale.request("capture_payment") for sale in group])
    models.Outbox.objects.all().delete()

    services.capture_payment(requests, now=sales.NOW)
    conftest.wait_for_late_calls()

    numbers = [sale.order_number for sale in group]
    assert correlation_ids() == {number: number for number in numbers} | {group[1].user_id: numbers[1]}
