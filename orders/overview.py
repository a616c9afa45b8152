"""Orders on the Overview: the sales and the revenue of the day."""

import collections
from datetime import datetime

from django.urls import reverse

from auction_project.kernel import money, overview
from orders import models, selectors

_LABELS = {
    models.OrderFact.Kind.CONFIRMED: "Sales",
    models.OrderFact.Kind.PLACED: "Orders under way",
    models.OrderFact.Kind.CANCELLED: "Orders cancelled",
}


def _rows(day: datetime) -> list[overview.Row]:
    """Of the orders placed since `day`. Revenue is what the confirmed ones bring."""
    revenue: collections.Counter[str] = collections.Counter()
    orders: collections.Counter[str] = collections.Counter()
    for tally in selectors.get_tallies(since=day):
        orders[tally.status] += tally.orders
        if tally.status == models.OrderFact.Kind.CONFIRMED:
            revenue[tally.currency] += tally.amount
    page = reverse("admin:orders_order_changelist")
    sums = [
        overview.Row(label="Revenue", value=money.shown(amount, currency), link=page)
        for currency, amount in sorted(revenue.items())
    ]
    return sums + [
        overview.Row(label=label, value=f"{orders[status]:,}", link=f"{page}?status={status.value}")
        for status, label in _LABELS.items()
        if orders[status]
    ]


PANEL = overview.Panel(
    title="Sold today", permission="orders.view_order", rows=_rows, none="No order was placed today."
)
