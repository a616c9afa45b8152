"""REST of the stock: who sees and creates what, bad bodies, and the public pictures."""

import io
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from inventory import models, urls
from inventory.tests.conftest import OTHER, SELLER, bearer, figures, published
from inventory.tests.pictures import picture

pytestmark = pytest.mark.django_db(databases=["inventory"])
OPERATOR = "0" * 32
KEY = {"Idempotency-Key": "k"}
BODY = {"sku": "CLOCK-1", "title": "Mantel clock", "condition": "GOOD", "description": "Ticks."}


@pytest.fixture
def seller():
    return bearer(SELLER, "bidder", "seller")


@pytest.fixture
def other():
    return bearer(OTHER, "bidder", "seller")


@pytest.fixture
def bidder():
    return bearer(OTHER, "bidder")


@pytest.fixture
def operator():
    return bearer(OPERATOR, "operator")


def post(client, body, headers):
    return client.post("/api/v1/products", body, content_type="application/json", headers=headers)


def post_form(client, body, headers):
    return client.post("/api/v1/products", body, headers=headers)


# --- who -----------------------------------------------------------------------------------------------------------


def test_nobody_sees_or_creates_products(client, make_product):
    product = make_product(CENTRAL=1)

    for answer in (
        client.get("/api/v1/products"),
        client.get(f"/api/v1/products/{product.id}"),
        post(client, BODY, {}),
    ):
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert models.Product.objects.count() == 1


def test_a_forged_token_is_nobody(client):
    answer = client.get("/api/v1/products", headers={"Authorization": "Bearer x.y.z"})

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_a_seller_sees_his_own_products_and_an_operator_all(client, make_product, seller, operator):
    own, house = make_product(owner_id=SELLER, CENTRAL=2), make_product(CENTRAL=1)

    seen = client.get("/api/v1/products", headers=seller).json()
    assert ([item["id"] for item in seen["items"]], seen["total"]) == ([own.id], 1)
    seen = client.get("/api/v1/products", headers=operator).json()
    assert [item["id"] for item in seen["items"]] == [own.id, house.id]

    assert client.get(f"/api/v1/products/{own.id}", headers=operator).status_code == 200
    assert client.get(f"/api/v1/products/{own.id}", headers=seller).json() == {
        "id": own.id,
        "sku": own.sku,
        "title": "Brass sextant",
        "description": "London, about 1880.",
        "condition": "GOOD",
        "category": None,
        "attributes": [],
        "owner_id": SELLER,
        "image": "",
        "thumbnail": "",
        "on_hand": 2,
        "available": 2,
        "reserved": 0,
        "committed": 0,
        "low_threshold": 0,
        "is_low": False,
        "version": own.stock_version,
        "offer": None,
        "pictures": [],
    }


def test_another_sellers_product_is_not_there(client, make_product, other):
    product = make_product(owner_id=SELLER, CENTRAL=1)

    answer = client.get(f"/api/v1/products/{product.id}", headers=other)

    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")
    assert client.get("/api/v1/products", headers=other).json()["items"] == []


@pytest.mark.parametrize("product_id", ["f" * 32, "x", "%00", "F" * 32, "a" * 33])
def test_an_id_that_is_none_is_not_there(client, operator, product_id):
    answer = client.get(f"/api/v1/products/{product_id}", headers=operator)

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_bidder_creates_nothing(client, bidder):
    answer = post(client, BODY, bidder)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not models.Product.objects.exists()


def test_a_seller_creates_a_product_of_his_own_without_stock(client, seller):
    answer = post(client, BODY, seller)

    assert answer.status_code == 201
    created = models.Product.objects.get()
    assert (created.id, created.owner_id, created.created_by) == (answer.json()["id"], SELLER, SELLER)
    assert (answer.json()["sku"], answer.json()["on_hand"], figures(created), published()) == (
        "CLOCK-1",
        0,
        {},
        [],
    )


