"""What a sale costs: the statements that its saga sends to each database, from its start to its end. A budget, so that one
more is somebody's decision.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import ids
from inventory import services as inventory
from inventory.tests.conftest import open_warehouses
from orders import services as orders
from orders.tests.bank_process import BankProcess
from orders.tests.conftest import _no_connection_outlives_a_test, _shared_bank, bank  # noqa: F401 - fixtures
from orders.tests.sales import ACCEPTS
from sagas import dispatcher, models, services
from sagas.tests import conftest

pytestmark = pytest.mark.django_db(databases=["inventory", "orders", "sagas"], transaction=True)

BUDGET = {"sagas": 39, "orders": 44}  # with BEGIN and COMMIT


@pytest.mark.parametrize(
    ("listed", "inventory_statements"), [(True, 27), (False, 27)], ids=["on_listing", "on_sale"]
)
def test_a_saga_keeps_to_its_budget(
    listed: bool,
    inventory_statements: int,
    bank: BankProcess,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = conftest.FakeDispatcher()
    monkeypatch.setattr(dispatcher, "send", post.send)
    sale = conftest.make_sale()
    _stock(sale, listed=listed)
    orders.set_card(user_id=sale.user_id, number=ACCEPTS, now=datetime.now(UTC))

    with (
        _counted("sagas") as in_sagas,
        _counted("inventory") as in_inventory,
        _counted("orders") as in_orders,
    ):
        services.start_saga(sale=sale, correlation_id="c", now=datetime.now(UTC))
        post.deliver()

    assert models.Saga.objects.get(pk=sale.sale_id).status == "COMPLETED"
    assert {"sagas": len(in_sagas), "inventory": len(in_inventory), "orders": len(in_orders)} == BUDGET | {
        "inventory": inventory_statements
    }


def _counted(alias: str) -> CaptureQueriesContext:
    return CaptureQueriesContext(connections[alias])


def _stock(sale: Any, *, listed: bool) -> None:
    now = datetime.now(UTC)
    open_warehouses()
    inventory.create_product(
        product_id=sale.product_id, sku=ids.new_id(), title="Sextant", description="", condition="GOOD",
        owner_id="house", actor="test", now=now,
    )  # fmt: skip
    inventory.receive_stock(
        key=ids.new_id(), product_id=sale.product_id, warehouse="CENTRAL", quantity=1, actor="test", now=now
    )
    if listed:
        inventory.reserve_for_lot(
            auction_id=sale.auction_id, product_id=sale.product_id, quantity=1, requested_by="", as_operator=True,
            allocate="on_listing", now=now,
        )  # fmt: skip
