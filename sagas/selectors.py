"""Reads of the saga log."""

from collections.abc import Callable, Collection
from datetime import datetime

from django.db.models import Case, Count, Min, Q, QuerySet, When

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import groups
from auction_project.kernel.messaging import models as messaging
from auction_project.kernel.messaging import selectors as dead_letters
from sagas import definitions, engine, models, traces


def list_due(now: datetime, *, full_queues: Collection[str] = ()) -> QuerySet[models.Saga]:
    """The sagas for the sweep to send, the longest due first: of definitions that this release knows, and none whose next
    call is on one of `full_queues`."""
    sendable = _at_steps(lambda step: step.queue not in full_queues)
    return models.Saga.objects.filter(sendable, status__in=models.LIVE, due_at__lte=now).order_by("due_at")


def list_for_task(saga_ids: Collection[str], step: str, *, now: datetime) -> QuerySet[models.Saga]:
    """The sagas of a task for `step`, and, as far as its group has room, those whose own task for the same step is still on its
    way, the oldest first. Not among these: one that has tried the step before, because it may delay the others; and one before
    its first step, because that comes by turns."""
    running = Q(status=engine.Status.RUNNING.value) & ~models.BEGINNING
    waiting = running & _at_steps(lambda one: one.name == step) & Q(started_at=None, tries=0, due_at__gt=now)
    own = Q(pk__in=saga_ids)
    ranks = Case(When(own, then=0), default=1)
    most = max(len(saga_ids), groups.MAX_MEMBERS)
    return models.Saga.objects.filter(own | waiting).order_by(ranks, "created_at", "sale_id")[:most]


def list_under_way() -> QuerySet[models.Saga]:
    """The sagas that go on by themselves, the longest due first."""
    return models.Saga.objects.filter(status__in=models.LIVE).order_by("due_at")


def oldest_seconds(now: datetime) -> float:
    """The age of the oldest saga that goes on by itself, in seconds; 0 without one."""
    oldest = list_under_way().aggregate(at=Min("created_at"))["at"]
    return float((now - oldest).total_seconds()) if oldest else 0.0


def list_parked() -> QuerySet[models.Saga]:
    """The sagas that wait for an operator, newest first."""
    return models.Saga.objects.filter(status=engine.Status.PARKED.value)


def count_parked() -> int:
    """How many sales wait for an operator: parked sagas, and dead letters of sales that have no saga."""
    return list_parked().count() + dead_sales().count()


def count_failures(*, since: datetime) -> dict[str, int]:
    """How many of the sales that began since then have failed, by cause, the most frequent first."""
    failed = models.Saga.objects.filter(created_at__gte=since).exclude(failure_reason="")
    rows = failed.values("failure_reason").annotate(sales=Count("pk")).order_by("-sales", "failure_reason")
    return {row["failure_reason"]: row["sales"] for row in rows}


def dead_sales() -> QuerySet[messaging.DeadLetter]:
    """The dead letters of sales that have no saga. The key of such a dead letter is the sale's id."""
    return dead_letters.list_waiting(topic=events.SaleConfirmed.TOPIC).filter(group=traces.GROUP)


def of_known_definitions() -> Q:
    """The sagas of the definitions that this release knows."""
    return _at_steps(lambda _step: True)


def _at_steps(is_wanted: Callable[[engine.Step], bool]) -> Q:
    """The sagas that are at one of the wanted steps, of the definitions that this release knows."""
    at_steps = Q(pk__in=[])
    for definition in definitions.KNOWN.values():
        positions = [index for index, step in enumerate(definition.steps) if is_wanted(step)]
        at_steps |= Q(definition=definition.name, version=definition.version, position__in=positions)
    return at_steps
