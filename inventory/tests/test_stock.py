"""The services of a clerk: receive, adjust, transfer, threshold; what they write, publish and refuse."""

import pytest

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from inventory import invariants, models, refusals, services
from inventory.tests import sales
from inventory.tests.conftest import NOW, figures, in_warehouses, published, published_names, receive, reserve

pytestmark = pytest.mark.django_db(databases=["inventory"])


def adjust(product, expected, counted, key="k", **changes):
    what = {"warehouse": "CENTRAL", "reason": "counted", "actor": "clerk", "now": NOW} | changes
    return services.adjust_stock(key=key, product_id=product.id, expected=expected, counted=counted, **what)


def transfer(product, quantity, source="CENTRAL", destination="HARBOUR", key="k"):
    return services.transfer_stock(
        key=key,
        product_id=product.id,
        source=source,
        destination=destination,
        quantity=quantity,
        actor="clerk",
        now=NOW,
    )


def the_move():
    return models.Move.objects.order_by("-id").values_list(
        "kind",
        "quantity",
        "source",
        "source_warehouse_id",
        "destination",
        "destination_warehouse_id",
        "reason",
        "actor",
    )[0]


def assert_unchanged(product, expected_figures):
    version = product.stock_version
    product.refresh_from_db()
    assert (figures(product), product.stock_version, published()) == (expected_figures, version, [])
    assert [finding.violations for finding in invariants.check()] == [(), (), (), ()]


def test_received_units_come_from_the_supplier(make_product):
    product = make_product()

    outcome = services.receive_stock(
        key="k",
        product_id=product.id,
        warehouse="HARBOUR",
        quantity=4,
        reason="invoice 7",
        actor="clerk",
        now=NOW,
    )

    assert outcome == {"on_hand": 4, "available": 4, "reserved": 0, "committed": 0, "set_aside": 0}
    assert the_move() == ("RECEIVE", 4, "SUPPLIER", None, "AVAILABLE", "HARBOUR", "invoice 7", "clerk")
    assert published_names() == ["StockChanged"]


def test_a_form_that_is_sent_twice_is_one_change(make_product):
    product = make_product()

    outcomes = [
        services.receive_stock(
            key="form 1", product_id=product.id, warehouse="CENTRAL", quantity=2, actor="clerk", now=NOW
        )
        for _ in range(2)
    ]

    assert outcomes[0] == outcomes[1]
    assert figures(product) == {"available": 2}


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001])
def test_an_impossible_quantity_is_refused_naming_the_bounds(make_product, quantity):
    product = make_product(CENTRAL=1)

    with pytest.raises(refusals.InvalidFigure) as refused:
        services.receive_stock(
            key="k", product_id=product.id, warehouse="CENTRAL", quantity=quantity, actor="clerk", now=NOW
        )

    assert (refused.value.field, refused.value.figures) == ("quantity", {"least": 1, "most": 1_000_000})
    assert_unchanged(product, {"available": 1})


def test_an_unknown_warehouse_is_refused_everywhere(make_product):
    product = make_product(CENTRAL=1)

    for attempt in (
        lambda: services.receive_stock(
            key="k", product_id=product.id, warehouse="MOON", quantity=1, actor="clerk", now=NOW
        ),
        lambda: adjust(product, 0, 1, warehouse="MOON"),
        lambda: transfer(product, 1, destination="MOON"),
    ):
        with pytest.raises(refusals.UnknownWarehouse):
            attempt()

    assert_unchanged(product, {"available": 1})


def test_an_adjustment_books_the_difference_against_loss(make_product):
    product = make_product(CENTRAL=5)

    assert adjust(product, expected=5, counted=3)["available"] == 3
    assert the_move() == ("ADJUST", 2, "AVAILABLE", "CENTRAL", "LOSS", None, "counted", "clerk")
    assert adjust(product, expected=3, counted=4, key="k2")["available"] == 4

    assert the_move() == ("ADJUST", 1, "LOSS", None, "AVAILABLE", "CENTRAL", "counted", "clerk")


def test_a_stale_adjustment_is_refused_with_the_present_figure(make_product):
    product = make_product(CENTRAL=5)

    with pytest.raises(refusals.StaleFigure) as refused:
        adjust(product, expected=4, counted=12)

    assert refused.value.figures == {"present": 5, "expected": 4}
    assert_unchanged(product, {"available": 5})


@pytest.mark.parametrize(
    "change",
    [{"quantity": 7}, {"warehouse": "HARBOUR"}, {"product_id": "another"}],
    ids=lambda c: next(iter(c)),
)
def test_a_form_that_is_sent_again_with_other_figures_is_refused(make_product, change):
    product = make_product()
    form = {"key": "form 1", "product_id": product.id, "warehouse": "CENTRAL", "quantity": 5}
    services.receive_stock(**form, actor="clerk", now=NOW)

    with pytest.raises(refusals.FormReused) as refused:
        services.receive_stock(**form | change, actor="clerk", now=NOW)

    assert refused.value.figures == {
        "kind": "RECEIVE",
        "product_id": product.id,
        "warehouse": "CENTRAL",
        "quantity": 5,
    }
    assert figures(product) == {"available": 5}


def test_a_key_of_one_form_is_no_key_of_another_kind(make_product):
    product = make_product(CENTRAL=5)
    adjust(product, expected=5, counted=6, key="form 1")

    with pytest.raises(refusals.FormReused):
        transfer(product, 1, key="form 1")

    assert figures(product) == {"available": 6}


