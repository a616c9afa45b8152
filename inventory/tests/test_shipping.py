"""Shipments, cancellations and returns: each moves units once, and the stock's invariants hold after each."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from inventory import invariants, models, refusals, selectors, services
from inventory.tests import lots, sales
from inventory.tests.conftest import NOW, SELLER

pytestmark = pytest.mark.django_db(databases=["inventory"])

MakeProduct = Callable[..., models.Product]
SALE = f"{'a' * 32}-7"


def sell(*products: models.Product, quantity: int = 2, sale_id: str = SALE, **source: str) -> str:
    """A sale of `quantity` units of each product, whose stock is committed."""
    source = source or {"checkout_id": "c" * 32}
    sales.reserve_all(
        key=f"saga:{sale_id}:reserve_stock",
        sale_id=sale_id,
        units={product.id: quantity for product in products},
        now=NOW,
        **source,
    )
    sales.commit(key=f"saga:{sale_id}:commit_stock", sale_id=sale_id, now=NOW)
    return sale_id


def ship(*products: models.Product, sale_id: str = SALE) -> None:
    shipment = services.Shipment(
        sale_id=sale_id, product_ids=tuple(product.id for product in products), correlation_id="c"
    )
    services.ship_sales([shipment], now=NOW)


def cancel(sale_id: str = SALE) -> None:
    services.cancel_sales([services.Cancellation(sale_id=sale_id, correlation_id="c")], now=NOW)


def bring_back(product: models.Product, quantity: int, *, damaged: bool = False, return_id: str = "") -> None:
    line = events.ReturnedUnits(product_id=product.id, quantity=quantity, damaged=damaged)
    services.take_back(
        [
            services.Return(
                return_id=return_id or ids.new_id(),
                sale_id=SALE,
                lines=(line,),
                reason="It is scratched.",
                correlation_id="c",
            )
        ],
        now=NOW,
    )


def figures(product: models.Product) -> tuple[int, int, int, int, int]:
    """(on hand, available, reserved, committed, set aside)."""
    found = selectors.get_product(product.id)
    return (found.on_hand, found.available, found.reserved, found.committed, found.set_aside)


def states(sale_id: str = SALE) -> list[str]:
    rows = models.Reservation.objects.filter(kind="SALE", holder=sale_id).order_by("id")
    return list(rows.values_list("state", flat=True))


def moves(kind: str) -> list[tuple[int, str, str | None, str, str | None]]:
    rows = models.Move.objects.filter(kind=kind).order_by("id")
    names = ("quantity", "source", "source_warehouse_id", "destination", "destination_warehouse_id")
    return list(rows.values_list(*names))


def assert_sound() -> None:
    assert [finding.violations for finding in invariants.check()] == [(), (), (), ()]


# --- shipments -------------------------------------------------------------------------------------------------------


def test_shipped_units_leave_the_stock(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=1, HARBOUR=4)
    sell(product, quantity=3)
    assert figures(product) == (5, 2, 0, 3, 0)

    ship(product)

    assert (figures(product), states()) == ((2, 2, 0, 0, 0), ["SHIPPED"])
    assert moves("SHIP") == [
        (1, "COMMITTED", "CENTRAL", "CUSTOMER", None),
        (2, "COMMITTED", "HARBOUR", "CUSTOMER", None),
    ]
    assert_sound()


def test_a_repeated_shipment_changes_nothing(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=3)
    sell(product)

    ship(product)
    published = models.Outbox.objects.count()
    ship(product)

    assert (figures(product), len(moves("SHIP"))) == ((1, 1, 0, 0, 0), 1)
    assert models.Outbox.objects.count() == published


def test_each_product_of_a_sale_is_shipped_by_itself(make_product: MakeProduct) -> None:
    lamp, chair = make_product(CENTRAL=2), make_product(CENTRAL=2)
    sell(lamp, chair)

    ship(chair)

    assert (figures(lamp), figures(chair)) == ((2, 0, 0, 2, 0), (0, 0, 0, 0, 0))
    assert sorted(states()) == ["COMMITTED", "SHIPPED"]
    assert_sound()


@pytest.mark.parametrize("sold", [True, False])
def test_what_was_not_sold_in_this_sale_is_not_shipped(make_product: MakeProduct, sold: bool) -> None:
    product, other = make_product(CENTRAL=2), make_product(CENTRAL=2)
    if sold:
        sell(product)

    with pytest.raises(refusals.NotReserved):
        ship(other)

    assert (figures(other), moves("SHIP")) == ((2, 2, 0, 0, 0), [])


def test_units_of_a_running_lot_are_shipped_and_the_lot_goes_on(make_product: MakeProduct) -> None:
    product, auction_id = make_product(CENTRAL=3, owner_id=SELLER), "a" * 32
    lots.reserve_for_lot(
        auction_id=auction_id,
        product_id=product.id,
        quantity=3,
        requested_by=SELLER,
        as_operator=False,
        allocate="on_listing",
        now=NOW,
    )
    sell(product, quantity=1, auction_id=auction_id)

    ship(product)
    assert figures(product) == (2, 0, 2, 0, 0)
    assert_sound()

    lots.release_lot(auction_id=auction_id, now=NOW)
    assert figures(product) == (2, 2, 0, 0, 0)
    assert_sound()


# --- cancellations ---------------------------------------------------------------------------------------------------


def test_units_of_a_cancelled_order_are_available_again_once(make_product: MakeProduct) -> None:
    lamp, chair = make_product(CENTRAL=3), make_product(HARBOUR=2)
    sell(lamp, chair)

    for _ in range(2):
        cancel()

    assert (figures(lamp), figures(chair)) == ((3, 3, 0, 0, 0), (2, 2, 0, 0, 0))
    assert states() == ["CANCELLED", "CANCELLED"]
    assert moves("RESTOCK") == [
        (2, "COMMITTED", "CENTRAL", "AVAILABLE", "CENTRAL"),
        (2, "COMMITTED", "HARBOUR", "AVAILABLE", "HARBOUR"),
    ]
    assert_sound()


def test_a_running_lot_does_not_get_back_what_it_has_sold(make_product: MakeProduct) -> None:
    product, auction_id = make_product(CENTRAL=3, owner_id=SELLER), "a" * 32
    lots.reserve_for_lot(
        auction_id=auction_id,
        product_id=product.id,
        quantity=3,
        requested_by=SELLER,
        as_operator=False,
        allocate="on_listing",
        now=NOW,
    )
    sell(product, quantity=1, auction_id=auction_id)

    cancel()

    assert figures(product) == (3, 1, 2, 0, 0)
    assert models.Reservation.objects.get(kind="LOT").quantity == 2
    assert_sound()


def test_a_shipped_sale_is_not_cancelled_and_a_cancelled_one_not_shipped(make_product: MakeProduct) -> None:
    shipped, cancelled = make_product(CENTRAL=2), make_product(CENTRAL=2)
    sell(shipped)
    ship(shipped)
    other = sell(cancelled, sale_id=f"{'b' * 32}-7")
    cancel(other)

    with pytest.raises(refusals.WrongState):
        cancel()
    with pytest.raises(refusals.WrongState):
        ship(cancelled, sale_id=other)

    assert (figures(shipped), figures(cancelled)) == ((0, 0, 0, 0, 0), (2, 2, 0, 0, 0))
    assert_sound()


def test_the_saga_neither_releases_nor_restocks_a_sale_whose_order_is_over(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=2)
    sell(product)
    cancel()

    for undo, step in ((sales.restock, "commit_stock"), (sales.release, "reserve_stock")):
        with pytest.raises(refusals.WrongState):
            undo(key=f"saga:{SALE}:{step}", sale_id=SALE, now=NOW)

    assert figures(product) == (2, 2, 0, 0, 0)


# --- returns ---------------------------------------------------------------------------------------------------------


def test_returned_units_come_back_to_the_warehouses_that_they_left(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=1, HARBOUR=2)
    sell(product, quantity=3)
    ship(product)

    bring_back(product, 2)
    bring_back(product, 1, damaged=True)

    assert figures(product) == (3, 2, 0, 0, 1)
    assert moves("RETURN") == [
        (1, "CUSTOMER", None, "AVAILABLE", "CENTRAL"),
        (1, "CUSTOMER", None, "AVAILABLE", "HARBOUR"),
        (1, "CUSTOMER", None, "SET_ASIDE", "HARBOUR"),
    ]
    assert {move.reason for move in models.Move.objects.filter(kind="RETURN")} == {"It is scratched."}
    assert_sound()


def test_a_repeated_return_changes_nothing(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=2)
    sell(product)
    ship(product)

    for _ in range(2):
        bring_back(product, 1, return_id="e" * 32)

    assert figures(product) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("quantity", [2, 3])
def test_never_more_comes_back_than_is_with_the_customer(make_product: MakeProduct, quantity: int) -> None:
    product = make_product(CENTRAL=2)
    sell(product)
    ship(product)
    bring_back(product, 1)

    with pytest.raises(refusals.NotShipped) as refused, transaction.atomic(using="inventory"):
        bring_back(product, quantity)

    assert refused.value.figures == {"state": "SHIPPED", "quantity": 2, "returned": 1}
    assert figures(product) == (1, 1, 0, 0, 0)


def test_what_was_not_shipped_does_not_come_back(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=2)
    sell(product)

    with pytest.raises(refusals.NotShipped), transaction.atomic(using="inventory"):
        bring_back(product, 1)

    assert figures(product) == (2, 0, 0, 2, 0)


def test_the_database_itself_refuses_more_returned_units_than_were_sold(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=2)
    sell(product)
    ship(product)

    with (
        pytest.raises(IntegrityError, match="inventory_reservation_returned"),
        transaction.atomic("inventory"),
    ):
        models.Reservation.objects.filter(holder=SALE).update(returned=3)


def test_i3_finds_a_shipped_unit_that_the_ledger_does_not_know(make_product: MakeProduct) -> None:
    product = make_product(CENTRAL=2)
    sell(product)
    ship(product)
    models.Reservation.objects.filter(holder=SALE).update(returned=1)

    assert invariants.check_reservations().violations == (
        f"units of {product.id} with customers: reservations have 1, the ledger 2",
    )


# --- events ----------------------------------------------------------------------------------------------------------

OF_AN_ORDER: dict[str, Any] = {
    "order_number": "GV-1",
    "sale_id": SALE,
    "auction_id": "",
    "user_id": "u" * 32,
    "amount": 1,
    "currency": "EUR",
}


def shipped(product: models.Product) -> events.OrderShipped:
    return events.OrderShipped(
        **OF_AN_ORDER,
        seller_id="house",
        carrier="Post",
        tracking_number="1",
        lines=(events.Units(product_id=product.id, quantity=2),),
    )


def test_the_stock_follows_the_events_of_an_order(
    make_product: MakeProduct, deliver: Callable[[events.Event, str], None]
) -> None:
    product = make_product(CENTRAL=2)
    sell(product)

    deliver(shipped(product), "GV-1:OrderShipped:house")
    deliver(shipped(product), "GV-1:OrderShipped:house")
    assert figures(product) == (0, 0, 0, 0, 0)

    line = events.ReturnedUnits(product_id=product.id, quantity=1, damaged=True)
    deliver(
        events.OrderReturned(**OF_AN_ORDER, return_id="e" * 32, lines=(line,), reason="Scratched."),
        "return-1",
    )
    assert figures(product) == (1, 0, 0, 0, 1)


@pytest.mark.parametrize(("was_confirmed", "available"), [(True, 2), (False, 0)])
def test_only_a_confirmed_order_gives_its_units_back_by_its_event(
    make_product: MakeProduct,
    deliver: Callable[[events.Event, str], None],
    was_confirmed: bool,
    available: int,
) -> None:
    product = make_product(CENTRAL=2)
    sell(product)

    deliver(events.OrderCancelled(**OF_AN_ORDER, reason="x", was_confirmed=was_confirmed), "cancelled")

    assert figures(product)[1] == available
