"""One reading of all stores: the sales of the bid log and of checkouts beside their sagas, orders, payments and reservations.

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
_STATUS_OF_AWARDS = {"DUE": "RUNNING", "PAYING": "RUNNING", "PAID": "COMPLETED", "LAPSED": "COMPENSATED"}


class Sale(msgspec.Struct, kw_only=True):
    """A sale of the log, or of a checkout, which has no auction; `outcome` is "", "settled" or "sale_failed", and `next` says
    what followed a failed sale. `price` is the total in minor units. `is_awarded`: a checkout pays it, and it has no saga."""

    sale_id: str
    user_id: str
    price: int
    quantity: int
    auction_id: str = ""
    is_awarded: bool = False
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


class AwardRow(msgspec.Struct, frozen=True):
    """The state of an award, and the sale as orders knows it."""

    state: str
    user_id: str
    price: int
    quantity: int


class World(msgspec.Struct, kw_only=True):
    """All stores by id.

    By sale: `sagas`, `awards`, `dead` (dead letters of sales that have no saga), `reservations` (states), `sales`. By order number:
    `facts` (kinds), `amounts` (sale, user, amount in minor units, quantity), `payments` (state), `parts` (sellers whose lines are
    SHIPPED or DELIVERED), `given_back` (ids of refunds that are done, and of returns), `requests` (ids and states of those for a return). By auction: `states` (the
    fold of the whole log), `marks` (the last seq that was published).
    """

    sagas: dict[str, SagaRow] = {}
    awards: dict[str, AwardRow] = {}
    dead: set[str] = set()
    facts: dict[str, set[str]] = {}
    amounts: dict[str, tuple[str, str, int, int]] = {}
    payments: dict[str, str] = {}
    reservations: dict[str, set[str]] = {}
    parts: dict[str, set[tuple[str, str]]] = {}
    given_back: dict[str, set[str]] = {}
    requests: dict[str, set[tuple[str, str]]] = {}
    sales: dict[str, Sale] = {}
    states: dict[str, rules.State] = {}
    marks: dict[str, int] = {}

    def unfinished(self) -> set[str]:
        """The sales whose saga has not ended, or whose end the log does not know yet."""
        return {
            sale.sale_id
            for sale in self.sales.values()
            if self.status_of(sale.sale_id) not in FINAL or not sale.outcome
        }

    def is_paid(self, sale: Sale) -> bool:
        """Whether the sale is in an order that was confirmed: its own, or that of the checkout that paid it."""
        if sale.is_awarded:
            award = self.awards.get(sale.sale_id)
            return award is not None and award.state == "PAID"
        return "CONFIRMED" in self.facts.get(sale.order_number, ())

    def parked(self) -> set[str]:
        """The sales that wait for an operator: parked sagas, and dead letters of sales that have no saga."""
        dead = {sale_id for sale_id in self.dead & self.sales.keys() if sale_id not in self.sagas}
        return dead | {sale_id for sale_id, saga in self.sagas.items() if saga.status == "PARKED"}

    def status_of(self, sale_id: str) -> str:
        """The status of the sale's saga, or what its award makes of it; "" without either."""
        if award := self.awards.get(sale_id):
            return _STATUS_OF_AWARDS[award.state]
        saga = self.sagas.get(sale_id)
        return saga.status if saga else ""

    def follow(self, auction_id: str, mark: int, entries: Iterator[log.Entry]) -> Iterator[log.Entry]:
        """Yield the same entries, which are a whole log, and keep what they say of sales."""
        self.marks[auction_id] = mark
        state = self.states[auction_id] = rules.State(auction_id)
        for entry in entries:
            state = self.states[auction_id] = rules.apply(state, entry)
            self._keep(entry, state)
            yield entry

    def _keep(self, entry: log.Entry, state: rules.State) -> None:
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
                is_awarded=bool(state.known_terms.payment_ms),
            )


def read() -> World:
    """Read all but the log. Raises django.db.OperationalError."""
    dead = set(saga_selectors.dead_sales().values_list("key", flat=True))
    rows = sagas.Saga.objects.order_by("pk").iterator()
    saga_rows = {
        row.sale_id: SagaRow(
            row.status, row.order_number, row.user_id, row.price, sum(line.quantity for line in row.sold)
        )
        for row in rows
    }
    facts: dict[str, set[str]] = {}
    for number, kind in orders.OrderFact.objects.values_list("order_id", "kind").order_by("pk").iterator():
        facts.setdefault(number, set()).add(kind)
    amounts = {
        order.number: (order.sale_id, order.user_id, order.amount, order.quantity)
        for order in orders.Order.objects.prefetch_related("lines").order_by("pk").iterator(chunk_size=1000)
    }
    payments = dict(orders.Payment.objects.values_list("order_number", "state").order_by("pk"))
    reservations: dict[str, set[str]] = {}
    of_sales = stock.Reservation.objects.filter(kind="SALE").order_by("pk")
    for sale_id, state in of_sales.values_list("holder", "state").iterator():
        reservations.setdefault(sale_id, set()).add(state)
    awards = {
        row.sale_id: AwardRow(row.state, row.user_id, row.price, row.quantity)
        for row in orders.Award.objects.order_by("pk").iterator()
    }
    return World(
        sagas=saga_rows,
        awards=awards,
        dead=dead,
        facts=facts,
        amounts=amounts,
        payments=payments,
        reservations=reservations,
        parts=_parts(),
        given_back=_given_back(),
        requests=_requests(),
        sales={sale.sale_id: sale for sale in _sales_of_checkouts()},
    )


def _parts() -> dict[str, set[tuple[str, str]]]:
    parts: dict[str, set[tuple[str, str]]] = {}
    shipments = orders.Shipment.objects.select_related("delivery").order_by("pk")
    for shipment in shipments.iterator():
        kinds_of_part = {(shipment.owner_id, "SHIPPED")}
        if shipment.delivered_at is not None:
            kinds_of_part.add((shipment.owner_id, "DELIVERED"))
        parts.setdefault(shipment.order_id, set()).update(kinds_of_part)
    return parts


def _given_back() -> dict[str, set[str]]:
    given_back: dict[str, set[str]] = {}
    refunds = orders.Refund.objects.filter(state="DONE").order_by("pk").values_list("payment_id", "id")
    for rows in (refunds, orders.Return.objects.order_by("pk").values_list("order_id", "id")):
        for number, row_id in rows.iterator():
            given_back.setdefault(number, set()).add(row_id)
    return given_back


def _requests() -> dict[str, set[tuple[str, str]]]:
    requests: dict[str, set[tuple[str, str]]] = {}
    rows = orders.ReturnRequest.objects.order_by("pk").values_list("order_id", "pk", "state")
    for number, request_id, state in rows.iterator():
        requests.setdefault(number, set()).add((request_id, state))
    return requests


def _sales_of_checkouts() -> Iterator[Sale]:
    outcomes = {"": "", "SETTLED": "settled", "FAILED": "sale_failed"}
    for sale in orders.CheckoutSale.objects.select_related("checkout").order_by("pk").iterator():
        yield Sale(
            sale_id=sale.sale_id,
            user_id=sale.checkout.user_id,
            price=sale.price,
            quantity=sum(line.quantity for line in sale.checkout.sold),
            outcome=outcomes[sale.outcome],
        )