def test_a_clerk_cannot_take_the_key_of_a_sagas_step(make_product):
    product = make_product(CENTRAL=1)
    stolen = "saga:s-1:reserve_stock"
    services.receive_stock(
        key=stolen, product_id=product.id, warehouse="CENTRAL", quantity=1, actor="clerk", now=NOW
    )

    outcome = sales.reserve(
        key=stolen, sale_id="s-1", auction_id="s", product_id=product.id, quantity=1, now=NOW
    )

    assert outcome == services.Reserved(quantity=1, from_lot=0, warehouses=("CENTRAL",))
    assert figures(product) == {"available": 1, "reserved": 1}


def test_a_refused_form_may_be_corrected_and_sent_again_under_its_key(make_product):
    product = make_product(CENTRAL=5)
    with pytest.raises(refusals.StaleFigure):
        adjust(product, expected=4, counted=12, key="form 1")

    adjust(product, expected=5, counted=12, key="form 1")

    assert figures(product) == {"available": 12}


def test_a_count_that_confirms_the_figure_writes_nothing(make_product):
    product = make_product(CENTRAL=5)
    moves = models.Move.objects.count()

    adjust(product, expected=5, counted=5)

    assert models.Move.objects.count() == moves
    assert_unchanged(product, {"available": 5})


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_adjustment_needs_a_reason(make_product, reason):
    product = make_product(CENTRAL=5)

    with pytest.raises(errors.Invalid) as refused:
        adjust(product, expected=5, counted=4, reason=reason)

    assert refused.value.field == "reason"
    assert_unchanged(product, {"available": 5})


def test_a_transfer_moves_free_units_and_no_figure_of_the_product(make_product):
    product = make_product(CENTRAL=5)

    transfer(product, 2)

    assert in_warehouses(product, "available") == {"CENTRAL": 3, "HARBOUR": 2}
    assert the_move()[:6] == ("TRANSFER", 2, "AVAILABLE", "CENTRAL", "AVAILABLE", "HARBOUR")
    assert published_names() == ["StockChanged"]


def test_reserved_units_are_not_transferred(make_product):
    product = make_product(CENTRAL=2)
    reserve(product)
    product.refresh_from_db()
    models.Outbox.objects.all().delete()

    with pytest.raises(refusals.InsufficientStock) as refused:
        transfer(product, 2)

    assert refused.value.figures == {"warehouse": "CENTRAL", "state": "available", "present": 1, "asked": 2}
    assert_unchanged(product, {"available": 1, "reserved": 1})


def test_a_transfer_needs_two_warehouses(make_product):
    product = make_product(CENTRAL=2)

    with pytest.raises(refusals.SameWarehouse):
        transfer(product, 1, destination="CENTRAL")

    assert_unchanged(product, {"available": 2})


# --- low stock ----------------------------------------------------------------------------------------------------


def low_events():
    return [(event.available, event.threshold) for event in published() if isinstance(event, events.StockLow)]


def test_low_stock_is_published_on_crossing_and_not_again_before_it_was_well_stocked(make_product):
    product = make_product(CENTRAL=6, threshold=3)

    for counted in (5, 4, 3, 2, 3, 4, 3, 4, 5, 3):
        present = figures(product)["available"]
        adjust(product, expected=present, counted=counted, key=f"to {counted} {models.Move.objects.count()}")

    # 3 is low; 3 and 4 afterwards are near it; 5 is above by the margin; so the last 3 is low anew.
    assert low_events() == [(3, 3), (3, 3)]


def test_a_reservation_can_make_stock_low(make_product):
    product = make_product(CENTRAL=2, threshold=1)

    reserve(product)

    assert low_events() == [(1, 1)]


def test_without_a_threshold_nothing_is_low(make_product):
    product = make_product(CENTRAL=1)

    reserve(product)

    assert low_events() == []


def test_a_threshold_at_or_above_the_free_units_makes_the_product_low_at_once(make_product):
    product = make_product(CENTRAL=3)

    services.set_threshold(product_id=product.id, threshold=3, now=NOW)
    services.set_threshold(product_id=product.id, threshold=3, now=NOW)

    assert (low_events(), published_names()) == ([(3, 3)], ["StockChanged", "StockLow"])
    assert [event.version for event in published()] == [product.stock_version + 1] * 2


def test_no_threshold_ends_low_stock(make_product):
    product = make_product(CENTRAL=3, threshold=3)

    services.set_threshold(product_id=product.id, threshold=0, now=NOW)

    product.refresh_from_db()
    assert product.is_low is False


# --- depletion ----------------------------------------------------------------------------------------------------


def test_counting_the_last_unit_away_depletes(make_product):
    product = make_product(CENTRAL=1)

    adjust(product, expected=1, counted=0)

    assert published_names() == ["StockChanged", "StockDepleted"]


def test_an_empty_product_is_not_depleted_again(make_product):
    product = make_product(CENTRAL=1, HARBOUR=1)
    reserve(product, "s-1")
    reserve(product, "s-2")
    sales.commit(key="c1", sale_id="s-1", now=NOW)
    sales.commit(key="c2", sale_id="s-2", now=NOW)
    assert published_names().count("StockDepleted") == 1

    receive(product, 1)
    adjust(product, expected=2, counted=1)

    assert published_names().count("StockDepleted") == 2
