"""The saga engine: what is due in a saga, and what each outcome makes of it. Pure: no clock, no I/O.

A saga walks its definition's steps forward. It turns at most once, and then walks back from the step that was due; it
never goes forward again. It turns on a refusal, on the MAX_FAULTS-th fault, on the MAX_LOST-th lost attempt or on an
operator's command, and only while the pivot has not been started. Where it may not turn, it is parked for an operator.
An outage uses no attempt.

Questions:

    due(definition, state)                          Run | Compensate | Finished | Park | Nothing
    current_leg, legs_ahead                         the call that is due; all calls that are still to be made
    possible_commands(definition, state)            what an operator may do now

Changes. Each returns the whole Transition, and each raises NotAllowed in a state that does not allow it:

    start(definition)
    begin(definition, state)                        an attempt is under way: store this before the call
    record(definition, state, outcome)              the attempt has ended, or is lost
    apply_command(definition, state, command)       an operator's retry, turn or resume

Every change of a status goes through `_to`, and so through TRANSITIONS.
"""

import enum
from collections.abc import Mapping

import msgspec

from auction_project.kernel.contracts import events

MAX_FAULTS = 5  # of one step in one direction
MAX_LOST = 20  # of one step in one direction: a step must not kill workers without end

Reason = events.FailureReason


class Status(enum.StrEnum):
    """The one state of a saga. RUNNING and COMPENSATING sagas are live; PARKED ones wait for an operator; COMPLETED and
    COMPENSATED are final. TRANSITIONS lists every change."""

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
    """How one attempt at a step ended.

    DONE: the participant returned. REFUSED: a rule said no. FAULT: an error that counts. OUTAGE: an error that does not
    count. LOST: the worker died, or took longer than its lease.
    """

    DONE = "DONE"
    REFUSED = "REFUSED"
    FAULT = "FAULT"
    OUTAGE = "OUTAGE"
    LOST = "LOST"


class Command(enum.StrEnum):
    """What an operator may do with a saga. The values are those of the timeline."""

    RETRY = "RETRIED"
    TURN = "TURNED"
    RESUME = "RESUMED"


class Wait(enum.Enum):
    """What a saga waits for after a transition. When that time is over, the saga is due again."""

    NOTHING = "nothing"  # it is due at once
    PAUSE = "pause"  # the pause after a failed attempt; it grows with `tries`
    CHAIN = "chain"  # the time in which its next task is expected to begin
    LEASE = "lease"  # the time after which the attempt under way counts as lost
    NEVER = "never"  # the saga is parked or has ended


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
    """One step: its name, the queue of the app that it calls, the call that undoes it, and the reason that a refusal
    gives the saga for turning."""

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
    """Where a saga is. `position` is the index of the step that is due; the counters are of this step and direction.

    `is_started`: an attempt is under way, or was lost and is not recorded yet. `tries` counts attempts begun. `reason`:
    why the saga turned; None while it goes forward.
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
    """One call: its name (of a step or of a compensation), the forward step that it belongs to, and its queue."""

    name: str
    step: str
    queue: str


class Run(msgspec.Struct, frozen=True):
    """Do this step."""

    leg: Leg


class Compensate(msgspec.Struct, frozen=True):
    """Undo this step. The participant leaves a tombstone where there is nothing to undo."""

    leg: Leg


class Finished(msgspec.Struct, frozen=True):
    """The saga has ended, well or undone."""

    status: Status


class Park(msgspec.Struct, frozen=True):
    """The saga waits for an operator's command."""


class Nothing(msgspec.Struct, frozen=True):
    """An attempt is under way. Its outcome must be recorded first."""


