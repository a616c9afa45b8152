"""Stock of real participants: what a saga that runs inside a test sells."""

from datetime import UTC, datetime

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from inventory import services as inventory
from inventory.tests.conftest import open_warehouses


def stock_for(sale: events.SaleConfirmed, *, listed: bool) -> None:
    """One unit of the product of `sale`; with `listed` it is reserved for the auction."""
    now = datetime.now(UTC)
    open_warehouses()
    inventory.create_product(
        product_id=sale.lines[0].product_id, sku=ids.new_id(), title="Sextant", description="", condition="GOOD",
        owner_id="house", actor="test", now=now,
    )  # fmt: skip
    inventory.receive_stock(
        key=ids.new_id(),
        product_id=sale.lines[0].product_id,
        warehouse="CENTRAL",
        quantity=1,
        actor="test",
        now=now,
    )
    if listed:
        listing = inventory.Listing(
            auction_id=sale.auction_id, product_id=sale.lines[0].product_id, quantity=1, requested_by="", as_operator=True,
            allocate="on_listing", correlation_id="test",
        )  # fmt: skip
        inventory.reserve_for_lots([listing], now=now)
