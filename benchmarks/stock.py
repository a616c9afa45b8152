"""Reservations of one product and of many, by the service that the sagas call, from as many threads as a worker has."""

import time
from concurrent import futures
from datetime import UTC, datetime

from django.db import connections

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import groups
from benchmarks import figures, market
from benchmarks.figures import Figure
from inventory import invariants
from inventory import services as inventory

THREADS = 8
SECONDS = 5.0


def run() -> list[Figure]:
    products = market.shelve(THREADS, units=100_000)
    many, one = _rate(products), _rate(products[:1])
    broken = [finding.invariant for finding in invariants.check() if finding.violations]
    return [
        Figure(
            name="reservations/s on one product",
            value=one,
            beside=f"on {THREADS} products",
            reference=many,
            goal=figures.at_least(1000),
            # These sales have no sagas, so the stock alone can be checked.
            doubt=f"the stock breaks {', '.join(broken)}" if broken else "",
        )
    ]


def _rate(products: list[str]) -> float:
    """Reservations per second, in groups of the largest size."""
    end = time.monotonic() + SECONDS
    connections.close_all()  # the pool has one for each thread

    def reserve(thread: int) -> int:
        count = 0
        while time.monotonic() < end:
            requests = [_request(products[thread % len(products)]) for _ in range(groups.MAX_MEMBERS)]
            outcomes = inventory.reserve(requests, now=datetime.now(UTC))
            count += sum(isinstance(outcome, inventory.Reserved) for outcome in outcomes)
        connections.close_all()
        return count

    began = time.monotonic()
    with futures.ThreadPoolExecutor(THREADS) as threads:
        count = sum(threads.map(reserve, range(THREADS)))
    return count / (time.monotonic() - began)


def _request(product_id: str) -> inventory.ReserveRequest:
    sale_id = ids.new_id()
    return inventory.ReserveRequest(
        key=f"saga:{sale_id}:reserve_stock",
        correlation_id="bench",
        sale_id=sale_id,
        auction_id=ids.new_id(),
        units=(events.Units(product_id=product_id, quantity=1),),
    )
