"""Writes the saga log: stores a transition, adds a line to the timeline, and announces what the transition says.

Decides nothing: the engine has decided. All writes are part of the caller's transaction on the database `sagas`; chains
are sent, and ends and parkings are logged and counted, after its commit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from auction_project.kernel import errors, logs
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import failure, outbox, transactions
from sagas import definitions, dispatcher, engine, metrics, models

DATABASE = "sagas"
CHAIN_SECONDS = 10.0  # the time in which a task that was sent is expected to begin

log = logs.get(__name__)


def store(saga: models.Saga, transition: engine.Transition, *, now: datetime, **texts: str) -> bool:
    """Store `transition` in the saga's row, and announce an end or a parking. `texts` are further columns.

    False when another writer has moved the saga first: then nothing is stored or announced.
    """
    if not saga.move(transition, now=now, due_at=due_at(transition, now), **texts):
        return False
    if transition.end:
        _publish_end(saga, now)
        transactions.after_commit(lambda: _count_end(saga), using=DATABASE)
    elif transition.is_parked:
        transactions.after_commit(lambda: _alert(saga), using=DATABASE)
    return True


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


def add_line(
    saga: models.Saga,
    leg: engine.Leg,
    before: engine.State,
    event: models.Event,
    *,
    text: str,
    who: str,
    started_at: datetime,
    now: datetime,
) -> None:
    """Add `event` to the timeline: what happened to the call `leg` of a saga that was in the state `before`."""
    saga.timeline.create(
        step=leg.step,
        direction=before.direction.value,
        attempt=before.tries,
        event=event.value,
        error=models.storable(text),
        who=who,
        started_at=started_at,
        finished_at=now,
    )


def send_after_commit(saga: models.Saga, legs: Sequence[engine.Leg]) -> None:
    """Dispatch `legs`, if there are any, after the commit."""
    if legs:
        transactions.after_commit(lambda: dispatcher.send(saga_id=saga.pk, legs=legs), using=DATABASE)


def send_due(sagas: Sequence[models.Saga], *, now: datetime) -> None:
    """Dispatch what these locked rows say is due, after the commit. They are due again CHAIN_SECONDS later."""
    if not sagas:
        return
    ids = [saga.pk for saga in sagas]
    models.Saga.objects.filter(pk__in=ids).update(due_at=now + timedelta(seconds=CHAIN_SECONDS))
    for saga in sagas:
        definition = definitions.KNOWN[saga.definition, saga.version]
        send_after_commit(saga, engine.legs_ahead(definition, saga.state))


def describe(error: BaseException | None) -> str:
    """The error for operators; empty for none."""
    if error is None:
        return ""
    return f"{error.code}: {error.detail}" if isinstance(error, errors.DomainError) else repr(error)


def _publish_end(saga: models.Saga, now: datetime) -> None:
    with logs.bound(correlation_id=saga.correlation_id):
        outbox.publish(
            models.Outbox,
            _end_of(saga),
            now=now,
            version=1,
            event_id=models.end_event_id(saga.pk, saga.status),
        )


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
