"""The engine, rule by rule: every prefix of the definition with every outcome, and every command of an operator."""

import msgspec
import pytest

from sagas import definitions, engine

SETTLE = definitions.SETTLE_SALE
STEPS = [step.name for step in SETTLE.steps]
PIVOT = STEPS.index("confirm_order")
BACK_FROM = {  # the compensations that follow when the saga turns at this step
    "reserve_stock": ["release_stock"],
    "assess_risk": ["release_stock"],
    "capture_payment": ["refund_payment", "release_stock"],
    "place_order": ["cancel_order", "refund_payment", "release_stock"],
    "commit_stock": ["restock", "cancel_order", "refund_payment", "release_stock"],
    "confirm_order": ["restock", "cancel_order", "refund_payment", "release_stock"],
}
REFUSALS = {
    "reserve_stock": "stock_refused",
    "assess_risk": "risk_refused",
    "capture_payment": "payment_refused",
    "place_order": "step_failed",
    "commit_stock": "stock_refused",
}
S, D, O = engine.Status, engine.Direction, engine.Outcome  # noqa: E741


def attempt(state, outcome):
    return engine.record(SETTLE, engine.begin(SETTLE, state).state, outcome).state


def turn(state):
    return engine.turn(SETTLE, state, "operator").state


def at_step(index):
    """A saga before its step `index`."""
    state = engine.start(SETTLE).state
    for _ in range(index):
        state = attempt(state, O.DONE)
    return state


def walk_back(state):
    """The compensations that run when each succeeds, and the end."""
    ran = []
    while isinstance(due := engine.due(SETTLE, state), engine.Compensate):
        ran.append(due.leg.name)
        state = attempt(state, O.DONE)
    return ran, state


# --- forward to the end ----------------------------------------------------------------------------------------------


def test_all_steps_done_in_order_complete_the_saga():
    state, ran = engine.start(SETTLE).state, []
    while isinstance(due := engine.due(SETTLE, state), engine.Run):
        ran.append((due.leg.name, due.leg.queue))
        state = attempt(state, O.DONE)

    assert ran == [
        ("reserve_stock", "inventory"),
        ("assess_risk", "orders"),
        ("capture_payment", "orders"),
        ("place_order", "orders"),
        ("commit_stock", "inventory"),
        ("confirm_order", "orders"),
    ]
    assert engine.due(SETTLE, state) == engine.Finished(S.COMPLETED)


def test_the_definition_is_that_of_the_design():
    assert [(step.name, step.compensation) for step in SETTLE.steps] == [
        ("reserve_stock", "release_stock"),
        ("assess_risk", None),
        ("capture_payment", "refund_payment"),
        ("place_order", "cancel_order"),
        ("commit_stock", "restock"),
        ("confirm_order", None),
    ]
    assert SETTLE.pivot == PIVOT
    assert definitions.find("SETTLE_SALE", 2) is SETTLE is definitions.NEWEST
    assert definitions.find("SETTLE_SALE", 1) is definitions.SETTLE_SALE_1
    assert definitions.find("SETTLE_SALE", 3) is None


# --- every prefix, every outcome -------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS[:PIVOT])
def test_a_refusal_before_the_pivot_turns_the_saga_at_the_step_that_was_due(step):
    turned = attempt(at_step(STEPS.index(step)), O.REFUSED)

    assert (turned.status, turned.direction, turned.reason) == (S.COMPENSATING, D.BACKWARD, REFUSALS[step])
    ran, end = walk_back(turned)
    assert ran == BACK_FROM[step]
    assert engine.due(SETTLE, end) == engine.Finished(S.COMPENSATED)


@pytest.mark.parametrize("step", STEPS[:PIVOT])
def test_the_fifth_fault_before_the_pivot_turns_and_the_fourth_does_not(step):
    state = at_step(STEPS.index(step))
    for _ in range(4):
        state = attempt(state, O.FAULT)
        assert engine.due(SETTLE, state) == engine.Run(engine.current_leg(SETTLE, at_step(STEPS.index(step))))

    turned = attempt(state, O.FAULT)

    assert (turned.status, turned.reason) == (S.COMPENSATING, "step_failed")
    assert walk_back(turned)[0] == BACK_FROM[step]


@pytest.mark.parametrize("step", STEPS)
def test_outages_use_no_attempt_however_many_there_are(step):
    before = state = at_step(STEPS.index(step))
    for _ in range(1000):
        state = attempt(state, O.OUTAGE)

    assert (state.status, state.faults, state.lost, state.tries) == (S.RUNNING, 0, 0, 1000)
    assert engine.due(SETTLE, state) == engine.due(SETTLE, before)


