"""What happened so far, read from the stores: for the demo's screen and its end."""

import msgspec
from django.db.models import Count

from bidding import runtime, store
from notifications import models as notices
from orders import models as orders
from sagas import models as sagas
from sagas import selectors

ENDED = ("COMPLETED", "COMPENSATED")


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`sagas` by status (PARKED: with the sales that died before they had one), `undone` by reason; `entries` of the bid
    log."""

    entries: int
    sagas: dict[str, int]
    undone: dict[str, int]
    orders: int
    notifications: int
    emails: int
    open_lots: int

    @property
    def sales_ended(self) -> int:
        return sum(self.sagas.get(status, 0) for status in ENDED)


def read() -> Figures:
    """Raises errors.Unavailable, django.db.OperationalError."""
    by_status = sagas.Saga.objects.values_list("status").annotate(count=Count("sale_id")).order_by("status")
    undone = (
        sagas.Saga.objects.filter(status="COMPENSATED")
        .values_list("failure_reason")
        .annotate(count=Count("sale_id"))
        .order_by("failure_reason")
    )
    entries, open_lots = runtime.call(_auctions())
    return Figures(
        entries=entries,
        sagas=dict(by_status) | ({"PARKED": parked} if (parked := selectors.count_parked()) else {}),
        undone=dict(undone),
        orders=orders.Order.objects.count(),
        notifications=notices.Notification.objects.count(),
        emails=notices.Email.objects.filter(state="SENT").count(),
        open_lots=open_lots,
    )


async def _auctions() -> tuple[int, int]:
    """(entries of all logs, open lots)."""
    log_store = runtime.current().store
    _, open_lots = await log_store.list_auctions(store.Query(status="OPEN", limit=1))
    return await log_store.count_entries(), open_lots