Due = Run | Compensate | Finished | Park | Nothing


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a saga and all that follows from it. The caller stores and announces it, and decides nothing.

    state               where the saga is now
    wait                when the saga is due again
    next                the call whose attempt begins with this change; the process that made the change makes the call
    legs                the calls to dispatch now, in order
    end                 the final status, if the saga ends with this change
    turned              the reason, if the saga turns with this change
    is_parked           whether the saga is parked with this change
    leaves_beginning    whether the saga is past its first step with this change, so that another one may begin
    """

    state: State
    wait: Wait
    next: Leg | None = None
    legs: tuple[Leg, ...] = ()
    end: Status | None = None
    turned: Reason | None = None
    is_parked: bool = False
    leaves_beginning: bool = False


# --- questions -------------------------------------------------------------------------------------------------------


def due(definition: Definition, state: State) -> Due:
    """What must be done now."""
    if state.status in FINAL:
        return Finished(state.status)
    if state.status is Status.PARKED:
        return Park()
    if state.is_started:
        return Nothing()
    leg = current_leg(definition, state)
    return Run(leg) if state.direction is Direction.FORWARD else Compensate(leg)


def current_leg(definition: Definition, state: State) -> Leg:
    """The call that is due or under way in a saga that has not ended; of a parked one, the call that failed."""
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


def may_turn(definition: Definition, state: State) -> bool:
    """Whether the saga goes forward and has never started the pivot, its point of no return."""
    pivot = definition.pivot
    return state.direction is Direction.FORWARD and (
        state.position < pivot or (state.position == pivot and state.tries == 0)
    )


def possible_commands(definition: Definition, state: State) -> frozenset[Command]:
    """The commands that the state allows now."""
    return frozenset(command for command in Command if _is_possible(definition, state, command))


# --- changes ---------------------------------------------------------------------------------------------------------


def start(definition: Definition) -> Transition:
    """A saga before its first step. Raises ValueError for a definition without steps."""
    if not definition.steps:
        raise ValueError(f"{definition.name} has no steps")
    state = State(status=Status.RUNNING, direction=Direction.FORWARD, position=0)
    return Transition(state=state, wait=Wait.CHAIN, legs=legs_ahead(definition, state))


def begin(definition: Definition, state: State) -> Transition:
    """Begin an attempt at the call that is due. Raises NotAllowed when none is."""
    if not isinstance(due(definition, state), Run | Compensate):
        raise NotAllowed(f"nothing is due in {state.status}")
    return _begin(definition, state, state)


def record(
    definition: Definition, state: State, outcome: Outcome, *, is_worker_free: bool = False
) -> Transition:
    """Record how the attempt under way has ended. Raises NotAllowed when none is under way.

    With `is_worker_free`, the worker of this attempt can make the next call, too: if that call follows at once and is on
    the same queue, its attempt begins with this transition. A worker that lost its attempt makes no call.
    """
    if not state.is_started:
        raise NotAllowed(f"no attempt is under way in {state.status}")
    after = _after(definition, state, outcome)
    goes_on = after.status in LIVE and (outcome is Outcome.DONE or after.direction is not state.direction)
    if goes_on and is_worker_free and outcome is not Outcome.LOST and _same_queue(definition, state, after):
        return _begin(definition, state, after)
    return _change(
        definition, state, after, wait=_wait_after(outcome, goes_on=goes_on), is_dispatched=goes_on
    )


def apply_command(definition: Definition, state: State, command: Command) -> Transition:
    """Do what an operator commands. Raises NotAllowed, with a sentence for the operator."""
    match command:
        case Command.RETRY:
            return retry(definition, state)
        case Command.TURN:
            return turn(definition, state, "operator")
        case Command.RESUME:
            return resume(definition, state)


def turn(definition: Definition, state: State, reason: Reason) -> Transition:
    """Walk back from here, beginning with the step that was due. The saga does not wait for an attempt under way: what
    that attempt still does is undone, or meets the tombstone. A parked saga turns, too, if it is before the pivot.

    Raises NotAllowed past the pivot, and when the saga walks back already.
    """
    if state.status in FINAL:
        raise NotAllowed("The sale has ended.")
    if state.direction is Direction.BACKWARD:
        raise NotAllowed("The sale is being undone already.")
    if not may_turn(definition, state):
        pivot = definition.steps[definition.pivot].name
        raise NotAllowed(f"The sale cannot be undone any more: {pivot} was started. Retry or resume it.")
    return _change(definition, state, _turn(definition, state, reason), wait=Wait.CHAIN, is_dispatched=True)


def retry(definition: Definition, state: State) -> Transition:
    """Make the call that is due now, without waiting for the end of a pause. A parked saga gets one attempt, and is
    parked again if that fails. Raises NotAllowed while an attempt is under way and when the saga has ended."""
    if state.status in FINAL:
        raise NotAllowed("The sale has ended.")
    if state.is_started:
        raise NotAllowed("An attempt is under way.")
    after = state if state.status in LIVE else _unpark(state, faults=MAX_FAULTS - 1, lost=MAX_LOST - 1)
    return _change(definition, state, after, wait=Wait.CHAIN, is_dispatched=True)


def resume(definition: Definition, state: State) -> Transition:
    """Let a parked saga go on in its direction, with all its attempts again. Raises NotAllowed unless it is parked."""
    if state.status is not Status.PARKED:
        raise NotAllowed("Only a sale that needs attention can be resumed.")
    after = _unpark(state, faults=0, lost=0)
    return _change(definition, state, after, wait=Wait.CHAIN, is_dispatched=True)


# --- inside ----------------------------------------------------------------------------------------------------------


def _leg(step: Step, direction: Direction) -> Leg:
    name = step.name if direction is Direction.FORWARD else step.compensation
    assert name is not None, f"{step.name} has no compensation"  # noqa: S101 - _back_from never stops at such a step
    return Leg(name, step.name, step.queue)


def _is_possible(definition: Definition, state: State, command: Command) -> bool:
    try:
        apply_command(definition, state, command)
    except NotAllowed:
        return False
    return True


def _begin(definition: Definition, before: State, due_state: State) -> Transition:
    """The change from `before` to an attempt at what is due in `due_state`."""
    begun = msgspec.structs.replace(due_state, is_started=True, tries=due_state.tries + 1)
    transition = _change(definition, before, begun, wait=Wait.LEASE, is_dispatched=False)
    return msgspec.structs.replace(transition, next=current_leg(definition, begun))


def _change(
    definition: Definition, before: State, after: State, *, wait: Wait, is_dispatched: bool
) -> Transition:
    return Transition(
        state=after,
        wait=wait if after.status in LIVE else Wait.NEVER,
        legs=legs_ahead(definition, after) if is_dispatched else (),
        end=after.status if after.status in FINAL else None,
        turned=after.reason if after.direction is not before.direction else None,
        is_parked=after.status is Status.PARKED,
        leaves_beginning=_is_beginning(before) and not _is_beginning(after),
    )


def _wait_after(outcome: Outcome, *, goes_on: bool) -> Wait:
    if outcome is Outcome.LOST:
        return Wait.NOTHING
    return Wait.CHAIN if goes_on else Wait.PAUSE


def _same_queue(definition: Definition, before: State, after: State) -> bool:
    return current_leg(definition, before).queue == current_leg(definition, after).queue


def _is_beginning(state: State) -> bool:
    """Whether the first step is still ahead, or under way."""
    return state.status is Status.RUNNING and state.position == 0


def _to(state: State, status: Status) -> State:
    if status not in TRANSITIONS[state.status]:
        raise NotAllowed(f"no way from {state.status} to {status}")
    return msgspec.structs.replace(state, status=status, is_started=False)


def _after(definition: Definition, state: State, outcome: Outcome) -> State:
    """The state after the attempt under way has ended so."""
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


def _go_on(definition: Definition, state: State) -> State:
    if state.direction is Direction.BACKWARD:
        return _back_from(definition, state, state.position - 1)
    if state.position + 1 == len(definition.steps):
        return _to(state, Status.COMPLETED)
    return _at(state, state.position + 1)


def _give_up(definition: Definition, state: State, reason: Reason) -> State:
    """Turn if that is still allowed, else park."""
    return _turn(definition, state, reason) if may_turn(definition, state) else _to(state, Status.PARKED)


def _turn(definition: Definition, state: State, reason: Reason) -> State:
    turned = msgspec.structs.replace(
        _to(state, Status.COMPENSATING), direction=Direction.BACKWARD, reason=reason
    )
    return _back_from(definition, turned, turned.position)


def _back_from(definition: Definition, state: State, position: int) -> State:
    """Stop at the first step from `position` downwards that has a compensation, or end."""
    while position >= 0 and definition.steps[position].compensation is None:
        position -= 1
    return _at(state, position) if position >= 0 else _to(state, Status.COMPENSATED)


def _at(state: State, position: int) -> State:
    return msgspec.structs.replace(state, position=position, tries=0, faults=0, lost=0)


def _unpark(state: State, *, faults: int, lost: int) -> State:
    status = Status.RUNNING if state.direction is Direction.FORWARD else Status.COMPENSATING
    return msgspec.structs.replace(_to(state, status), faults=faults, lost=lost)
