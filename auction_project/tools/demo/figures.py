"""What has happened since the demo began, added up from what the stores hold: for the screen, and for the end of
--once.

Each read takes only what is new since the last one: the rows of outboxes and notifications above the last id, the few
sagas under way by their indexes, and the relay's own counter. It counts no table, because a demo may have run for
weeks. A row that commits after one with a higher id was read is missing; these are figures for people.
"""

import re
from collections import Counter
from typing import Any

import httpx
import msgspec
from django.db.models import Max

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox
from notifications import models as notices
from orders import models as orders
from sagas import engine, selectors
from sagas import models as sagas

METRICS_SECONDS = 2.0
MAX_ROWS = 5_000  # of each table in one read; the next one takes the rest
_ENTRIES = re.compile(rb"^gavel_bid_log_published_total (\S+)$", re.MULTILINE)
_LIVE = sorted(status.value for status in engine.LIVE)


class Figures(msgspec.Struct, kw_only=True):
    """`sagas` by status (PARKED: with the sales that died before they had one), `undone` by reason; `entries` of the bid
    log that were published."""

    entries: int = 0
    sagas: dict[str, int] = msgspec.field(default_factory=dict)
    undone: dict[str, int] = msgspec.field(default_factory=dict)
    orders: int = 0
    notifications: int = 0

    @property
    def sales_ended(self) -> int:
        return self.sagas.get("COMPLETED", 0) + self.sagas.get("COMPENSATED", 0)


class Reader:
    """Adds up from the moment when it is made. `relay_url` is where the relay answers `/metrics`.

    Raises django.db.OperationalError when a store is unavailable; the next read catches up.
    """

    def __init__(self, relay_url: str) -> None:
        self._relay_url = relay_url
        self._relay_total = 0  # its counter, which begins anew with its process
        self._totals = Figures()
        self._ended: Counter[str] = Counter()
        self._undone: Counter[str] = Counter()
        self._last = {table: _highest(table) for table in (sagas.Outbox, orders.Outbox, notices.Notification)}

    def read(self) -> Figures:
        """The figures now."""
        for event in self._new_events(sagas.Outbox, "SaleSettled", "BidFailed"):
            if isinstance(event, events.BidFailed):
                self._ended["COMPENSATED"] += 1
                self._undone[str(event.reason)] += 1
            else:
                self._ended["COMPLETED"] += 1
        self._totals.orders += sum(1 for _ in self._new_events(orders.Outbox, "OrderConfirmed"))
        self._totals.notifications += len(self._new_rows(notices.Notification, "pk"))
        self._totals.sagas = dict(self._ended) | _under_way()
        self._totals.undone = dict(self._undone)
        self._totals.entries += self._new_entries()
        return msgspec.structs.replace(self._totals)

    def _new_events(self, table: type[outbox.OutboxRow], *types: str) -> list[Any]:
        rows = self._new_rows(table, "pk", "type", "body")
        return [contracts.decode(bytes(body))[1] for _, name, body in rows if name in types]

    def _new_rows(self, table: Any, *fields: str) -> list[tuple[Any, ...]]:
        newer = table.objects.filter(pk__gt=self._last[table]).order_by("pk")
        rows = list(newer.values_list(*fields)[:MAX_ROWS])
        if rows:
            self._last[table] = rows[-1][0]
        return rows

    def _new_entries(self) -> int:
        """The growth of the relay's counter; a relay that does not answer has published nothing."""
        try:
            metrics = httpx.get(f"{self._relay_url}/metrics", timeout=METRICS_SECONDS).content
        except httpx.HTTPError:
            return 0
        match = _ENTRIES.search(metrics)
        if match is None:
            return 0
        total = int(float(match.group(1)))
        grown = total - self._relay_total if total >= self._relay_total else total
        self._relay_total = total
        return grown


def _highest(table: Any) -> int:
    return int(table.objects.aggregate(highest=Max("pk"))["highest"] or 0)


def _under_way() -> dict[str, int]:
    """The sagas that have not ended, by status: always few."""
    live = Counter(sagas.Saga.objects.filter(status__in=_LIVE).values_list("status", flat=True))
    parked = selectors.count_parked()
    return dict(live) | ({"PARKED": parked} if parked else {})
