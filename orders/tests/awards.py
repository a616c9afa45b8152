"""Awards for tests: a lot that a buyer has won, and a checkout of it."""

from datetime import datetime, timedelta
from typing import Any

from auction_project.kernel import instants
from auction_project.kernel.contracts import events
from orders import models, services
from orders.tests import sales
from orders.tests.shop import NOW, OTHER, USER, address_of, fill

LOT, OTHER_LOT = "c" * 32, "d" * 32
VASE, CLOCK = "3" * 32, "4" * 32
DUE = NOW + timedelta(days=1)


def awarded(lot: str = LOT, product_id: str = VASE, price: int = 5000, **changes: Any) -> events.SaleAwarded:
    names: dict[str, Any] = {
        "sale_id": f"{lot}-9",
        "order_number": f"GV-{lot[:4]}",
        "user_id": USER,
        "auction_id": lot,
        "currency": "EUR",
        "line": events.SaleLine(
            product_id=product_id, quantity=1, price=price, title="A vase", owner_id=OTHER
        ),
        "pay_by_at": instants.of(DUE),
    }
    return events.SaleAwarded(**names | changes)


def start(
    *lots: str,
    lines: tuple[services.Wanted, ...] = (),
    key: str = "k",
    user_id: str = USER,
    currency: str = "EUR",
    now: datetime = NOW,
) -> models.Checkout:
    """A checkout of these lots and of these lines, which are in the cart, by a buyer with a card and an address."""
    services.set_card(user_id=user_id, number=sales.ACCEPTS, now=NOW)
    fill(*lines, user_id=user_id)
    address_of(user_id)
    return services.start_checkout(
        user_id=user_id,
        key=key,
        lines=lines,
        currency=currency,
        award_ids=[f"{lot}-9" for lot in lots],
        now=now,
    )
