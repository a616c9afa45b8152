"""Orders on the Overview: the sales and the revenue of the day."""

import collections
from datetime import datetime

from django.urls import reverse

from auction_project.kernel import money, overview
from orders import models, selectors
from orders import status as status_of_orders

_LABELS = {
    models.OrderFact.Kind.CONFIRMED: "Sales",
    models.OrderFact.Kind.SHIPPED: "Sales, shipped",
    models.OrderFact.Kind.DELIVERED: "Sales, delivered",
    models.OrderFact.Kind.RETURNED: "Sales, returned",
    models.OrderFact.Kind.REFUNDED: "Sales, refunded",
    models.OrderFact.Kind.PLACED: "Orders under way",
    models.OrderFact.Kind.CANCELLED: "Orders cancelled",
}


def _rows(day: datetime) -> list[overview.Row]:
    """Of the orders placed since `day`. Revenue is what the confirmed ones bring, less their refunds."""
    revenue: collections.Counter[str] = collections.Counter()
    orders: collections.Counter[str] = collections.Counter()
    for tally in selectors.get_tallies(since=day):
        orders[tally.status] += tally.orders
        if tally.status in status_of_orders.SOLD:
            revenue[tally.currency] += tally.amount
    for currency, amount in selectors.sum_refunds(since=day).items():
        revenue[currency] -= amount
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
