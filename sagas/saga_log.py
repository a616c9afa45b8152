"""Writes the saga log: stores the transitions of a group, and announces what they say.

Decides nothing: the engine has decided. A group's transitions and the lines of their timelines are one statement, which needs
no transaction; with the ends that they announce it is one transaction on the database `sagas`. Chains are sent, and ends
and parkings are logged and counted, after the commit.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from auction_project.kernel import errors, logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import failure, outbox, transactions
from sagas import definitions, dispatcher, engine, metrics, models, traces

DATABASE = "sagas"
CHAIN_SECONDS = 10.0  # the time in which a task that was sent is expected to begin

Waiting = tuple[models.Saga, Sequence[engine.Leg]]  # a saga, and the calls to dispatch for it, in order

log = logs.get(__name__)


def move(
    saga: models.Saga,
    transition: engine.Transition,
    *,
    now: datetime,
    line: models.SagaStep | None = None,
    **texts: str,
) -> models.Move:
    """`transition` of `saga`, to be stored with its `line` of the timeline. `texts` are further columns of the row."""
    return models.Move(
        saga=saga, transition=transition, due_at=due_at(transition, now), line=line, texts=texts
    )


def store(moves: Sequence[models.Move], *, now: datetime) -> set[str]:
    """Store the transitions of a group with their lines, and announce ends and parkings; the ids of the sagas that were moved.

    Of what another writer has moved first, nothing is stored or announced.
    """
    if not any(move.is_announced for move in moves):
        return models.Saga.move(moves, now=now)
    with transaction.atomic(using=DATABASE), outbox.gathered(DATABASE):
        moved = models.Saga.move(moves, now=now)
        for move in moves:
            if move.is_announced and move.saga.pk in moved:
                _announce(move, now)
    return moved


def due_at(transition: engine.Transition, now: datetime) -> datetime | None:
    """When the sweep sends the saga's task again, after a `transition` at `now`."""
    match transition.wait:
        case engine.Wait.NOTHING:
            return now
        case engine.Wait.PAUSE:
            return now + timedelta(seconds=failure.pause_seconds(transition.state.tries))
        case engine.Wait.CHAIN:
            return now + timedelta(seconds=CHAIN_SECONDS)
        case engine.Wait.LEASE:
            return now + timedelta(seconds=models.LEASE_SECONDS)
        case engine.Wait.NEVER:
            return None


def line(
    saga: models.Saga,
    leg: engine.Leg,
    before: engine.State,
    event: models.Event,
    *,
    text: str,
    who: str,
    started_at: datetime,
    now: datetime,
) -> models.SagaStep:
    """A line of the timeline, to be stored: what happened to the call `leg` of a saga that was in the state `before`."""
    return models.SagaStep(
        saga=saga,
        step=leg.step,
        direction=before.direction.value,
        attempt=before.tries,
        event=event.value,
        error=models.storable(text),
        who=who,
        started_at=started_at,
        finished_at=now,
    )


def send_after_commit(waiting: Iterable[Waiting]) -> None:
    """Dispatch these calls after the commit."""
    by_legs = _by_legs(waiting)
    if by_legs:
        transactions.after_commit(lambda: _send(by_legs), using=DATABASE)


def send(waiting: Iterable[Waiting]) -> None:
    """Dispatch these calls: one chain for all sagas that wait for the same calls."""
    _send(_by_legs(waiting))


def send_due(sagas: Sequence[models.Saga], *, now: datetime) -> None:
    """Dispatch what these locked rows say is due, after the commit. They are due again CHAIN_SECONDS later."""
    if not sagas:
        return
    ids = [saga.pk for saga in sagas]
    models.Saga.objects.filter(pk__in=ids).update(due_at=now + timedelta(seconds=CHAIN_SECONDS))
    send_after_commit(
        (saga, engine.legs_ahead(definitions.KNOWN[saga.definition, saga.version], saga.state))
        for saga in sagas
    )


def describe(error: BaseException | None) -> str:
    """The error for operators; empty for none."""
    if error is None:
        return ""
    return f"{error.code}: {error.detail}" if isinstance(error, errors.DomainError) else repr(error)


def _by_legs(waiting: Iterable[Waiting]) -> dict[tuple[engine.Leg, ...], list[str]]:
    by_legs: dict[tuple[engine.Leg, ...], list[str]] = {}
    for saga, legs in waiting:
        if legs:
            by_legs.setdefault(tuple(legs), []).append(saga.pk)
    return by_legs


def _send(by_legs: dict[tuple[engine.Leg, ...], list[str]]) -> None:
    """What the broker does not take is due at once, so that the sweep sends it as soon as the broker is back."""
    for legs, saga_ids in by_legs.items():
        if unsent := dispatcher.send(saga_ids=saga_ids, legs=legs):
            models.Saga.make_due(unsent)


def _announce(move: models.Move, now: datetime) -> None:
    if move.transition.end:
        _publish_end(move.saga, now)
        transactions.after_commit(lambda: _count_end(move.saga), using=DATABASE)
    else:
        transactions.after_commit(lambda: _alert(move.saga), using=DATABASE)


def _publish_end(saga: models.Saga, now: datetime) -> None:
    with logs.bound(correlation_id=saga.correlation_id, span_id=traces.saga_span(saga.pk)):
        outbox.publish(
            models.Outbox,
            _end_of(saga),
            now=now,
            version=1,
            event_id=models.end_event_id(saga.pk, saga.status),
        )


def _end_of(saga: models.Saga) -> events.Event:
    sale = {
        "sale_id": saga.pk,
        "order_number": saga.order_number,
        "user_id": saga.user_id,
        "auction_id": saga.auction_id,
        "checkout_id": saga.checkout_id,
    }
    if saga.status == models.Status.COMPLETED:
        return events.SaleSettled(**sale)
    return events.BidFailed(
        **sale,
        reason=saga.failure_reason,
        detail=saga.failure_detail,
        title=saga.title,
    )


def _count_end(saga: models.Saga) -> None:
    seconds = (saga.finished_at - saga.created_at).total_seconds()
    metrics.ENDED.labels(saga.status).inc()
    metrics.SECONDS.labels(saga.status).observe(seconds)
    traces.record_end(saga)
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
