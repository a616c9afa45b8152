"""A unit breaks while its sale is under way: the saga's real participants undo the sale, and the buyer reads why."""

from datetime import UTC, datetime

import pytest

from auction_project.kernel import contracts, ids
from inventory import invariants as stock_invariants
from inventory import models as stock
from inventory import refusals
from inventory import services as inventory
from inventory.tests.conftest import figures
from orders import models as order_models
from orders import services as orders
from orders.tests.bank_process import BankProcess
from orders.tests.conftest import _no_connection_outlives_a_test, _shared_bank, bank  # noqa: F401 - fixtures
from orders.tests.sales import ACCEPTS
from sagas import dispatcher, models
from sagas.tests import conftest
from tests.stocking import stock_for

pytestmark = pytest.mark.django_db(databases=["inventory", "orders", "sagas"], transaction=True)


def test_a_sale_whose_unit_broke_is_undone_before_its_order_is_confirmed(
    bank: BankProcess,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = conftest.FakeDispatcher()
    monkeypatch.setattr(dispatcher, "send", post.send)
    sale = conftest.make_sale()
    stock_for(sale, listed=True)
    orders.set_card(user_id=sale.user_id, number=ACCEPTS, now=datetime.now(UTC))
    conftest.start(sale, now=datetime.now(UTC))
    while post.sent[0][1][0] != "commit_stock":
        saga_ids, legs = post.chains.pop(0)
        conftest.run_group(saga_ids, legs[0])

    count = {
        "key": ids.new_id(), "product_id": sale.lines[0].product_id, "warehouse": "CENTRAL", "expected": 1, "counted": 0,
        "reason": "dropped", "actor": "clerk", "now": datetime.now(UTC),
    }  # fmt: skip
    with pytest.raises(refusals.LotsConcerned) as concerned:
        inventory.adjust_stock(**count)
    inventory.adjust_stock(**count, confirmation=concerned.value.figures["confirmation"])
    post.deliver()

    saga = models.Saga.objects.get(pk=sale.sale_id)
    assert (saga.status, saga.failure_reason) == ("COMPENSATED", "stock_refused")
    (row,) = models.Outbox.objects.filter(key=sale.sale_id)
    _, failed = contracts.decode(bytes(row.body))
    assert (failed.reason, failed.detail) == (
        "stock_refused",
        "A unit that was reserved for this sale is broken or missing.",
    )
    assert order_models.Payment.objects.get(sale_id=sale.sale_id).state == "REFUNDED"
    assert figures(stock.Product.objects.get(id=sale.lines[0].product_id)) == {}
    assert stock.Reservation.objects.get(kind="SALE").state == "LOST"
    lost = stock.Outbox.objects.get(type="LotStockLost")
    assert contracts.decode(bytes(lost.body))[1].auction_id == sale.auction_id
    assert [finding.violations for finding in stock_invariants.check()] == [(), (), (), ()]
