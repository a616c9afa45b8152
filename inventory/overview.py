"""Stock on the Overview: of the products of which units are missing, those with the fewest."""

from datetime import datetime

from django.urls import reverse

from auction_project.kernel import overview
from inventory import selectors

MAX_PRODUCTS = 5


def _rows(_day: datetime) -> list[overview.Row]:
    products = selectors.list_short()
    rows = [
        overview.Row(
            label=product.title,
            value=f"{product.available:,} available",
            link=reverse("admin:inventory_product_change", args=[product.id]),
        )
        for product in products[:MAX_PRODUCTS]
    ]
    if more := products.count() - len(rows):
        page = reverse("admin:inventory_product_changelist")
        rows.append(overview.Row(label="More products", value=f"{more:,}", link=f"{page}?stock=low"))
    return rows


PANEL = overview.Panel(
    title="Low stock",
    permission="inventory.view_product",
    rows=_rows,
    none="No product is at its threshold or below, and none on sale is depleted.",
)
