"""The engine, exhaustively: every reachable state with every transition out of it, and every prefix of the definition
with every outcome; then worlds with late, doubled and lost calls, from hypothesis."""

from collections import deque

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    "commit_stock": "step_failed",
}
S, D, O = engine.Status, engine.Direction, engine.Outcome  # noqa: E741


def attempt(state, outcome):
    return engine.record(SETTLE, engine.begin(SETTLE, state), outcome)


def at_step(index):
    """A saga before its step `index`."""
    state = engine.start(SETTLE)
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


# --- the happy way ---------------------------------------------------------------------------------------------------


def test_all_steps_done_in_order_complete_the_saga():
    state, ran = engine.start(SETTLE), []
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
    assert definitions.find("SETTLE_SALE", 1) is SETTLE
    assert definitions.find("SETTLE_SALE", 2) is None


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
    turned = engine.turn(SETTLE, at_step(STEPS.index(step)), "operator")

    assert (turned.status, turned.reason) == (S.COMPENSATING, "operator")
    assert walk_back(turned)[0] == BACK_FROM[step]


@pytest.mark.parametrize("step", STEPS[:PIVOT])
def test_an_operator_turns_the_saga_while_an_attempt_is_under_way(step):
    under_way = engine.begin(SETTLE, at_step(STEPS.index(step)))

    assert walk_back(engine.turn(SETTLE, under_way, "operator"))[0] == BACK_FROM[step]


# --- the point of no return ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, O.OUTAGE, O.FAULT, O.LOST])
def test_once_the_pivot_was_started_nobody_turns_the_saga(outcome):
    state = engine.begin(SETTLE, at_step(PIVOT))
    if outcome:
        state = engine.record(SETTLE, state, outcome)

    with pytest.raises(engine.NotAllowed):
        engine.turn(SETTLE, state, "operator")


@pytest.mark.parametrize(("outcome", "times"), [(O.REFUSED, 1), (O.FAULT, 5), (O.LOST, engine.MAX_LOST)])
def test_a_pivot_that_fails_parks_the_saga_and_a_resumed_one_still_cannot_turn(outcome, times):
    state = at_step(PIVOT)
    for _ in range(times):
        state = attempt(state, outcome)
    assert (state.status, state.direction, state.reason) == (S.PARKED, D.FORWARD, None)
    assert engine.due(SETTLE, state) == engine.Park()

    resumed = engine.resume(state)

    with pytest.raises(engine.NotAllowed):
        engine.turn(SETTLE, resumed, "operator")
    assert attempt(resumed, O.DONE).status is S.COMPLETED


# --- compensation ----------------------------------------------------------------------------------------------------


def each_compensation():
    """A saga before each of its compensations, from every turn."""
    for index in range(len(STEPS)):
        state = engine.turn(SETTLE, at_step(index), "operator")
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
        assert engine.due(SETTLE, engine.resume(state)) == engine.due(SETTLE, before)


def test_a_saga_that_walks_back_cannot_turn_again():
    for state in each_compensation():
        with pytest.raises(engine.NotAllowed):
            engine.turn(SETTLE, state, "operator")


# --- operators -------------------------------------------------------------------------------------------------------


def test_a_retried_parked_saga_has_one_attempt_and_a_resumed_one_five():
    parked = at_step(PIVOT)
    for _ in range(5):
        parked = attempt(parked, O.FAULT)

    assert attempt(engine.retry(parked), O.FAULT).status is S.PARKED
    resumed = engine.resume(parked)
    for _ in range(4):
        resumed = attempt(resumed, O.FAULT)
    assert resumed.status is S.RUNNING
    assert attempt(resumed, O.FAULT).status is S.PARKED


def test_retry_changes_no_live_saga_and_waits_for_an_attempt_under_way():
    waiting = attempt(at_step(2), O.OUTAGE)
    assert engine.retry(waiting) == waiting

    with pytest.raises(engine.NotAllowed):
        engine.retry(engine.begin(SETTLE, waiting))


