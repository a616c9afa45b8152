"""Slow captures: how long a caller waits, that no call is sent twice, and that a late answer counts."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auction_project.kernel import errors
from auction_project.kernel.messaging import groups
from auction_project.kernel.tests import conditions
from orders import capture_calls, exceptions, models, provider
from orders.tests import bank_process, sales

WAIT_SECONDS = 10.0
IN_FLIGHT = 32
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

    def conclude(self, answers: capture_calls.Answers) -> dict[str, capture_calls.Outcome]:
        self.concluded += [answer() for answer in answers.values()]
        return {key: models.Payment(order_number="1") for key in answers}


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
    """Make the call as a group of one; its error is raised."""
    call = capture_calls.Call(key, held.call, is_slow)
    return groups.only([calls.make([call], held.conclude)[key]])


def new_calls(*, in_flight: int = IN_FLIGHT) -> capture_calls.Calls:
    return capture_calls.Calls(in_flight=in_flight)


@pytest.mark.usefixtures("no_waiting")
def test_a_slow_call_goes_on_without_its_caller_and_is_not_made_twice(held: Held) -> None:
    calls = new_calls()

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
    calls, results = new_calls(), []
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(capture_calls, "SHORT_WAIT_SECONDS", WAIT_SECONDS)
    first = threading.Thread(target=lambda: results.append(make(calls, "a", held)))
    first.start()
    conditions.until(lambda: held.made == 1)
    enter = calls._enter

    def enter_and_answer(repeats: Any) -> Any:
        entered = enter(repeats)
        held.go.set()  # the repeat has met the call that is under way
        return entered

    monkeypatch.setattr(calls, "_enter", enter_and_answer)
    results.append(make(calls, "a", held))
    first.join(WAIT_SECONDS)

    assert [payment.order_number for payment in results] == ["1", "1"]
    assert (held.made, held.concluded) == (1, [CAPTURED])


def test_a_call_for_which_no_thread_starts_can_be_made_again(held: Held) -> None:
    calls = new_calls()
    held.go.set()

    def refuse(_send: Callable[[], provider.Result]) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as exhausted:
        exhausted.setattr(calls._threads, "submit", refuse)
        with pytest.raises(errors.Unavailable):
            make(calls, "a", held)

    assert make(calls, "a", held).order_number == "1"


def test_cards_that_were_slow_before_take_no_thread_from_others(held: Held) -> None:
    calls, other = new_calls(), Held()
    with pytest.MonkeyPatch.context() as waits:
        waits.setattr(capture_calls, "LONG_WAIT_SECONDS", 0.0)
        waits.setattr(capture_calls, "SHORT_WAIT_SECONDS", 0.0)
        for number in range(IN_FLIGHT + 1):
            with pytest.raises(errors.Unavailable):
                make(calls, f"slow {number}", held, is_slow=True)
    other.go.set()

    assert make(calls, "good", other).order_number == "1"


def test_only_some_callers_wait_long(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(capture_calls, "SHORT_WAIT_SECONDS", 0.0)
    calls = new_calls()
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
    calls = new_calls()
    with pytest.raises(errors.Unavailable):
        make(calls, "a", held)
    conditions.until(lambda: held.made == 1)

    with pytest.raises(errors.Unavailable):
        make(calls, "b", held)

    assert (held.made, list(calls._open)) == (1, ["a"])


# --- groups ------------------------------------------------------------------------------------------------------


def call(key: str, send: Callable[[], provider.Result], *, is_slow: bool = False) -> capture_calls.Call:
    return capture_calls.Call(key, send, is_slow)


def test_the_calls_of_a_group_go_out_together_and_are_concluded_together(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    all_are_out = threading.Barrier(IN_FLIGHT)
    concluded: list[list[str]] = []

    def send() -> provider.Result:
        all_are_out.wait(WAIT_SECONDS)
        return CAPTURED

    def conclude(answers: capture_calls.Answers) -> dict[str, capture_calls.Outcome]:
        concluded.append(sorted(answers))
        return held.conclude(answers)

    keys = [f"{number:02}" for number in range(IN_FLIGHT)]
    outcomes = new_calls().make([call(key, send) for key in keys], conclude)

    assert [outcomes[key].order_number for key in keys] == ["1"] * IN_FLIGHT
    assert concluded == [keys]


def test_no_more_calls_are_in_flight_than_the_setting_says(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    lock, in_flight, most = threading.Lock(), 0, 0

    def send() -> provider.Result:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        time.sleep(0.001)  # the provider's work
        with lock:
            in_flight -= 1
        return CAPTURED

    new_calls(in_flight=2).make([call(str(number), send) for number in range(40)], held.conclude)

    assert (most, len(held.concluded)) == (2, 40)


@pytest.mark.usefixtures("no_waiting")
def test_its_end_waits_for_the_calls_under_way(held: Held) -> None:
    calls = new_calls()
    with pytest.raises(errors.Unavailable):
        make(calls, "key", held)
    end = threading.Thread(target=calls.close)
    end.start()

    end.join(0.1)
    assert end.is_alive()
    held.go.set()
    end.join(WAIT_SECONDS)

    assert not end.is_alive()
    assert held.concluded == [CAPTURED]


def test_a_group_waits_as_long_as_answers_come(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", 0.9)

    def send() -> provider.Result:
        time.sleep(0.05)  # the provider's work
        return CAPTURED

    outcomes = new_calls(in_flight=1).make([call(str(number), send) for number in range(20)], held.conclude)

    assert [type(outcome) for outcome in outcomes.values()] == [models.Payment] * 20


def test_a_group_waits_no_longer_than_its_bound(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(capture_calls, "MAX_WAIT_SECONDS", 0.0)

    with pytest.raises(errors.Unavailable):
        make(new_calls(), "a", held)

    assert held.concluded == []


def test_a_call_that_is_not_answered_concerns_its_member_alone_and_is_concluded_late(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = new_calls()
    monkeypatch.setattr(
        calls, "_wait", lambda futures: conditions.until(lambda: sum(f.done() for f in futures) == 2)
    )
    group = [call("a", lambda: CAPTURED), call("hangs", held.call), call("b", lambda: CAPTURED)]

    outcomes = calls.make(group, held.conclude)

    assert [type(outcomes[key]) for key in ("a", "hangs", "b")] == [
        models.Payment,
        errors.Unavailable,
        models.Payment,
    ]
    assert (len(held.concluded), list(calls._open)) == (2, ["hangs"])
    held.go.set()
    conditions.until(lambda: not calls._open)
    assert len(held.concluded) == 3


def test_a_group_does_not_wait_for_a_payment_that_was_slow_before(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    calls = new_calls()

    outcomes = calls.make([call("slow", held.call, is_slow=True), call("a", lambda: CAPTURED)], held.conclude)

    assert [type(outcomes[key]) for key in ("slow", "a")] == [errors.Unavailable, models.Payment]
    assert list(calls._open) == ["slow"]


def test_a_conclusion_that_fails_is_the_outcome_of_each_and_the_keys_are_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capture_calls, "LONG_WAIT_SECONDS", WAIT_SECONDS)
    calls = new_calls()

    def fail(_answers: capture_calls.Answers) -> dict[str, capture_calls.Outcome]:
        raise ConnectionError("the database is down")

    outcomes = calls.make([call("a", lambda: CAPTURED), call("b", lambda: CAPTURED)], fail)

    assert [type(outcomes[key]) for key in ("a", "b")] == [ConnectionError] * 2
    assert calls._open == {}


def test_what_is_settled_goes_out_at_once_and_an_error_concerns_its_key_alone() -> None:
    both_are_out = threading.Barrier(2)

    def send(key: str) -> str:
        both_are_out.wait(WAIT_SECONDS)
        if key == "b":
            raise provider.ProviderFault("no")
        return key

    answers = new_calls().settle(["a", "b"], send)

    assert answers["a"] == "a"
    assert isinstance(answers["b"], provider.ProviderFault)


# --- payments ----------------------------------------------------------------------------------------------------


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
