"""The SQL statements of a sale, from the start of its saga to its end, in a group of one and in a group of GROUP.

The saga runs in this process, on the tasks that a worker runs and with the simulated provider; only the broker between the
tasks is left out. Events, e-mails and relays come on top, and are not a part of the saga.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from unittest import mock

from django.conf import settings
from django.db import connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from benchmarks import figures, market, processes
from benchmarks.figures import Figure
from sagas import dispatcher, engine, models, services, tasks

GROUP = 50
DATABASES = ("sagas", "inventory", "orders")


def run() -> list[Figure]:
    with processes.serving("manage.py", "bank", path="/healthz") as bank:
        settings.BANK_URL = bank.url
        alone, group = _count(1), _count(GROUP)
    return [
        _figure("SQL statements of a sale, alone", alone, 80),
        _figure(f"SQL statements of a sale, in a group of {GROUP}", group, 6),
    ]


def _figure(name: str, parts: dict[str, float], most: float) -> Figure:
    return Figure(name=name, value=sum(parts.values()), goal=figures.at_most(most), parts=parts)


def _count(size: int) -> dict[str, float]:
    """Statements for each sale of a group, by database, with BEGIN and COMMIT. Raises RuntimeError when one is undone."""
    sales = [_sale(buyer.user_id) for buyer in market.make_buyers(size)]
    sent: list[tuple[Sequence[str], str]] = []

    def keep(*, saga_ids: Sequence[str], legs: Sequence[engine.Leg]) -> list[str]:
        sent.append((saga_ids, legs[0].name))
        return []

    with _captured() as captured, mock.patch.object(dispatcher, "send", keep):
        services.start_sagas(sales=[services.Sale(sale, "bench") for sale in sales], now=datetime.now(UTC))
        while sent:
            saga_ids, step = sent.pop(0)
            tasks.run_step(saga_ids=list(saga_ids), step=step)
    completed = models.Saga.objects.filter(
        pk__in=[sale.sale_id for sale in sales], status="COMPLETED"
    ).count()
    if completed < size:
        raise RuntimeError(f"{completed} of {size} sales are completed")
    return {alias: len(queries) / size for alias, queries in captured.items()}


@contextlib.contextmanager
def _captured() -> Iterator[dict[str, CaptureQueriesContext]]:
    with contextlib.ExitStack() as stack:
        yield {alias: stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in DATABASES}


def _sale(user_id: str) -> events.SaleConfirmed:
    """A sale of one unit of a product of its own."""
    (product_id,) = market.shelve(1)
    auction_id = ids.new_id()
    sale_id = ids.sale_id(auction_id, 7)
    return events.SaleConfirmed(
        sale_id=sale_id, order_number=ids.order_number(sale_id), user_id=user_id,
        price=12550, currency="EUR", auction_id=auction_id, title="Bench piece",
        lines=(events.SaleLine(product_id=product_id, quantity=1, price=12550, title="Bench piece"),),
    )  # fmt: skip
