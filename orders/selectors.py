"""What can be read of orders, payments and cards. Never writes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Case, CharField, Count, Exists, OuterRef, QuerySet, Sum, Value, When
from django.db.models.functions import TruncDay

from orders import exceptions, models

_DESK_ONLY = (models.PaymentFact.Kind.RESOLVED,)


class Happening(msgspec.Struct, frozen=True):
    """One line of a timeline: what happened, to the order or to its payment."""

    at: datetime
    about: str
    kind: str
    detail: str


class Tally(msgspec.Struct, frozen=True):
    """How many orders of a day (UTC) have a status now, and their sum in minor units."""

    day: datetime
    status: str
    currency: str
    orders: int
    amount: int


def list_orders(
    *, user_id: str | None = None, status: str | None = None, number: str | None = None
) -> QuerySet[models.Order]:
    """Orders, newest first, with their facts: of one buyer, of one status, of one number."""
    found = models.Order.objects.prefetch_related("facts").order_by("-placed_at", "number")
    if user_id is not None:
        found = found.filter(user_id=user_id)
    if number is not None:
        found = found.filter(number=number)
    if status is not None:
        found = found.annotate(status_now=_status()).filter(status_now=status)
    return found


def get_order(*, number: str, user_id: str | None) -> models.Order:
    """The order; with `user_id`, only that buyer's. Raises OrderNotFound."""
    found = list_orders(user_id=user_id, number=number).first()
    if found is None:
        raise exceptions.OrderNotFound
    return found


def get_payments(numbers: Iterable[str]) -> dict[str, models.Payment]:
    """The payments of the orders, by order number."""
    return models.Payment.objects.in_bulk(list(numbers))


def get_risk(*, number: str) -> models.RiskAssessment | None:
    return models.RiskAssessment.objects.filter(order_number=number).first()


def list_happenings(order: models.Order, *, for_desk: bool) -> list[Happening]:
    """The timeline of an order and its payment, oldest first. What the desk did is told to the desk alone."""
    payment_facts = models.PaymentFact.objects.filter(payment_id=order.number).order_by("at", "id")
    if not for_desk:
        payment_facts = payment_facts.exclude(kind__in=_DESK_ONLY)
    lines = [Happening(fact.at, "payment", fact.kind, fact.detail) for fact in payment_facts]
    lines += [Happening(fact.at, "order", fact.kind, fact.detail) for fact in order.facts.all()]
    return sorted(lines, key=lambda line: line.at)


def get_tallies(*, since: datetime) -> list[Tally]:
    """Orders placed since then by day, status and currency, newest day first."""
    rows = (
        models.Order.objects.filter(placed_at__gte=since)
        .annotate(day=TruncDay("placed_at"), status_now=_status())
        .values("day", "status_now", "currency")
        .annotate(orders=Count("number"), total=Sum("amount"))
        .order_by("-day", "status_now", "currency")
    )
    return [
        Tally(row["day"], row["status_now"], row["currency"], row["orders"], int(row["total"]))
        for row in rows
    ]


def get_card(*, user_id: str) -> models.Card:
    """The user's card. Raises NoCard."""
    found = models.Card.objects.filter(user_id=user_id).first()
    if found is None or not found.is_on_file:
        raise exceptions.NoCard
    return found


def _status() -> Any:
    """An order's status as an expression: the same as `Order.status`."""
    facts = models.OrderFact.objects.filter(order=OuterRef("pk"))
    ends = [When(Exists(facts.filter(kind=kind)), then=Value(kind.value)) for kind in models.OrderFact.ENDS]
    return Case(*ends, default=Value(models.OrderFact.Kind.PLACED.value), output_field=CharField())
