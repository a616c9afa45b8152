"""Stock for checkouts: all or nothing, until a moment; a sale of several lines claims it, and its undoing gives it back."""

from datetime import timedelta

import msgspec
import pytest

from auction_project.kernel.contracts import events
from inventory import invariants, models, refusals, services
from inventory.tests import sales
from inventory.tests.conftest import (
    NOW,
    assert_sound,
    figures,
    held_by_lot,
    in_warehouses,
    list_lot,
    published,
)

pytestmark = pytest.mark.django_db(databases=["inventory"])

EXPIRY = NOW + timedelta(minutes=15)
JUST_BEFORE = EXPIRY - timedelta(milliseconds=1)


def start_of(units, checkout="c", *, expires_at=EXPIRY, now=NOW, replaces=""):
    """Reserve `units` (product, quantity) for the checkout."""
    lines = tuple(events.Units(product_id=product.id, quantity=quantity) for product, quantity in units)
    services.reserve_for_checkouts(
        [
            services.Start(
                checkout_id=checkout,
                units=lines,
                expires_at=expires_at,
                correlation_id="c",
                replaces=replaces,
            )
        ],
        now=now,
    )


def abandon(checkout="c", *, now=NOW):
    services.release_checkouts([services.Abandonment(checkout_id=checkout, correlation_id="c")], now=now)


def buy(units, sale="c-1", *, checkout="c", now=NOW, **request):
    return sales.reserve_all(
        key=f"saga:{sale}:reserve_stock",
        sale_id=sale,
        checkout_id=checkout,
        units={product.id: quantity for product, quantity in units},
        now=now,
        **request,
    )


def undo(sale="c-1", *, now=NOW):
    return sales.release(key=f"saga:{sale}:reserve_stock", sale_id=sale, now=now)


def answers():
    """The answers to checkouts, in order."""
    return [event for event in published() if isinstance(event, events.Checkout)]


# --- reserving -------------------------------------------------------------------------------------------------------


def test_all_units_of_a_checkout_are_reserved_together(make_product):
    lamp, chair = make_product(CENTRAL=1, HARBOUR=2), make_product(CENTRAL=4)

    start_of([(lamp, 2), (chair, 4)])

    assert (figures(lamp), figures(chair)) == ({"available": 1, "reserved": 2}, {"reserved": 4})
    assert in_warehouses(lamp, "reserved") == {"CENTRAL": 1, "HARBOUR": 1}
    assert answers() == [events.CheckoutReserved(checkout_id="c")]
    assert_sound()


def test_one_missing_unit_refuses_the_whole_checkout_and_names_each_line_that_is_short(make_product):
    lamp, chair, desk = make_product(CENTRAL=1), make_product(CENTRAL=1), make_product()

    start_of([(lamp, 1), (chair, 2), (desk, 1)])

    assert [figures(product) for product in (lamp, chair, desk)] == [{"available": 1}, {"available": 1}, {}]
    assert answers() == [
        events.CheckoutRefused(
            checkout_id="c",
            shortages=(
                events.Shortage(product_id=chair.id, asked=2, available=1),
                events.Shortage(product_id=desk.id, asked=1, available=0),
            ),
        )
    ]
    assert not models.Reservation.objects.exists()


def test_a_start_that_comes_after_its_time_reserves_nothing(make_product):
    lamp = make_product(CENTRAL=1)

    start_of([(lamp, 1)], now=EXPIRY)

    assert figures(lamp) == {"available": 1}
    assert answers() == [events.CheckoutRefused(checkout_id="c", shortages=())]


def test_a_repeated_start_changes_and_publishes_nothing(make_product):
    lamp = make_product(CENTRAL=3)
    start_of([(lamp, 1)])

    start_of([(lamp, 1)])

    assert figures(lamp) == {"available": 2, "reserved": 1}
    assert answers() == [events.CheckoutReserved(checkout_id="c")]


# --- the end of a checkout -------------------------------------------------------------------------------------------


def test_an_abandoned_checkout_gives_its_units_back_once(make_product):
    lamp = make_product(CENTRAL=2)
    start_of([(lamp, 2)])

    abandon()
    abandon()

    assert figures(lamp) == {"available": 2}
    assert models.Move.objects.filter(kind="RELEASE").count() == 1
    assert_sound()


