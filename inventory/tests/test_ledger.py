"""What the database itself refuses: changed moves, negative balances, moves from nowhere."""

import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction

from inventory import books, ledger, models, refusals
from inventory.tests.conftest import NOW, figures, published_names

pytestmark = pytest.mark.django_db(databases=["inventory"])


def execute(statement, *values):
    with transaction.atomic(using="inventory"), connections["inventory"].cursor() as cursor:
        cursor.execute(statement, values)


def post(product, legs, cause):
    with transaction.atomic(using="inventory"), books.opened([product.id]) as stock:
        return stock.post(stock.product(product.id), legs, cause)


@pytest.mark.parametrize(
    "statement", ["UPDATE inventory_move SET quantity = 9", "DELETE FROM inventory_move"]
)
def test_a_move_never_changes_whatever_path_is_tried(make_product, statement):
    make_product(CENTRAL=1)

    with pytest.raises(DatabaseError, match="never changes"):
        execute(statement)

    assert list(models.Move.objects.values_list("quantity", flat=True)) == [1]


def test_a_move_never_changes_through_its_model(make_product):
    make_product(CENTRAL=1)
    move = models.Move.objects.get()

    for attempt in (
        move.delete,
        models.Move.objects.all().delete,
        lambda: models.Move.objects.update(quantity=9),
    ):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic(using="inventory"):
            attempt()


@pytest.mark.parametrize("state", ["available", "reserved", "committed", "set_aside"])
def test_no_state_of_a_balance_goes_below_zero(make_product, state):
    product = make_product(CENTRAL=1)

    with pytest.raises(IntegrityError, match=f"inventory_balance_{state}"):
        execute(f"UPDATE inventory_balance SET {state} = -1 WHERE product_id = %s", product.id)  # noqa: S608

    assert figures(product) == {"available": 1}


def test_a_product_has_one_balance_in_a_warehouse(make_product):
    product = make_product(CENTRAL=1)

    with pytest.raises(IntegrityError, match="inventory_balance_once"), transaction.atomic(using="inventory"):
        models.Balance.objects.create(product=product, warehouse_id="CENTRAL")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"quantity": 0}, "inventory_move_quantity"),
        ({"source": "SUPPLIER"}, "inventory_move_source"),
        ({"destination_warehouse_id": None}, "inventory_move_destination"),
        ({"destination": "AVAILABLE"}, "inventory_move_elsewhere"),
        (
            {
                "source": "LOSS",
                "source_warehouse_id": None,
                "destination": "LOSS",
                "destination_warehouse_id": None,
            },
            "inventory_move_elsewhere",
        ),
    ],
)
def test_a_move_goes_from_one_place_to_another(make_product, changes, constraint):
    product = make_product(CENTRAL=1)
    sound = {
        "product": product,
        "kind": "RESERVE",
        "quantity": 1,
        "source": "AVAILABLE",
        "source_warehouse_id": "CENTRAL",
        "destination": "RESERVED",
        "destination_warehouse_id": "CENTRAL",
        "version": 9,
        "reference": "r",
        "actor": "a",
        "at": NOW,
    }

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using="inventory"):
        models.Move.objects.create(**sound | changes)

    models.Move.objects.create(**sound)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({}, "inventory_reservation_once"),
        ({"holder": "other", "quantity": 0}, "inventory_reservation_holder"),
        ({"kind": "LOT", "holder": "not its auction"}, "inventory_reservation_holder"),
        ({"kind": "LOT", "holder": "a", "state": "COMMITTED"}, "inventory_reservation_state"),
        ({"kind": "LOT", "holder": "a", "product": None}, "inventory_reservation_product"),
    ],
)
def test_a_holder_has_one_reservation_in_one_possible_state(make_product, changes, constraint):
    product = make_product(CENTRAL=1)
    sound = {
        "kind": "SALE",
        "holder": "a-1",
        "auction_id": "a",
        "product": product,
        "quantity": 1,
        "state": "HELD",
        "created_at": NOW,
        "changed_at": NOW,
    }
    models.Reservation.objects.create(**sound)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using="inventory"):
        models.Reservation.objects.create(**sound | changes)


def test_the_transition_table_is_the_whole_of_it(make_product):
    product = make_product(CENTRAL=1)
    allowed = {
        ("HELD", "COMMITTED"),
        ("HELD", "RELEASED"),
        ("HELD", "LOST"),
        ("COMMITTED", "HELD"),
        ("COMMITTED", "SHIPPED"),
        ("COMMITTED", "CANCELLED"),
    }

    for number, before in enumerate(models.ReservationState):
        for after in models.ReservationState:
            reservation = models.Reservation(kind="SALE", holder=f"s-{number}", state=before, product=product)
            if (before, after) in allowed:
                reservation.become(after, now=NOW)
            else:
                with pytest.raises(refusals.WrongState):
                    reservation.become(after, now=NOW)
                assert reservation.state == before


def test_demand_is_summed_before_it_is_judged(make_product):
    product = make_product(CENTRAL=2)
    reserve_one = ledger.Leg(1, ledger.available_in("CENTRAL"), ledger.reserved_in("CENTRAL"))
    cause = ledger.Cause(kind=models.MoveKind.RESERVE, reference="r", actor="a", now=NOW)

    with pytest.raises(refusals.InsufficientStock) as refused:
        post(product, [reserve_one] * 3, cause)
    assert (refused.value.figures["present"], refused.value.figures["asked"]) == (2, 3)
    assert figures(product) == {"available": 2}

    post(product, [reserve_one] * 2, cause)
    assert figures(product) == {"reserved": 2}


def test_a_warehouse_that_is_newer_than_the_product_gets_a_balance(make_product):
    product = make_product(CENTRAL=2)
    models.Warehouse.objects.create(code="NEW", name="New warehouse", priority=9)
    leg = ledger.Leg(1, ledger.SUPPLIER, ledger.available_in("NEW"))

    after = post(
        product, [leg], ledger.Cause(kind=models.MoveKind.RECEIVE, reference="r", actor="a", now=NOW)
    )

    assert after.available == 3


def test_depletion_is_published_once(make_product):
    product = make_product(CENTRAL=2)
    cause = ledger.Cause(kind=models.MoveKind.COMMIT, reference="r", actor="a", now=NOW)
    sold = ledger.Leg(2, ledger.available_in("CENTRAL"), ledger.committed_in("CENTRAL"))
    lost = ledger.Leg(1, ledger.committed_in("CENTRAL"), ledger.LOSS)

    for leg in (sold, lost):
        post(product, [leg], cause)

    assert published_names() == ["StockChanged", "StockDepleted", "StockChanged"]