def test_a_repeat_under_the_same_key_is_the_same_product_and_another_body_is_refused(client, seller, other):
    first, second = (post(client, BODY, seller | KEY) for _ in range(2))
    changed = post(client, BODY | {"title": "Another clock"}, seller | KEY)
    of_another = post(client, BODY | {"sku": "CLOCK-2"}, other | KEY)

    assert (first.status_code, second.status_code, of_another.status_code) == (201, 201, 201)
    assert first.json() == second.json()
    assert (changed.status_code, changed.json()["code"]) == (422, "key_reused")
    assert sorted(models.Product.objects.values_list("sku", flat=True)) == ["CLOCK-1", "CLOCK-2"]


def test_a_refused_product_leaves_its_key_free(client, seller):
    post(client, BODY, seller)
    refused = post(client, BODY, seller | KEY)
    corrected = post(client, BODY | {"sku": "CLOCK-2"}, seller | KEY)

    assert (refused.status_code, refused.json()["code"]) == (409, "sku_taken")
    assert (corrected.status_code, corrected.json()["sku"]) == (201, "CLOCK-2")


def test_a_seller_creates_nothing_for_others(client, seller):
    for owner in (OTHER, "house"):
        answer = post(client, BODY | {"owner_id": owner}, seller)
        assert (answer.status_code, answer.json()["field"]) == (403, "owner_id")

    assert not models.Product.objects.exists()


def test_an_operator_creates_for_the_house_or_for_a_seller(client, operator):
    assert post(client, BODY, operator).json()["owner_id"] == "house"
    assert post(client, BODY | {"sku": "CLOCK-2", "owner_id": SELLER}, operator).json()["owner_id"] == SELLER


# --- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "count"), [("sextant brass", 2), ("brass {sku}", 1), ("brass spoon", 0)])
def test_each_word_of_a_search_must_match(client, make_product, operator, query, count):
    products = [make_product(), make_product()]

    address = "/api/v1/products?" + urlencode({"q": query.format(sku=products[1].sku)})

    assert client.get(address, headers=operator).json()["total"] == count


def test_line_breaks_of_a_description_are_kept(client, make_product, operator):
    product = make_product()
    text = "London, about 1880.\n\nCracked lens."

    client.patch(
        f"/api/v1/products/{product.id}",
        {"description": text},
        content_type="application/json",
        headers=operator,
    )

    assert client.get(f"/api/v1/products/{product.id}", headers=operator).json()["description"] == text


def test_lists_are_searched_and_paged(client, make_product, operator):
    products = [make_product(CENTRAL=1) for _ in range(3)]

    page = client.get("/api/v1/products?page=2&page_size=2", headers=operator).json()
    assert ([item["id"] for item in page["items"]], page["page"], page["pages"], page["total"]) == (
        [products[2].id],
        2,
        2,
        3,
    )
    assert client.get("/api/v1/products?page=9", headers=operator).json()["items"] == []
    matching = client.get(f"/api/v1/products?q={products[1].sku.lower()}", headers=operator).json()
    assert [item["id"] for item in matching["items"]] == [products[1].id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=x", "page"),
        ("page_size=101", "page_size"),
        ("page=99999999999", "page"),
        ("q=%00", "q"),
        ("color=red", "color"),
    ],
)
def test_a_bad_query_names_its_field(client, operator, query, field):
    answer = client.get(f"/api/v1/products?{query}", headers=operator)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


# --- bad bodies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "x" * 41}, "sku"),
        ({"sku": None}, "sku"),
        ({"sku": ["x"]}, "sku"),
        ({"title": " "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"description": "x" * 5001}, "description"),
        ({"condition": "BROKEN"}, "condition"),
        ({"owner_id": "me"}, "owner_id"),
        ({"owner_id": "house-2"}, "owner_id"),
        ({"stock": 5}, "stock"),
        ({"image": "not a file"}, "image"),
    ],
)
def test_a_bad_body_names_its_field_and_changes_nothing(client, operator, changes, field):
    answer = post(client, BODY | changes, operator)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["field"] == field
    assert not models.Product.objects.exists()


