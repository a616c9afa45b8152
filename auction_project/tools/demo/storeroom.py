"""The clerk of the demo: receives units and finds some broken, through the stock's services (they have no REST path).

Blocking: call it in a thread. Raises django.db.OperationalError when the database is unavailable.
"""

from datetime import datetime

from django.db import close_old_connections

from inventory import models as stock
from inventory import services as inventory


def free_units(product_id: str) -> int:
    """How many units could be listed or sold now."""
    close_old_connections()
    balances = stock.Balance.objects.filter(product_id=product_id)
    return sum(balances.values_list("available", flat=True))


def receive(product_id: str, quantity: int, *, key: str, reason: str, now: datetime) -> None:
    """Receive units, once for each `key`."""
    close_old_connections()
    warehouse = stock.Warehouse.objects.order_by("priority").values_list("code", flat=True)[0]
    inventory.receive_stock(
        key=key,
        product_id=product_id,
        warehouse=warehouse,
        quantity=quantity,
        actor="demo",
        now=now,
        reason=reason,
    )


def lose_free_units(product_id: str, *, key: str, reason: str, now: datetime) -> int:
    """Count all free units away as broken; their number. Raises errors.DomainError when a sale came between."""
    close_old_connections()
    lost = 0
    for balance in stock.Balance.objects.filter(product_id=product_id, available__gt=0).order_by("pk"):
        inventory.adjust_stock(
            key=f"{key}:{balance.warehouse_id}",
            product_id=product_id,
            warehouse=balance.warehouse_id,
            expected=balance.on_hand,
            counted=balance.on_hand - balance.available,
            reason=reason,
            actor="demo",
            now=now,
        )
        lost += balance.available
    return lost
