"""Counting below what is reserved: the loss is booked; the lots and sales concerned are named first and notified then."""

import pytest

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from inventory import models, refusals, services
from inventory.tests import lots, sales
from inventory.tests.conftest import (
    NOW,
    assert_sound,
    commit,
    figures,
    in_warehouses,
    list_lot,
    published,
    published_names,
    release,
    reserve,
    restock,
)

pytestmark = pytest.mark.django_db(databases=["inventory"])


def undo(sale):
    """As the saga does after a refused commit."""
    restock(sale)
    return release(sale)


def count(product, counted, *, warehouse="CENTRAL", key="k", confirmation=""):
    on_hand = sum(balance.on_hand for balance in product.balances.filter(warehouse=warehouse))
    return services.adjust_stock(
        key=key,
        product_id=product.id,
        warehouse=warehouse,
        expected=on_hand,
        counted=counted,
        reason="dropped",
        actor="clerk",
        now=NOW,
        confirmation=confirmation,
    )


def confirm(product, counted, **changes):
    """Count, read which lots are concerned, confirm; what was read."""
    with pytest.raises(refusals.LotsConcerned) as refused:
        count(product, counted, **changes)
    assert_unchanged_since_refusal(product)
    count(product, counted, confirmation=refused.value.figures["confirmation"], **changes)
    return [
        (lot["auction_id"], lot["order_number"], lot["quantity"]) for lot in refused.value.figures["lots"]
    ]


def assert_unchanged_since_refusal(product):
    assert not models.Move.objects.filter(product=product, kind="ADJUST").exists()
    assert not [event for event in published() if isinstance(event, events.LotStockLost)]


def lost():
    return [
        (event.auction_id, event.quantity, event.reason)
        for event in published()
        if isinstance(event, events.LotStockLost)
    ]


def states(kind="LOT"):
    return dict(models.Reservation.objects.filter(kind=kind).values_list("holder", "state"))


def test_a_lot_whose_unit_broke_is_named_and_loses_it_in_the_transaction_of_the_count(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "a")
    models.Outbox.objects.all().delete()
    product.refresh_from_db()

    assert confirm(product, 0) == [("a", "", 1)]

    assert (figures(product), states()) == ({}, {"a": "LOST"})
    assert published_names() == ["StockChanged", "StockDepleted", "LotStockLost"]
    assert published()[-1] == events.LotStockLost(
        auction_id="a",
        product_id=product.id,
        quantity=1,
        reason="dropped",
        version=product.stock_version + 1,
    )
    move = models.Move.objects.first()
    assert (move.kind, move.quantity, move.source, move.destination) == ("ADJUST", 1, "RESERVED", "LOSS")
    assert (move.actor, move.reason) == ("clerk", "dropped")
    assert_sound()


def test_free_units_are_lost_first_and_need_no_confirmation(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, "a")

    count(product, 1)

    assert (figures(product), states(), lost()) == ({"reserved": 1}, {"a": "HELD"}, [])
    assert_sound()


def test_a_free_unit_of_another_warehouse_stands_in_for_a_reserved_one(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "a")
    services.receive_stock(
        key="r", product_id=product.id, warehouse="HARBOUR", quantity=2, actor="clerk", now=NOW
    )

    count(product, 0)

    assert (states(), lost()) == ({"a": "HELD"}, [])
    assert (in_warehouses(product, "reserved"), figures(product)) == (
        {"HARBOUR": 1},
        {"available": 1, "reserved": 1},
    )
    assert reserve(product, "a-2") == services.Reserved(quantity=1, from_lot=1, warehouses=("HARBOUR",))
    assert_sound()


def test_a_sale_with_a_unit_that_stood_in_gives_it_back_to_its_lot(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "a")
    reserve(product, "a-2")
    services.receive_stock(
        key="r", product_id=product.id, warehouse="HARBOUR", quantity=1, actor="clerk", now=NOW
    )

    count(product, 0)
    sales.release(key="saga:a-2:reserve_stock", sale_id="a-2", now=NOW)

    assert (figures(product), states("SALE")) == ({"reserved": 1}, {"a-2": "RELEASED"})
    assert reserve(product, "a-5").from_lot == 1
    assert_sound()


def test_lots_lose_those_listed_last_first_and_a_lot_with_a_sale_under_way_last(make_product):
    product = make_product(CENTRAL=6)
    list_lot(product, "first")
    list_lot(product, "selling", quantity=2)
    list_lot(product, "last", quantity=2)
    reserve(product, "selling-2")
    reserve(product, "other-2")
    models.Outbox.objects.all().delete()

    expected = [
        ("last", "", 2),
        ("first", "", 1),
        ("selling", "", 1),
        ("other", ids.order_number("other-2"), 1),
        ("selling", ids.order_number("selling-2"), 1),
    ]
    for units in range(1, 7):
        with pytest.raises(refusals.LotsConcerned) as refused:
            count(product, 6 - units)
        read = [
            (lot["auction_id"], lot["order_number"], lot["quantity"]) for lot in refused.value.figures["lots"]
        ]
        assert sum(entry[2] for entry in read) == units
        assert [entry[:2] for entry in read] == [entry[:2] for entry in expected[: len(read)]]
    assert published() == []

    assert confirm(product, 3) == expected[:2]

    assert lost() == [("last", 2, "dropped"), ("first", 1, "dropped")]
    assert states() == {"first": "LOST", "selling": "HELD", "last": "LOST"}
    assert (states("SALE"), figures(product)) == (
        {"selling-2": "HELD", "other-2": "HELD"},
        {"reserved": 3},
    )
    assert_sound()


