"""The steps of one sale: a group of one, whose error is raised."""

from datetime import datetime
from typing import Any

from auction_project.kernel.messaging import groups
from inventory import services


def reserve(*, now: datetime, **request: Any) -> services.Reserved:
    return groups.only(
        services.reserve([services.ReserveRequest(correlation_id="test-correlation", **request)], now=now)
    )


def release(*, key: str, sale_id: str, now: datetime) -> services.Released | None:
    return groups.only(services.release([_request(key, sale_id)], now=now))


def commit(*, key: str, sale_id: str, now: datetime) -> services.Committed:
    return groups.only(services.commit([_request(key, sale_id)], now=now))


def restock(*, key: str, sale_id: str, now: datetime) -> services.Restocked | None:
    return groups.only(services.restock([_request(key, sale_id)], now=now))


def _request(key: str, sale_id: str) -> services.SaleRequest:
    return services.SaleRequest(key=key, correlation_id="test-correlation", sale_id=sale_id)
