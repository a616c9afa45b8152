"""Slow captures: how long a caller waits, that no call is sent twice, and that a late answer counts."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auction_project.kernel import errors
from auction_project.kernel.tests import conditions
from orders import capture_calls, exceptions, models, provider
from orders.tests import bank_process, sales

WAIT_SECONDS = 10.0
CAPTURED = provider.Result(provider.Status.CAPTURED)


class Held:
    """A call that answers when `go` is set, and the outcomes that were concluded."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.made = 0
        self.concluded: list[object] = []

    def call(self) -> provider.Result:
        self.made += 1
        self.go.wait(WAIT_SECONDS)
        return CAPTURED

    def conclude(self, answer: Callable[[], provider.Result]) -> models.Payment:
        self.concluded.append(answer())
        return models.Payment(order_number="1")


@pytest.fixture
def held() -> Iterator[Held]:
    one = Held()
    yield one
    one.go.set()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(capture_calls, "SHORT_WAIT_SECONDS", 0.0)


def make(calls: capture_calls.Calls, key: str, held: Held, *, is_slow: bool = False) -> models.Payment:
    return calls.make(key, held.call, held.conclude, is_slow=is_slow)


@pytest.mark.usefixtures("no_waiting")
def test_a_slow_call_goes_on_without_its_caller_and_is_not_made_twice(held: Held) -> None:
    calls = capture_calls.Calls()

    for _ in range(3):
        with pytest.raises(errors.Unavailable):
            make(calls, "a", held)
    assert (held.made, held.concluded) == (1, [])
    held.go.set()

    conditions.until(lambda: not calls._open)
    assert (held.made, held.concluded) == (1, [CAPTURED])


def test_a_repeat_that_comes_while_the_call_is_under_way_gets_the_same_conclusion(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, results = capture_calls.Calls(), []
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(capture_calls, "SHORT_WAIT_SECONDS", WAIT_SECONDS)
    first = threading.Thread(target=lambda: results.append(make(calls, "a", held)))
    first.start()
    conditions.until(lambda: held.made == 1)
    in_time = capture_calls._in_time

    def answer_and_wait(*arguments: Any) -> models.Payment:
        held.go.set()  # the repeat has met the call that is under way
        return in_time(*arguments)

    monkeypatch.setattr(capture_calls, "_in_time", answer_and_wait)
    results.append(make(calls, "a", held))
    first.join(WAIT_SECONDS)

    assert [payment.order_number for payment in results] == ["1", "1"]
    assert (held.made, held.concluded) == (1, [CAPTURED])


def test_cards_that_were_slow_before_take_no_thread_from_others(held: Held) -> None:
    calls, other = capture_calls.Calls(), Held()
    with pytest.MonkeyPatch.context() as waits:
        waits.setattr(capture_calls, "LONG_WAIT_SECONDS", 0.0)
        waits.setattr(capture_calls, "SHORT_WAIT_SECONDS", 0.0)
        for number in range(capture_calls.CALL_THREADS + 1):
            with pytest.raises(errors.Unavailable):
                make(calls, f"slow {number}", held, is_slow=True)
    other.go.set()

    assert make(calls, "good", other).order_number == "1"


def test_only_some_callers_wait_long(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(capture_calls, "SHORT_WAIT_SECONDS", 0.0)
    calls = capture_calls.Calls()
    waiters = [
        threading.Thread(target=make, args=(calls, str(number), held))
        for number in range(capture_calls.LONG_WAITERS)
    ]
    for thread in waiters:
        thread.start()
    conditions.until(lambda: calls._long_waiters._value == 0)

    with pytest.raises(errors.Unavailable):
        make(calls, "one more", held)

    assert [thread.is_alive() for thread in waiters] == [True] * capture_calls.LONG_WAITERS
    held.go.set()
    for thread in waiters:
        thread.join(WAIT_SECONDS)
    conditions.until(lambda: not calls._open)
    assert len(held.concluded) == capture_calls.LONG_WAITERS + 1


@pytest.mark.usefixtures("no_waiting")
def test_beyond_the_bound_nothing_is_sent(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_calls, "MAX_CALLS", 1)
    calls = capture_calls.Calls()
    with pytest.raises(errors.Unavailable):
        make(calls, "a", held)
    conditions.until(lambda: held.made == 1)

    with pytest.raises(errors.Unavailable):
        make(calls, "b", held)

    assert (held.made, list(calls._open)) == (1, ["a"])


@pytest.mark.django_db(databases=["orders"], transaction=True)
@pytest.mark.usefixtures("no_waiting")
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
def test_an_answer_that_comes_after_its_caller_has_gone_is_written_down_once(
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

    conditions.until(is_decided)

    assert outcomes == [state]
    assert sale.payment_facts() == facts
    assert len(sales.published_types()) == 1
