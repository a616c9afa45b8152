"""REST of searches: everyone may search, in the shapes of the shop, and a query that makes no sense names its field."""

import pytest

from auction_project.kernel import ids
from inventory import services
from inventory.tests.conftest import SELLER, bearer
from inventory.tests.search import shop
from inventory.tests.search.shop import offer

pytestmark = pytest.mark.django_db(databases=["inventory"])


def test_everyone_may_list_offers_with_counts(client):
    services.add_category(name="Instruments")
    product = offer(
        "Brass sextant", price=12_900, stock=3, category="instruments", max_per_order=2, owner_id=SELLER
    )

    listed = client.get("/api/v1/offers", {"q": "sextant", "currency": "EUR", "in_stock": "true"})

    assert (listed.status_code, listed["Content-Type"]) == (200, "application/json")
    assert listed.json() == {
        "items": [
            {
                "product_id": product.id,
                "slug": f"brass-sextant-{product.id[:8]}",
                "title": "Brass sextant",
                "thumbnail": "",
                "price": "129.00",
                "currency": "EUR",
                "condition": "GOOD",
                "category": "instruments",
                "available": 3,
                "max_per_order": 2,
                "seller": f"Seller {SELLER[:6]}",
            }
        ],
        "next": None,
        "total": 1,
        "total_is_capped": False,
        "facets": {
            "categories": [{"slug": "instruments", "name": "Instruments", "count": 1}],
            "conditions": [{"value": "GOOD", "count": 1}],
            "prices": {"min": "129.00", "max": "129.00", "currency": "EUR"},
        },
    }


def test_a_list_is_read_page_by_page(client):
    for number in range(5):
        offer(f"brass {number}", price=100 + number)

    titles, cursor = [], ""
    for _ in range(3):
        page = client.get("/api/v1/offers", {"sort": "price", "page_size": 2, "cursor": cursor}).json()
        titles += [item["title"] for item in page["items"]]
        cursor = page["next"]
        assert page["total"] == 5

    assert titles == [f"brass {number}" for number in range(5)]
    assert cursor is None


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"q": "x" * 101}, "invalid", "q"),
        ({"q": "a\0b"}, "invalid", "q"),
        ({"sort": "cheap"}, "invalid", "sort"),
        ({"condition": "new"}, "invalid", "condition"),
        ({"currency": "XXX"}, "invalid", "currency"),
        ({"page_size": "101"}, "invalid", "page_size"),
        ({"page_size": "0"}, "invalid", "page_size"),
        ({"page": "2"}, "invalid", "page"),
        ({"min_price": "5.00"}, "currency_missing", "currency"),
        ({"max_price": "1e3", "currency": "EUR"}, "amount_invalid", "max_price"),
        ({"min_price": "5.00", "max_price": "4.00", "currency": "EUR"}, "prices_crossed", "min_price"),
        ({"category": "nowhere"}, "unknown_category", "category"),
        ({"cursor": "nonsense"}, "invalid_cursor", "cursor"),
        ({"cursor": "x" * 301}, "invalid", "cursor"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_the_name_of_its_field(client, query, code, field):
    answer = client.get("/api/v1/offers", query)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, code, field)


def test_everyone_gets_suggestions(client):
    offer("Brass sextant")

    suggested = client.get("/api/v1/offers/suggestions", {"q": "Sex"})

    assert suggested.json() == {"items": ["sextant", "Brass sextant"]}
    assert client.get("/api/v1/offers/suggestions", {"q": ""}).json() == {"items": []}
    assert client.get("/api/v1/offers/suggestions").status_code == 400
    assert client.get("/api/v1/offers/suggestions", {"q": "x" * 101}).status_code == 400


def test_a_token_that_is_sent_does_no_harm_and_one_product_has_one_place(client):
    first = offer("Brass sextant")
    shop.set_offer(first, price=900)

    listed = client.get("/api/v1/offers", headers=bearer(ids.new_id(), "bidder")).json()

    assert [(item["title"], item["price"]) for item in listed["items"]] == [("Brass sextant", "9.00")]
