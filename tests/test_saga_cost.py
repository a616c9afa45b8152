"""What a sale costs: the statements that its saga sends to each database, from its start to its end. The budget makes each
further statement a decision.
"""

from datetime import UTC, datetime

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orders import services as orders
from orders.tests.bank_process import BankProcess
from orders.tests.conftest import _no_connection_outlives_a_test, _shared_bank, bank  # noqa: F401 - fixtures
from orders.tests.sales import ACCEPTS
from sagas import dispatcher, models
from sagas.tests import conftest
from tests.stocking import stock_for

pytestmark = pytest.mark.django_db(databases=["inventory", "orders", "sagas"], transaction=True)

BUDGET = {"sagas": 23, "orders": 30}  # with BEGIN and COMMIT


@pytest.mark.parametrize(
    ("listed", "inventory_statements"), [(True, 17), (False, 16)], ids=["on_listing", "on_sale"]
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
    stock_for(sale, listed=listed)
    orders.set_card(user_id=sale.user_id, number=ACCEPTS, now=datetime.now(UTC))

    with (
        _counted("sagas") as in_sagas,
        _counted("inventory") as in_inventory,
        _counted("orders") as in_orders,
    ):
        conftest.start(sale, now=datetime.now(UTC))
        post.deliver()

    assert models.Saga.objects.get(pk=sale.sale_id).status == "COMPLETED"
    assert {"sagas": len(in_sagas), "inventory": len(in_inventory), "orders": len(in_orders)} == BUDGET | {
        "inventory": inventory_statements
    }


def _counted(alias: str) -> CaptureQueriesContext:
    return CaptureQueriesContext(connections[alias])
