"""REST of the shop: who sees and sets an offer, what everyone sees, and bodies that break a rule."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from inventory import models, services
from inventory.tests.conftest import NOW, OTHER, SELLER, bearer, published
from inventory.tests.pictures import picture

pytestmark = pytest.mark.django_db(databases=["inventory"])
TERMS = {"price": "10.50", "currency": "EUR", "max_per_order": 5, "published": True}


@pytest.fixture
def people():
    return {
        "nobody": {},
        "a bidder": bearer(SELLER, "bidder"),
        "another seller": bearer(OTHER, "bidder", "seller"),
        "the owner": bearer(SELLER, "bidder", "seller"),
        "an operator": bearer("0" * 32, "operator"),
    }


def put(client, product, body, headers):
    address = f"/api/v1/products/{product.id}/offer"
    return client.put(address, body, content_type="application/json", headers=headers)


def set_offer(product, **changes):
    terms = {"price": 1050, "currency": "EUR", "max_per_order": 5, "published": True, "now": NOW}
    return services.set_offer(product_id=product.id, actor="o", **terms | changes)


# --- who -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("nobody", 401, "unauthenticated"),
        ("a bidder", 403, "forbidden"),
        ("another seller", 404, "product_not_found"),
    ],
)
def test_who_does_not_own_a_product_neither_sees_nor_sets_its_offer(
    client, make_product, people, who, status, code
):
    product = make_product(owner_id=SELLER, CENTRAL=1)
    set_offer(product, published=False)
    models.Outbox.objects.all().delete()

    answers = [
        put(client, product, TERMS | {"price": "1.00"}, people[who]),
        client.get(f"/api/v1/products/{product.id}/offer", headers=people[who]),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(status, code)] * 2
    assert (models.Offer.objects.get().price, published()) == (1050, [])


@pytest.mark.parametrize("who", ["the owner", "an operator"])
def test_the_owner_and_an_operator_set_and_see_an_offer_with_its_prices(client, make_product, people, who):
    product = make_product(owner_id=SELLER, CENTRAL=2)
    put(client, product, TERMS, people[who])

    answer = put(client, product, TERMS | {"price": "9.90", "published": False}, people[who])

    assert answer.status_code == 200
    seen = client.get(f"/api/v1/products/{product.id}/offer", headers=people[who]).json()
    assert seen == answer.json()
    assert [(price["price"], price["currency"]) for price in seen["prices"]] == [
        ("9.90", "EUR"),
        ("10.50", "EUR"),
    ]
    assert (seen["price"], seen["published"], seen["version"], seen["available"], seen["seller"]) == (
        "9.90",
        False,
        2,
        2,
        "Seller 555555",
    )
    actors = {"the owner": SELLER, "an operator": "0" * 32}
    assert set(models.OfferPrice.objects.values_list("actor", flat=True)) == {actors[who]}


def test_a_seller_sets_no_offer_of_the_house(client, make_product, people):
    product = make_product(CENTRAL=1)

    assert put(client, product, TERMS, people["the owner"]).status_code == 404
    assert not models.Offer.objects.exists()


def test_a_product_that_was_never_offered_has_no_offer(client, make_product, people):
    product = make_product(owner_id=SELLER)

    answer = client.get(f"/api/v1/products/{product.id}/offer", headers=people["the owner"])

    assert (answer.status_code, answer.json()["code"]) == (404, "offer_not_found")


# --- what everyone sees ----------------------------------------------------------------------------------------------


def test_everyone_sees_a_published_offer_whole(client, make_product):
    services.add_category(name="Instruments")
    product = make_product(owner_id=SELLER, CENTRAL=2, HARBOUR=1)
    services.correct_product(
        product_id=product.id,
        category="instruments",
        attributes=[{"name": "Maker", "value": "Dollond"}],
        image=picture(),
        actor="x",
        now=NOW,
    )
    services.add_picture(product_id=product.id, image=picture(color="red"), alt="The box", actor="x", now=NOW)
    slug = set_offer(product).slug

    answer = client.get(f"/api/v1/offers/{slug}")

    first, second = models.Picture.objects.all()
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "product_id": product.id,
            "slug": f"brass-sextant-{product.id[:8]}",
            "title": "Brass sextant",
            "thumbnail": first.thumbnail_url,
            "price": "10.50",
            "currency": "EUR",
            "condition": "GOOD",
            "category": "instruments",
            "available": 3,
            "max_per_order": 5,
            "seller": "Seller 555555",
            "description": "London, about 1880.",
            "pictures": [
                {"url": first.url, "thumbnail": first.thumbnail_url, "alt": "Brass sextant"},
                {"url": second.url, "thumbnail": second.thumbnail_url, "alt": "The box"},
            ],
            "attributes": [{"name": "Maker", "value": "Dollond"}],
            "updated_at": 1_777_896_000_000,
        },
    )


def test_the_list_of_products_says_what_each_costs_in_the_shop(client, make_product, people):
    offered, other = make_product(owner_id=SELLER, CENTRAL=1), make_product(owner_id=SELLER)
    offer = set_offer(offered, published=False)

    items = client.get("/api/v1/products", headers=people["the owner"]).json()["items"]

    assert {item["id"]: item["offer"] for item in items} == {
        other.id: None,
        offered.id: {
            "slug": offer.slug,
            "price": "10.50",
            "currency": "EUR",
            "max_per_order": 5,
            "published": False,
        },
    }


def test_an_offer_of_the_house_says_so_and_one_without_extras_is_whole(client, make_product):
    slug = set_offer(make_product(), currency="JPY").slug

    offer = client.get(f"/api/v1/offers/{slug}").json()

    assert (offer["seller"], offer["category"], offer["available"]) == ("house", None, 0)
    assert (offer["pictures"], offer["attributes"], offer["price"]) == ([], [], "1050")


def test_an_offer_that_is_not_published_is_not_there(client, make_product, people):
    slug = set_offer(make_product(owner_id=SELLER), published=False).slug

    for headers in people.values():
        answer = client.get(f"/api/v1/offers/{slug}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "offer_not_found")


@pytest.mark.parametrize("slug", ["none", "%00", "a" * 500, "%F0%9F%94%A8"])
def test_a_slug_that_is_none_is_not_there(client, slug):
    assert client.get(f"/api/v1/offers/{slug}").status_code == 404


def test_a_title_in_another_script_has_an_address_too(make_product):
    product = make_product()
    services.correct_product(product_id=product.id, title="真鍮の六分儀", actor="x", now=NOW)

    assert set_offer(product).slug == f"product-{product.id[:8]}"


def test_everyone_sees_the_categories_with_the_offers_in_and_below_them(client, make_product):
    services.add_category(name="Antiques")
    services.add_category(name="Clocks", parent="antiques")
    services.add_category(name="Books")
    for category, is_published in (("antiques", True), ("clocks", True), ("clocks", True), ("books", False)):
        product = make_product()
        services.correct_product(product_id=product.id, category=category, actor="x", now=NOW)
        set_offer(product, published=is_published)

    assert client.get("/api/v1/categories").json() == {
        "items": [
            {"slug": "antiques", "name": "Antiques", "parent": None, "offers": 3},
            {"slug": "clocks", "name": "Clocks", "parent": "antiques", "offers": 2},
            {"slug": "books", "name": "Books", "parent": None, "offers": 0},
        ]
    }


def test_the_tree_is_one_query(make_product, django_assert_num_queries, client):
    for name in ("Antiques", "Books", "Clocks"):
        services.add_category(name=name)

    with django_assert_num_queries(1, using="inventory"):
        client.get("/api/v1/categories")


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"price": "0"}, "price", "amount_invalid"),
        ({"price": "-1.00"}, "price", "amount_invalid"),
        ({"price": "1.005"}, "price", "amount_invalid"),
        ({"price": "1000000000.01"}, "price", "amount_invalid"),
        ({"price": "0.49"}, "price", "invalid_figure"),
        ({"price": 10.5}, "price", "invalid"),
        ({"price": "10.50", "currency": "JPY"}, "price", "amount_invalid"),
        ({"currency": "XXX"}, "currency", "invalid"),
        ({"currency": None}, "currency", "invalid"),
        ({"max_per_order": 0}, "max_per_order", "invalid"),
        ({"max_per_order": 10_001}, "max_per_order", "invalid"),
        ({"max_per_order": "5"}, "max_per_order", "invalid"),
        ({"published": "yes"}, "published", "invalid"),
        ({"slug": "mine"}, "slug", "invalid"),
    ],
)
def test_a_bad_offer_names_its_field_and_the_rule_and_changes_nothing(
    client, make_product, people, changes, field, code
):
    product = make_product(owner_id=SELLER)

    answer = put(client, product, TERMS | changes, people["the owner"])

    assert (answer.status_code, answer.json()["field"], answer.json()["code"]) == (400, field, code)
    assert (models.Offer.objects.count(), published()) == (0, [])


@pytest.mark.parametrize("missing", sorted(TERMS))
def test_an_offer_needs_all_its_terms(client, make_product, people, missing):
    product = make_product(owner_id=SELLER)

    answer = put(
        client, product, {name: TERMS[name] for name in TERMS if name != missing}, people["the owner"]
    )

    assert (answer.status_code, answer.json()["field"]) == (400, missing)


# --- products: category, facts, pictures -----------------------------------------------------------------------------


BODY = {"sku": "CLOCK-1", "title": "Mantel clock", "condition": "GOOD"}
FACTS = [{"name": "Maker", "value": "Dent"}, {"name": "Year", "value": "1880"}]


def post(client, body, headers):
    return client.post("/api/v1/products", body, content_type="application/json", headers=headers)


def test_a_product_is_created_and_corrected_with_category_and_facts(client, people):
    services.add_category(name="Clocks")

    made = post(client, BODY | {"category": "clocks", "attributes": FACTS}, people["the owner"]).json()

    assert (made["category"], made["attributes"], made["pictures"]) == ("clocks", FACTS, [])
    address = f"/api/v1/products/{made['id']}"
    changes = {"category": "", "attributes": FACTS[1:]}
    corrected = client.patch(
        address, changes, content_type="application/json", headers=people["the owner"]
    ).json()
    assert (corrected["category"], corrected["attributes"]) == (None, FACTS[1:])


def test_a_form_holds_facts_as_json_beside_its_picture(client, people):
    form = BODY | {
        "attributes": '[{"name": "Maker", "value": "Dent"}]',
        "alt": "The dial",
        "image": SimpleUploadedFile("x", picture()),
    }

    made = client.post("/api/v1/products", form, headers=people["the owner"]).json()

    assert (made["attributes"], [one["alt"] for one in made["pictures"]]) == (FACTS[:1], ["The dial"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"category": "none"}, "category"),
        ({"category": 7}, "category"),
        ({"attributes": "["}, "attributes"),
        ({"attributes": {"name": "x", "value": "y"}}, "attributes"),
        ({"attributes": [{"name": "x"}]}, "attributes.0.value"),
        ({"attributes": [{"name": "x", "value": "y", "unit": "mm"}]}, "attributes.0.unit"),
        ({"attributes": [{"name": "x", "value": "y"}] * 2}, "attributes"),
        ({"attributes": [FACTS[0]] * 31}, "attributes"),
        ({"title": "\u202e\u200b"}, "title"),
    ],
)
def test_a_bad_category_or_fact_names_its_field_and_changes_nothing(client, people, changes, field):
    answer = post(client, BODY | changes, people["the owner"])

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not models.Product.objects.exists()


def add(client, product, headers, color="red", alt="", key=None):
    form = {"image": SimpleUploadedFile("x", picture(color=color)), "alt": alt}
    keyed = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/v1/products/{product.id}/pictures", form, headers=headers | keyed)


def arrange(client, product, pictures, headers):
    address = f"/api/v1/products/{product.id}/pictures"
    return client.put(address, {"pictures": pictures}, content_type="application/json", headers=headers)


@pytest.mark.parametrize("who", ["the owner", "an operator"])
def test_the_owner_and_an_operator_add_and_arrange_pictures(client, make_product, people, who):
    product = make_product(owner_id=SELLER)
    add(client, product, people[who], "red", "Red")
    answer = add(client, product, people[who], "green")
    red, green = answer.json()["pictures"]

    arranged = arrange(client, product, [{"id": green["id"], "alt": "Green"}, {"id": red["id"]}], people[who])

    assert (answer.status_code, arranged.status_code) == (201, 200)
    body = arranged.json()
    assert [(one["id"], one["alt"]) for one in body["pictures"]] == [
        (green["id"], "Green"),
        (red["id"], "Red"),
    ]
    assert (body["thumbnail"], body["image"]) == (green["thumbnail"], green["url"])
    assert client.get(green["url"]).content != client.get(red["url"]).content


def test_a_repeated_upload_under_its_key_shows_no_second_picture_and_brings_none_back(
    client, make_product, people
):
    product, owner = make_product(owner_id=SELLER), people["the owner"]
    first, again = (add(client, product, owner, "red", "Red", key="k") for _ in range(2))
    arrange(client, product, [], owner)

    late = add(client, product, owner, "red", "Red", key="k")

    assert (first.status_code, again.json()) == (201, first.json())
    assert (late.status_code, late.json()["pictures"]) == (201, [])
    assert len(add(client, product, owner, "red", "Red", key="l").json()["pictures"]) == 1


def test_another_upload_under_a_used_key_is_refused_and_changes_nothing(client, make_product, people):
    product, other = (make_product(owner_id=SELLER) for _ in range(2))
    shown = add(client, product, people["the owner"], "red", "Red", key="k").json()["pictures"]

    refused = [
        add(client, product, people["the owner"], "green", "Red", key="k"),
        add(client, product, people["the owner"], "red", "Another text", key="k"),
        add(client, other, people["the owner"], "red", "Red", key="k"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(422, "key_reused")] * 3
    assert [one.public_id for one in models.Picture.objects.all()] == [shown[0]["id"]]
    assert (
        add(client, product, people["an operator"], "green", key="k").status_code == 201
    )  # a key is its sender's


def test_a_refused_upload_leaves_its_key_free(client, make_product, people, monkeypatch):
    product = make_product(owner_id=SELLER)
    monkeypatch.setattr("inventory.services.pictures.MAX_PICTURES", 0)
    refused = add(client, product, people["the owner"], "red", key="k")
    monkeypatch.undo()

    added = add(client, product, people["the owner"], "green", key="k")

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_pictures")
    assert (added.status_code, len(added.json()["pictures"])) == (201, 1)


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("a bidder", 403), ("another seller", 404)])
def test_who_does_not_own_a_product_changes_none_of_its_pictures(client, make_product, people, who, status):
    product = make_product(owner_id=SELLER)
    (present,) = add(client, product, people["the owner"]).json()["pictures"]

    answers = [
        add(client, product, people[who], "green"),
        arrange(client, product, [], people[who]),
    ]

    assert [answer.status_code for answer in answers] == [status, status]
    assert [one.public_id for one in models.Picture.objects.filter(position__isnull=False)] == [present["id"]]


@pytest.mark.parametrize(
    ("pictures", "field"),
    [
        ([{"id": "f" * 12}], "pictures"),
        ([{"alt": "x"}], "pictures.0.id"),
        ([{"id": "f" * 13}], "pictures.0.id"),
        ("all", "pictures"),
        ([{"id": "f" * 12}] * 13, "pictures"),
    ],
)
def test_a_bad_order_of_pictures_names_its_field_and_changes_nothing(
    client, make_product, people, pictures, field
):
    product = make_product(owner_id=SELLER)
    add(client, product, people["the owner"])

    answer = arrange(client, product, pictures, people["the owner"])

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert models.Picture.objects.filter(position=0).count() == 1


# --- categories ------------------------------------------------------------------------------------------------------


def test_operators_alone_remove_a_category_and_once(client, people):
    services.add_category(name="Antiques")
    services.add_category(name="Clocks", parent="antiques")
    address = "/api/v1/categories/clocks"

    refused = {
        who: client.delete(address, headers=people[who]).status_code
        for who in ("nobody", "a bidder", "the owner")
    }
    full = client.delete("/api/v1/categories/antiques", headers=people["an operator"])
    removed = client.delete(address, headers=people["an operator"])
    again = client.delete(address, headers=people["an operator"])

    assert refused == {"nobody": 401, "a bidder": 403, "the owner": 403}
    assert (full.status_code, full.json()["code"], full.json()["categories"]) == (409, "category_in_use", 1)
    assert (removed.status_code, again.status_code, again.json()["code"]) == (204, 404, "category_not_found")
    assert list(models.Category.objects.values_list("slug", flat=True)) == ["antiques"]
