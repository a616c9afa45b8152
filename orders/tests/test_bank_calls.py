"""Slow captures: who waits how long, that none is sent twice, and that its late answer counts."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auction_project.kernel import errors
from orders import bank_calls, exceptions, models, provider
from orders.tests import bank_process, sales

WAIT_SECONDS = 10.0
TAKEN = provider.Result(provider.Status.CAPTURED)


class Held:
    """A call that answers when it is let go, and what its outcomes were concluded to be."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.made = 0
        self.concluded: list[object] = []

    def call(self) -> provider.Result:
        self.made += 1
        self.go.wait(WAIT_SECONDS)
        return TAKEN

    def conclude(self, answer: Callable[[], provider.Result]) -> models.Payment:
        self.concluded.append(answer())
        return models.Payment(order_number="1")


@pytest.fixture
def held() -> Iterator[Held]:
    one = Held()
    yield one
    one.go.set()


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_calls, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(bank_calls, "IMPATIENT_SECONDS", 0.0)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def make(calls: bank_calls.Calls, key: str, held: Held, *, was_silent: bool = False) -> models.Payment:
    return calls.make(key, held.call, held.conclude, was_silent=was_silent)


@pytest.mark.usefixtures("no_patience")
def test_a_slow_call_goes_on_without_its_caller_and_is_not_made_twice(held: Held) -> None:
    calls = bank_calls.Calls()

    for _ in range(3):
        with pytest.raises(errors.Unavailable):
            make(calls, "a", held)
    assert (held.made, held.concluded) == (1, [])
    held.go.set()

    until(lambda: not calls._open)
    assert (held.made, held.concluded) == (1, [TAKEN])


def test_a_repeat_that_comes_while_the_answer_comes_gets_the_same_conclusion(held: Held) -> None:
    calls, results = bank_calls.Calls(), []
    first = threading.Thread(target=lambda: results.append(make(calls, "a", held)))
    first.start()
    until(lambda: held.made == 1)
    threading.Timer(0.02, held.go.set).start()

    with pytest.MonkeyPatch.context() as patience:
        patience.setattr(bank_calls, "IMPATIENT_SECONDS", WAIT_SECONDS)
        results.append(make(calls, "a", held))
    first.join(WAIT_SECONDS)

    assert [payment.order_number for payment in results] == ["1", "1"]
    assert (held.made, held.concluded) == (1, [TAKEN])


def test_cards_that_were_silent_before_take_no_thread_from_others(held: Held) -> None:
    calls, other = bank_calls.Calls(), Held()
    with pytest.MonkeyPatch.context() as patience:
        patience.setattr(bank_calls, "PATIENCE_SECONDS", 0.0)
        patience.setattr(bank_calls, "IMPATIENT_SECONDS", 0.0)
        for number in range(bank_calls.CALL_THREADS + 1):
            with pytest.raises(errors.Unavailable):
                make(calls, f"silent {number}", held, was_silent=True)
    other.go.set()

    assert make(calls, "good", other).order_number == "1"


def test_only_some_callers_wait_long(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_calls, "PATIENCE_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(bank_calls, "IMPATIENT_SECONDS", 0.0)
    calls = bank_calls.Calls()
    patient = [
        threading.Thread(target=make, args=(calls, str(number), held))
        for number in range(bank_calls.PATIENT_CALLERS)
    ]
    for thread in patient:
        thread.start()
    until(lambda: calls._patient._value == 0)

    with pytest.raises(errors.Unavailable):
        make(calls, "one more", held)

    assert [thread.is_alive() for thread in patient] == [True] * bank_calls.PATIENT_CALLERS
    held.go.set()
    for thread in patient:
        thread.join(WAIT_SECONDS)
    until(lambda: not calls._open)
    assert len(held.concluded) == bank_calls.PATIENT_CALLERS + 1


@pytest.mark.usefixtures("no_patience")
def test_beyond_the_bound_nothing_is_sent(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_calls, "MAX_CALLS", 1)
    calls = bank_calls.Calls()
    with pytest.raises(errors.Unavailable):
        make(calls, "a", held)
    until(lambda: held.made == 1)

    with pytest.raises(errors.Unavailable):
        make(calls, "b", held)

    assert (held.made, list(calls._open)) == (1, ["a"])


@pytest.mark.django_db(databases=["orders"], transaction=True)
@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize(
    ("number", "facts", "state"),
    [
        (sales.ACCEPTS, ["STARTED", "CAPTURED"], "CAPTURED"),
        (sales.REFUSES, ["STARTED", "DECLINED"], "DECLINED"),
        (
            sales.TIMEOUT_NOT_DONE,
            ["STARTED", *["TIMED_OUT"] * 3, "CANCELLING", "CANCELLED"],
            "CANCELLED",
        ),
    ],
)
def test_an_answer_that_nobody_waited_for_is_written_down_once(
    bank: bank_process.BankProcess, sale: sales.Sale, number: str, facts: list[str], state: str
) -> None:
    sale.pay_with(number)
    outcomes: list[object] = []

    def is_decided() -> bool:
        try:
            outcomes.append(sale.capture().state)
        except errors.Unavailable:
            return False
        except exceptions.PaymentRefused:
            outcomes.append(sale.payment().state)
        return True

    until(is_decided)

    assert outcomes == [state]
    assert sale.payment_facts() == facts
    assert len(sales.published_types()) == 1