def test_the_sweep_frees_expired_checkouts_and_no_other(make_product):
    lamp = make_product(CENTRAL=2)
    start_of([(lamp, 1)], "due")
    start_of([(lamp, 1)], "later", expires_at=EXPIRY + timedelta(milliseconds=1))

    assert services.release_expired_checkouts(now=JUST_BEFORE) == 0
    assert services.release_expired_checkouts(now=EXPIRY) == 1

    assert figures(lamp) == {"available": 1, "reserved": 1}
    assert models.Reservation.objects.get(holder="due").state == "RELEASED"
    assert_sound()


def test_the_units_of_an_expired_checkout_are_free_for_others_before_any_sweep(make_product):
    lamp = make_product(CENTRAL=1)
    start_of([(lamp, 1)], "first")

    start_of([(lamp, 1)], "early", now=JUST_BEFORE)
    start_of([(lamp, 1)], "late", now=EXPIRY, expires_at=EXPIRY + timedelta(minutes=15))

    states = dict(models.Reservation.objects.values_list("holder", "state"))
    assert states == {"first": "RELEASED", "late": "HELD"}
    assert [type(answer).__name__ for answer in answers()] == [
        "CheckoutReserved",
        "CheckoutRefused",
        "CheckoutReserved",
    ]
    assert_sound()


# --- the sale --------------------------------------------------------------------------------------------------------


def test_the_sale_claims_the_units_of_its_checkout_and_nobody_else_can(make_product):
    lamp, chair = make_product(CENTRAL=1), make_product(CENTRAL=2)
    start_of([(lamp, 1), (chair, 2)])

    with pytest.raises(refusals.SoldOut) as refused:
        buy([(lamp, 1), (chair, 1)], "x-1", checkout="x")
    outcome = buy([(lamp, 1), (chair, 2)])

    assert refused.value.figures == {
        "lines": [
            {"product_id": lamp.id, "asked": 1, "available": 0},
            {"product_id": chair.id, "asked": 1, "available": 0},
        ]
    }
    assert outcome == services.Reserved(quantity=3, from_lot=3, warehouses=("CENTRAL",))
    assert (figures(lamp), figures(chair)) == ({"reserved": 1}, {"reserved": 2})
    assert_sound()


def test_each_product_of_a_sale_is_announced_once_with_the_sale(make_product):
    lamp, chair = make_product(CENTRAL=1), make_product(CENTRAL=2)
    start_of([(lamp, 1)])
    models.Outbox.objects.all().delete()

    buy([(lamp, 1), (chair, 2)])

    assert [(event.product_id, event.sale_id, event.available) for event in published()] == [
        (lamp.id, "c-1", 0),
        (chair.id, "c-1", 0),
    ]


def test_a_sale_of_a_checkout_takes_won_lots_from_their_own_reservations_and_gives_them_back_there(
    make_product,
):
    lamp, vase = make_product(CENTRAL=3), make_product(CENTRAL=1)
    list_lot(vase, quantity=1)
    start_of([(lamp, 2)])

    taken = buy([(lamp, 2), (vase, 1)], lots={vase.id: "a"})
    held = held_by_lot()
    given = undo()

    assert taken == services.Reserved(quantity=3, from_lot=3, warehouses=("CENTRAL",))
    assert given == services.Released(quantity=3, to_lot=3)
    assert (held, held_by_lot()) == (0, 1)
    assert (figures(lamp), figures(vase)) == ({"available": 1, "reserved": 2}, {"reserved": 1})
    assert_sound()


def test_an_undone_sale_returns_the_units_to_its_checkout_for_the_next_card(make_product):
    lamp, chair = make_product(CENTRAL=1), make_product(CENTRAL=1)
    start_of([(lamp, 1), (chair, 1)])
    buy([(lamp, 1), (chair, 1)])

    assert undo() == services.Released(quantity=2, to_lot=2)
    assert buy([(lamp, 1), (chair, 1)], "c-2") == services.Reserved(
        quantity=2, from_lot=2, warehouses=("CENTRAL",)
    )
    assert_sound()


def test_a_sale_that_is_undone_after_its_checkout_has_expired_frees_its_units(make_product):
    lamp = make_product(CENTRAL=1)
    start_of([(lamp, 1)])
    buy([(lamp, 1)])
    assert services.release_expired_checkouts(now=EXPIRY) == 1
    assert figures(lamp) == {"reserved": 1}

    undo(now=EXPIRY)

    assert figures(lamp) == {"available": 1}
    assert_sound()


