"""Reads orders, payments, risk and cards. Amounts are in minor units. Never writes."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec
from django.db import connections
from django.db.models import Case, CharField, Count, Exists, OuterRef, QuerySet, Sum, Value, When
from django.db.models.functions import TruncDay

from orders import exceptions, models, risk

_FOR_OPERATORS = (models.PaymentFact.Kind.RESOLVED,)

# The columns after the user are those of risk.Buyer. Each count stops at its LIMIT, by an index on the user.
_RISK_OF_BUYERS = """
    SELECT buyer.user_id, account.created_at, coalesce(account.email_verified, false) AS email_verified,
        coalesce(account.closed, false) AS closed, coalesce(account.barred, false) AS barred,
        (SELECT count(*) FROM (SELECT FROM orders_riskassessment AS sale
            WHERE sale.user_id = buyer.user_id AND sale.at > %(recently)s LIMIT %(sales_counted)s) AS recent) AS recent_sales,
        (SELECT count(*) FROM (SELECT FROM orders_payment AS payment
            WHERE payment.user_id = buyer.user_id AND payment.state = 'DECLINED'
            AND payment.started_at > %(declined_since)s LIMIT %(declined_counted)s) AS declined) AS declined,
        (SELECT count(*) FROM (SELECT FROM orders_payment AS payment
            WHERE payment.user_id = buyer.user_id AND payment.state = 'CAPTURED' LIMIT %(paid_counted)s) AS paid) AS paid
    FROM unnest(%(user_ids)s::text[]) AS buyer (user_id) LEFT JOIN orders_account AS account USING (user_id)
"""


class Happening(msgspec.Struct, frozen=True):
    """One line of a timeline. `about` is "order" or "payment", `kind` the kind of that row's fact."""

    at: datetime
    about: str
    kind: str
    detail: str


class Tally(msgspec.Struct, frozen=True):
    """How many orders of a day (UTC) have a status now, and the sum of their amounts."""

    day: datetime
    status: str
    currency: str
    orders: int
    amount: int


def list_orders(
    *,
    user_id: str | None = None,
    status: str | None = None,
    number: str | None = None,
    auction_id: str | None = None,
) -> QuerySet[models.Order]:
    """Orders with their facts, newest first; only those of the given buyer, status, number and auction."""
    orders = models.Order.objects.prefetch_related("facts").order_by("-placed_at", "number")
    if user_id is not None:
        orders = orders.filter(user_id=user_id)
    if number is not None:
        orders = orders.filter(number=number)
    if auction_id is not None:
        orders = orders.filter(auction_id=auction_id)
    if status is not None:
        orders = orders.annotate(status_now=_status()).filter(status_now=status)
    return orders


def risk_of_buyers(user_ids: Collection[str], *, now: datetime) -> dict[str, risk.Buyer]:
    """What is known of each buyer, counted no further than the rules look. One statement."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(
            _RISK_OF_BUYERS,
            {
                "user_ids": list(user_ids),
                "recently": now - risk.VELOCITY_WINDOW,
                "sales_counted": risk.SALES_COUNTED,
                "declined_since": now - risk.DECLINED_WINDOW,
                "declined_counted": risk.DECLINED_COUNTED,
                "paid_counted": risk.PAID_COUNTED,
            },
        )
        names = [column.name for column in cursor.description[1:]]
        return {
            user_id: risk.Buyer(**dict(zip(names, known, strict=True)))
            for user_id, *known in cursor.fetchall()
        }


def get_order(*, number: str, user_id: str | None) -> models.Order:
    """The order; with `user_id`, only that buyer's. Raises OrderNotFound."""
    order = list_orders(user_id=user_id, number=number).first()
    if order is None:
        raise exceptions.OrderNotFound
    return order


def get_payments(numbers: Iterable[str]) -> dict[str, models.Payment]:
    """The payments of the orders, by order number; an order without one is left out."""
    return models.Payment.objects.in_bulk(list(numbers))


def get_risk(*, number: str) -> models.RiskAssessment | None:
    """The risk assessment of the order's sale, or None."""
    return models.RiskAssessment.objects.filter(order_number=number).first()


def list_happenings(order: models.Order, *, for_operator: bool) -> list[Happening]:
    """The timeline of an order and its payment, oldest first. Only operators see what operators did."""
    payment_facts = models.PaymentFact.objects.filter(payment_id=order.number).order_by("at", "id")
    if not for_operator:
        payment_facts = payment_facts.exclude(kind__in=_FOR_OPERATORS)
    lines = [Happening(fact.at, "payment", fact.kind, fact.detail) for fact in payment_facts]
    lines += [Happening(fact.at, "order", fact.kind, fact.detail) for fact in order.facts.all()]
    return sorted(lines, key=lambda line: line.at)


def get_tallies(*, since: datetime) -> list[Tally]:
    """The orders placed from `since` on, by day, status and currency; newest day first."""
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


def list_balances(entries: QuerySet[models.JournalEntry]) -> list[tuple[str, str, int]]:
    """Of each account and currency, what these entries debited less what they credited."""
    rows = (
        models.Posting.objects.filter(entry__in=entries)
        .values("account", "currency")
        .annotate(balance=Sum("debit") - Sum("credit"))
        .order_by("currency", "account")
    )
    return [(row["account"], row["currency"], int(row["balance"])) for row in rows]


def get_card(*, user_id: str) -> models.Card:
    """The card that the user has on file. Raises NoCard."""
    card = models.Card.objects.filter(user_id=user_id).first()
    if card is None or not card.is_on_file:
        raise exceptions.NoCard
    return card


def _status() -> Any:
    """An order's status as an expression: the same as `Order.status`."""
    facts = models.OrderFact.objects.filter(order=OuterRef("pk"))
    ends = [When(Exists(facts.filter(kind=kind)), then=Value(kind.value)) for kind in models.OrderFact.ENDS]
    return Case(*ends, default=Value(models.OrderFact.Kind.PLACED.value), output_field=CharField())
