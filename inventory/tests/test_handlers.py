"""Events of auctions reach the stock through the consumer loop, in one transaction with the inbox."""

import pytest

from auction_project.kernel.contracts import events
from inventory import models
from inventory.tests.conftest import figures, published_names

pytestmark = pytest.mark.django_db(databases=["inventory"])


def requested(product, **changes):
    return events.ListingRequested(
        **{
            "auction_id": "a",
            "product_id": product.id,
            "quantity": 1,
            "format": "english",
            "allocate": "on_listing",
            "requested_by": "house",
            "as_operator": True,
        }
        | changes
    )


def ended(product, auction_id="a"):
    return events.AuctionEnded(auction_id=auction_id, product_id=product.id, seq=9)


def test_a_listing_is_answered_once_although_its_event_comes_twice(make_product, deliver):
    product = make_product(CENTRAL=2)

    deliver(requested(product), "e1")
    deliver(requested(product), "e1")
    deliver(requested(product), "e1 published anew")

    assert (figures(product), published_names()) == (
        {"available": 1, "reserved": 1},
        ["StockChanged", "LotAccepted"],
    )
    assert models.Once.objects.filter(key="event:e1", state="DONE").count() == 1


def test_an_accepted_lot_is_news_as_it_was_asked_for(make_product, deliver):
    product = make_product(CENTRAL=1)

    deliver(requested(product, currency="EUR", start_price=1250), "e1")

    [new] = models.NewLot.objects.values(
        "auction_id", "product_id", "title", "format", "currency", "start_price"
    )
    assert new == {
        "auction_id": "a",
        "product_id": product.id,
        "title": "Brass sextant",
        "format": "english",
        "currency": "EUR",
        "start_price": 1250,
    }


def test_the_end_of_an_auction_frees_its_lot(make_product, deliver):
    product = make_product(CENTRAL=1)
    deliver(requested(product), "e1")

    deliver(ended(product), "e2")

    assert figures(product) == {"available": 1}


def test_an_end_that_overtakes_its_listing_leaves_nothing_reserved(make_product, deliver):
    product = make_product(CENTRAL=1)

    deliver(ended(product), "e2")
    deliver(requested(product), "e1")

    assert (figures(product), published_names()) == ({"available": 1}, ["LotRefused"])


def test_a_relisting_names_the_auction_before_it(make_product, deliver):
    product = make_product(CENTRAL=1)
    deliver(requested(product), "e1")

    deliver(requested(product, auction_id="b", relists="a"), "e3")

    assert "LotRefused" not in published_names()
    assert models.Reservation.objects.get(holder="b").state == "HELD"
