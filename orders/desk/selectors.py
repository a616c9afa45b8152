"""Reads the sums of the desk. Amounts are in minor units. Never writes."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
from django.db import connections
from django.db.models import Q, QuerySet, Sum

from orders import models
from orders.desk import periods

TOP = 10
_EXPORT_ROWS = 2_000  # that an export reads at a time

_SOLD = """
    SELECT product_id, sum(count) AS orders, sum(units) AS units, sum(amount) AS amount FROM orders_deskproductday
    WHERE day BETWEEN %(first)s AND %(last)s AND currency = %(currency)s GROUP BY product_id
"""
_TOP_PRODUCTS = f"""
    SELECT sold.product_id, coalesce(product.title, ''), coalesce(product.owner_id, ''), sold.orders, sold.units, sold.amount
    FROM (SELECT * FROM ({_SOLD}) AS every ORDER BY amount DESC, product_id LIMIT %(limit)s) AS sold
    LEFT JOIN orders_deskproduct AS product USING (product_id) ORDER BY sold.amount DESC, sold.product_id
"""  # noqa: S608 - constants only
_TOP_SELLERS = f"""
    SELECT coalesce(product.owner_id, '') AS owner_id, sum(sold.units), sum(sold.amount) AS amount
    FROM ({_SOLD}) AS sold LEFT JOIN orders_deskproduct AS product USING (product_id)
    GROUP BY 1 ORDER BY amount DESC, owner_id LIMIT %(limit)s
"""  # noqa: S608 - constants only
# Both from one sum: that of a year is most of their cost.
_TOPS = f"""
    WITH sold AS MATERIALIZED ({_SOLD}),
    products AS (SELECT * FROM sold ORDER BY amount DESC, product_id LIMIT %(limit)s),
    sellers AS (
        SELECT coalesce(product.owner_id, '') AS owner_id, sum(sold.units) AS units, sum(sold.amount) AS amount
        FROM sold LEFT JOIN orders_deskproduct AS product USING (product_id)
        GROUP BY 1 ORDER BY amount DESC, owner_id LIMIT %(limit)s
    )
    SELECT product_id, coalesce(title, ''), coalesce(owner_id, ''), orders, units, amount
    FROM products LEFT JOIN orders_deskproduct USING (product_id)
    UNION ALL SELECT NULL, '', owner_id, 0, units, amount FROM sellers
"""  # noqa: S608 - constants only
_STOCK = """
    SELECT currency, count(*), sum(on_hand), sum(on_hand * price) FROM orders_deskproduct
    WHERE on_hand > 0 GROUP BY currency ORDER BY currency = '', currency
"""


class HourSum(msgspec.Struct, frozen=True):
    """A sum of one measure. `day` and `hour` are None where they were not asked for."""

    day: date | None
    hour: int | None
    measure: str
    subject: str
    currency: str
    number: int
    amount: int
    units: int


class SoldProduct(msgspec.Struct, frozen=True):
    """What was sold of a product. Title and owner are empty while no event has named them."""

    product_id: str
    title: str
    owner_id: str
    orders: int
    units: int
    amount: int


class SoldBy(msgspec.Struct, frozen=True):
    """What was sold of a seller's products; the owner is empty where no event has named it."""

    owner_id: str
    units: int
    amount: int


class StockValue(msgspec.Struct, frozen=True):
    """The products on hand with a price in this currency; the empty currency has those without a price."""

    currency: str
    products: int
    units: int
    amount: int


def list_hour_sums(period: periods.Period) -> list[HourSum]:
    """The sums of the period for each part of a plot: by hour, or by day."""
    by = ("day", "hour") if period.step == "hour" else ("day",)
    return _sums(_hours(period), by)


def list_sums(period: periods.Period, *, until: periods.Until) -> list[HourSum]:
    """The sums of the period up to `until`."""
    before = Q(day__lt=until.day) | Q(day=until.day, hour__lte=until.hour)
    return _sums(_hours(period).filter(before), ())


def list_tops(
    period: periods.Period, *, currency: str, limit: int = TOP
) -> tuple[list[SoldProduct], list[SoldBy]]:
    """The products, and the sellers, with the highest amounts."""
    rows = [_integers(row, 3) for row in _ranked(_TOPS, period, currency, limit)]
    products = [SoldProduct(*row) for row in rows if row[0] is not None]
    sellers = [SoldBy(row[2], row[4], row[5]) for row in rows if row[0] is None]
    return (
        sorted(products, key=lambda row: (-row.amount, row.product_id)),
        sorted(sellers, key=lambda row: (-row.amount, row.owner_id)),
    )


def list_sold_products(period: periods.Period, *, currency: str) -> list[SoldProduct]:
    """All products that were sold, the highest amounts first."""
    return [SoldProduct(*_integers(row, 3)) for row in _ranked(_TOP_PRODUCTS, period, currency, None)]


def list_sellers(period: periods.Period, *, currency: str) -> list[SoldBy]:
    """All sellers, the highest amounts first."""
    return [SoldBy(*_integers(row, 1)) for row in _ranked(_TOP_SELLERS, period, currency, None)]


def list_stock_values() -> list[StockValue]:
    """What is on hand now by currency; last what has no price."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(_STOCK)
        return [StockValue(*_integers(row, 1)) for row in cursor.fetchall()]


def count_open_lots() -> int:
    """The lots that were accepted and have not ended."""
    return int(models.DeskLot.objects.filter(accepted=True, ended_at__isnull=True).count())


def iterate_stock() -> Iterator[models.DeskProduct]:
    """The products on hand, in the order of their ids."""
    rows = models.DeskProduct.objects.filter(on_hand__gt=0).order_by("product_id")
    yield from rows.iterator(chunk_size=_EXPORT_ROWS)


def _hours(period: periods.Period) -> "QuerySet[models.DeskHour]":
    return models.DeskHour.objects.filter(day__range=(period.first, period.last))


def _sums(rows: "QuerySet[models.DeskHour]", by: tuple[str, ...]) -> list[HourSum]:
    found = (
        rows.values(*by, "measure", "subject", "currency")
        .annotate(number=Sum("count"), total=Sum("amount"), quantity=Sum("units"))
        .order_by(*by, "measure", "subject", "currency")
    )
    return [
        HourSum(
            row.get("day"),
            row.get("hour"),
            row["measure"],
            row["subject"],
            row["currency"],
            int(row["number"]),
            int(row["total"]),
            int(row["quantity"]),
        )
        for row in found
    ]


def _ranked(
    statement: str, period: periods.Period, currency: str, limit: int | None
) -> list[tuple[Any, ...]]:
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(
            statement, {"first": period.first, "last": period.last, "currency": currency, "limit": limit}
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _integers(row: tuple[Any, ...], texts: int) -> tuple[Any, ...]:
    """The row with whole numbers after its texts: a sum of bigint is a decimal."""
    return (*row[:texts], *(int(value or 0) for value in row[texts:]))
