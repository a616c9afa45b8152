"""A rebuild makes of the sources what the events make, repairs what is wrong, and lets events be recorded meanwhile. D1 finds each
sum that is not the orders'."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from auction_project.kernel import contracts, ids
from auction_project.kernel.messaging import consuming
from orders import models, provider, services
from orders.desk import invariants, rebuilding
from orders.desk.tests import happenings
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

NOW = sales.NOW + timedelta(days=2)
TABLES = (
    models.DeskSale,
    models.DeskRefund,
    models.DeskLot,
    models.DeskProduct,
    models.DeskHour,
    models.DeskProductDay,
)


class Sources:
    """What other apps know, as lists."""

    def __init__(
        self,
        failures: Sequence[rebuilding.Failure] = (),
        lots: Sequence[rebuilding.Lot] = (),
        products: Sequence[rebuilding.Product] = (),
    ) -> None:
        self._failures = sorted(failures, key=lambda each: each.sale_id)
        self._lots = list(lots)
        self._products = sorted(products, key=lambda each: each.product_id)

    def failures(self, *, after: str, limit: int) -> Sequence[rebuilding.Failure]:
        return [each for each in self._failures if each.sale_id > after][:limit]

    def lots(self, *, skip: int, limit: int) -> Sequence[rebuilding.Lot]:
        return self._lots[skip : skip + limit]

    def products(self, *, after: str, limit: int) -> Sequence[rebuilding.Product]:
        return [each for each in self._products if each.product_id > after][:limit]


def outbox() -> list[consuming.Received]:
    """What orders has published about orders."""
    rows = models.Outbox.objects.filter(topic=contracts.events.OrderEvent.TOPIC).order_by("id")
    received = [consuming.Received(*contracts.decode(bytes(row.body))) for row in rows]
    return [one for one in received if not isinstance(one.event, contracts.events.OrderCancelled)]


def started(sale: sales.Sale) -> consuming.Received:
    """SaleConfirmed of the sale, as the lines of its order have it."""
    return happenings.event(
        happenings.sale(
            sale_id=sale.sale_id,
            auction_id=sale.auction_id,
            amount=sale.amount,
            currency=sale.currency,
            lines=[("b" * 32, 1, sale.amount)],
        )
    )


def refund(sale: sales.Sale) -> consuming.Received:
    """What the undoing of a captured payment leaves."""
    payment = sale.payment()
    models.PaymentFact.store([payment.become("REFUNDING", now=sales.NOW)])
    models.PaymentFact.store([payment.become("REFUNDED", now=sales.NOW)])
    models.JournalEntry.post("REFUND", [payment], now=sales.NOW)
    event = contracts.events.PaymentRefunded(
        order_number=sale.order_number,
        sale_id=sale.sale_id,
        auction_id=sale.auction_id,
        user_id=sale.user_id,
        amount=sale.amount,
        currency=sale.currency,
    )
    return happenings.event(event, at=sales.NOW, event_id=f"{sale.order_number}:PaymentRefunded")


class GenerousBank:
    """A provider that gives back at once."""

    def refund_part(self, *, key: str, refund_key: str, amount: int) -> None:
        """It is done."""


def give_back(sale: sales.Sale, *amounts: int) -> None:
    """Refund parts of a confirmed order."""
    for number, amount in enumerate(amounts):
        services.refund_order(
            order_number=sale.order_number,
            key=str(number),
            amount=amount,
            reason="A crack.",
            actor=sales.operator(),
            now=sales.NOW,
        )
    with provider.current.replaced_by(GenerousBank()):  # type: ignore[arg-type]
        services.send_refunds(now=sales.NOW)


def a_day_of_business() -> tuple[list[consuming.Received], Sources]:
    """Two sales in two currencies, of which one was refunded in part, twice, one that was undone, and their lots and product: as
    events, and as sources."""
    sold = [sales.sale_with_order(), sales.sale_with_order(amount=700, currency="JPY")]
    for sale in sold:
        sale.confirm()
    give_back(sold[0], 1000, 550)
    undone = sales.sale_with_order()
    undone.cancel()
    back = refund(undone)
    run = [*map(started, (*sold, undone)), *outbox(), back]
    failed_at = sales.NOW + timedelta(seconds=3)
    run.append(
        happenings.event(
            happenings.failed(started(undone).event, "stock_refused"),
            at=failed_at,  # type: ignore[arg-type]
        )
    )
    lots = []
    for sale in (*sold, undone):
        run += [
            happenings.event(happenings.listed(sale.auction_id), at=sales.NOW),
            happenings.event(happenings.accepted(sale.auction_id, product_id="b" * 32)),
            happenings.event(happenings.ended(sale.auction_id), at=failed_at),
        ]
        lots.append(
            rebuilding.Lot(
                auction_id=sale.auction_id, quantity=1, listed_at=sales.NOW, accepted=True, ended_at=failed_at
            )
        )
    run += [
        happenings.event(happenings.stock("b" * 32, 7, version=4)),
        happenings.event(happenings.offer("b" * 32, 9_00, version=2)),
    ]
    failures = [
        rebuilding.Failure(
            sale_id=undone.sale_id,
            auction_id=undone.auction_id,
            failed_at=failed_at,
            reason="stock_refused",
        )
    ]
    product = rebuilding.Product(
        product_id="b" * 32,
        title=f"The {'b' * 32}",
        owner_id="house",
        stock_version=4,
        on_hand=7,
        offer_version=2,
        price=9_00,
        currency="EUR",
    )
    return run, Sources(failures, lots, [product])


def rebuild(sources: Sources) -> dict[str, int]:
    return {step.stage: step.done for step in rebuilding.rebuild(sources, now=NOW)}


def known() -> list[list[dict[str, Any]]]:
    """All rows but sums that are 0."""
    rows = [list(table.objects.order_by("pk").values()) for table in TABLES]
    return [[row for row in table if row.get("count", 1)] for table in rows]


def test_a_rebuild_makes_what_the_events_make() -> None:
    run, sources = a_day_of_business()
    happenings.hear(run)
    by_events = known()

    rebuilding.empty()
    assert known() == [[]] * len(TABLES)
    done = rebuild(sources)

    assert known() == by_events
    assert len(happenings.hours()) == 7
    assert (done["orders"], done["refunds"], done["sales that were undone"]) == (3, 3, 1)
    assert (done["lots"], done["products"]) == (3, 1)


def test_a_rebuild_of_what_is_right_changes_nothing() -> None:
    run, sources = a_day_of_business()
    happenings.hear(run)
    before = known()

    rebuild(sources)
    happenings.hear(run)

    assert known() == before


@pytest.mark.parametrize("first", range(0, 12, 3))
def test_events_that_come_during_a_rebuild_are_counted_once(first: int) -> None:
    run, sources = a_day_of_business()
    happenings.hear(run)
    complete = known()
    rebuilding.empty()
    waiting = iter([*run[first:], *run[:first]])

    for _ in rebuilding.rebuild(sources, now=NOW):
        for received in (next(waiting, None), next(waiting, None)):
            if received is not None:
                happenings.hear([received])
    for received in waiting:
        happenings.hear([received])

    assert known() == complete


SPOILT = {
    "a sum": "UPDATE orders_deskhour SET amount = amount + 1 WHERE measure = 'ORDER'",
    "a sum of a day without orders": "INSERT INTO orders_deskhour VALUES (1, 5, 1, '2026-11-02', 3, 'ORDER', 'shop', 'EUR')",
    "a product": "UPDATE orders_deskproductday SET units = units + 1",
    "a refund": "DELETE FROM orders_deskhour WHERE measure = 'REFUND'",
    "all sums": "DELETE FROM orders_deskhour",
    "a sale that never was": (
        "INSERT INTO orders_desksale (sale_id, auction_id, currency, lines, amount, confirmed_at, reason) "
        "VALUES ('zz', '', 'EUR', '[]', 5, '2026-11-03T10:00Z', '')"
    ),
    "the end of a sale": "UPDATE orders_desksale SET confirmed_at = NULL",
    "the units of a lot": "UPDATE orders_desklot SET sold = 9",
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_rebuild_repairs_what_is_wrong(what: str) -> None:
    run, sources = a_day_of_business()
    happenings.hear(run)
    before = [[row for row in table if row.get("sale_id") != "zz"] for table in known()]
    with connections["orders"].cursor() as cursor:
        cursor.execute(SPOILT[what])

    rebuild(sources)

    after = [[row for row in table if row.get("sale_id") != "zz"] for table in known()]
    assert after == before
    assert invariants.check().violations == ()


def test_a_change_of_the_time_zone_moves_the_days(settings: Any) -> None:
    sale = sales.sale_with_order()
    sale.confirm()
    happenings.hear([started(sale), *outbox()])
    assert next(iter(happenings.hours()))[:2] == ("2026-11-21", 12)

    settings.TIME_ZONE = "Pacific/Auckland"
    assert invariants.check().violations != ()
    rebuild(Sources())

    assert next(iter(happenings.hours()))[:2] == ("2026-11-22", 1)
    assert next(iter(happenings.products()))[0] == "2026-11-22"
    assert invariants.check().violations == ()


def test_pages_of_a_source_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "ROWS_PER_STEP", 2)
    for _ in range(5):
        sales.sale_with_order().confirm()
    products = [
        rebuilding.Product(product_id=ids.new_id(), title="x", owner_id="house", stock_version=1, on_hand=1)
        for _ in range(4)
    ]

    done = rebuild(Sources(products=products))

    assert (done["orders"], done["products"]) == (5, 4)
    assert models.DeskSale.objects.filter(confirmed_at__isnull=False).count() == 5
    assert invariants.check().violations == ()


# --- D1 ---------------------------------------------------------------------------------------------------------------


def test_d1_holds_after_the_events() -> None:
    run, _ = a_day_of_business()
    happenings.hear(run)

    found = invariants.check()

    assert (found.invariant, found.violations) == ("D1", ())
    assert found.checked == 7  # orders, units and products in two currencies, and refunds in one


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("a sum", ["orders of 2026-11-21 in EUR: the desk has 1 and 12,551, the orders 1 and 12,550"]),
        (
            "a sum of a day without orders",
            ["orders of 2026-11-02 in EUR: the desk has 1 and 5, the orders nothing"],
        ),
        ("a product", ["products of 2026-11-21 in EUR: the desk has 2 and 12,550, the orders 1 and 12,550"]),
        ("a refund", ["refunds of 2026-11-21 in EUR: the desk has nothing, the orders 3 and 14,100"]),
    ],
)
def test_d1_names_a_sum_that_is_not_the_orders(what: str, names: list[str]) -> None:
    run, _ = a_day_of_business()
    happenings.hear(run)
    with connections["orders"].cursor() as cursor:
        cursor.execute(SPOILT[what])

    violations = invariants.check().violations

    assert set(names) <= set(violations)


def test_d1_names_an_order_that_the_desk_has_not_heard_of() -> None:
    sales.sale_with_order().confirm()

    assert "the desk has nothing" in invariants.check().violations[0]