@pytest.mark.parametrize(
    "word",
    [lambda s: engine.retry(s), lambda s: engine.resume(s), lambda s: engine.turn(SETTLE, s, "operator")],
)
@pytest.mark.parametrize("end", [at_step(len(STEPS)), walk_back(attempt(at_step(0), O.REFUSED))[1]])
def test_a_final_state_hears_no_word(word, end):
    with pytest.raises(engine.NotAllowed):
        word(end)


@pytest.mark.parametrize("outcome", list(O))
def test_an_outcome_without_an_attempt_under_way_is_not_recorded(outcome):
    for state in (at_step(3), at_step(len(STEPS)), engine.turn(SETTLE, at_step(3), "operator")):
        with pytest.raises(engine.NotAllowed):
            engine.record(SETTLE, state, outcome)


def test_a_second_attempt_is_not_begun_while_one_is_under_way():
    under_way = engine.begin(SETTLE, at_step(3))

    assert engine.due(SETTLE, under_way) == engine.Nothing()
    with pytest.raises(engine.NotAllowed):
        engine.begin(SETTLE, under_way)


# --- the whole space -------------------------------------------------------------------------------------------------


def moves(state):
    """Every transition that the engine allows out of `state`."""
    tried = [
        lambda: engine.begin(SETTLE, state),
        lambda: engine.turn(SETTLE, state, "operator"),
        lambda: engine.retry(state),
        lambda: engine.resume(state),
        *(lambda o=outcome: engine.record(SETTLE, state, o) for outcome in O),
    ]
    for move in tried:
        try:
            yield move()
        except engine.NotAllowed:
            continue


def reachable():
    """All states, with tries counted to 2 (only 'none' and 'some' matter), and all transitions between them."""
    first = engine.start(SETTLE)
    seen, edges, waiting = {first}, [], deque([first])
    while waiting:
        state = waiting.popleft()
        for after in moves(state):
            after = msgspec.structs.replace(after, tries=min(after.tries, 2))
            edges.append((state, after))
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen, edges


STATES, EDGES = reachable()


def test_the_space_is_not_trivial():
    assert len(STATES) > 5000
    assert {state.status for state in STATES} == set(S)


def test_every_transition_is_in_the_table_and_every_row_of_the_table_is_used():
    changes = {(a.status, b.status) for a, b in EDGES if a.status is not b.status}

    assert changes == {(a, b) for a, allowed in engine.TRANSITIONS.items() for b in allowed}


def test_nothing_leads_out_of_a_final_state():
    assert not [edge for edge in EDGES if edge[0].status in engine.FINAL]


def test_backward_never_becomes_forward_and_positions_never_jump():
    for before, after in EDGES:
        if before.direction is D.BACKWARD:
            assert after.direction is D.BACKWARD
            assert after.position <= before.position
            assert after.reason == before.reason
        elif after.direction is D.FORWARD:
            assert after.position in (before.position, before.position + 1)


def test_a_reason_stands_exactly_where_the_saga_turned():
    for state in STATES:
        assert (state.reason is not None) == (state.direction is D.BACKWARD)


def test_the_pivot_once_started_is_never_undone():
    for before, after in EDGES:
        if before.direction is D.FORWARD and before.position == PIVOT and before.tries:
            assert after.direction is D.FORWARD


def test_a_compensating_saga_stands_at_a_step_that_has_something_to_undo():
    for state in STATES:
        if state.direction is D.BACKWARD and state.status is not S.COMPENSATED:
            assert SETTLE.steps[state.position].compensation


def test_the_calls_ahead_begin_with_what_is_due():
    for state in STATES:
        due, legs = engine.due(SETTLE, state), engine.legs_ahead(SETTLE, state)
        if isinstance(due, engine.Run | engine.Compensate):
            assert legs[0] == due.leg
        assert bool(legs) == (state.status in engine.LIVE)


def test_every_state_has_a_way_to_an_end():
    to = {}
    for before, after in EDGES:
        to.setdefault(after, set()).add(before)
    ends = [state for state in STATES if state.status in engine.FINAL]
    reached, waiting = set(ends), deque(ends)
    while waiting:
        for before in to.get(waiting.popleft(), ()):
            if before not in reached:
                reached.add(before)
                waiting.append(before)

    assert reached == STATES


# --- worlds ----------------------------------------------------------------------------------------------------------