@pytest.mark.parametrize("field", ["owner_id", "title", "image"])
def test_an_empty_field_of_a_form_is_refused_as_in_json(client, operator, field):
    answer = post_form(client, BODY | {field: ""}, operator)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not models.Product.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("7", "application/json", 400),
        ("null", "application/json", 400),
        ("a=b", "text/plain", 415),
    ],
)
def test_a_body_that_is_no_object_is_refused(client, operator, body, content_type, status):
    answer = client.post("/api/v1/products", body, content_type=content_type, headers=operator)

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_a_sku_is_taken_once(client, operator):
    post(client, BODY, operator)

    answer = post(client, BODY | {"title": "Another"}, operator)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (409, "sku_taken", "sku")
    assert models.Product.objects.count() == 1


# --- pictures ------------------------------------------------------------------------------------------------------


def test_a_product_with_a_picture_names_it_and_anybody_sees_it(client, seller):
    upload = SimpleUploadedFile("clock.exe", picture(size=(2000, 1000)), "application/x-msdownload")

    answer = post_form(client, BODY | {"image": upload}, seller)

    assert answer.status_code == 201
    for address, size in ((answer.json()["image"], (1600, 800)), (answer.json()["thumbnail"], (400, 200))):
        shown = client.get(address)
        assert (shown.status_code, shown["Content-Type"]) == (200, "image/jpeg")
        assert shown["Cache-Control"] == "public, max-age=31536000, immutable"
        assert Image.open(io.BytesIO(shown.content)).size == size


def test_the_addresses_in_events_are_those_that_are_served(client, seller):
    product_id = post_form(client, BODY | {"image": SimpleUploadedFile("x", picture())}, seller).json()["id"]
    product = models.Product.objects.get(id=product_id)

    served = {
        f"/api/v1/{pattern.pattern}".replace("<str:product_id>", product_id) for pattern in urls.urlpatterns
    }

    assert {product.image_url.partition("?")[0], product.thumbnail_url.partition("?")[0]} <= served


def test_an_address_without_the_content_it_names_is_not_kept_for_ever(client, seller):
    answer = post_form(client, BODY | {"image": SimpleUploadedFile("x", picture())}, seller)

    shown = client.get(f"/api/v1/products/{answer.json()['id']}/image?v=old")

    assert (shown.status_code, shown["Cache-Control"]) == (200, "public, max-age=60")


@pytest.mark.parametrize("content", [b"<script>", picture("GIF"), picture("PNG")[:-40], b""])
def test_a_file_that_is_no_picture_is_refused_and_nothing_is_kept(client, seller, media, content):
    answer = post_form(
        client, BODY | {"image": SimpleUploadedFile("clock.png", content, "image/png")}, seller
    )

    assert (answer.status_code, answer.json()["field"]) == (400, "image")
    assert (models.Product.objects.count(), list(media.iterdir())) == (0, [])


def test_a_product_without_a_picture_has_none_to_show(client, make_product):
    product = make_product(CENTRAL=1)

    for address in (f"{product.id}/image", f"{product.id}/thumbnail", "f" * 32 + "/image", "%00/image"):
        answer = client.get(f"/api/v1/products/{address}")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_picture_whose_file_is_gone_is_not_there(client, seller, media):
    answer = post_form(client, BODY | {"image": SimpleUploadedFile("x", picture())}, seller)
    for stored in media.rglob("*.jpg"):
        stored.unlink()

    assert client.get(answer.json()["image"]).status_code == 404


def test_a_browsers_accept_header_gets_the_picture(client, seller):
    answer = post_form(client, BODY | {"image": SimpleUploadedFile("x", picture())}, seller)

    assert client.get(answer.json()["image"], headers={"Accept": "image/avif,image/webp"}).status_code == 200
