"""Which service does each call: the one file of the sagas that knows another app. One function and one row a call.

A step and its compensation share the key `saga:<id>:<step>`. By it a participant recognises a repeat, undoes what was
done, and leaves the tombstone that a late step meets. A participant returns when its part is done, and raises otherwise;
the saga reads no result, because all that later steps need is in the sale.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from inventory import services as inventory
from orders import services as orders
from sagas import engine, models

Participant = Callable[[models.Saga, str, datetime], None]  # the sale, the key, the time


def _reserve_stock(sale: models.Saga, key: str, now: datetime) -> None:
    inventory.reserve(
        key=key,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        product_id=sale.product_id,
        quantity=sale.quantity,
        now=now,
    )


def _release_stock(sale: models.Saga, key: str, now: datetime) -> None:
    inventory.release(key=key, sale_id=sale.sale_id, now=now)


def _assess_risk(sale: models.Saga, key: str, now: datetime) -> None:
    orders.assess_risk(
        key=key,
        user_id=sale.user_id,
        order_number=sale.order_number,
        amount=sale.price,
        currency=sale.currency,
        now=now,
    )


def _capture_payment(sale: models.Saga, key: str, now: datetime) -> None:
    orders.capture_payment(
        key=key,
        user_id=sale.user_id,
        order_number=sale.order_number,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        title=sale.title,
        amount=sale.price,
        currency=sale.currency,
        now=now,
    )


def _refund_payment(sale: models.Saga, key: str, now: datetime) -> None:
    orders.refund_payment(key=key, order_number=sale.order_number, now=now)


def _place_order(sale: models.Saga, key: str, now: datetime) -> None:
    orders.place_order(
        key=key,
        user_id=sale.user_id,
        order_number=sale.order_number,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        product_id=sale.product_id,
        quantity=sale.quantity,
        title=sale.title,
        amount=sale.price,
        currency=sale.currency,
        now=now,
    )


def _cancel_order(sale: models.Saga, key: str, now: datetime) -> None:
    orders.cancel_order(key=key, order_number=sale.order_number, reason=sale.failure_reason, now=now)


def _commit_stock(sale: models.Saga, key: str, now: datetime) -> None:
    inventory.commit(key=key, sale_id=sale.sale_id, now=now)


def _restock(sale: models.Saga, key: str, now: datetime) -> None:
    inventory.restock(key=key, sale_id=sale.sale_id, now=now)


def _confirm_order(sale: models.Saga, key: str, now: datetime) -> None:
    orders.confirm_order(key=key, order_number=sale.order_number, now=now)


PARTICIPANTS: Mapping[str, Participant] = {
    "reserve_stock": _reserve_stock,
    "release_stock": _release_stock,
    "assess_risk": _assess_risk,
    "capture_payment": _capture_payment,
    "refund_payment": _refund_payment,
    "place_order": _place_order,
    "cancel_order": _cancel_order,
    "commit_stock": _commit_stock,
    "restock": _restock,
    "confirm_order": _confirm_order,
}


def call(leg: engine.Leg, sale: models.Saga, *, now: datetime) -> None:
    """Call the participant under the key of the step. Raises what the participant raises."""
    PARTICIPANTS[leg.name](sale, f"saga:{sale.sale_id}:{leg.step}", now)
