"""Keeps the saga log: starts sagas, begins and ends attempts, tells the end, sends again what is due.

Each function is one transaction on the database `sagas`, and none calls a participant: that happens between
`begin_attempt` and `record_outcome`, with nothing held. A process may die anywhere: the row then says what is due,
and `due_at` when the sweep looks at it. Never imports tasks: the dispatcher sends them by name.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from django.db import transaction

from auction_project.kernel import errors, logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import failure, outbox, transactions
from sagas import definitions, dispatcher, engine, metrics, models, selectors, turns

CHAIN_SECONDS = 10.0  # the time for the next task before the sweep sends the chain again
SWEEP_ROWS = 500
_DATABASE = "sagas"
_FAILED_FOR_PEOPLE = "The sale could not be completed; everything was undone."

log = logs.get(__name__)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt under way: `saga` as it was written down when the attempt began."""

    saga: models.Saga
    definition: engine.Definition
    leg: engine.Leg


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What follows an attempt at once: the next attempt, begun already, or the calls to dispatch.

    Neither when the saga waits or ended, or when somebody else went on with it meanwhile.
    """

    next: Attempt | None = None
    legs: tuple[engine.Leg, ...] = ()


# --- the saga's way --------------------------------------------------------------------------------------------------


def start_saga(*, sale: events.SaleConfirmed, correlation_id: str, now: datetime) -> bool:
    """Begin to settle `sale`, at most once; whether this call did. Sends the chain after the commit, or leaves the saga
    to wait for its turn."""
    definition = definitions.NEWEST
    with transaction.atomic(using=_DATABASE):
        if models.Saga.objects.filter(pk=sale.sale_id).exists():
            return False
        is_sent = turns.may_enter(product_id=sale.product_id, user_id=sale.user_id, now=now)
        due_at = _after(now, CHAIN_SECONDS) if is_sent else now
        saga = models.Saga.new(sale, definition, correlation_id=correlation_id, now=now, due_at=due_at)
        saga.save(force_insert=True)
        if is_sent:
            _send_after_commit(saga, definition)
    metrics.STARTED.inc()
    return True


def begin_attempt(*, saga_id: str, leg: str, worker: str, now: datetime) -> Attempt | None:
    """Write down that the call named `leg` is under way; None when it is not what is due (then do nothing)."""
    saga = models.Saga.objects.filter(pk=saga_id).first()
    definition = definitions.find(saga.definition, saga.version) if saga else None
    if saga is None or definition is None:
        log.warning("saga_left_alone", saga_id=saga_id, known=saga is not None)
        return None
    if saga.has_lost_its_attempt(now):
        lost = Attempt(saga=saga, definition=definition, leg=engine.current_leg(definition, saga.state))
        record_outcome(attempt=lost, outcome=engine.Outcome.LOST, error=None, now=now)
    match engine.due(definition, saga.state):
        case engine.Run(due_leg) | engine.Compensate(due_leg) if due_leg.name == leg:
            state = engine.begin(definition, saga.state)
            if saga.move(state, now=now, due_at=_after(now, models.LEASE_SECONDS), worker=worker):
                return Attempt(saga=saga, definition=definition, leg=due_leg)
    return None


def record_outcome(
    *, attempt: Attempt, outcome: engine.Outcome, error: BaseException | None, now: datetime
) -> Progress:
    """Write down how `attempt` ended, and with it the saga's turn, end or parking; what follows at once.

    A call on the same queue that follows is begun in the same transaction. An attempt that is no longer the one under
    way comes late: nothing is written.
    """
    saga, definition = attempt.saga, attempt.definition
    before, started_at, worker = saga.state, saga.started_at, saga.worker
    after = engine.record(definition, before, outcome)
    legs = (
        engine.legs_ahead(definition, after)
        if outcome is engine.Outcome.DONE or _has_turned(before, after)
        else ()
    )
    goes_on = bool(legs) and legs[0].queue == attempt.leg.queue and outcome is not engine.Outcome.LOST
    stand = engine.begin(definition, after) if goes_on else after
    with transaction.atomic(using=_DATABASE):
        if not saga.move(stand, now=now, due_at=_due_at(stand, outcome, now), **_texts(before, after, error)):
            log.info("late_outcome", step=attempt.leg.name, attempt=before.tries, outcome=outcome.value)
            return Progress()
        if _is_worth_a_line(outcome, before.tries):
            _write_line(
                saga,
                definition,
                before,
                models.Event(outcome.value),
                text=_describe(error),
                who=worker,
                started_at=started_at,
                now=now,
            )
        _tell(saga, after, now)
        if engine.is_beginning(before) and not engine.is_beginning(after):
            _send(turns.list_followers(saga, now=now), now)
    metrics.ATTEMPTS.labels(attempt.leg.name, outcome.value).inc()
    if goes_on:
        return Progress(next=Attempt(saga=saga, definition=definition, leg=legs[0]))
    return Progress(legs=legs)


def claim_due(*, now: datetime) -> int:
    """Send again what the rows say is due, and move their `due_at` forward; the number of rows (at most 2 x SWEEP_ROWS).

    Parallel sweeps share the rows. A saga whose queue is full stays due: its task waits there, or will be sent when
    the queue is shorter. Sagas before their first step come by turns. Raises when the broker is away: then no row moves.
    """
    full = dispatcher.full_queues(definitions.QUEUES)
    with transaction.atomic(using=_DATABASE):
        due = selectors.list_due(now, full_queues=full)
        begun = list(due.exclude(models.BEGINNING).select_for_update(skip_locked=True)[:SWEEP_ROWS])
        first = turns.list_next(due, now=now, most=SWEEP_ROWS)
        _send([*begun, *first], now)
    sent = len(begun) + len(first)
    metrics.RESENT.inc(sent)
    return sent


# --- operators' words ------------------------------------------------------------------------------------------------


def retry_saga(*, saga_id: str, who: str, reason: str, now: datetime) -> None:
    """Try what is due now instead of after its pause; a parked saga gets one attempt.

    Raises NotFound, Invalid without a reason, Conflict when the saga ended or an attempt is under way.
    """
    _obey(saga_id, models.Event.RETRIED, who, reason, now)


def compensate_saga(*, saga_id: str, who: str, reason: str, now: datetime) -> None:
    """Turn a saga before its pivot, running or parked: everything is undone, and the buyer reads `reason`.

    Raises NotFound, Invalid without a reason, Conflict past the point of no return or when it already turned.
    """
    _obey(saga_id, models.Event.TURNED, who, reason, now)


def resume_saga(*, saga_id: str, who: str, reason: str, now: datetime) -> None:
    """Let a parked saga go on the way that it went, with all its attempts anew.

    Raises NotFound, Invalid without a reason, Conflict unless it is parked.
    """
    _obey(saga_id, models.Event.RESUMED, who, reason, now)


_WORDS: Mapping[models.Event, Callable[[engine.Definition, engine.State], engine.State]] = {
    models.Event.RETRIED: lambda _definition, state: engine.retry(state),
    models.Event.TURNED: lambda definition, state: engine.turn(definition, state, "operator"),
    models.Event.RESUMED: lambda _definition, state: engine.resume(state),
}


def list_possible_words(*, saga_id: str) -> frozenset[models.Event]:
    """The operators' words that the saga's state allows now."""
    saga = models.Saga.objects.filter(pk=saga_id).first()
    definition = definitions.find(saga.definition, saga.version) if saga else None
    if saga is None or definition is None:
        return frozenset()
    return frozenset(word for word in _WORDS if _is_possible(word, definition, saga.state))


def _is_possible(word: models.Event, definition: engine.Definition, state: engine.State) -> bool:
    try:
        _WORDS[word](definition, state)
    except engine.NotAllowed:
        return False
    return True


def _obey(saga_id: str, word: models.Event, who: str, reason: str, now: datetime) -> None:
    reason = reason.strip()
    if not reason:
        raise errors.Invalid("A reason is required: the timeline keeps it.", field="reason")
    with transaction.atomic(using=_DATABASE):
        saga = models.Saga.objects.select_for_update().filter(pk=saga_id).first()
        if saga is None:
            raise errors.NotFound("There is no such saga.", saga_id=saga_id)
        definition = definitions.find(saga.definition, saga.version)
        if definition is None:
            raise errors.Conflict("This release does not know the saga's definition.", version=saga.version)
        before = saga.state
        try:
            after = _WORDS[word](definition, before)
        except engine.NotAllowed as refusal:
            raise errors.Conflict(str(refusal), state=saga.status) from refusal
        texts = {"parked_detail": ""} | ({"failure_detail": reason} if word is models.Event.TURNED else {})
        saga.move(after, now=now, due_at=_after(now, CHAIN_SECONDS), **texts)
        _write_line(saga, definition, before, word, text=reason, who=who, started_at=now, now=now)
        _tell(saga, after, now)
        _send_after_commit(saga, definition)


# --- inside ----------------------------------------------------------------------------------------------------------


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def _due_at(state: engine.State, outcome: engine.Outcome, now: datetime) -> datetime:
    """When the sweep looks again: after a failure's pause, at once after a loss, else when others had their time."""
    if state.is_started:
        return _after(now, models.LEASE_SECONDS)
    if outcome is engine.Outcome.LOST:
        return now
    if state.tries and outcome in (engine.Outcome.FAULT, engine.Outcome.OUTAGE):
        return _after(now, failure.pause_seconds(state.tries))
    return _after(now, CHAIN_SECONDS)


