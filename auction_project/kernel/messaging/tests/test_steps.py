"""Steps: once by key, undone once, stored answers; and which caller decides when two come at once."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import contracts, errors
from auction_project.kernel.messaging import groups, once, outbox, steps
from auction_project.kernel.messaging.tests import conftest, sessions, tables

pytestmark = pytest.mark.usefixtures("committed")

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
WAIT_SECONDS = 30.0


class Done(msgspec.Struct, frozen=True):
    number: int
    places: tuple[str, ...] = ()


class SoldOut(errors.Refused):
    """There is not enough stock."""


class TooRisky(errors.Refused):
    """The risk is above the limit."""


STEPS = steps.Steps(tables.Once, [SoldOut, TooRisky])


def apply() -> Done:
    """An effect: a row, so that it can be counted."""
    tables.Applied.objects.create(key="k", number=tables.Applied.objects.count(), member="test")
    return Done(1, ("CENTRAL", "HARBOUR"))


def apply_and_raise(error: Exception) -> Callable[[], Done]:
    def effect() -> Done:
        apply()
        raise error

    return effect


def take_back() -> Done:
    tables.Applied.objects.create(key="k:undo", number=0, member="test")
    return Done(-1)


def requests(*keys: str) -> list[steps.Request]:
    return [steps.Request(key=key, correlation_id="c0ffee00") for key in keys]


def perform(effect: Callable[[], Done | errors.Refused] = apply) -> Done:
    """The step as a group of one."""
    return groups.only(STEPS.perform(requests("k"), lambda _members: [effect()], Done, now=NOW))


def undo(effect: Callable[[], Done] = take_back) -> Done | None:
    return groups.only(STEPS.undo(requests("k"), lambda _members: [effect()], Done, now=NOW))


def answer() -> Done:
    return groups.only(STEPS.answers(["k"], Done))


def begin() -> steps.Step:
    """Begin the step in a transaction that commits before the step is decided."""
    with transaction.atomic(using="default"):
        return STEPS.begin(["k"], now=NOW)["k"]


def lock() -> steps.Step:
    return STEPS.lock(["k"])["k"]


def rows() -> dict[str, str]:
    return dict(tables.Once.objects.order_by("key").values_list("key", "state"))


def effects() -> list[str]:
    return list(tables.Applied.objects.order_by("id").values_list("key", flat=True))


# --- performing --------------------------------------------------------------------------------------------------


def test_a_step_happens_once_and_a_repeat_gets_the_same_typed_result() -> None:
    assert perform() == perform() == answer() == Done(1, ("CENTRAL", "HARBOUR"))

    assert (rows(), effects()) == ({"k": "DONE"}, ["k"])


def test_a_refusal_that_is_raised_leaves_nothing_but_its_answer() -> None:
    for _ in range(2):
        with pytest.raises(SoldOut) as refused:
            perform(apply_and_raise(SoldOut("None is left.", available=0, asked=1)))

        assert (refused.value.detail, refused.value.figures) == (
            "None is left.",
            {"available": 0, "asked": 1},
        )
    assert (rows(), effects()) == ({"k": "REFUSED"}, [])
    with pytest.raises(SoldOut):
        answer()


def test_a_refusal_that_is_returned_keeps_what_the_effect_wrote() -> None:
    def assess() -> errors.Refused:
        apply()
        return TooRisky(score=81)

    for _ in range(2):
        with pytest.raises(TooRisky) as refused:
            perform(assess)

        assert refused.value.figures == {"score": 81}
    assert (rows(), effects()) == ({"k": "REFUSED"}, ["k"])


def test_any_other_error_leaves_nothing_and_the_key_is_free_again() -> None:
    for error in (errors.Conflict("The number is taken."), ValueError("broken")):
        with pytest.raises(type(error)):
            perform(apply_and_raise(error))
    assert (rows(), effects()) == ({}, [])

    assert perform() == Done(1, ("CENTRAL", "HARBOUR"))


def test_a_refusal_stored_without_figures_is_raised_again() -> None:
    tables.Once.objects.create(
        key="k", state="REFUSED", outcome={"code": "sold_out", "detail": "None is left."}, created_at=NOW
    )

    with pytest.raises(SoldOut, match=r"None is left\."):
        perform()


# --- undoing -----------------------------------------------------------------------------------------------------


def test_a_step_is_undone_once_and_a_repeat_of_the_undoing_gets_the_same_result() -> None:
    perform()

    assert undo() == undo() == Done(-1)

    assert (rows(), effects()) == ({"k": "DONE", "k:undo": "DONE"}, ["k", "k:undo"])


@pytest.mark.parametrize("repeat", [perform, answer])
def test_a_repeat_after_the_undoing_is_void(repeat: Callable[[], Done]) -> None:
    perform()
    undo()

    for _ in range(2):
        with pytest.raises(steps.Voided) as refused:
            repeat()

        assert (refused.value.code, isinstance(refused.value, errors.Refused)) == ("voided", True)
    assert effects() == ["k", "k:undo"]


def test_a_repeat_is_void_while_the_undoing_is_under_way() -> None:
    perform()
    with transaction.atomic(using="default"):
        STEPS.begin([steps.undo_key("k")], now=NOW)

    with pytest.raises(steps.Voided):
        perform()


def test_an_undoing_that_comes_first_leaves_a_tombstone_that_refuses_the_step() -> None:
    assert undo() is None
    assert undo() is None

    for repeat in (perform, answer):
        with pytest.raises(steps.Voided):
            repeat()
    assert (rows(), effects()) == ({"k": "VOID"}, [])


def test_a_refused_step_has_nothing_to_undo_and_stays_refused() -> None:
    with pytest.raises(SoldOut):
        perform(apply_and_raise(SoldOut()))

    assert undo() is None

    with pytest.raises(SoldOut):
        perform()
    assert effects() == []


@pytest.mark.parametrize("error", [SoldOut(), errors.Conflict("The order is confirmed.")])
def test_an_undoing_that_fails_stores_nothing_and_may_be_tried_again(error: errors.DomainError) -> None:
    perform()

    with pytest.raises(type(error)):
        undo(apply_and_raise(error))
    assert (rows(), effects()) == ({"k": "DONE"}, ["k"])

    assert undo() == Done(-1)


# --- a step that is decided later --------------------------------------------------------------------------------


def test_a_step_that_was_begun_is_open_until_a_later_transaction_decides_it() -> None:
    assert (begin().is_new, begin().is_new) == (True, False)
    for repeat in (perform, answer):
        with pytest.raises(errors.Unavailable):
            repeat()
    assert effects() == []

    with transaction.atomic(using="default"):
        step = lock()
        assert step.is_open
        STEPS.decide([(step, Done(7))])

    assert perform() == answer() == Done(7)


def test_a_step_that_was_begun_may_be_refused() -> None:
    begin()
    with transaction.atomic(using="default"):
        STEPS.decide([(lock(), TooRisky(score=90))])

    with pytest.raises(TooRisky) as refused:
        answer()

    assert refused.value.figures == {"score": 90}


def test_a_step_that_was_begun_is_void_once_it_is_undone_and_cannot_be_finished_then() -> None:
    begin()

    assert undo() is None

    with pytest.raises(steps.Voided):
        answer()
    with transaction.atomic(using="default"):
        step = lock()
        assert not step.is_open
        with pytest.raises(once.AlreadyFinished):
            STEPS.decide([(step, Done(7))])
    assert rows() == {"k": "VOID"}


def test_a_step_that_was_never_begun_has_no_answer() -> None:
    with pytest.raises(KeyError):
        answer()


def test_a_step_is_begun_in_a_transaction_alone() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        STEPS.begin(["k"], now=NOW)


# --- two callers -------------------------------------------------------------------------------------------------


def test_two_callers_at_once_do_the_step_once_and_get_one_result() -> None:
    for _ in range(10):
        tables.Applied.objects.all().delete()
        tables.Once.objects.all().delete()

        assert sessions.at_once("default", perform, perform) == [Done(1, ("CENTRAL", "HARBOUR"))] * 2

        assert effects() == ["k"]


def test_the_second_caller_waits_for_the_first_and_gets_its_answer() -> None:
    is_claimed = threading.Event()

    def apply_slowly() -> Done:
        is_claimed.set()
        sessions.wait_for_blocked("default")
        return apply()

    def perform_second() -> Done:
        is_claimed.wait(WAIT_SECONDS)
        return perform(apply_and_raise(AssertionError("the step happened twice")))

    assert (
        sessions.at_once("default", lambda: perform(apply_slowly), perform_second)
        == [Done(1, ("CENTRAL", "HARBOUR"))] * 2
    )
    assert effects() == ["k"]


def test_two_undoings_at_once_undo_once() -> None:
    perform()

    assert sessions.at_once("default", undo, undo) == [Done(-1)] * 2

    assert effects() == ["k", "k:undo"]


def test_a_step_and_its_undoing_at_once_leave_no_effect_that_stands() -> None:
    for _ in range(10):
        tables.Applied.objects.all().delete()
        tables.Once.objects.all().delete()

        performed, undone = sessions.at_once("default", perform, undo)

        if undone is None:
            assert isinstance(performed, steps.Voided)
            assert (rows(), effects()) == ({"k": "VOID"}, [])
        else:
            # The step came first, so its caller gets its result.
            assert undone == Done(-1)
            assert performed == Done(1, ("CENTRAL", "HARBOUR"))
            assert (rows(), effects()) == ({"k": "DONE", "k:undo": "DONE"}, ["k", "k:undo"])


@pytest.mark.parametrize("decided", ["done", "undone"])
def test_a_refusal_yields_to_what_another_caller_has_decided_meanwhile(
    monkeypatch: pytest.MonkeyPatch, decided: str
) -> None:
    store = STEPS._store_refusal

    def come_second(key: str, refusal: errors.Refused, *, now: datetime) -> dict[str, steps.Step]:
        if decided == "done":
            perform(lambda: Done(2))
        else:
            undo()
        return store(key, refusal, now=now)

    monkeypatch.setattr(STEPS, "_store_refusal", come_second)

    if decided == "done":
        assert perform(apply_and_raise(SoldOut())) == Done(2)
    else:
        with pytest.raises(steps.Voided):
            perform(apply_and_raise(SoldOut()))
    assert effects() == []


# --- groups ------------------------------------------------------------------------------------------------------


def apply_all(members: Sequence[steps.Request]) -> list[Done | errors.Refused]:
    """An effect for a group: "refused" is refused, "poisoned" breaks everything, the others get a row."""
    if any(member.key == "poisoned" for member in members):
        raise ValueError("this member breaks its group")
    done = [member.key for member in members if member.key != "refused"]
    tables.Applied.objects.bulk_create(tables.Applied(key=key, number=0, member="test") for key in done)
    return [Done(1) if member.key in done else SoldOut() for member in members]


def perform_all(*keys: str) -> list[Done | Exception]:
    return STEPS.perform(requests(*keys), apply_all, Done, now=NOW)


def undo_all(*keys: str) -> list[Done | Exception | None]:
    def take_back_all(members: Sequence[steps.Request]) -> list[Done]:
        if any(member.key == "poisoned" for member in members):
            raise ValueError("this member breaks its group")
        tables.Applied.objects.filter(key__in=[member.key for member in members]).delete()
        return [Done(-1) for _ in members]

    return STEPS.undo(requests(*keys), take_back_all, Done, now=NOW)


def in_words(outcomes: Sequence[object]) -> list[object]:
    return [type(outcome).__name__ if isinstance(outcome, Exception) else outcome for outcome in outcomes]


def test_a_group_gets_one_outcome_each_in_order() -> None:
    assert in_words(perform_all("b", "refused", "a")) == [Done(1), "SoldOut", Done(1)]

    assert rows() == {"a": "DONE", "b": "DONE", "refused": "REFUSED"}
    assert effects() == ["b", "a"]


def test_the_effect_gets_the_new_members_of_a_group_only() -> None:
    perform_all("a", "refused")
    undo_all("gone")

    assert in_words(perform_all("c", "a", "refused", "gone")) == [Done(1), Done(1), "SoldOut", "Voided"]

    assert effects() == ["a", "c"]


def test_a_poisoned_member_costs_only_itself() -> None:
    assert in_words(perform_all("a", "poisoned", "b")) == [Done(1), "ValueError", Done(1)]

    assert (rows(), effects()) == ({"a": "DONE", "b": "DONE"}, ["a", "b"])


def test_an_outage_is_raised_for_the_whole_group_and_leaves_nothing() -> None:
    def meet_outage(members: Sequence[steps.Request]) -> list[Done | errors.Refused]:
        apply_all(members)
        raise errors.Unavailable

    with pytest.raises(errors.Unavailable):
        STEPS.perform(requests("a", "b"), meet_outage, Done, now=NOW)

    assert (rows(), effects()) == ({}, [])


def test_a_group_is_undone_together_and_what_did_not_happen_is_void() -> None:
    perform_all("a", "refused", "b")

    assert undo_all("b", "refused", "new", "a") == [Done(-1), None, None, Done(-1)]
    assert undo_all("a", "b") == [Done(-1), Done(-1)]

    assert rows() == {
        "a": "DONE",
        "a:undo": "DONE",
        "b": "DONE",
        "b:undo": "DONE",
        "new": "VOID",
        "refused": "REFUSED",
    }
    assert effects() == []


def test_a_poisoned_undoing_costs_only_itself() -> None:
    perform_all("a", "b")
    tables.Once.objects.create(key="poisoned", state="DONE", outcome={"number": 1}, created_at=NOW)

    assert in_words(undo_all("a", "poisoned", "b")) == [Done(-1), "ValueError", Done(-1)]

    assert "poisoned:undo" not in rows()
    assert effects() == []


@pytest.mark.parametrize("members", [1, 50])
def test_a_group_takes_the_same_number_of_statements_whatever_its_size(members: int) -> None:
    keys = [f"k{number}" for number in range(members)]

    with CaptureQueriesContext(connections["default"]) as performing:
        perform_all(*keys)
    with CaptureQueriesContext(connections["default"]) as repeating:
        perform_all(*keys)
    with CaptureQueriesContext(connections["default"]) as undoing:
        undo_all(*keys)

    # BEGIN and COMMIT are two of each.
    assert (len(performing), len(repeating), len(undoing)) == (5, 5, 7)


def test_the_events_of_a_group_are_one_insert_in_the_order_in_which_they_were_published() -> None:
    def publish_all(members: Sequence[steps.Request]) -> list[Done | errors.Refused]:
        for number, member in enumerate(members):
            with member.bound():
                outbox.publish(tables.Outbox, conftest.stock_changed(member.key, number), now=NOW)
        return [Done(1) for _ in members]

    with CaptureQueriesContext(connections["default"]) as queries:
        STEPS.perform(requests("c", "a", "b"), publish_all, Done, now=NOW)

    assert sum(tables.Outbox._meta.db_table in query["sql"] for query in queries) == 1
    envelopes = [contracts.decode_envelope(bytes(row.body)) for row in tables.Outbox.objects.order_by("id")]
    assert [(envelope.subject, envelope.correlationid) for envelope in envelopes] == [
        ("c", "c0ffee00"),
        ("a", "c0ffee00"),
        ("b", "c0ffee00"),
    ]


def test_events_of_a_savepoint_that_is_rolled_back_are_not_published() -> None:
    with transaction.atomic(using="default"), outbox.gathered("default"):
        publish("before")
        with contextlib.suppress(SoldOut), transaction.atomic(using="default"):
            publish("rolled back")
            raise SoldOut
        with transaction.atomic(using="default"):
            publish("kept")
        publish("after")

    assert set(tables.Outbox.objects.values_list("key", flat=True)) == {"before", "kept", "after"}


def test_an_event_of_a_savepoint_never_overtakes_an_event_of_its_key() -> None:
    def publish_in_and_outside_a_savepoint() -> None:
        with transaction.atomic(using="default"), outbox.gathered("default"):
            publish("lamp")
            with transaction.atomic(using="default"):
                publish("lamp")

    with pytest.raises(transaction.TransactionManagementError):
        publish_in_and_outside_a_savepoint()

    assert tables.Outbox.objects.count() == 0


def publish(product: str) -> None:
    outbox.publish(tables.Outbox, conftest.stock_changed(product, 1), now=NOW)
