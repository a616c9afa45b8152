"""The saga engine: from where a saga stands, what is due, and what an outcome makes of it. Pure: no clock, no I/O.

A saga walks its definition's steps forward, turns at most once, and then walks back from the step that was due; once
back, never forward again. It turns on a refusal, on the MAX_FAULTS-th fault or on an operator's word, and only before
the pivot was started; where it may not turn, it is parked for an operator. An outage uses no attempt.

    state = start(definition)
    due(definition, state)                  Run | Compensate | Finished | Park | Nothing
    begin(definition, state)                the attempt is under way: it is written down before anybody is called
    record(definition, state, outcome)      the attempt's end, or its loss

Everything that changes a status goes through `_to`, and so through TRANSITIONS.
"""

import enum
from collections.abc import Mapping

import msgspec

from auction_project.kernel.contracts import events

MAX_FAULTS = 5
MAX_LOST = 20  # attempts that died with their worker: such a step must not kill workers without end

Reason = events.FailureReason


class Status(enum.StrEnum):
    """The one state of a saga."""

    RUNNING = "RUNNING"
    COMPENSATING = "COMPENSATING"
    COMPLETED = "COMPLETED"
    COMPENSATED = "COMPENSATED"
    PARKED = "PARKED"


class Direction(enum.StrEnum):
    """Which way the saga walks; a parked one remembers it."""

    FORWARD = "FORWARD"
    BACKWARD = "BACKWARD"


class Outcome(enum.StrEnum):
    """How one attempt at a step ended. LOST: its worker died, or took longer than its lease."""

    DONE = "DONE"
    REFUSED = "REFUSED"
    FAULT = "FAULT"
    OUTAGE = "OUTAGE"
    LOST = "LOST"


FINAL = frozenset({Status.COMPLETED, Status.COMPENSATED})
LIVE = frozenset({Status.RUNNING, Status.COMPENSATING})
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.RUNNING: frozenset({Status.COMPENSATING, Status.COMPLETED, Status.PARKED}),
    Status.COMPENSATING: frozenset({Status.COMPENSATED, Status.PARKED}),
    Status.PARKED: frozenset({Status.RUNNING, Status.COMPENSATING}),
    Status.COMPLETED: frozenset(),
    Status.COMPENSATED: frozenset(),
}


class NotAllowed(Exception):
    """The saga's state does not allow this."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its name, the queue of the app that it calls, what undoes it, and what its refusal means."""

    name: str
    queue: str
    compensation: str | None = None
    refusal: Reason = "step_failed"
    is_pivot: bool = False


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one version of a saga. Exactly one is the pivot: the point of no return."""

    name: str
    version: int
    steps: tuple[Step, ...]

    @property
    def pivot(self) -> int:
        return next(index for index, step in enumerate(self.steps) if step.is_pivot)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a saga stands. `position` is the step that is due; the counters are of this step and direction.

    `is_started`: an attempt is under way, or died. `reason`: why it turned; None while it goes forward.
    """

    status: Status
    direction: Direction
    position: int
    is_started: bool = False
    tries: int = 0
    faults: int = 0
    lost: int = 0
    reason: Reason | None = None


class Leg(msgspec.Struct, frozen=True):
    """One call that is to be made: the task's name for it, the forward step that it belongs to, the queue."""

    name: str
    step: str
    queue: str


class Run(msgspec.Struct, frozen=True):
    """Do this step."""

    leg: Leg


class Compensate(msgspec.Struct, frozen=True):
    """Undo this step, or leave its tombstone."""

    leg: Leg


class Finished(msgspec.Struct, frozen=True):
    """The saga has ended, well or undone."""

    status: Status


class Park(msgspec.Struct, frozen=True):
    """The saga stands still until an operator speaks."""


class Nothing(msgspec.Struct, frozen=True):
    """An attempt is under way: its end, or its loss, is to be recorded first."""


Due = Run | Compensate | Finished | Park | Nothing


# --- questions -------------------------------------------------------------------------------------------------------


def due(definition: Definition, state: State) -> Due:
    """What is to be done now."""
    if state.status in FINAL:
        return Finished(state.status)
    if state.status is Status.PARKED:
        return Park()
    if state.is_started:
        return Nothing()
    leg = current_leg(definition, state)
    return Run(leg) if state.direction is Direction.FORWARD else Compensate(leg)


def current_leg(definition: Definition, state: State) -> Leg:
    """The call at which a saga that has not ended stands."""
    return _leg(definition.steps[state.position], state.direction)


def legs_ahead(definition: Definition, state: State) -> tuple[Leg, ...]:
    """All calls that are still to be made if each is done, in order; none once the saga has ended or is parked."""
    if state.status not in LIVE:
        return ()
    if state.direction is Direction.FORWARD:
        ahead = definition.steps[state.position :]
    else:
        ahead = tuple(step for step in reversed(definition.steps[: state.position + 1]) if step.compensation)
    return tuple(_leg(step, state.direction) for step in ahead)


def is_beginning(state: State) -> bool:
    """Whether the first step is still ahead, or under way."""
    return state.status is Status.RUNNING and state.position == 0


