"""D1: the sums of the desk are those of the orders, day by day in the house's time zone. It holds when nothing is under way.

Both sides are summed by the database from different tables, and no code of the recording is shared.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from auction_project.kernel import findings
from orders import invariants, models

MAX_VIOLATIONS = 100

_Key = tuple[str, date, str]  # what, day, currency
_Sums = dict[_Key, tuple[int, ...]]


def check() -> findings.Finding:
    """Compare orders, their lines and refunds with the sums of hours and of products, and these with one another."""
    with invariants.snapshot():
        ours, theirs = _of_desk(), _of_orders()
    keys = sorted(ours.keys() | theirs.keys())
    violations = [
        f"{what} of {day} in {currency}: the desk has {_shown(ours, key)}, the orders {_shown(theirs, key)}"
        for key in keys
        for what, day, currency in [key]
        if ours.get(key) != theirs.get(key)
    ]
    return findings.Finding("D1", len(keys), tuple(violations[:MAX_VIOLATIONS]))


def _of_orders() -> _Sums:
    confirmed = models.OrderFact.objects.filter(kind=models.OrderFact.Kind.CONFIRMED)
    refunds = models.JournalEntry.objects.filter(kind__in=models.JournalEntry.REFUNDS)
    lines = confirmed.filter(order__lines__isnull=False)
    return {
        **_sums("orders", confirmed, "at", "order__currency", Count("pk"), Sum("order__amount")),
        **_sums("units", lines, "at", "order__currency", Sum("order__lines__quantity")),
        **_sums(
            "products",
            lines,
            "at",
            "order__currency",
            Sum("order__lines__quantity"),
            Sum("order__lines__amount"),
        ),
        **_sums(
            "refunds",
            refunds,
            "at",
            "payment__currency",
            Count("pk"),
            Sum(Coalesce("refund__amount", "payment__amount")),
        ),
    }


def _of_desk() -> _Sums:
    orders = models.DeskHour.objects.filter(measure=models.Measure.ORDER)
    refunds = models.DeskHour.objects.filter(measure=models.Measure.REFUND)
    products = models.DeskProductDay.objects.all()
    return {
        **_sums("orders", orders, "", "currency", Sum("count"), Sum("amount")),
        **_sums("units", orders, "", "currency", Sum("units")),
        **_sums("products", products, "", "currency", Sum("units"), Sum("amount")),
        **_sums("refunds", refunds, "", "currency", Sum("count"), Sum("amount")),
    }


def _sums(what: str, rows: "QuerySet[Any]", instant: str, currency: str, *sums: Any) -> _Sums:
    """The sums of each day and currency that are not all 0. Rows without an instant have a day."""
    day = TruncDate(instant, tzinfo=timezone.get_default_timezone()) if instant else F("day")
    figures: Mapping[str, Any] = {f"figure_{number}": figure for number, figure in enumerate(sums)}
    found = rows.values(of_day=day, of_currency=F(currency)).annotate(**figures).order_by()
    return {
        (what, row["of_day"], row["of_currency"]): values
        for row in found
        if any(values := tuple(int(row[name] or 0) for name in figures))
    }


def _shown(sums: _Sums, key: _Key) -> str:
    return " and ".join(f"{value:,}" for value in sums[key]) if key in sums else "nothing"
