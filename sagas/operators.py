"""What operators do with a saga: retry, undo and resume it. Each command is one transaction and one line of the timeline.

The line keeps who gave the command, and why. The engine decides whether the saga's state allows it.
"""

from datetime import datetime

from django.db import transaction

from auction_project.kernel import errors
from sagas import definitions, engine, models, saga_log


def retry_saga(*, saga_id: str, who: str, reason: str, now: datetime) -> None:
    """Make the call that is due now, instead of after its pause; a parked saga gets one attempt.

    Raises NotFound, Invalid without a reason, Conflict when the saga has ended or an attempt is under way.
    """
    _apply_command(engine.Command.RETRY, saga_id, who, reason, now)


def compensate_saga(*, saga_id: str, who: str, reason: str, now: datetime) -> None:
    """Turn a saga before its pivot, live or parked: everything is undone, and the buyer reads `reason`.

    Raises NotFound, Invalid without a reason, Conflict past the point of no return and when the saga has turned already.
    """
    _apply_command(engine.Command.TURN, saga_id, who, reason, now)


def resume_saga(*, saga_id: str, who: str, reason: str, now: datetime) -> None:
    """Let a parked saga go on in its direction, with all its attempts again.

    Raises NotFound, Invalid without a reason, Conflict unless it is parked.
    """
    _apply_command(engine.Command.RESUME, saga_id, who, reason, now)


def list_possible_commands(*, saga_id: str) -> frozenset[engine.Command]:
    """The commands that the saga's state allows now; none for a saga or definition that this release does not know."""
    saga = models.Saga.objects.filter(pk=saga_id).first()
    definition = definitions.find(saga.definition, saga.version) if saga else None
    if saga is None or definition is None:
        return frozenset()
    return engine.possible_commands(definition, saga.state)


def _apply_command(command: engine.Command, saga_id: str, who: str, reason: str, now: datetime) -> None:
    reason = reason.strip()
    if not reason:
        raise errors.Invalid("A reason is required: the timeline keeps it.", field="reason")
    with transaction.atomic(using=saga_log.DATABASE):
        saga = models.Saga.objects.select_for_update().filter(pk=saga_id).first()
        if saga is None:
            raise errors.NotFound("There is no such saga.", saga_id=saga_id)
        definition = definitions.find(saga.definition, saga.version)
        if definition is None:
            raise errors.Conflict("This release does not know the saga's definition.", version=saga.version)
        before = saga.state
        try:
            transition = engine.apply_command(definition, before, command)
        except engine.NotAllowed as refusal:
            raise errors.Conflict(str(refusal), state=saga.status) from refusal
        texts = {"parked_detail": ""} | ({"failure_detail": reason} if transition.turned else {})
        line = saga_log.line(
            saga,
            engine.current_leg(definition, before),
            before,
            models.Event(command.value),
            text=reason,
            who=who,
            started_at=now,
            now=now,
        )
        saga_log.store([saga_log.move(saga, transition, now=now, line=line, **texts)], now=now)
        saga_log.send_after_commit([(saga, transition.legs)])