def test_a_lot_that_lost_a_part_keeps_the_rest_until_it_ends(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, "a", quantity=3)

    assert confirm(product, 2) == [("a", "", 1)]

    assert (lost(), states()) == ([("a", 1, "dropped")], {"a": "HELD"})
    assert_sound()
    lots.release_lot(auction_id="a", now=NOW)
    assert figures(product) == {"available": 2}
    assert_sound()


def test_a_saga_that_commits_a_lost_unit_is_refused_in_words_and_undone(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "a")
    reserve(product, "a-2")
    assert confirm(product, 0) == [("a", ids.order_number("a-2"), 1)]

    for _ in range(2):
        with pytest.raises(refusals.StockLost) as refused:
            commit("a-2")
    assert refused.value.detail == "A unit that was reserved for this sale is broken or missing."
    assert undo("a-2") == undo("a-2") == services.Released(quantity=0, to_lot=0)

    assert (figures(product), states("SALE"), states()) == ({}, {"a-2": "LOST"}, {"a": "LOST"})
    assert lost() == [("a", 1, "dropped")]
    assert_sound()


def test_a_lost_sale_gives_back_its_other_units_to_its_lot(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, "a", quantity=3)
    reserve(product, "a-2", quantity=3)

    confirm(product, 2)

    assert (figures(product), states("SALE"), states()) == (
        {"reserved": 2},
        {"a-2": "LOST"},
        {"a": "HELD"},
    )
    assert lost() == [("a", 1, "dropped")]
    assert reserve(product, "a-5", quantity=2).from_lot == 2
    assert_sound()


def test_a_lost_sale_from_free_stock_frees_its_other_units_and_publishes_nothing_for_its_lot(make_product):
    product = make_product(CENTRAL=2, HARBOUR=1)
    list_lot(product, "a", quantity=3, allocate="on_sale")
    reserve(product, "a-2", quantity=3)

    assert confirm(product, 1) == [("a", ids.order_number("a-2"), 1)]

    assert (figures(product), in_warehouses(product, "available")) == (
        {"available": 2},
        {"CENTRAL": 1, "HARBOUR": 1},
    )
    assert (lost(), states(), states("SALE")) == ([], {"a": "HELD"}, {"a-2": "LOST"})
    assert_sound()


def test_a_lost_sale_of_an_ended_lot_frees_its_other_units(make_product):
    product = make_product(CENTRAL=2)
    list_lot(product, "a", quantity=2)
    reserve(product, "a-2", quantity=2)
    lots.release_lot(auction_id="a", now=NOW)

    confirm(product, 1)

    assert (figures(product), lost()) == ({"available": 1}, [])
    assert_sound()


def test_sold_units_cannot_be_counted_away(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, "a", quantity=2)
    reserve(product, "a-2")
    commit("a-2")
    models.Outbox.objects.all().delete()

    with pytest.raises(refusals.InsufficientStock) as refused:
        count(product, 0)

    assert refused.value.detail == (
        "Only 2 units can be removed from Central warehouse: the other units are sold."
    )
    assert (figures(product), published()) == ({"available": 1, "reserved": 1, "committed": 1}, [])
    assert states() == {"a": "HELD"}
    assert_sound()


def test_a_confirmation_is_good_for_the_lots_that_it_named_alone(make_product):
    product = make_product(CENTRAL=2)
    list_lot(product, "a")
    with pytest.raises(refusals.LotsConcerned) as first:
        count(product, 0)
    list_lot(product, "b")
    models.Outbox.objects.all().delete()

    with pytest.raises(refusals.LotsConcerned) as second:
        count(product, 0, confirmation=first.value.figures["confirmation"])

    assert [lot["auction_id"] for lot in second.value.figures["lots"]] == ["b", "a"]
    assert (figures(product), states(), published()) == ({"reserved": 2}, {"a": "HELD", "b": "HELD"}, [])


def test_a_confirmed_count_that_is_sent_twice_is_one_loss(make_product):
    product = make_product(CENTRAL=2)
    list_lot(product, "a", quantity=2)
    with pytest.raises(refusals.LotsConcerned) as refused:
        count(product, 1)
    figure = {"product_id": product.id, "warehouse": "CENTRAL", "expected": 2, "counted": 1}
    sent = figure | {"key": "k", "reason": "dropped", "actor": "clerk", "now": NOW}

    answers = [
        services.adjust_stock(**sent, confirmation=refused.value.figures["confirmation"]) for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert (figures(product), lost()) == ({"reserved": 1}, [("a", 1, "dropped")])
    assert_sound()


def test_a_relisted_lot_that_lost_its_unit_before_its_listing_came_is_refused(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "a")
    lots.release_lot(auction_id="a", relist_as="b", now=NOW)
    assert confirm(product, 0) == [("b", "", 1)]

    for _ in range(2):
        lots.reserve_for_lot(
            auction_id="b",
            product_id=product.id,
            quantity=1,
            requested_by="",
            as_operator=True,
            allocate="on_listing",
            relists="a",
            now=NOW,
        )

    refused = [event for event in published() if isinstance(event, events.LotRefused)]
    assert [(event.auction_id, event.reason) for event in refused] == [("b", "stock_lost")]
    assert (figures(product), states()) == ({}, {"a": "RELEASED", "b": "LOST"})
    assert_sound()