def may_turn(definition: Definition, state: State) -> bool:
    """Whether the point of no return is still ahead: the pivot was never started."""
    pivot = definition.pivot
    return state.direction is Direction.FORWARD and (
        state.position < pivot or (state.position == pivot and state.tries == 0)
    )


# --- transitions -----------------------------------------------------------------------------------------------------


def start(definition: Definition) -> State:
    """A saga before its first step."""
    if not definition.steps:
        raise ValueError(f"{definition.name} has no steps")
    return State(status=Status.RUNNING, direction=Direction.FORWARD, position=0)


def begin(definition: Definition, state: State) -> State:
    """An attempt at what is due is under way. Raises NotAllowed when nothing is due."""
    if not isinstance(due(definition, state), Run | Compensate):
        raise NotAllowed(f"nothing is due in {state.status}")
    return msgspec.structs.replace(state, is_started=True, tries=state.tries + 1)


def record(definition: Definition, state: State, outcome: Outcome) -> State:
    """The attempt under way ended so. Raises NotAllowed when none is."""
    if not state.is_started:
        raise NotAllowed(f"no attempt is under way in {state.status}")
    ended = msgspec.structs.replace(state, is_started=False)
    match outcome:
        case Outcome.DONE:
            return _go_on(definition, ended)
        case Outcome.OUTAGE:
            return ended
        case Outcome.LOST:
            ended = msgspec.structs.replace(ended, lost=state.lost + 1)
            return ended if ended.lost < MAX_LOST else _give_up(definition, ended, "step_failed")
        case Outcome.FAULT:
            ended = msgspec.structs.replace(ended, faults=state.faults + 1)
            return ended if ended.faults < MAX_FAULTS else _give_up(definition, ended, "step_failed")
        case Outcome.REFUSED:
            return _give_up(definition, ended, definition.steps[state.position].refusal)


def turn(definition: Definition, state: State, reason: Reason) -> State:
    """From here on back: beginning with the step that was due. An attempt under way is not waited for: what it
    still does is undone, or meets the tombstone. A parked saga turns, too, where it stands before the pivot.

    Raises NotAllowed past the pivot, or when it walks back already."""
    if state.status in FINAL:
        raise NotAllowed("The sale has ended.")
    if state.direction is Direction.BACKWARD:
        raise NotAllowed("The sale is being undone already.")
    if not may_turn(definition, state):
        pivot = definition.steps[definition.pivot].name
        raise NotAllowed(f"The sale cannot be undone any more: {pivot} was started. Retry or resume it.")
    return _turn(definition, state, reason)


def retry(state: State) -> State:
    """Try what is due now, whatever pause was on. A parked saga gets this one attempt, and is parked again if it
    fails. Raises NotAllowed when an attempt is under way or the saga has ended."""
    if state.status in FINAL:
        raise NotAllowed("The sale has ended.")
    if state.is_started:
        raise NotAllowed("An attempt is under way.")
    if state.status in LIVE:
        return state
    return _unpark(state, faults=MAX_FAULTS - 1, lost=MAX_LOST - 1)


def resume(state: State) -> State:
    """A parked saga goes on the way that it went, with all its attempts anew. Raises NotAllowed unless parked."""
    if state.status is not Status.PARKED:
        raise NotAllowed("Only a sale that needs attention can be resumed.")
    return _unpark(state, faults=0, lost=0)


# --- inside ----------------------------------------------------------------------------------------------------------


def _leg(step: Step, direction: Direction) -> Leg:
    name = step.name if direction is Direction.FORWARD else step.compensation
    assert name is not None, f"{step.name} has no compensation"  # noqa: S101 - _back_from never stops at such a step
    return Leg(name, step.name, step.queue)


def _to(state: State, status: Status) -> State:
    if status not in TRANSITIONS[state.status]:
        raise NotAllowed(f"no way from {state.status} to {status}")
    return msgspec.structs.replace(state, status=status, is_started=False)


def _go_on(definition: Definition, state: State) -> State:
    if state.direction is Direction.BACKWARD:
        return _back_from(definition, state, state.position - 1)
    if state.position + 1 == len(definition.steps):
        return _to(state, Status.COMPLETED)
    return _at(state, state.position + 1)


def _give_up(definition: Definition, state: State, reason: Reason) -> State:
    """The step will not be done: turn where that is still allowed, else park."""
    return _turn(definition, state, reason) if may_turn(definition, state) else _to(state, Status.PARKED)


def _turn(definition: Definition, state: State, reason: Reason) -> State:
    turned = msgspec.structs.replace(
        _to(state, Status.COMPENSATING), direction=Direction.BACKWARD, reason=reason
    )
    return _back_from(definition, turned, turned.position)


def _back_from(definition: Definition, state: State, position: int) -> State:
    """At the first step from `position` downwards that has something to undo, or at the end."""
    while position >= 0 and definition.steps[position].compensation is None:
        position -= 1
    return _at(state, position) if position >= 0 else _to(state, Status.COMPENSATED)


def _at(state: State, position: int) -> State:
    return msgspec.structs.replace(state, position=position, tries=0, faults=0, lost=0)


def _unpark(state: State, *, faults: int, lost: int) -> State:
    status = Status.RUNNING if state.direction is Direction.FORWARD else Status.COMPENSATING
    return msgspec.structs.replace(_to(state, status), faults=faults, lost=lost)