@pytest.mark.parametrize("step", STEPS[:PIVOT])
def test_attempts_that_die_with_their_worker_are_bounded(step):
    state = at_step(STEPS.index(step))
    for _ in range(engine.MAX_LOST - 1):
        state = attempt(state, O.LOST)
    assert (state.status, state.faults) == (S.RUNNING, 0)

    assert attempt(state, O.LOST).status is S.COMPENSATING


def test_counters_begin_anew_at_each_step():
    state = at_step(0)
    for outcome in (O.FAULT, O.LOST, O.OUTAGE, O.DONE):
        state = attempt(state, outcome)

    assert (state.position, state.tries, state.faults, state.lost) == (1, 0, 0, 0)


@pytest.mark.parametrize("step", STEPS)
def test_an_operator_turns_the_saga_before_the_pivot_was_started(step):
    turned = turn(at_step(STEPS.index(step)))

    assert (turned.status, turned.reason) == (S.COMPENSATING, "operator")
    assert walk_back(turned)[0] == BACK_FROM[step]


@pytest.mark.parametrize("step", STEPS[:PIVOT])
def test_an_operator_turns_the_saga_while_an_attempt_is_under_way(step):
    under_way = engine.begin(SETTLE, at_step(STEPS.index(step))).state

    assert walk_back(turn(under_way))[0] == BACK_FROM[step]


# --- the point of no return ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, O.OUTAGE, O.FAULT, O.LOST])
def test_once_the_pivot_was_started_no_operator_turns_the_saga(outcome):
    state = engine.begin(SETTLE, at_step(PIVOT)).state
    if outcome:
        state = engine.record(SETTLE, state, outcome).state

    with pytest.raises(engine.NotAllowed):
        engine.turn(SETTLE, state, "operator")


@pytest.mark.parametrize(("outcome", "times"), [(O.REFUSED, 1), (O.FAULT, 5), (O.LOST, engine.MAX_LOST)])
def test_a_pivot_that_fails_parks_the_saga_and_a_resumed_one_still_cannot_turn(outcome, times):
    state = at_step(PIVOT)
    for _ in range(times):
        state = attempt(state, outcome)
    assert (state.status, state.direction, state.reason) == (S.PARKED, D.FORWARD, None)
    assert engine.due(SETTLE, state) == engine.Park()

    resumed = engine.resume(SETTLE, state).state

    with pytest.raises(engine.NotAllowed):
        engine.turn(SETTLE, resumed, "operator")
    assert attempt(resumed, O.DONE).status is S.COMPLETED


# --- compensation ----------------------------------------------------------------------------------------------------


def each_compensation():
    """A saga before each of its compensations, from every turn."""
    for index in range(len(STEPS)):
        state = turn(at_step(index))
        while state.status is S.COMPENSATING:
            yield state
            state = attempt(state, O.DONE)


@pytest.mark.parametrize(("outcome", "times"), [(O.REFUSED, 1), (O.FAULT, 5), (O.LOST, engine.MAX_LOST)])
def test_a_compensation_that_fails_parks_the_saga_where_it_stands(outcome, times):
    for before in each_compensation():
        state = before
        for _ in range(times):
            state = attempt(state, outcome)

        assert (state.status, state.direction, state.position) == (S.PARKED, D.BACKWARD, before.position)
        assert engine.due(SETTLE, engine.resume(SETTLE, state).state) == engine.due(SETTLE, before)


def test_a_saga_that_walks_back_cannot_turn_again():
    for state in each_compensation():
        with pytest.raises(engine.NotAllowed):
            engine.turn(SETTLE, state, "operator")


# --- operators -------------------------------------------------------------------------------------------------------


def test_a_retried_parked_saga_has_one_attempt_and_a_resumed_one_five():
    parked = at_step(PIVOT)
    for _ in range(5):
        parked = attempt(parked, O.FAULT)

    assert attempt(engine.retry(SETTLE, parked).state, O.FAULT).status is S.PARKED
    resumed = engine.resume(SETTLE, parked).state
    for _ in range(4):
        resumed = attempt(resumed, O.FAULT)
    assert resumed.status is S.RUNNING
    assert attempt(resumed, O.FAULT).status is S.PARKED


def test_a_parked_saga_turns_before_the_pivot_and_not_past_it():
    before = msgspec.structs.replace(at_step(PIVOT - 1), status=S.PARKED)
    past = attempt(at_step(PIVOT), O.REFUSED)
    undoing = attempt(turn(at_step(3)), O.REFUSED)

    turned = turn(before)

    assert (turned.status, turned.direction, turned.position) == (S.COMPENSATING, D.BACKWARD, PIVOT - 1)
    for parked in (past, undoing):
        assert parked.status is S.PARKED
        with pytest.raises(engine.NotAllowed):
            engine.turn(SETTLE, parked, "operator")


def test_retry_changes_no_live_saga_and_waits_for_an_attempt_under_way():
    waiting = attempt(at_step(2), O.OUTAGE)
    assert engine.retry(SETTLE, waiting).state == waiting

    with pytest.raises(engine.NotAllowed):
        engine.retry(SETTLE, engine.begin(SETTLE, waiting).state)


