"""A relisted lot keeps its units: whichever event comes first, twice or never, no other buyer gets them in between.

The events come through the stock's real consumer. AuctionEnded with `relist_as` is what happens first.
"""

from datetime import timedelta

import pytest

from auction_project.kernel.contracts import events
from inventory import models, refusals, services, tasks
from inventory.tests import sales
from inventory.tests.conftest import (
    NOW,
    assert_sound,
    figures,
    held_by_lot,
    in_warehouses,
    lot,
    published,
    published_names,
    receive,
    reserve,
)

pytestmark = pytest.mark.django_db(databases=["inventory"])
OLD, NEXT, OTHER = "a" * 32, "b" * 32, "c" * 32


def requested(product, auction_id=OLD, **changes):
    terms = {"quantity": 1, "format": "english", "allocate": "on_listing", "requested_by": "house"}
    terms |= {"as_operator": True} | changes
    return events.ListingRequested(auction_id=auction_id, product_id=product.id, **terms)


def relisted(product, **changes):
    return requested(product, NEXT, relists=OLD, **changes)


def ended(product, auction_id=OLD, relist_as=None):
    return events.AuctionEnded(auction_id=auction_id, product_id=product.id, seq=9, relist_as=relist_as)


def answers():
    return [
        (type(event).__name__, event.auction_id, getattr(event, "reason", ""))
        for event in published()
        if isinstance(event, events.LotAccepted | events.LotRefused)
    ]


@pytest.fixture
def listed(make_product, deliver):
    """A product whose only unit is held by the lot OLD; what that published is forgotten."""
    product = make_product(CENTRAL=1)
    deliver(requested(product), "listed")
    models.Outbox.objects.all().delete()
    return product


def test_the_units_pass_on_when_the_end_comes_before_the_listing_that_it_causes(listed, deliver):
    deliver(ended(listed, relist_as=NEXT), "ended")

    assert (lot(OLD).state, held_by_lot(OLD)) == ("RELEASED", 0)
    assert (lot(NEXT).state, held_by_lot(NEXT), figures(listed)) == ("HELD", 1, {"reserved": 1})
    assert published() == []  # no figure has changed
    with pytest.raises(refusals.SoldOut):
        reserve(listed, f"{OTHER}-2")
    assert_sound()

    deliver(relisted(listed), "requested")

    assert answers() == [("LotAccepted", NEXT, "")]
    assert (lot(NEXT).state, held_by_lot(NEXT), figures(listed)) == ("HELD", 1, {"reserved": 1})
    assert lot(NEXT).listing_due_at is None
    assert not models.Move.objects.filter(kind="RELEASE").exists()
    assert reserve(listed, f"{NEXT}-4").from_lot == 1
    assert_sound()


def test_the_units_pass_on_when_the_listing_comes_first(listed, deliver):
    deliver(relisted(listed), "requested")
    deliver(ended(listed, relist_as=NEXT), "ended")

    assert answers() == [("LotAccepted", NEXT, "")]
    assert (lot(OLD).state, held_by_lot(OLD), lot(NEXT).state, held_by_lot(NEXT)) == (
        "RELEASED",
        0,
        "HELD",
        1,
    )
    assert not models.Move.objects.filter(kind="RELEASE").exists()
    assert_sound()


@pytest.mark.parametrize("first", ["end", "listing"])
def test_events_that_come_twice_change_nothing_more(listed, deliver, first):
    both = [(ended(listed, relist_as=NEXT), "ended"), (relisted(listed), "requested")]
    if first == "listing":
        both.reverse()

    for number in range(2):
        for event, event_id in both:
            deliver(event, f"{event_id} {number}")

    assert (answers(), published_names()) == ([("LotAccepted", NEXT, "")], ["LotAccepted"])
    assert (held_by_lot(NEXT), figures(listed)) == (1, {"reserved": 1})
    assert_sound()


def test_units_of_several_warehouses_pass_on_but_not_what_is_sold(make_product, deliver):
    product = make_product(CENTRAL=2, HARBOUR=2)
    deliver(requested(product, quantity=4), "listed")
    reserve(product, f"{OLD}-2")
    sales.commit(key="c", sale_id=f"{OLD}-2", now=NOW)

    deliver(ended(product, relist_as=NEXT), "ended")

    assert dict(lot(NEXT).holdings.values_list("warehouse_id", "quantity")) == {"CENTRAL": 1, "HARBOUR": 2}
    assert (lot(NEXT).quantity, figures(product)) == (3, {"reserved": 3, "committed": 1})
    assert_sound()


