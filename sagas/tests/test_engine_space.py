"""The engine as a whole: every reachable state with every transition out of it, and worlds from hypothesis in which calls
are late, doubled and lost."""

from collections import deque

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sagas import definitions, engine

SETTLE = definitions.SETTLE_SALE
STEPS = [step.name for step in SETTLE.steps]
PIVOT = STEPS.index("confirm_order")
S, D, O = engine.Status, engine.Direction, engine.Outcome  # noqa: E741


# --- the whole space -------------------------------------------------------------------------------------------------


def moves(state):
    """Every transition that the engine allows out of `state`."""
    tried = [
        lambda: engine.begin(SETTLE, state),
        *(lambda c=command: engine.apply_command(SETTLE, state, c) for command in engine.Command),
        *(lambda o=outcome: engine.record(SETTLE, state, o) for outcome in O),
        *(lambda o=outcome: engine.record(SETTLE, state, o, is_worker_free=True) for outcome in O),
    ]
    for move in tried:
        try:
            yield move()
        except engine.NotAllowed:
            continue


def reachable():
    """All states, with tries counted to 2 (only 'none' and 'some' matter), and all transitions out of each."""
    first = engine.start(SETTLE).state
    seen, changes, waiting = {first}, [], deque([first])
    while waiting:
        state = waiting.popleft()
        for transition in moves(state):
            changes.append((state, transition))
            after = bounded(transition.state)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen, changes


def bounded(state):
    return msgspec.structs.replace(state, tries=min(state.tries, 2))


STATES, CHANGES = reachable()
EDGES = [(before, bounded(transition.state)) for before, transition in CHANGES]


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


def test_a_transition_says_of_its_end_turn_and_parking_what_its_states_say():
    for before, transition in CHANGES:
        after = transition.state
        assert transition.end == (after.status if after.status in engine.FINAL else None)
        assert transition.turned == (after.reason if before.direction is not after.direction else None)
        assert transition.is_parked == (after.status is S.PARKED)
        is_past = after.position > 0 or after.status is not S.RUNNING
        assert transition.leaves_beginning == (
            before.status is S.RUNNING and before.position == 0 and is_past
        )


def test_a_transition_either_begins_the_next_call_or_dispatches_all_or_waits():
    for _, transition in CHANGES:
        after = transition.state
        assert (transition.next is not None) == after.is_started
        if transition.next:
            assert transition.next == engine.current_leg(SETTLE, after)
            assert (transition.legs, transition.wait) == ((), engine.Wait.LEASE)
        elif transition.legs:
            assert transition.legs == engine.legs_ahead(SETTLE, after)
            assert transition.wait in (engine.Wait.CHAIN, engine.Wait.NOTHING)
        elif after.status in engine.LIVE:
            assert transition.wait in (engine.Wait.PAUSE, engine.Wait.NOTHING)
        else:
            assert transition.wait is engine.Wait.NEVER


def test_a_worker_that_goes_on_begins_what_would_have_been_dispatched_first():
    for before in STATES:
        for outcome in O if before.is_started else ():
            transition = engine.record(SETTLE, before, outcome)
            free = engine.record(SETTLE, before, outcome, is_worker_free=True)

            queue = engine.current_leg(SETTLE, before).queue
            if transition.legs and transition.legs[0].queue == queue and outcome is not O.LOST:
                assert free.next == transition.legs[0]
                assert free.state == engine.begin(SETTLE, transition.state).state
                assert (free.turned, free.leaves_beginning) == (
                    transition.turned,
                    transition.leaves_beginning,
                )
            else:
                assert free == transition


def test_the_possible_commands_are_those_that_are_not_refused():
    allowed = {}
    for state in STATES:
        possible = engine.possible_commands(SETTLE, state)
        for command in engine.Command:
            try:
                engine.apply_command(SETTLE, state, command)
            except engine.NotAllowed:
                assert command not in possible
            else:
                assert command in possible
                allowed.setdefault(command, set()).add(state.status)

    assert allowed == {
        engine.Command.RETRY: {S.RUNNING, S.COMPENSATING, S.PARKED},
        engine.Command.TURN: {S.RUNNING},
        engine.Command.RESUME: {S.PARKED},
    }


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
    """Participants that keep the contract of `key`, and are called once, twice, late or never."""

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


@settings(max_examples=400)
@given(events)
def test_the_end_is_all_or_nothing_in_every_world(script):
    world, state, begun = World(), engine.start(SETTLE).state, []
    for kind, number in script:
        if state.status is S.PARKED:
            state = engine.resume(SETTLE, state).state
        if state.status in engine.FINAL:
            break
        if kind == "late":
            if begun:
                world.call(begun[number % len(begun)])  # a double, or a call that has hung until now
            continue
        if kind == "operator":
            if engine.may_turn(SETTLE, state):
                state = engine.turn(SETTLE, state, "operator").state
            continue
        leg = engine.legs_ahead(SETTLE, state)[0]
        begun.append(leg)
        state = engine.begin(SETTLE, state).state
        if kind.endswith("after_effect"):
            world.call(leg)
        outcome = {"fault": O.FAULT, "outage": O.OUTAGE, "lost": O.LOST}.get(kind.split("_")[0])
        if outcome is None:
            can_refuse = kind == "refuse" and leg.name == leg.step and leg.step != "confirm_order"
            outcome = world.call(leg, refuses=can_refuse)
        state = engine.record(SETTLE, state, outcome).state
    while state.status not in engine.FINAL:  # no more faults
        if state.status is S.PARKED:
            state = engine.resume(SETTLE, state).state
        leg = engine.legs_ahead(SETTLE, state)[0]
        begun.append(leg)
        state = engine.record(SETTLE, engine.begin(SETTLE, state).state, world.call(leg)).state
    for leg in begun:  # every call comes once more, late
        world.call(leg)

    assert all(times <= 1 for times in world.applied.values())
    without_undoing = [step.name for step in SETTLE.steps if step.compensation is None]
    if state.status is S.COMPLETED:
        assert world.standing() == STEPS
    else:
        assert [step for step in world.standing() if step not in without_undoing] == []
        assert "confirm_order" not in world.standing()


@settings(max_examples=200)
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
    state, done, undone = engine.start(definition).state, [], []
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
        outcome = O.REFUSED if refuses else O.DONE
        state = engine.record(definition, engine.begin(definition, state).state, outcome).state

    if state.status is S.COMPLETED:
        assert (done, undone) == ([step.name for step in definition.steps], [])
    else:
        can_undo = {step.name for step in definition.steps if step.compensation}
        assert undone == [step for step in reversed(done) if step in can_undo]
