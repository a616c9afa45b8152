"""Stock for sales: where units are claimed from, where they return to, and what a repeat or a late step gets."""

import pytest

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import steps
from inventory import models, refusals, services
from inventory.tests import sales
from inventory.tests.conftest import (
    NOW,
    assert_sound,
    commit,
    end_lot,
    figures,
    held_by_lot,
    in_warehouses,
    list_lot,
    published,
    published_names,
    release,
    reserve,
    restock,
)

pytestmark = pytest.mark.django_db(databases=["inventory"])


def state_of(sale="a-7"):
    return models.Reservation.objects.get(kind="SALE", holder=sale).state


# --- where units come from ----------------------------------------------------------------------------------------


def test_free_units_are_taken_by_priority_of_the_warehouses(make_product):
    product = make_product(CENTRAL=2, HARBOUR=5)

    outcome = reserve(product, quantity=3)

    assert outcome == services.Reserved(quantity=3, from_lot=0, warehouses=("CENTRAL", "HARBOUR"))
    assert in_warehouses(product, "reserved") == {"CENTRAL": 2, "HARBOUR": 1}
    assert in_warehouses(product, "available") == {"HARBOUR": 4}
    assert_sound()


def test_the_lots_reservation_is_claimed_before_free_stock(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, quantity=1)

    outcome = reserve(product)

    assert outcome == services.Reserved(quantity=1, from_lot=1, warehouses=("CENTRAL",))
    assert (figures(product), held_by_lot()) == ({"available": 2, "reserved": 1}, 0)
    assert_sound()


def test_a_sale_larger_than_the_rest_of_its_lot_takes_the_rest_and_free_stock(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, quantity=2)

    assert reserve(product, quantity=3).from_lot == 2
    assert figures(product) == {"reserved": 3}
    release()

    assert (figures(product), held_by_lot()) == ({"available": 1, "reserved": 2}, 2)
    assert_sound()


def test_another_lots_units_are_not_for_this_sale(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, auction="other")

    with pytest.raises(refusals.SoldOut) as refused:
        reserve(product)

    assert (refused.value.code, refused.value.figures) == (
        "sold_out",
        sales.short(product, available=0, asked=1),
    )
    assert (figures(product), held_by_lot("other")) == ({"reserved": 1}, 1)


def test_too_many_are_refused_and_nothing_changes(make_product):
    product = make_product(CENTRAL=1, HARBOUR=1)
    list_lot(product, quantity=1)
    models.Outbox.objects.all().delete()

    with pytest.raises(refusals.SoldOut) as refused:
        reserve(product, quantity=3)

    assert refused.value.figures == sales.short(product, available=2, asked=3)
    assert (figures(product), held_by_lot()) == ({"available": 1, "reserved": 1}, 1)
    assert not models.Reservation.objects.filter(kind="SALE").exists()
    assert published() == []


@pytest.mark.parametrize("quantity", [0, -1, 10**12])
def test_an_impossible_quantity_is_refused(make_product, quantity):
    product = make_product(CENTRAL=1)

    with pytest.raises(refusals.SoldOut):
        reserve(product, quantity=quantity)

    assert figures(product) == {"available": 1}


def test_a_product_that_is_not_there_is_refused(make_product):
    with pytest.raises(refusals.UnknownProduct):
        sales.reserve(key="k", sale_id="s", auction_id="a", product_id="f" * 32, quantity=1, now=NOW)


# --- and where they return to -------------------------------------------------------------------------------------


def test_an_undone_sale_gives_back_to_its_lot_so_that_the_runner_up_claims_the_same_unit(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product)
    reserve(product, sale="a-7")

    assert release("a-7") == services.Released(quantity=1, to_lot=1)
    assert (figures(product), held_by_lot()) == ({"reserved": 1}, 1)
    assert reserve(product, sale="a-9").from_lot == 1

    assert (figures(product), held_by_lot()) == ({"reserved": 1}, 0)
    assert_sound()


def test_between_two_buyers_of_a_lot_nobody_else_gets_its_unit(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product)
    reserve(product, sale="a-7")
    release("a-7")

    with pytest.raises(refusals.SoldOut):
        reserve(product, sale="b-2")

    assert reserve(product, sale="a-9").from_lot == 1


