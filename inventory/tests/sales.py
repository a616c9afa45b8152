"""The steps of one sale: a group of one, whose error is raised."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import groups
from inventory import services


def reserve(*, now: datetime, product_id: str, quantity: int, **request: Any) -> services.Reserved:
    return reserve_all(now=now, units={product_id: quantity}, **request)


def reserve_all(*, now: datetime, units: Mapping[str, int], **request: Any) -> services.Reserved:
    """`units` by product."""
    lines = tuple(events.Units(product_id=product, quantity=quantity) for product, quantity in units.items())
    asked = services.ReserveRequest(correlation_id="test-correlation", units=lines, **request)
    return groups.only(services.reserve([asked], now=now))


def release(*, key: str, sale_id: str, now: datetime) -> services.Released | None:
    return groups.only(services.release([_request(key, sale_id)], now=now))


def commit(*, key: str, sale_id: str, now: datetime) -> services.Committed:
    return groups.only(services.commit([_request(key, sale_id)], now=now))


def restock(*, key: str, sale_id: str, now: datetime) -> services.Restocked | None:
    return groups.only(services.restock([_request(key, sale_id)], now=now))


def _request(key: str, sale_id: str) -> services.SaleRequest:
    return services.SaleRequest(key=key, correlation_id="test-correlation", sale_id=sale_id)


def short(product: Any, *, available: int, asked: int) -> dict[str, Any]:
    """The figures of a sale that is refused because of this line."""
    return {"lines": [{"product_id": product.id, "asked": asked, "available": available}]}
