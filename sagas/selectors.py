"""Reads of the saga log."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import models as messaging
from auction_project.kernel.messaging import selectors as dead_letters
from sagas import definitions, engine, models


def list_due(now: datetime, *, full_queues: Collection[str] = ()) -> QuerySet[models.Saga]:
    """The sagas for the sweep to send, the longest due first: of definitions that this release knows, and none whose next
    call is on one of `full_queues`."""
    sendable = Q(pk__in=[])
    for definition in definitions.KNOWN.values():
        positions = [index for index, step in enumerate(definition.steps) if step.queue not in full_queues]
        sendable |= Q(definition=definition.name, version=definition.version, position__in=positions)
    live = sorted(status.value for status in engine.LIVE)
    return models.Saga.objects.filter(sendable, status__in=live, due_at__lte=now).order_by("due_at")


def list_under_way() -> QuerySet[models.Saga]:
    """The sagas that go on by themselves, the longest due first."""
    live = sorted(status.value for status in engine.LIVE)
    return models.Saga.objects.filter(status__in=live).order_by("due_at")


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
    return dead_letters.list_waiting(topic=events.SaleConfirmed.TOPIC)