class World:
    """Participants that keep the contract of `key`, called once, twice, late or never."""

    def __init__(self):
        self.rows = {}  # step -> DONE | REFUSED | VOID | UNDONE
        self.applied = dict.fromkeys(STEPS, 0)

    def call(self, leg, refuses=False):
        if leg.name == leg.step:
            if leg.step not in self.rows:
                self.rows[leg.step] = "REFUSED" if refuses else "DONE"
                self.applied[leg.step] += not refuses
            return O.DONE if self.rows[leg.step] in ("DONE", "UNDONE") else O.REFUSED
        if self.rows.setdefault(leg.step, "VOID") == "DONE":
            self.rows[leg.step] = "UNDONE"
        return O.DONE

    def standing(self):
        return [step for step in STEPS if self.rows.get(step) == "DONE"]


events = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "done",
                "done",
                "done",
                "refuse",
                "fault",
                "fault_after_effect",
                "outage",
                "outage_after_effect",
                "lost",
                "lost_after_effect",
                "operator",
                "late",
                "late",
            ]
        ),
        st.integers(0, 50),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(events)
def test_whatever_happens_the_end_is_all_or_nothing(script):
    world, state, begun = World(), engine.start(SETTLE), []
    for kind, number in script:
        if state.status is S.PARKED:
            state = engine.resume(state)
        if state.status in engine.FINAL:
            break
        if kind == "late":
            if begun:
                world.call(begun[number % len(begun)])  # a double, or a call that hung until now
            continue
        if kind == "operator":
            if engine.may_turn(SETTLE, state):
                state = engine.turn(SETTLE, state, "operator")
            continue
        leg = engine.legs_ahead(SETTLE, state)[0]
        begun.append(leg)
        state = engine.begin(SETTLE, state)
        if kind.endswith("after_effect"):
            world.call(leg)
        outcome = {"fault": O.FAULT, "outage": O.OUTAGE, "lost": O.LOST}.get(kind.split("_")[0])
        if outcome is None:
            can_refuse = kind == "refuse" and leg.name == leg.step and leg.step != "confirm_order"
            outcome = world.call(leg, refuses=can_refuse)
        state = engine.record(SETTLE, state, outcome)
    while state.status not in engine.FINAL:  # the faults end
        if state.status is S.PARKED:
            state = engine.resume(state)
        leg = engine.legs_ahead(SETTLE, state)[0]
        begun.append(leg)
        state = engine.record(SETTLE, engine.begin(SETTLE, state), world.call(leg))
    for leg in begun:  # and every call comes once more, late
        world.call(leg)

    assert all(times <= 1 for times in world.applied.values())
    without_undoing = [step.name for step in SETTLE.steps if step.compensation is None]
    if state.status is S.COMPLETED:
        assert world.standing() == STEPS
    else:
        assert [step for step in world.standing() if step not in without_undoing] == []
        assert "confirm_order" not in world.standing()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_definition_ends_completed_or_with_all_that_was_begun_undone(data):
    count = data.draw(st.integers(1, 7))
    pivot = data.draw(st.integers(0, count - 1))
    definition = engine.Definition(
        name="ANY",
        version=1,
        steps=tuple(
            engine.Step(
                name=f"step{index}",
                queue="q",
                compensation=f"undo{index}" if index < pivot and data.draw(st.booleans()) else None,
                is_pivot=index == pivot,
            )
            for index in range(count)
        ),
    )
    state, done, undone = engine.start(definition), [], []
    while state.status in engine.LIVE:
        leg = engine.legs_ahead(definition, state)[0]
        forward = state.direction is D.FORWARD
        refuses = (
            forward
            and engine.may_turn(definition, state)
            and state.position < pivot
            and data.draw(st.booleans())
        )
        (done if forward else undone).append(leg.step)
        state = engine.record(definition, engine.begin(definition, state), O.REFUSED if refuses else O.DONE)

    if state.status is S.COMPLETED:
        assert (done, undone) == ([step.name for step in definition.steps], [])
    else:
        can_undo = {step.name for step in definition.steps if step.compensation}
        assert undone == [step for step in reversed(done) if step in can_undo]