@pytest.mark.parametrize(
    ("units", "central", "free"), [(1, {"CENTRAL": 1}, 3), (2, {"CENTRAL": 2}, 2), (4, {"CENTRAL": 4}, 0)]
)
def test_a_listing_for_another_quantity_holds_just_that(make_product, deliver, units, central, free):
    product = make_product(CENTRAL=2)
    deliver(requested(product, quantity=2), "listed")
    deliver(ended(product, relist_as=NEXT), "ended")
    receive(product, 2)

    deliver(relisted(product, quantity=units), "requested")

    assert (lot(NEXT).quantity, in_warehouses(product, "reserved")) == (units, central)
    assert figures(product).get("available", 0) == free
    assert answers()[-1] == ("LotAccepted", NEXT, "")
    assert_sound()


def test_a_listing_that_is_refused_gives_the_units_back(listed, deliver):
    deliver(ended(listed, relist_as=NEXT), "ended")

    deliver(relisted(listed, quantity=2), "requested")
    deliver(relisted(listed, quantity=2), "requested again")

    assert answers() == [("LotRefused", NEXT, "sold_out")]
    assert (lot(NEXT).state, held_by_lot(NEXT), figures(listed)) == ("RELEASED", 0, {"available": 1})
    assert_sound()


def test_the_end_of_the_next_auction_frees_units_whose_listing_has_not_come(listed, deliver):
    deliver(ended(listed, relist_as=NEXT), "ended")

    deliver(ended(listed, NEXT), "cancelled")
    deliver(relisted(listed), "requested")

    assert answers() == [("LotRefused", NEXT, "lot_ended")]
    assert (lot(NEXT).state, held_by_lot(NEXT), figures(listed)) == ("RELEASED", 0, {"available": 1})
    assert_sound()


def test_a_next_auction_that_is_over_already_inherits_nothing(listed, deliver):
    deliver(ended(listed, NEXT), "cancelled")

    deliver(ended(listed, relist_as=NEXT), "ended")
    deliver(relisted(listed), "requested")

    assert (answers(), figures(listed)) == ([("LotRefused", NEXT, "lot_ended")], {"available": 1})
    assert_sound()


def test_units_whose_listing_does_not_come_are_free_after_the_wait_and_not_before(listed, deliver):
    deliver(ended(listed, relist_as=NEXT), "ended")
    due = lot(NEXT).listing_due_at
    assert due - lot(NEXT).created_at == services.LISTING_WAIT == timedelta(hours=24)

    assert services.release_expired_lots(now=due - timedelta(microseconds=1)) == 0
    assert figures(listed) == {"reserved": 1}
    assert services.release_expired_lots(now=due) == 1
    assert services.release_expired_lots(now=due) == 0

    assert (lot(NEXT).state, figures(listed)) == ("RELEASED", {"available": 1})
    deliver(relisted(listed), "requested")
    assert answers() == [("LotRefused", NEXT, "lot_ended")]
    assert_sound()


def test_the_task_frees_what_is_overdue_and_leaves_lots_that_are_listed(listed, deliver):
    deliver(ended(listed, relist_as=NEXT), "ended")
    models.Reservation.objects.filter(holder=NEXT).update(listing_due_at=NOW)
    receive(listed, 1)
    deliver(requested(listed, OTHER), "other")

    tasks.release_expired_lots()

    assert (lot(NEXT).state, lot(OTHER).state) == ("RELEASED", "HELD")
    assert figures(listed) == {"available": 1, "reserved": 1}
    assert_sound()


def test_a_lot_without_units_of_its_own_passes_nothing_on(make_product, deliver):
    product = make_product(CENTRAL=1)
    deliver(requested(product, allocate="on_sale"), "listed")

    deliver(ended(product, relist_as=NEXT), "ended")

    assert not models.Reservation.objects.filter(holder=NEXT).exists()
    deliver(relisted(product, allocate="on_sale"), "requested")
    assert (answers()[-1], figures(product)) == (("LotAccepted", NEXT, ""), {"available": 1})


def test_a_relisting_takes_no_units_of_another_product(listed, make_product, deliver):
    other = make_product(CENTRAL=1)

    deliver(requested(other, NEXT, relists=OLD), "requested")

    assert (lot(OLD).state, figures(listed)) == ("HELD", {"reserved": 1})


def test_a_listing_of_another_product_leaves_inherited_units_to_their_lot(listed, make_product, deliver):
    other = make_product(CENTRAL=1)
    deliver(ended(listed, relist_as=NEXT), "ended")

    deliver(requested(other, NEXT, relists=OLD), "requested")

    assert answers() == [("LotRefused", NEXT, "another_product")]
    assert (held_by_lot(NEXT), figures(listed), figures(other)) == (1, {"reserved": 1}, {"available": 1})
    assert_sound()
