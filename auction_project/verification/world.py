"""One reading of all stores: the sales of the bid log beside their sagas, orders, payments and reservations.

What came last is read first: sagas, then orders, payments and stock, then the log. So on a live system every effect
seen has its cause among what is seen, and of a saga seen as ended all effects are seen. The log is read once: bidding's
checks read it, and `follow` looks over their shoulder.
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
    """A sale that the log made; `outcome` is "", "settled" or "sale_failed", `next` what then followed."""

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
    """Where the saga of a sale stands, and the sale as it knows it."""

    status: str
    order_number: str
    user_id: str
    price: int
    quantity: int


class World(msgspec.Struct, kw_only=True):
    """By sale id: `sagas`, `dead` (before they had one), `reservations` (state), `sales`. By order number: `facts`, `amounts`, `payments`. By auction:
    `states` (the fold of the whole log), `marks` (published up to there)."""

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
        """The sales that wait for an operator: parked, or dead before they had a saga."""
        dead = {sale_id for sale_id in self.dead & self.sales.keys() if sale_id not in self.sagas}
        return dead | {sale_id for sale_id, saga in self.sagas.items() if saga.status == "PARKED"}

    def status_of(self, sale_id: str) -> str:
        """The status of the sale's saga, "" without one."""
        saga = self.sagas.get(sale_id)
        return saga.status if saga else ""

    def follow(self, auction_id: str, mark: int, entries: Iterator[log.Entry]) -> Iterator[log.Entry]:
        """The same entries, a whole log; what they say of sales is known here afterwards."""
        self.marks[auction_id] = mark
        state = self.states[auction_id] = rules.State(auction_id)
        for entry in entries:
            state = self.states[auction_id] = rules.apply(state, entry)
            self._see(entry)
            yield entry

    def _see(self, entry: log.Entry) -> None:
        facts = entry.facts
        if isinstance(facts, kinds.Settled | kinds.SaleFailed) and facts.sale_id in self.sales:
            self.sales[facts.sale_id].outcome = entry.kind
            self.sales[facts.sale_id].next = facts.next if isinstance(facts, kinds.SaleFailed) else ""
        made = getattr(facts, "sale", None)
        if made is not None:
            self.sales[made.sale_id] = Sale(
                sale_id=made.sale_id,
                auction_id=entry.auction_id,
                user_id=entry.hidden.buyer or entry.actor,
                price=made.price,
                quantity=made.quantity,
            )


def read() -> World:
    """All but the log. Raises django.db.OperationalError."""
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
