"""Each checker finds its invariant broken in the raw data, names the place, and finds nothing in sound data."""

import pytest
from django.db import connections

from inventory import invariants, services
from inventory.search import index
from inventory.tests.conftest import NOW, commit, list_lot, reserve

pytestmark = pytest.mark.django_db(databases=["inventory"])


@pytest.fixture
def product(make_product):
    """Three units: one free, one reserved for a lot, one committed to a sale of that lot."""
    product = make_product(CENTRAL=3)
    list_lot(product, quantity=2)
    reserve(product, "a-2")
    commit("a-2")
    return product


def spoil(*statements):
    """Change raw data, past the constraints and triggers that forbid it."""
    with connections["inventory"].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with waiting checks cannot be altered
        for statement in statements:
            cursor.execute(statement)


def violations():
    return {finding.invariant: finding.violations for finding in invariants.check() if finding.violations}


def test_sound_stock_has_no_findings_and_says_how_much_was_looked_at(product):
    findings = invariants.check()

    assert [(finding.invariant, finding.violations) for finding in findings] == [
        ("I1", ()),
        ("I2", ()),
        ("I3", ()),
        ("I5", ()),
    ]
    assert [finding.checked for finding in findings] == [2 + 4, 8, 2 + 2 + 4, 0]


def test_i1_finds_a_negative_balance_and_the_constraint_that_is_gone(product):
    spoil(
        "ALTER TABLE inventory_balance DROP CONSTRAINT inventory_balance_set_aside",
        "UPDATE inventory_balance SET set_aside = -1 WHERE warehouse_id = 'CENTRAL'",
    )

    assert violations()["I1"] == (
        f"balance {product.id} in CENTRAL: available 1, reserved 1, committed 1, set aside -1",
        "constraint inventory_balance_set_aside: is missing or not validated",
    )


def test_i2_finds_a_balance_that_is_not_the_ledgers_sum(product):
    spoil("UPDATE inventory_balance SET available = 7 WHERE warehouse_id = 'CENTRAL'")

    assert violations() == {
        "I2": (f"AVAILABLE of {product.id} in CENTRAL: the ledger says 1, the balance 7",)
    }


def test_i2_finds_a_move_without_a_balance(product):
    spoil("DELETE FROM inventory_balance WHERE warehouse_id = 'CENTRAL'")

    assert len(violations()["I2"]) == 3


def test_i2_finds_a_move_that_was_removed(product):
    spoil(
        "ALTER TABLE inventory_move DISABLE TRIGGER inventory_move_is_immutable",
        "DELETE FROM inventory_move WHERE kind = 'COMMIT'",
    )

    assert violations() == {
        "I2": (
            f"COMMITTED of {product.id} in CENTRAL: the ledger says 0, the balance 1",
            f"RESERVED of {product.id} in CENTRAL: the ledger says 2, the balance 1",
        )
    }


def test_i3_finds_a_reservation_that_has_lost_its_units(product):
    spoil(
        "UPDATE inventory_holding SET quantity = 0, from_lot = 0 WHERE reservation_id IN "
        "(SELECT id FROM inventory_reservation WHERE kind = 'SALE')"
    )

    assert violations() == {
        "I3": (
            f"COMMITTED units of {product.id} in CENTRAL: reservations have 0, the balance 1",
            "LOT a: HELD holds 1 of 2, its sales 0",
            "SALE a-2: COMMITTED holds 0 of 1, its sales 0",
        )
    }


def test_i3_finds_a_final_reservation_that_still_holds(product):
    spoil("UPDATE inventory_reservation SET state = 'RELEASED' WHERE kind = 'LOT'")

    assert violations() == {
        "I3": (
            f"HELD units of {product.id} in CENTRAL: reservations have 0, the balance 1",
            "LOT a: RELEASED holds 1 of 2, its sales 1",
        )
    }


def test_i3_finds_two_reservations_of_one_sale(product):
    spoil(
        "ALTER TABLE inventory_reservation DROP CONSTRAINT inventory_reservation_once",
        "INSERT INTO inventory_reservation (kind, holder, auction_id, checkout_id, product_id, quantity, returned, state, created_at, changed_at) "
        "SELECT kind, holder, auction_id, checkout_id, product_id, quantity, 0, 'RELEASED', created_at, changed_at "
        "FROM inventory_reservation WHERE kind = 'SALE'",
    )

    assert violations() == {"I3": ("SALE a-2: 2 reservations",)}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM inventory_searchentry", "searches do not find it"),
        ("UPDATE inventory_offer SET published = FALSE", "searches find it, and it is not published"),
        (
            "UPDATE inventory_searchentry SET price = 999",
            "it is (1000,EUR,GOOD,,t,t), and searches find (999,EUR,GOOD,,t,t)",
        ),
        (
            "UPDATE inventory_product SET in_shop = FALSE",
            "it is (1000,EUR,GOOD,,t,f), and searches find (1000,EUR,GOOD,,t,t)",
        ),
    ],
)
def test_i5_finds_an_offer_that_searches_do_not_find_as_it_is_and_a_rebuild_mends_it(
    product, statement, found
):
    services.set_offer(
        product_id=product.id,
        price=1000,
        currency="EUR",
        max_per_order=1,
        published=True,
        actor="test",
        now=NOW,
    )
    assert violations() == {}

    spoil(statement)

    assert violations() == {"I5": (f"offer of {product.id}: {found}",)}
    index.rebuild(now=NOW)
    assert violations() == {}
