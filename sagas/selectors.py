"""Reads of the saga log."""

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


def list_due(now: datetime) -> QuerySet[models.Saga]:
    """The sagas that the sweep shall send, the longest due first; of definitions that this release knows."""
    known = Q(pk__in=[])
    for name, version in definitions.KNOWN:
        known |= Q(definition=name, version=version)
    return models.Saga.objects.filter(known, status__in=sorted(engine.LIVE), due_at__lte=now).order_by(
        "due_at"
    )


def count_parked() -> int:
    """How many sagas wait for an operator."""
    return models.Saga.objects.filter(status=engine.Status.PARKED.value).count()
