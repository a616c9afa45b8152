"""Offers: each change is one event with a version, and former prices are kept."""

import threading
from datetime import timedelta

import pytest
from django.db import connections

from auction_project.kernel import money
from auction_project.kernel.contracts import events
from inventory import models, refusals, services
from inventory.tests.conftest import NOW, published

pytestmark = pytest.mark.django_db(databases=["inventory"])


def offer(product, **changes):
    terms = {
        "price": 1050,
        "currency": "EUR",
        "max_per_order": 5,
        "published": True,
        "actor": "o",
        "now": NOW,
    }
    return services.set_offer(product_id=product.id, **terms | changes)


def test_an_offer_is_published_with_its_product(make_product):
    product = make_product(CENTRAL=1)

    made = offer(product)

    assert published() == [
        events.OfferChanged(
            product_id=product.id,
            version=1,
            owner_id="house",
            title="Brass sextant",
            slug=f"brass-sextant-{product.id[:8]}",
            thumbnail="",
            price=1050,
            currency="EUR",
            max_per_order=5,
            published=True,
        )
    ]
    assert made.slug == f"brass-sextant-{product.id[:8]}"


def test_former_prices_are_kept_and_a_repeat_changes_nothing(make_product):
    product = make_product(CENTRAL=1)
    offer(product)

    offer(product)
    offer(product, published=False)
    offer(product, price=990, now=NOW + timedelta(days=1))

    assert [event.version for event in published()] == [1, 2, 3]
    prices = models.OfferPrice.objects.order_by("id").values_list("price", "at")
    assert list(prices) == [(1050, NOW), (990, NOW + timedelta(days=1))]


@pytest.mark.parametrize(
    ("changes", "field", "detail"),
    [
        ({"price": 0}, "price", "A price is 0.50 to 1000000000.00 EUR."),
        ({"price": -1}, "price", "A price is 0.50 to 1000000000.00 EUR."),
        ({"price": 49}, "price", "A price is 0.50 to 1000000000.00 EUR."),
        ({"price": 49, "currency": "JPY"}, "price", "A price is 50 to 100000000000 JPY."),
        ({"price": 10**12}, "price", "A price is 0.50 to 1000000000.00 EUR."),
        ({"max_per_order": 0}, "max_per_order", "An order may have 1 to 10,000 units."),
        ({"max_per_order": 10_001}, "max_per_order", "An order may have 1 to 10,000 units."),
    ],
)
def test_an_offer_out_of_bounds_is_refused_by_its_field_and_changes_nothing(
    make_product, changes, field, detail
):
    product = make_product(CENTRAL=1)

    with pytest.raises(refusals.InvalidFigure) as refused:
        offer(product, **changes)

    assert (refused.value.field, refused.value.detail) == (field, detail)
    assert not models.Offer.objects.exists()
    assert published() == []


def test_the_least_that_can_be_paid_is_a_price(make_product):
    assert offer(make_product(), price=50).price == 50


def test_a_currency_that_is_not_traded_in_is_refused_and_changes_nothing(make_product):
    product = make_product(CENTRAL=1)

    with pytest.raises(money.CurrencyUnknown) as refused:
        offer(product, currency="XAU")

    assert (refused.value.field, models.Offer.objects.count(), published()) == ("currency", 0, [])


def test_an_offer_of_no_product_is_refused():
    with pytest.raises(refusals.UnknownProduct):
        offer(models.Product(id="f" * 32))


@pytest.mark.django_db(databases=["inventory"], transaction=True)
def test_two_offers_at_once_are_two_versions_and_two_prices(make_product):
    product = make_product(CENTRAL=1)
    offer(product, price=100)

    def one(price):
        try:
            offer(product, price=price)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(price,)) for price in (200, 300, 400, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    prices = list(models.OfferPrice.objects.order_by("id").values_list("price", flat=True))
    assert sorted(prices) == [100, 200, 300, 400, 500]
    assert [(event.version, event.price) for event in published()] == list(enumerate(prices, start=1))
