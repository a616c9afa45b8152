"""The tables of the desk as CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it.

The rows are read at once, at most one for each product; their text is made piece by piece, while it is sent.
"""

import csv
import io
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date

from auction_project.kernel import money
from orders.desk import periods, report, selectors

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
_PIECE_ROWS = 500

Row = Sequence[str | int]
_Rows = Callable[[periods.Period, str, date, int], Iterable[Row]]


def rows(table: str, period: periods.Period, *, currency: str, today: date, hour: int) -> list[Row]:
    """The head and the rows of a table of TABLES. Raises KeyError."""
    head, make = TABLES[table]
    return [head, *make(period, currency, today, hour)]


def pieces(table: Iterable[Row]) -> Iterator[bytes]:
    """The text of these rows."""
    remaining = iter(table)
    while piece := list(itertools.islice(remaining, _PIECE_ROWS)):
        text = io.StringIO()
        csv.writer(text).writerows([_cell(value) for value in row] for row in piece)
        yield text.getvalue().encode()


async def pieces_asynchronously(table: Iterable[Row]) -> AsyncIterator[bytes]:
    """The same for an asynchronous server."""
    for piece in pieces(table):
        yield piece


def _cell(value: str | int) -> str | int:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _figures(period: periods.Period, currency: str, _today: date, _hour: int) -> Iterator[Row]:
    for row in report.parts_of(period, currency=currency):
        totals = row.totals
        yield (
            row.part.first.isoformat(),
            "" if row.part.hour is None else row.part.hour,
            currency,
            money.format(totals.revenue, currency),
            totals.orders,
            totals.units,
            "" if totals.average is None else money.format(totals.average, currency),
            money.format(totals.refunded, currency),
            totals.listed,
            totals.ended,
            totals.offered_units,
            totals.sold,
            totals.sold_units,
            totals.undone,
        )


def _products(period: periods.Period, currency: str, _today: date, _hour: int) -> Iterator[Row]:
    for sold in selectors.list_sold_products(period, currency=currency):
        amount = money.format(sold.amount, currency)
        yield sold.product_id, sold.title, sold.owner_id, sold.orders, sold.units, amount, currency


def _sellers(period: periods.Period, currency: str, _today: date, _hour: int) -> Iterator[Row]:
    for sold in selectors.list_sellers(period, currency=currency):
        yield sold.owner_id, sold.units, money.format(sold.amount, currency), currency


def _failures(period: periods.Period, _currency: str, today: date, hour: int) -> Iterator[Row]:
    for failure in report.failures_of(period, today=today, hour=hour):
        yield failure.reason, failure.label, failure.number, failure.former


def _stock(_period: periods.Period, _currency: str, _today: date, _hour: int) -> Iterator[Row]:
    for product in selectors.iterate_stock():
        price = value = ""
        if product.currency:
            price = money.format(product.price, product.currency)
            value = money.format(product.price * product.on_hand, product.currency)
        yield (
            *(product.product_id, product.title, product.owner_id, product.on_hand),
            *(price, value, product.currency),
        )


_FIGURES = (
    "from",
    "hour",
    "currency",
    "revenue",
    "orders",
    "units",
    "average_order",
    "given_back",
    "lots_listed",
    "lots_ended",
    "units_offered",
    "lots_sold",
    "units_sold_of_lots",
    "sales_undone",
)
TABLES: dict[str, tuple[Row, _Rows]] = {
    "figures": (_FIGURES, _figures),
    "products": (("product", "title", "seller", "orders", "units", "amount", "currency"), _products),
    "sellers": (("seller", "units", "amount", "currency"), _sellers),
    "undone": (("reason", "description", "sales", "sales_before"), _failures),
    "stock": (("product", "title", "seller", "on_hand", "price", "value", "currency"), _stock),
}
