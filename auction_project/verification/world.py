"""One reading of all stores: the sales of the bid log beside their sagas, orders, payments and reservations.

Later effects are read first: sagas, then orders, payments and stock, then the log. So on a live system, the cause of each
effect that was read is read, too, and so are all effects of a saga that was read as ended. The log is read once, by the
checks of bidding; `follow` reads along.
"""

from collections.abc import Iterator

import msgspec

from auction_project.kernel import ids
from bidding import rules
from bidding.rules import kinds, log
from inventory import models as stock
from orders import models as orders
from sagas import models as sagas
from sagas import selectors as saga_selectors

FINAL = frozenset({"COMPLETED", "COMPENSATED"})


class Sale(msgspec.Struct, kw_only=True):
    """A sale of the log; `outcome` is "", "settled" or "sale_failed", and `next` says what followed a failed sale. `price` is
    the total in minor units."""

    sale_id: str
    auction_id: str
    user_id: str
    price: int
    quantity: int
    outcome: str = ""
    next: str = ""

    @property
    def order_number(self) -> str:
        return ids.order_number(self.sale_id)


class SagaRow(msgspec.Struct, frozen=True):
    """The status of a sale's saga, and the sale as the saga knows it."""

    status: str
    order_number: str
    user_id: str
    price: int
    quantity: int


class World(msgspec.Struct, kw_only=True):
    """All stores by id.

    By sale: `sagas`, `dead` (dead letters of sales that have no saga), `reservations` (state), `sales`. By order number:
    `facts` (kinds), `amounts` (sale, user, amount in minor units, quantity), `payments` (state). By auction: `states` (the
    fold of the whole log), `marks` (the last seq that was published).
    """

    sagas: dict[str, SagaRow]
    dead: set[str]
    facts: dict[str, set[str]]
    amounts: dict[str, tuple[str, str, int, int]]
    payments: dict[str, str]
    reservations: dict[str, str]
    sales: dict[str, Sale]
    states: dict[str, rules.State]
    marks: dict[str, int]

    def unfinished(self) -> set[str]:
        """The sales whose saga has not ended, or whose end the log does not know yet."""
        return {
            sale.sale_id
            for sale in self.sales.values()
            if self.status_of(sale.sale_id) not in FINAL or not sale.outcome
        }

    def parked(self) -> set[str]:
        """The sales that wait for an operator: parked sagas, and dead letters of sales that have no saga."""
        dead = {sale_id for sale_id in self.dead & self.sales.keys() if sale_id not in self.sagas}
        return dead | {sale_id for sale_id, saga in self.sagas.items() if saga.status == "PARKED"}

    def status_of(self, sale_id: str) -> str:
        """The status of the sale's saga, "" without one."""
        saga = self.sagas.get(sale_id)
        return saga.status if saga else ""

    def follow(self, auction_id: str, mark: int, entries: Iterator[log.Entry]) -> Iterator[log.Entry]:
        """Yield the same entries, which are a whole log, and keep what they say of sales."""
        self.marks[auction_id] = mark
        state = self.states[auction_id] = rules.State(auction_id)
        for entry in entries:
            state = self.states[auction_id] = rules.apply(state, entry)
            self._keep(entry)
            yield entry

    def _keep(self, entry: log.Entry) -> None:
        facts = entry.facts
        if isinstance(facts, kinds.Settled | kinds.SaleFailed) and facts.sale_id in self.sales:
            self.sales[facts.sale_id].outcome = entry.kind
            self.sales[facts.sale_id].next = facts.next if isinstance(facts, kinds.SaleFailed) else ""
        sale = getattr(facts, "sale", None)
        if sale is not None:
            self.sales[sale.sale_id] = Sale(
                sale_id=sale.sale_id,
                auction_id=entry.auction_id,
                user_id=entry.hidden.buyer or entry.actor,
                price=sale.price,
                quantity=sale.quantity,
            )


def read() -> World:
    """Read all but the log. Raises django.db.OperationalError."""
    dead = set(saga_selectors.dead_sales().values_list("key", flat=True))
    rows = sagas.Saga.objects.order_by("pk").iterator()
    saga_rows = {
        row.sale_id: SagaRow(row.status, row.order_number, row.user_id, row.price, row.quantity)
        for row in rows
    }
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
    return World(
        sagas=saga_rows,
        dead=dead,
        facts=facts,
        amounts=amounts,
        payments=payments,
        reservations=reservations,
        sales={},
        states={},
        marks={},
    )
