"""C2, the invariant of checkouts that no app sees alone: none is stuck.

A checkout waits for inventory's answer, and later for the end of its sale. What has not gone on for STUCK_SECONDS is stuck,
unless the saga of its sale goes on (S5 is about that) or has ended just now.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from auction_project.kernel.findings import Finding
from auction_project.verification import world as worlds
from orders import models as orders
from sagas import models as sagas

STUCK_SECONDS = 30.0

_State = orders.CheckoutState


def check(*, now: datetime) -> Finding:
    """Check the checkouts that wait for another app."""
    waiting = orders.Checkout.objects.filter(state__in=(_State.RESERVING, _State.PAYING)).order_by("pk")
    checked = waiting.count()
    since = now - timedelta(seconds=STUCK_SECONDS)
    still = list(waiting.filter(changed_at__lt=since).prefetch_related("sales"))
    going_on = _going_on([sale.sale_id for checkout in still for sale in checkout.sales.all()], since)
    stuck = (
        checkout for checkout in still if not any(sale.sale_id in going_on for sale in checkout.sales.all())
    )
    return Finding(
        "C2",
        checked,
        tuple(
            f"checkout {one.pk} has been {one.state} for {(now - one.changed_at).total_seconds():.0f} s"
            for one in stuck
        ),
    )


def _going_on(sale_ids: Collection[str], since: datetime) -> set[str]:
    """The sales whose saga has not ended, or has ended since then."""
    rows = sagas.Saga.objects.filter(sale_id__in=sale_ids).exclude(
        status__in=worlds.FINAL, finished_at__lt=since
    )
    return set(rows.values_list("sale_id", flat=True))
