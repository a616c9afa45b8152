"""One lot: a group of one."""

from datetime import datetime
from typing import Any

from inventory import models, services


def reserve_for_lot(*, now: datetime, **listing: Any) -> None:
    services.reserve_for_lots([services.Listing(correlation_id="test-correlation", **listing)], now=now)


def release_lot(
    *, auction_id: str, now: datetime, product_id: str = "", relist_as: str | None = None
) -> None:
    """`product_id` is that of the auction; by default, that of its lot."""
    held = models.Reservation.objects.filter(kind="LOT", holder=auction_id, product__isnull=False)
    product_id = product_id or held.values_list("product_id", flat=True).first() or "f" * 32
    ending = services.Ending(
        auction_id=auction_id, product_id=product_id, relist_as=relist_as, correlation_id="test-correlation"
    )
    services.release_lots([ending], now=now)