def test_after_the_auction_has_ended_an_undone_sale_gives_back_to_free_stock(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product)
    reserve(product)
    end_lot()
    assert figures(product) == {"reserved": 1}  # the sale still has it

    assert release() == services.Released(quantity=1, to_lot=0)

    assert (figures(product), held_by_lot()) == ({"available": 1}, 0)
    assert_sound()


def test_a_sale_from_free_stock_gives_back_to_free_stock_even_while_its_lot_runs(make_product):
    product = make_product(HARBOUR=2)
    list_lot(product, quantity=1)
    reserve(product, sale="a-7")
    reserve(product, sale="a-8")

    release("a-8")

    assert (figures(product), held_by_lot()) == ({"available": 1, "reserved": 1}, 0)
    assert_sound()


def test_commit_and_restock_move_the_sales_units_and_keep_them_the_sales(make_product):
    product = make_product(CENTRAL=1, HARBOUR=1)
    reserve(product, quantity=2)

    assert commit() == services.Committed(quantity=2)
    assert (figures(product), state_of()) == ({"committed": 2}, "COMMITTED")
    assert restock() == services.Restocked(quantity=2)

    assert (figures(product), state_of()) == ({"reserved": 2}, "HELD")
    assert in_warehouses(product, "reserved") == {"CENTRAL": 1, "HARBOUR": 1}
    assert_sound()


def test_the_whole_compensation_brings_everything_back_to_the_lot(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product)
    reserve(product)
    commit()

    restock()
    release()

    assert (figures(product), held_by_lot(), state_of()) == ({"reserved": 1}, 1, "RELEASED")
    assert_sound()


# --- repeats, late steps, tombstones ------------------------------------------------------------------------------


def test_a_repeat_gets_the_stored_outcome_and_changes_nothing(make_product):
    product = make_product(CENTRAL=3)

    first = reserve(product)
    events_then, moves_then = len(published()), models.Move.objects.count()
    second = reserve(product)

    assert first == second == services.Reserved(quantity=1, from_lot=0, warehouses=("CENTRAL",))
    assert figures(product) == {"available": 2, "reserved": 1}
    assert (len(published()), models.Move.objects.count()) == (events_then, moves_then)


def test_a_refusal_is_stored_and_stands_although_stock_has_come_since(make_product):
    product = make_product(CENTRAL=1)
    reserve(product, sale="first-1")
    with pytest.raises(refusals.SoldOut):
        reserve(product)
    release("first-1")

    with pytest.raises(refusals.SoldOut) as again:
        reserve(product)

    assert (again.value.code, again.value.detail) == ("sold_out", "There is not enough free stock.")
    assert again.value.figures == sales.short(product, available=0, asked=1)
    assert figures(product) == {"available": 1}


@pytest.mark.parametrize(("step", "undo"), [(commit, restock), (None, release)])
def test_undoing_what_never_happened_leaves_a_tombstone_that_refuses_it(make_product, step, undo):
    product = make_product(CENTRAL=1)
    if step:
        reserve(product)
    before = figures(product)

    assert undo() is None
    assert undo() is None
    with pytest.raises(steps.Voided) as late:
        step() if step else reserve(product)

    assert (late.value.code, figures(product)) == ("voided", before)
    assert isinstance(late.value, errors.Refused)


def test_undoing_twice_undoes_once(make_product):
    product = make_product(CENTRAL=1)
    reserve(product)
    commit()

    assert restock() == restock() == services.Restocked(quantity=1)
    assert release() == release() == services.Released(quantity=1, to_lot=0)

    assert figures(product) == {"available": 1}
    assert_sound()


def test_undoing_a_refused_step_does_nothing(make_product):
    product = make_product()
    with pytest.raises(refusals.SoldOut):
        reserve(product)

    assert release() is None

    assert figures(product) == {}
    with pytest.raises(refusals.SoldOut):
        reserve(product)


def test_a_step_that_comes_again_after_it_was_undone_takes_nothing(make_product):
    product = make_product(CENTRAL=1)
    reserve(product)
    release()

    for _ in range(2):
        with pytest.raises(steps.Voided):
            reserve(product)

    assert (figures(product), state_of()) == ({"available": 1}, "RELEASED")


def test_committed_units_cannot_be_released(make_product):
    product = make_product(CENTRAL=1)
    reserve(product)
    commit()

    with pytest.raises(refusals.WrongState) as refused:
        release()

    assert refused.value.figures == {"state": "COMMITTED"}
    assert (figures(product), state_of()) == ({"committed": 1}, "COMMITTED")