def _has_turned(before: engine.State, after: engine.State) -> bool:
    return after.direction is not before.direction


def _texts(before: engine.State, after: engine.State, error: BaseException | None) -> dict[str, str]:
    """What the row says of a turn (for the bidder) and of parking (for operators)."""
    if _has_turned(before, after):
        return {
            "failure_detail": error.detail if isinstance(error, errors.DomainError) else _FAILED_FOR_PEOPLE
        }
    return {"parked_detail": _describe(error)} if after.status is engine.Status.PARKED else {}


def _describe(error: BaseException | None) -> str:
    if error is None:
        return ""
    return f"{error.code}: {error.detail}" if isinstance(error, errors.DomainError) else repr(error)


def _is_worth_a_line(outcome: engine.Outcome, tries: int) -> bool:
    """An outage of hours must not write a line every few seconds: its tries 1, 2, 4, 8 … are told."""
    return outcome is not engine.Outcome.OUTAGE or tries & (tries - 1) == 0


def _write_line(
    saga: models.Saga,
    definition: engine.Definition,
    before: engine.State,
    event: models.Event,
    *,
    text: str,
    who: str,
    started_at: datetime,
    now: datetime,
) -> None:
    saga.timeline.create(
        step=engine.current_leg(definition, before).step,
        direction=before.direction.value,
        attempt=before.tries,
        event=event.value,
        error=models.storable(text),
        who=who,
        started_at=started_at,
        finished_at=now,
    )


