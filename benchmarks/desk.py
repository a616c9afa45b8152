"""The owner's desk at ORDERS orders of a year: its page by day, week, month and year, its fetches, and the recording of sales.

The sums are filled directly, as the events of these orders would leave them; the page is asked in this process, so that its time is
that of the statements and of the rendering.
"""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from auction_project.kernel import contracts, ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from benchmarks import figures
from benchmarks.figures import Figure
from orders import models
from orders.desk import rebuilding, recording

ORDERS, PRODUCTS, SELLERS, LOTS, OPEN_LOTS = 1_000_000, 20_000, 500, 100_000, 20_000
REQUESTS = 100
SALES = 5_000
_RUN = 100  # events that a consumer hands over at once

# A few products sell most: the number of a product grows with the cube of a chance.
_FILL = """
CREATE TEMPORARY TABLE sold AS
    SELECT %(last)s::date - (random() * 364)::int AS day, (random() * 23)::int AS hour,
           'p' || (power(random(), 3) * %(products)s)::int AS product_id,
           CASE WHEN random() < 0.8 THEN 'EUR' ELSE 'USD' END AS currency, 100 + (random() * 50000)::int AS amount
    FROM generate_series(1, %(orders)s);
INSERT INTO orders_deskhour (day, hour, measure, subject, currency, count, amount, units)
    SELECT day, hour, 'ORDER', 'auctions', currency, count(*), sum(amount), count(*) FROM sold GROUP BY 1, 2, 5;
INSERT INTO orders_deskhour (day, hour, measure, subject, currency, count, amount, units)
    SELECT day, hour, measure, '', '', count(*) / 10, 0, count(*) / 8
    FROM sold, (VALUES ('LISTED'), ('ENDED'), ('SOLD')) AS measures (measure) GROUP BY 1, 2, 3;
INSERT INTO orders_deskhour (day, hour, measure, subject, currency, count, amount, units)
    SELECT day, hour, 'FAILED', reason, '', count(*) / 100, 0, 0
    FROM sold, (VALUES ('stock_refused'), ('risk_refused'), ('payment_refused')) AS reasons (reason) GROUP BY 1, 2, 4;
INSERT INTO orders_deskproductday (day, product_id, currency, count, amount, units)
    SELECT day, product_id, currency, count(*), sum(amount), count(*) FROM sold GROUP BY 1, 2, 3;
INSERT INTO orders_deskproduct (product_id, title, owner_id, stock_version, on_hand, offer_version, price, currency)
    SELECT 'p' || number, 'Product No. ' || number, 'seller-' || number %% %(sellers)s, 1, number %% 50, 1, 100 + number, 'EUR'
    FROM generate_series(0, %(products)s) AS number;
INSERT INTO orders_desklot (auction_id, quantity, sold, listed_at, accepted, ended_at)
    SELECT 'lot-' || number, 1, 0, now(), true, CASE WHEN number > %(open)s THEN now() END
    FROM generate_series(1, %(lots)s) AS number;
DROP TABLE sold;
"""


def run() -> list[Figure]:
    today = datetime.now(UTC).date()
    _fill(today)
    year_ago = today - timedelta(days=364)
    asked = {
        "today": "",
        "a week": f"period=week&day={today - timedelta(days=7)}",
        "a month": f"period=month&day={today - timedelta(days=31)}",
        "a year": f"period=custom&from={year_ago}&to={today}",
    }
    browser = _browser()
    pages = {name: _milliseconds(browser, f"/admin/desk/?{query}") for name, query in asked.items()}
    fetches = _milliseconds(browser, "/admin/desk/figures/")
    measured = [
        Figure(
            name=f"the page of {name} at {ORDERS:,} orders, p99",
            value=figures.percentile(times, 99),
            unit="ms",
            goal=figures.at_most(1_000 if name == "a year" else 250),
            parts={"p50": figures.percentile(times, 50)},
        )
        for name, times in pages.items()
    ]
    return [
        *measured,
        Figure(
            name="a fetch of today's figures, p99",
            value=figures.percentile(fetches, 99),
            unit="ms",
            goal=figures.at_most(50),
            parts={"p50": figures.percentile(fetches, 50)},
        ),
        Figure(name="sales/s that one consumer records", value=_recorded(), goal=figures.at_least(500)),
    ]


def _fill(today: date) -> None:
    with connections[models.DATABASE].cursor() as cursor:
        values = {"last": today, "orders": ORDERS, "products": PRODUCTS, "sellers": SELLERS}
        for statement in _FILL.split(";")[:-1]:
            cursor.execute(_literal(statement, values | {"lots": LOTS, "open": OPEN_LOTS}))
    rebuilding.analyze()


def _literal(statement: str, values: dict[str, object]) -> str:
    """With the values in it, because a table that is made takes no parameters."""
    return statement % {
        name: f"'{value}'" if isinstance(value, date) else value for name, value in values.items()
    }


def _browser() -> Client:
    owner = get_user_model().objects.create(email="owner@example.org", is_staff=True, is_superuser=True)
    browser = Client(headers={"host": "localhost"})
    browser.force_login(owner)
    return browser


def _milliseconds(browser: Client, path: str) -> list[float]:
    times = []
    for number in range(REQUESTS + 5):
        began = time.perf_counter()
        answer = browser.get(path)
        if number >= 5:  # the first ones fill caches
            times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return times


def _recorded() -> float:
    """Sales of one unit each, from their start to their order."""
    received = [one for number in range(SALES) for one in _sale(number)]
    began = time.perf_counter()
    for start in range(0, len(received), _RUN):
        recording.record(received[start : start + _RUN])
    return SALES / (time.perf_counter() - began)


def _sale(number: int) -> list[consuming.Received]:
    sale_id = ids.new_id()
    names: dict[str, Any] = {
        "sale_id": sale_id,
        "order_number": ids.order_number(sale_id),
        "user_id": "bench",
    }
    product_id = f"p{number % 50}"
    line = events.SaleLine(product_id=product_id, quantity=1, price=10_00, title="A lamp")
    lot = ids.new_id()
    happened = (
        events.SaleConfirmed(**names, auction_id=lot, price=10_00, currency="EUR", lines=(line,)),
        events.OrderConfirmed(**names, auction_id=lot, amount=10_00, currency="EUR"),
    )
    return [
        consuming.Received(
            contracts.Envelope(
                id=f"{sale_id}:{type(event).__name__}",
                type=type(event).__name__,
                source="bench",
                time=datetime.now(UTC),
                subject=event.key(),
                version=0,
                correlationid="bench",
            ),
            event,
        )
        for event in happened
    ]