@pytest.mark.parametrize(
    "command",
    [lambda s: engine.retry(SETTLE, s), lambda s: engine.resume(SETTLE, s), turn],
)
@pytest.mark.parametrize("end", [at_step(len(STEPS)), walk_back(attempt(at_step(0), O.REFUSED))[1]])
def test_a_final_state_allows_no_command(command, end):
    with pytest.raises(engine.NotAllowed):
        command(end)


@pytest.mark.parametrize("outcome", list(O))
def test_an_outcome_without_an_attempt_under_way_is_not_recorded(outcome):
    for state in (at_step(3), at_step(len(STEPS)), turn(at_step(3))):
        with pytest.raises(engine.NotAllowed):
            engine.record(SETTLE, state, outcome)


def test_a_second_attempt_is_not_begun_while_one_is_under_way():
    under_way = engine.begin(SETTLE, at_step(3)).state

    assert engine.due(SETTLE, under_way) == engine.Nothing()
    with pytest.raises(engine.NotAllowed):
        engine.begin(SETTLE, under_way)


# --- what follows a change -------------------------------------------------------------------------------------------


def after(outcome, index=0, *, faults=0, is_worker_free=False):
    """The transition with which the attempt at step `index` ends, after `faults` faults."""
    state = at_step(index)
    for _ in range(faults):
        state = attempt(state, O.FAULT)
    return engine.record(SETTLE, engine.begin(SETTLE, state).state, outcome, is_worker_free=is_worker_free)


def test_a_saga_that_starts_dispatches_all_its_steps():
    transition = engine.start(SETTLE)

    assert [leg.name for leg in transition.legs] == STEPS
    assert (transition.wait, transition.next) == (engine.Wait.CHAIN, None)


def test_an_attempt_that_begins_has_its_lease_and_dispatches_nothing():
    transition = engine.begin(SETTLE, at_step(0))

    assert transition.next == engine.Leg("reserve_stock", "reserve_stock", "inventory")
    assert (transition.wait, transition.legs) == (engine.Wait.LEASE, ())


@pytest.mark.parametrize(
    ("outcome", "faults", "wait", "dispatched"),
    [
        (O.DONE, 0, engine.Wait.CHAIN, STEPS[1:]),
        (O.REFUSED, 0, engine.Wait.CHAIN, ["release_stock"]),
        (O.OUTAGE, 0, engine.Wait.PAUSE, []),
        (O.FAULT, 3, engine.Wait.PAUSE, []),
        (O.FAULT, 4, engine.Wait.CHAIN, ["release_stock"]),
        (O.LOST, 0, engine.Wait.NOTHING, []),
    ],
)
def test_each_outcome_says_what_is_dispatched_and_when_the_saga_is_due_again(
    outcome, faults, wait, dispatched
):
    transition = after(outcome, faults=faults)

    assert (transition.wait, [leg.name for leg in transition.legs]) == (wait, dispatched)


def test_a_free_worker_makes_the_next_call_on_its_queue_and_no_other():
    same_queue = after(O.DONE, STEPS.index("assess_risk"), is_worker_free=True)
    other_queue = after(O.DONE, STEPS.index("reserve_stock"), is_worker_free=True)
    turned = after(O.REFUSED, STEPS.index("capture_payment"), is_worker_free=True)

    assert (same_queue.next.name, same_queue.wait) == ("capture_payment", engine.Wait.LEASE)
    assert (other_queue.next, other_queue.wait) == (None, engine.Wait.CHAIN)
    assert (turned.next.name, turned.turned) == ("refund_payment", "payment_refused")


def test_the_end_a_turn_and_a_parking_are_said_once():
    refused = after(O.REFUSED)
    undone = engine.record(SETTLE, engine.begin(SETTLE, refused.state).state, O.DONE)
    completed, parked = after(O.DONE, PIVOT), after(O.REFUSED, PIVOT)

    assert (refused.turned, refused.end, refused.is_parked) == ("stock_refused", None, False)
    assert (undone.turned, undone.end, undone.is_parked) == (None, S.COMPENSATED, False)
    assert (completed.turned, completed.end, completed.is_parked) == (None, S.COMPLETED, False)
    assert (parked.turned, parked.end, parked.is_parked) == (None, None, True)
    assert (parked.wait, completed.wait) == (engine.Wait.NEVER, engine.Wait.NEVER)


def test_a_saga_leaves_its_beginning_with_the_end_of_its_first_step_or_with_its_turn():
    assert [after(outcome).leaves_beginning for outcome in O] == [True, True, False, False, False]
    assert not after(O.DONE, 1).leaves_beginning
    assert engine.turn(SETTLE, at_step(0), "operator").leaves_beginning
