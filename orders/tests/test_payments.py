"""Payments against the real bank process: each card, each undoing, each outage."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from auction_project.kernel import errors, failpoints
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import failure, once, steps
from orders import exceptions, models, provider, services
from orders.tests import bank_process, sales

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)


def refusal_of(sale: sales.Sale) -> str:
    with pytest.raises(exceptions.PaymentRefused) as refusal:
        sale.capture_patiently()
    return refusal.value.detail


# --- the behaviour of each card -------------------------------------------------------------------------------------


def test_a_card_that_accepts_is_charged_once_however_often_the_step_comes(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.ACCEPTS)

    assert (
        sale.capture()
        == sale.capture()
        == services.PaymentResult(order_number=sale.order_number, state="CAPTURED")
    )

    assert sale.payment_facts() == ["STARTED", "CAPTURED"]
    assert sale.journal() == sales.CAPTURED
    assert sales.at_bank(bank, sale) == ("captured", False)
    [(event_id, event)] = sales.published()
    assert event_id == f"{sale.order_number}:PaymentCaptured"
    assert isinstance(event, events.PaymentCaptured)
    assert (event.amount, event.currency, event.user_id) == (12550, "EUR", sale.user_id)


def test_a_card_that_refuses_is_refused_at_every_repeat(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.REFUSES)

    assert refusal_of(sale) == refusal_of(sale) == "The card was declined."

    assert sale.payment_facts() == ["STARTED", "DECLINED"]
    assert sale.journal() == []
    assert sales.at_bank(bank, sale) == ("declined", False)
    [(_, event)] = sales.published()
    assert isinstance(event, events.PaymentDeclined)
    assert event.reason == "The card was declined."


def test_a_buyer_without_a_card_is_refused_without_a_call_to_the_bank(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    assert refusal_of(sale) == "There is no card on file."

    sale.pay_with(sales.ACCEPTS)
    assert refusal_of(sale) == "There is no card on file."
    assert sales.at_bank(bank, sale) is None
    assert (sale.payment().state, sale.journal()) == ("DECLINED", [])
    assert sales.published_types() == ["PaymentDeclined"]


def test_an_unanswered_capture_that_was_done_counts_as_captured_after_three_timeouts(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.TIMEOUT_DONE)

    for _ in range(2):
        with pytest.raises(errors.Unavailable) as outage:
            sale.capture()
        assert failure.classify(outage.value) is failure.Fate.OUTAGE
    outcome = sale.capture()

    assert outcome == services.PaymentResult(order_number=sale.order_number, state="CAPTURED")
    assert sale.payment_facts() == [
        "STARTED",
        "TIMED_OUT",
        "TIMED_OUT",
        "TIMED_OUT",
        "CANCELLING",
        "CAPTURED",
    ]
    assert (sale.payment().timeouts, sale.journal()) == (3, sales.CAPTURED)
    assert sales.at_bank(bank, sale) == ("captured", False)


@pytest.mark.parametrize("number", [sales.TIMEOUT_NOT_DONE, sales.TIMEOUT_LANDS_LATE])
def test_a_capture_that_was_not_done_after_three_timeouts_is_cancelled_for_ever(
    bank: bank_process.BankProcess, sale: sales.Sale, number: str
) -> None:
    sale.pay_with(number)

    assert refusal_of(sale) == "The payment provider did not answer in time."

    assert (sale.payment().state, sale.payment().timeouts, sale.journal()) == ("CANCELLED", 3, [])
    assert sales.at_bank(bank, sale) == ("cancelled", False)
    assert sales.at_bank(bank, sale) == (
        "cancelled",
        False,
    )  # a late capture would have landed after the first request
    assert sales.published_types() == ["PaymentDeclined"]


def test_a_capture_that_lands_between_two_attempts_counts_as_captured(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.TIMEOUT_LANDS_LATE)
    with pytest.raises(errors.Unavailable):
        sale.capture()
    assert sales.at_bank(bank, sale) == ("processing", False)  # it lands right after this request

    assert sale.capture_patiently().state == "CAPTURED"

    assert (sales.at_bank(bank, sale), sale.journal()) == (("captured", False), sales.CAPTURED)


# --- undoing -----------------------------------------------------------------------------------------------------


def test_a_captured_payment_is_refunded_once(bank: bank_process.BankProcess, sale: sales.Sale) -> None:
    sale.pay_with(sales.ACCEPTS)
    sale.capture()

    assert (
        sale.refund() == sale.refund() == services.RefundResult(order_number=sale.order_number, refunded=True)
    )

    assert sale.payment_facts() == ["STARTED", "CAPTURED", "REFUNDING", "REFUNDED"]
    assert sale.journal() == sales.REFUNDED
    assert sales.at_bank(bank, sale) == ("captured", True)
    assert sales.published_types() == ["PaymentCaptured", "PaymentRefunded"]
    marker = models.Once.objects.get(key=sale.key("capture_payment") + ":undo")
    assert marker.state == once.State.DONE
    with pytest.raises(steps.Voided):
        sale.capture()


def test_an_undoing_that_comes_first_leaves_a_tombstone_and_the_bank_is_never_called(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.ACCEPTS)

    assert (
        sale.refund()
        == sale.refund()
        == services.RefundResult(order_number=sale.order_number, refunded=False)
    )

    for _ in range(2):
        with pytest.raises(steps.Voided):
            sale.capture()
    assert sales.at_bank(bank, sale) is None
    assert (models.Payment.objects.count(), sales.published()) == (0, [])


@pytest.mark.parametrize(
    ("number", "state", "record", "journal", "types"),
    [
        (
            sales.TIMEOUT_DONE,
            "REFUNDED",
            ("captured", True),
            sales.REFUNDED,
            ["PaymentCaptured", "PaymentRefunded"],
        ),
        (sales.TIMEOUT_NOT_DONE, "CANCELLED", ("cancelled", False), [], []),
        (sales.TIMEOUT_LANDS_LATE, "CANCELLED", ("cancelled", False), [], []),
    ],
)
def test_undoing_an_unanswered_capture_cancels_it_and_refunds_what_was_taken(
    bank: bank_process.BankProcess,
    sale: sales.Sale,
    number: str,
    state: str,
    record: tuple[str, bool],
    journal: list[Any],
    types: list[str],
) -> None:
    sale.pay_with(number)
    with pytest.raises(errors.Unavailable):
        sale.capture()

    assert sale.refund() == services.RefundResult(
        order_number=sale.order_number, refunded=state == "REFUNDED"
    )

    assert (sale.payment().state, sales.at_bank(bank, sale)) == (state, record)
    assert (sale.journal(), sales.published_types()) == (journal, types)
    with pytest.raises(steps.Voided):
        sale.capture()
    assert sales.at_bank(bank, sale) == record


def test_undoing_a_refused_payment_changes_nothing(bank: bank_process.BankProcess, sale: sales.Sale) -> None:
    sale.pay_with(sales.REFUSES)
    refusal_of(sale)

    assert sale.refund() == services.RefundResult(order_number=sale.order_number, refunded=False)

    assert sale.payment_facts() == ["STARTED", "DECLINED"]
    assert sales.published_types() == ["PaymentDeclined"]
    assert refusal_of(sale) == "The card was declined."


def test_an_answer_that_comes_after_the_undoing_began_is_refunded_all_the_same(
    bank: bank_process.BankProcess, sale: sales.Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale.pay_with(sales.ACCEPTS)
    undone: list[Any] = []

    def undo_meanwhile(name: str) -> None:
        if name == "capture_payment.after_effect":
            monkeypatch.undo()
            undone.append(sale.refund())

    monkeypatch.setattr(failpoints, "reach", undo_meanwhile)
    with pytest.raises(steps.Voided):
        sale.capture()

    assert undone == [services.RefundResult(order_number=sale.order_number, refunded=True)]
    assert (sales.at_bank(bank, sale), sale.journal()) == (("captured", True), sales.REFUNDED)


# --- outages -----------------------------------------------------------------------------------------------------


def test_while_the_bank_is_down_no_timeout_is_counted_and_it_goes_on_by_itself_afterwards(
    own_bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.ACCEPTS)
    own_bank.kill()
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            sale.capture()
    assert (sale.payment().state, sale.payment().timeouts) == ("STARTED", 0)

    own_bank.start()

    assert sale.capture().state == "CAPTURED"
    own_bank.kill()
    with pytest.raises(errors.Unavailable):
        sale.refund()
    assert sale.payment().state == "REFUNDING"
    own_bank.start()
    assert sale.refund() == services.RefundResult(order_number=sale.order_number, refunded=True)
    assert (sales.at_bank(own_bank, sale), sale.journal()) == (("captured", True), sales.REFUNDED)


def test_while_the_bank_hangs_no_timeout_is_counted(
    own_bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.ACCEPTS)
    own_bank.pause()
    for _ in range(4):
        with pytest.raises(errors.Unavailable):
            sale.capture()
    assert (sale.payment().state, sale.payment().timeouts) == ("STARTED", 0)

    own_bank.resume()

    assert sale.capture_patiently().state == "CAPTURED"
    assert sales.at_bank(own_bank, sale) == ("captured", False)


def test_a_bank_that_dies_after_the_third_timeout_cancels_when_it_is_back(
    own_bank: bank_process.BankProcess, sale: sales.Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale.pay_with(sales.TIMEOUT_NOT_DONE)
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            sale.capture()
    bank = provider.current()
    monkeypatch.setattr(bank, "cancel", lambda **_: (own_bank.kill(), type(bank).cancel(bank, key="k"))[1])
    with pytest.raises(errors.Unavailable):
        sale.capture()
    assert (sale.payment().state, sale.payment().timeouts) == ("CANCELLING", 3)

    monkeypatch.undo()
    own_bank.start()

    assert refusal_of(sale) == "The payment provider did not answer in time."
    assert sales.at_bank(own_bank, sale) == ("cancelled", False)


class ScriptedBank:
    """A provider that answers as the test says, and notes whether the test has a transaction open during a call."""

    def __init__(self, *answers: object, healthy: bool = True) -> None:
        self._answers = list(answers)
        self._healthy = healthy
        self._connection = connections["orders"]  # of the test, because captures run on threads of their own
        self.calls: list[str] = []
        self.in_transaction: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            self.calls.append(name)
            self.in_transaction.append(self._connection.in_atomic_block)
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def is_healthy(self) -> bool:
        return self._healthy


UseBank = Callable[[ScriptedBank], ScriptedBank]


@pytest.fixture
def use_bank() -> Iterator[UseBank]:
    with contextlib.ExitStack() as stack:
        yield lambda bank: stack.enter_context(provider.current.replaced_by(bank))


def test_no_transaction_is_open_during_a_call_to_the_provider(sale: sales.Sale, use_bank: UseBank) -> None:
    timeout, captured = provider.NoAnswer(), provider.Result(provider.Status.CAPTURED)
    bank = use_bank(ScriptedBank(timeout, timeout, timeout, captured, None))
    sale.pay_with(sales.ACCEPTS)

    sale.capture_patiently()
    sale.refund()

    assert bank.calls == ["capture", "capture", "capture", "cancel", "refund"]
    assert bank.in_transaction == [False] * 5


def test_a_timeout_of_a_provider_that_is_not_healthy_is_never_counted(
    sale: sales.Sale, use_bank: UseBank
) -> None:
    bank = use_bank(ScriptedBank(*[provider.NoAnswer()] * 5, healthy=False))
    sale.pay_with(sales.ACCEPTS)

    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            sale.capture()

    assert bank.calls == ["capture"] * 5
    assert (sale.payment().state, sale.payment().timeouts) == ("STARTED", 0)


def test_a_request_that_the_provider_does_not_understand_is_a_fault(
    bank: bank_process.BankProcess, sale: sales.Sale, settings: Any
) -> None:
    settings.BANK_API_KEY = "wrong"
    sale.pay_with(sales.ACCEPTS)

    with pytest.raises(provider.ProviderFault) as fault:
        sale.capture()

    assert failure.classify(fault.value) is failure.Fate.FAULT
    assert sale.payment().state == "STARTED"


# --- operators ----------------------------------------------------------------------------------------------------


def test_an_operator_settles_a_payment_that_hangs(bank: bank_process.BankProcess, sale: sales.Sale) -> None:
    sale.pay_with(sales.TIMEOUT_NOT_DONE)
    with pytest.raises(errors.Unavailable):
        sale.capture()

    state = services.resolve_payment(
        order_number=sale.order_number, actor="ada", reason="It hangs.", now=sales.NOW
    )

    assert (state, sales.at_bank(bank, sale)) == ("CANCELLED", ("cancelled", False))
    assert sale.payment_facts() == ["STARTED", "TIMED_OUT", "RESOLVED", "CANCELLING", "CANCELLED"]
    assert models.PaymentFact.objects.get(kind="RESOLVED").detail == "ada: It hangs."
    assert refusal_of(sale) == "The payment was settled by our staff."


def test_an_operator_cannot_settle_a_payment_that_is_decided_or_does_not_exist(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    with pytest.raises(exceptions.OrderNotFound):
        services.resolve_payment(order_number=sale.order_number, actor="ada", reason="?", now=sales.NOW)
    sale.pay_with(sales.ACCEPTS)
    sale.capture()

    with pytest.raises(exceptions.PaymentDecided):
        services.resolve_payment(order_number=sale.order_number, actor="ada", reason="?", now=sales.NOW)

    assert sale.payment_facts() == ["STARTED", "CAPTURED"]
