"""Reads of the saga log."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from auction_project import errors
from sagas import definitions, engine, models


def get_saga(saga_id: str) -> models.Saga:
    """Raises NotFound."""
    saga = models.Saga.objects.filter(pk=saga_id).first()
    if saga is None:
        raise errors.NotFound("There is no such saga.", saga_id=saga_id)
    return saga


def list_timeline(saga_id: str) -> QuerySet[models.SagaStep]:
    """What happened to the saga, in order."""
    return models.SagaStep.objects.filter(saga_id=saga_id).order_by("id")


def list_due(now: datetime, *, full_queues: Collection[str] = ()) -> QuerySet[models.Saga]:
    """The sagas that the sweep shall send, the longest due first: of definitions that this release knows, and none
    whose next call is on one of `full_queues`."""
    wanted = Q(pk__in=[])
    for definition in definitions.KNOWN.values():
        positions = [index for index, step in enumerate(definition.steps) if step.queue not in full_queues]
        wanted |= Q(definition=definition.name, version=definition.version, position__in=positions)
    live = sorted(status.value for status in engine.LIVE)
    return models.Saga.objects.filter(wanted, status__in=live, due_at__lte=now).order_by("due_at")


def count_parked() -> int:
    """How many sagas wait for an operator."""
    return models.Saga.objects.filter(status=engine.Status.PARKED.value).count()