def test_a_sale_is_committed_and_restocked_with_all_its_lines(make_product):
    lamp, chair = make_product(CENTRAL=1), make_product(CENTRAL=2)
    start_of([(lamp, 1), (chair, 2)])
    buy([(lamp, 1), (chair, 2)])
    step = {"key": "saga:c-1:commit_stock", "sale_id": "c-1", "now": NOW}

    assert sales.commit(**step) == services.Committed(quantity=3)
    assert (figures(lamp), figures(chair)) == ({"committed": 1}, {"committed": 2})
    assert sales.restock(**step) == services.Restocked(quantity=3)

    assert (figures(lamp), figures(chair)) == ({"reserved": 1}, {"reserved": 2})
    assert_sound()


def test_two_requests_for_one_product_in_a_sale_are_summed(make_product):
    lamp = make_product(CENTRAL=3)
    twice = tuple(events.Units(product_id=lamp.id, quantity=quantity) for quantity in (1, 2))

    (outcome,) = services.reserve(
        [services.ReserveRequest(key="k", correlation_id="c", sale_id="s-1", checkout_id="s", units=twice)],
        now=NOW,
    )

    assert outcome == services.Reserved(quantity=3, from_lot=0, warehouses=("CENTRAL",))
    assert models.Reservation.objects.get().quantity == 3


# --- losses ----------------------------------------------------------------------------------------------------------


def test_a_count_takes_units_from_a_checkout_before_any_lot_or_sale_without_a_confirmation(make_product):
    lamp = make_product(CENTRAL=2)
    start_of([(lamp, 1)])
    buy([(lamp, 1)], "a-1", checkout="a")

    services.adjust_stock(
        key="count", product_id=lamp.id, warehouse="CENTRAL", expected=2, counted=1,
        reason="Broken", actor="clerk", now=NOW,
    )  # fmt: skip

    assert figures(lamp) == {"reserved": 1}
    states = dict(models.Reservation.objects.values_list("holder", "state"))
    assert states == {"c": "LOST", "a-1": "HELD"}
    assert_sound()


def test_a_checkout_gets_the_units_of_the_one_that_it_replaces_before_that_one_is_abandoned(make_product):
    lamp, chair = make_product(CENTRAL=1), make_product(CENTRAL=2)
    start_of([(lamp, 1), (chair, 2)], "first")

    start_of([(lamp, 1)], "second", replaces="first")
    abandon("first")

    assert (figures(lamp), figures(chair)) == ({"reserved": 1}, {"available": 2})
    assert answers() == [
        events.CheckoutReserved(checkout_id="first"),
        events.CheckoutReserved(checkout_id="second"),
    ]
    assert_sound()


def test_a_checkout_whose_units_its_sale_has_claimed_gives_none_to_the_next_one(make_product):
    lamp = make_product(CENTRAL=1)
    start_of([(lamp, 1)], "first")
    buy([(lamp, 1)], "first-1", checkout="first")

    start_of([(lamp, 1)], "second", replaces="first")

    assert figures(lamp) == {"reserved": 1}
    assert answers()[-1] == events.CheckoutRefused(
        checkout_id="second", shortages=(events.Shortage(product_id=lamp.id, asked=1, available=0),)
    )
    assert_sound()


def test_i3_finds_a_checkout_that_holds_more_than_its_row_says(make_product):
    lamp = make_product(CENTRAL=2)
    start_of([(lamp, 1)])
    models.Reservation.objects.filter(holder="c").update(quantity=2)

    (finding,) = [one for one in invariants.check() if one.invariant == "I3"]

    assert finding.violations == ("CHECKOUT c: HELD holds 1 of 2, its sales 0",)


def test_the_events_of_checkouts_are_handled_by_the_consumer(make_product, deliver):
    lamp = make_product(CENTRAL=2)
    started = events.CheckoutStarted(
        checkout_id="c",
        user_id="u",
        units=(events.Units(product_id=lamp.id, quantity=2),),
        expires_at=4_000_000_000_000,
    )

    deliver(started, "e1")
    deliver(msgspec.structs.replace(started), "e1")
    assert figures(lamp) == {"reserved": 2}
    deliver(events.CheckoutAbandoned(checkout_id="c"), "e2")

    assert figures(lamp) == {"available": 2}