def _send(sagas: Sequence[models.Saga], now: datetime) -> None:
    """Send what these locked rows say is due, after the commit, and look at them again CHAIN_SECONDS later."""
    if not sagas:
        return
    ids = [saga.pk for saga in sagas]
    models.Saga.objects.filter(pk__in=ids).update(due_at=_after(now, CHAIN_SECONDS))
    for saga in sagas:
        _send_after_commit(saga, definitions.KNOWN[saga.definition, saga.version])


def _send_after_commit(saga: models.Saga, definition: engine.Definition) -> None:
    if legs := engine.legs_ahead(definition, saga.state):
        transactions.after_commit(lambda: dispatcher.send(saga_id=saga.pk, legs=legs), using=_DATABASE)


def _tell(saga: models.Saga, state: engine.State, now: datetime) -> None:
    """The saga's end goes to its outbox; its end and its parking to log and metrics, after the commit."""
    if state.status in engine.FINAL:
        with logs.bound(correlation_id=saga.correlation_id):
            outbox.publish(
                models.Outbox,
                _end_of(saga),
                now=now,
                version=1,
                event_id=models.end_event_id(saga.pk, saga.status),
            )
        transactions.after_commit(lambda: _count_end(saga), using=_DATABASE)
    elif state.status is engine.Status.PARKED:
        transactions.after_commit(lambda: _alert(saga), using=_DATABASE)


def _end_of(saga: models.Saga) -> events.Event:
    if saga.status == models.Status.COMPLETED:
        return events.SaleSettled(
            sale_id=saga.pk, order_number=saga.order_number, auction_id=saga.auction_id, user_id=saga.user_id
        )
    return events.BidFailed(
        sale_id=saga.pk,
        order_number=saga.order_number,
        auction_id=saga.auction_id,
        user_id=saga.user_id,
        reason=saga.failure_reason,
        detail=saga.failure_detail,
        title=saga.title,
    )


def _count_end(saga: models.Saga) -> None:
    seconds = (saga.finished_at - saga.created_at).total_seconds()
    metrics.ENDED.labels(saga.status).inc()
    metrics.SECONDS.labels(saga.status).observe(seconds)
    log.info(
        "saga_ended",
        saga_id=saga.pk,
        status=saga.status,
        reason=saga.failure_reason,
        seconds=round(seconds, 3),
    )


def _alert(saga: models.Saga) -> None:
    log.error(
        "saga_parked",
        alert=True,
        saga_id=saga.pk,
        order_number=saga.order_number,
        direction=saga.direction,
        position=saga.position,
        detail=saga.parked_detail,
        act="admin > Sagas: retry, resume or undo",
    )