@pytest.mark.parametrize("prepare", [lambda: None, release])
def test_what_is_not_held_cannot_be_committed(make_product, prepare):
    product = make_product(CENTRAL=1)
    if prepare is release:
        reserve(product)
    prepare()

    with pytest.raises((refusals.NotReserved, refusals.WrongState)) as refused:
        commit()

    assert refused.value.code in ("not_reserved", "wrong_state")
    assert figures(product) == {"available": 1}


def test_a_sale_has_one_reservation_whatever_the_key(make_product):
    product = make_product(CENTRAL=3)
    reserve(product)

    with pytest.raises(refusals.AlreadyReserved) as refused:
        reserve(product, key="another key")

    assert refused.value.figures == {"sale_id": "a-7", "state": "HELD"}
    assert figures(product) == {"available": 2, "reserved": 1}


# --- what is published -------------------------------------------------------------------------------------------------


def stock_changed(product, version, sale_id, *, available, reserved, on_hand):
    return events.StockChanged(
        product_id=product.id,
        version=version,
        title="Brass sextant",
        on_hand=on_hand,
        available=available,
        reserved=reserved,
        committed=0,
        sale_id=sale_id,
    )


@pytest.mark.parametrize(
    ("listed", "quantity", "available", "reserved"),
    [(0, 1, 2, 1), (1, 1, 2, 1), (2, 3, 0, 3), (2, 1, 1, 2)],
    ids=["free units", "its lot's only unit", "its lot's units and a free one", "a part of its lot"],
)
def test_a_reservation_publishes_one_change_with_its_sale_wherever_the_units_come_from(
    make_product, listed, quantity, available, reserved
):
    product = make_product(CENTRAL=2, HARBOUR=1)
    if listed:
        list_lot(product, quantity=listed)
        models.Outbox.objects.all().delete()
    product.refresh_from_db()

    reserve(product, quantity=quantity)
    reserve(product, quantity=quantity)

    change = stock_changed(
        product, product.stock_version + 1, "a-7", available=available, reserved=reserved, on_hand=3
    )
    assert published() == [change]
    product.refresh_from_db()
    assert product.stock_version == change.version
    assert_sound()


def test_no_other_change_of_a_sale_names_it(make_product):
    product = make_product(CENTRAL=1)
    reserve(product)
    models.Outbox.objects.all().delete()

    commit()
    restock()
    release()

    assert [(type(e).__name__, getattr(e, "sale_id", None)) for e in published()] == [
        ("StockChanged", None),
        ("StockDepleted", None),
        ("StockChanged", None),
        ("StockChanged", None),
    ]


def test_a_refused_reservation_publishes_nothing_and_a_buyer_after_it_is_published_alone(make_product):
    product = make_product(CENTRAL=1)
    with pytest.raises(refusals.SoldOut):
        reserve(product, sale="a-6", quantity=2)

    reserve(product)

    assert [event.sale_id for event in published()] == ["a-7"]


def test_every_change_is_published_with_the_next_version_and_the_figures_after_it(make_product):
    product = make_product(CENTRAL=2)
    version = product.stock_version

    reserve(product)
    commit()

    assert published_names() == ["StockChanged", "StockChanged"]
    assert [(e.version, e.available, e.reserved, e.committed, e.on_hand) for e in published()] == [
        (version + 1, 1, 1, 0, 2),
        (version + 2, 1, 0, 1, 2),
    ]


def test_a_product_is_depleted_when_nothing_is_available_or_reserved_and_not_before(make_product):
    product = make_product(CENTRAL=1)

    reserve(product)
    assert published_names() == ["StockChanged"]  # merely reserved
    commit()

    assert published_names() == ["StockChanged", "StockChanged", "StockDepleted"]
    depleted = published()[-1]
    assert (depleted.product_id, depleted.version, depleted.available, depleted.reserved) == (
        product.id,
        product.stock_version + 2,
        0,
        0,
    )


def test_a_unit_in_another_warehouse_keeps_a_product_from_being_depleted(make_product):
    product = make_product(CENTRAL=1, HARBOUR=1)
    reserve(product)

    commit()

    assert "StockDepleted" not in published_names()


def test_a_refused_step_tells_nothing_and_bumps_no_version(make_product):
    product = make_product()

    with pytest.raises(refusals.SoldOut):
        reserve(product)

    product.refresh_from_db()
    assert (published(), product.stock_version) == ([], 0)
