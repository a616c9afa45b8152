"""Stock for lots: what is accepted and refused, and that a lot never keeps what it has no claim on."""

import pytest

from auction_project.kernel.contracts import events
from inventory import models, services
from inventory.tests import sales
from inventory.tests.conftest import (
    NOW,
    SELLER,
    assert_sound,
    end_lot,
    figures,
    list_lot,
    lot,
    published,
    published_names,
)

pytestmark = pytest.mark.django_db(databases=["inventory"])


def answers():
    return [event for event in published() if isinstance(event, events.LotAccepted | events.LotRefused)]


def published_refusals():
    return [(event.auction_id, event.reason) for event in answers() if isinstance(event, events.LotRefused)]


def test_a_lot_that_allocates_on_listing_reserves_and_is_accepted_at_the_version_after_it(make_product):
    product = make_product(CENTRAL=2, HARBOUR=2)

    list_lot(product, quantity=3)

    assert figures(product) == {"available": 1, "reserved": 3}
    assert dict(lot().holdings.values_list("warehouse_id", "quantity")) == {"CENTRAL": 2, "HARBOUR": 1}
    assert published_names() == ["StockChanged", "LotAccepted"]
    assert answers() == [
        events.LotAccepted(
            auction_id="a",
            product_id=product.id,
            owner_id="house",
            title="Brass sextant",
            text="London, about 1880.",
            thumbnail="",
            version=product.stock_version + 1,
        )
    ]
    assert_sound()


def test_a_lot_that_allocates_on_sale_is_accepted_and_reserves_nothing(make_product):
    product = make_product(CENTRAL=1)

    list_lot(product, quantity=5, allocate="on_sale")

    assert (figures(product), published_names()) == ({"available": 1}, ["LotAccepted"])
    assert answers()[0].version == product.stock_version


def test_a_lot_that_allocates_on_sale_is_refused_when_the_product_is_depleted_already(make_product):
    product = make_product()

    list_lot(product, allocate="on_sale")

    assert published_refusals() == [("a", "sold_out")]


def test_units_that_are_merely_reserved_do_not_refuse_a_lot_that_allocates_on_sale(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "first")

    list_lot(product, "second", allocate="on_sale")

    assert published_refusals() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"as_operator": False, "requested_by": "6" * 32}, "not_owner"),
        ({"quantity": 3}, "sold_out"),
        ({"quantity": 0}, "invalid_quantity"),
        ({"quantity": 10**12, "allocate": "on_sale"}, "invalid_quantity"),
    ],
)
def test_a_refused_lot_names_the_reason_and_changes_no_stock(make_product, changes, reason):
    product = make_product(owner_id=SELLER, CENTRAL=2)

    list_lot(product, **changes)

    assert (published_refusals(), published_names()) == ([("a", reason)], ["LotRefused"])
    assert (figures(product), lot().state) == ({"available": 2}, "REFUSED")
    assert_sound()


def test_a_seller_lists_his_own_product(make_product):
    product = make_product(owner_id=SELLER, CENTRAL=1)

    list_lot(product, as_operator=False)

    assert answers()[0].owner_id == SELLER


def test_a_seller_may_not_list_the_houses_product(make_product):
    product = make_product(CENTRAL=1)

    list_lot(product, as_operator=False)

    assert (published_refusals(), figures(product)) == ([("a", "not_owner")], {"available": 1})


def test_an_unknown_product_is_refused(make_product):
    list_lot(models.Product(id="f" * 32))
    list_lot(models.Product(id="f" * 32))

    assert published_refusals() == [("a", "unknown_product")]


def test_a_repeated_request_changes_nothing_and_is_not_answered_again(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product)
    names_once = published_names()

    list_lot(product)

    assert (figures(product), published_names()) == ({"available": 2, "reserved": 1}, names_once)


def test_a_refused_lot_stays_refused_although_stock_has_come_since(make_product):
    product = make_product()
    list_lot(product)
    services.receive_stock(
        key="k", product_id=product.id, warehouse="CENTRAL", quantity=1, actor="test", now=NOW
    )

    list_lot(product)

    assert (published_refusals(), figures(product)) == ([("a", "sold_out")], {"available": 1})


def test_a_lot_that_is_over_gives_back_what_was_not_sold_once(make_product):
    product = make_product(CENTRAL=3)
    list_lot(product, quantity=3)
    sales.reserve(key="k", sale_id="a-2", auction_id="a", product_id=product.id, quantity=1, now=NOW)
    sales.commit(key="c", sale_id="a-2", now=NOW)

    end_lot()
    end_lot()

    assert (figures(product), lot().state) == ({"available": 2, "committed": 1}, "RELEASED")
    assert_sound()


def test_a_lot_that_ended_before_its_listing_came_reserves_nothing_ever(make_product):
    product = make_product(CENTRAL=1)
    end_lot()

    list_lot(product)
    list_lot(product)

    assert (figures(product), lot().state) == ({"available": 1}, "RELEASED")
    assert published_refusals() == [("a", "lot_ended")]
    assert_sound()


def test_the_end_of_a_refused_lot_or_of_one_without_stock_of_its_own_changes_nothing(make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, "refused", quantity=9)
    list_lot(product, "on-sale", allocate="on_sale")
    names_before = published_names()

    end_lot("refused")
    end_lot("on-sale")

    assert (lot("refused").state, lot("on-sale").state) == ("REFUSED", "RELEASED")
    assert (figures(product), published_names()) == ({"available": 1}, names_before)


def test_the_answer_names_the_thumbnail(make_product, settings, tmp_path):
    product = make_product(CENTRAL=1)
    models.Product.objects.filter(id=product.id).update(image_digest="0123456789abcdef")

    list_lot(product)

    assert answers()[0].thumbnail == f"/api/v1/products/{product.id}/thumbnail?v=0123456789ab"
