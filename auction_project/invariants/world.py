"""One reading of all stores: the sales of the bid log beside their sagas, orders, payments and reservations.

Effects (orders, payments, stock, sagas) are read first and the log last, so that on a live system every effect seen has
its cause among what is seen.
"""

from collections.abc import Iterator

import msgspec

from auction_project.contracts import names
from bidding import rules, runtime
from bidding.rules import log
from inventory import models as stock
from orders import models as orders
from sagas import models as sagas

ENTRIES_PER_READ = 1000
FINAL = frozenset({"COMPLETED", "COMPENSATED"})


class Sale(msgspec.Struct, kw_only=True):
    """A sale that the log made; `outcome` is "", "settled" or "sale_failed"."""

    sale_id: str
    auction_id: str
    user_id: str
    price: int
    quantity: int
    outcome: str = ""

    @property
    def order_number(self) -> str:
        return names.order_number(self.sale_id)


class World(msgspec.Struct, kw_only=True):
    """By sale id: `sales`, `sagas` (status), `reservations` (state). By order number: `facts`, `amounts`, `payments`."""

    facts: dict[str, set[str]]
    amounts: dict[str, tuple[str, str, int, int]]
    payments: dict[str, str]
    reservations: dict[str, str]
    saga_status: dict[str, str]
    saga_price: dict[str, int]
    sales: dict[str, Sale]
    states: dict[str, rules.State]
    marks: dict[str, int]

    def unfinished(self) -> set[str]:
        """The sales whose saga has not ended, or whose end the log does not know yet."""
        return {
            sale.sale_id
            for sale in self.sales.values()
            if self.saga_status.get(sale.sale_id) not in FINAL or not sale.outcome
        }


def read() -> World:
    """Raises errors.Unavailable, django.db.OperationalError."""
    facts: dict[str, set[str]] = {}
    for number, kind in orders.OrderFact.objects.values_list("order_id", "kind").order_by("pk").iterator():
        facts.setdefault(number, set()).add(kind)
    amounts = {
        order.number: (order.sale_id, order.user_id, order.amount, order.quantity)
        for order in orders.Order.objects.order_by("pk").iterator()
    }
    payments = dict(orders.Payment.objects.values_list("order_number", "state").order_by("pk"))
    reservations = dict(
        stock.Reservation.objects.filter(kind="SALE").values_list("holder", "state").order_by("pk")
    )
    saga_rows = list(sagas.Saga.objects.values_list("sale_id", "status", "price").order_by("pk"))
    world = World(
        facts=facts,
        amounts=amounts,
        payments=payments,
        reservations=reservations,
        saga_status={sale_id: status for sale_id, status, _ in saga_rows},
        saga_price={sale_id: price for sale_id, _, price in saga_rows},
        sales={},
        states={},
        marks={},
    )
    documents = runtime.call(_documents())
    for auction_id, mark in sorted(documents.items()):
        world.marks[auction_id] = mark
        world.states[auction_id] = _read_sales(auction_id, world.sales)
    return world


async def _documents() -> dict[str, int]:
    log_store = runtime.current().store
    found = await log_store.get_auctions(await log_store.all_auction_ids())
    return {auction_id: document.mark for auction_id, document in found.items()}


def entries(auction_id: str) -> Iterator[log.Entry]:
    """A whole log, read in chunks."""
    after = 0
    while chunk := runtime.call(runtime.current().store.read_from(auction_id, after, ENTRIES_PER_READ)):
        yield from chunk
        after = chunk[-1].seq


def _read_sales(auction_id: str, sales: dict[str, Sale]) -> rules.State:
    """Fold the log; its sales and their outcomes go into `sales`."""
    state = rules.State(auction_id)
    for entry in entries(auction_id):
        state = rules.apply(state, entry)
        facts = entry.facts
        if isinstance(facts, log.Settled | log.SaleFailed) and facts.sale_id in sales:
            sales[facts.sale_id].outcome = entry.kind
        made = getattr(facts, "sale", None)
        if made is not None:
            sales[made.sale_id] = Sale(
                sale_id=made.sale_id,
                auction_id=auction_id,
                user_id=entry.hidden.buyer or entry.actor,
                price=made.price,
                quantity=made.quantity,
            )
    return state
