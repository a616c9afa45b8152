"""Corrections of a product's description: the service, REST, and what lots keep that were listed before."""

import threading

import pytest
from django.db import connections

from inventory import models, refusals, services
from inventory.tests.conftest import NOW, OTHER, SELLER, bearer, list_lot, published, published_names
from inventory.tests.pictures import picture

pytestmark = pytest.mark.django_db(databases=["inventory"])


def correct(product, **changes):
    return services.correct_product(product_id=product.id, actor="ada", now=NOW, **changes)


def patch(client, product, body, headers):
    address = f"/api/v1/products/{product.id}"
    return client.patch(address, body, content_type="application/json", headers=headers)


def patch_picture(client, product, content, headers, **fields):
    boundary = "b0undary"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
        for n, v in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'.encode()
    body = b"".join(parts) + head + content + f"\r\n--{boundary}--\r\n".encode()
    return client.generic(
        "PATCH",
        f"/api/v1/products/{product.id}",
        body,
        f"multipart/form-data; boundary={boundary}",
        headers=headers,
    )


def assert_unchanged(product):
    present = models.Product.objects.get(id=product.id)
    described = [
        (each.title, each.description, each.condition, each.image_digest) for each in (present, product)
    ]
    assert (described[0], present.corrections.count()) == (described[1], 0)


# --- the service ---------------------------------------------------------------------------------------------------


def test_what_is_left_out_stays_and_what_was_said_is_kept_with_who_changed_it(make_product):
    product = make_product(CENTRAL=2)

    corrected = correct(product, title="  Brass octant ")

    assert (corrected.title, corrected.description, corrected.condition) == (
        "Brass octant",
        "London, about 1880.",
        "GOOD",
    )
    kept = models.Correction.objects.get()
    assert (kept.product_id, kept.title, kept.description, kept.condition, kept.actor, kept.at) == (
        product.id,
        "Brass sextant",
        "London, about 1880.",
        "GOOD",
        "ada",
        NOW,
    )
    assert (corrected.stock_version, published()) == (product.stock_version, [])


def test_a_repeat_changes_nothing(make_product):
    product = make_product()

    for _ in range(2):
        correct(product, title="Brass octant", image=picture())
    correct(product)

    assert models.Correction.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"description": "x" * 5001}, "description"),
        ({"condition": "BROKEN"}, "condition"),
        ({"image": b"<svg>"}, "image"),
        ({"title": "Fine", "image": b""}, "image"),
    ],
)
def test_a_correction_obeys_the_rules_of_a_new_product(make_product, changes, field):
    product = make_product()

    with pytest.raises((refusals.InvalidText, refusals.UnusableImage)) as refused:
        correct(product, **changes)

    assert refused.value.field == field
    assert_unchanged(product)


def test_a_product_that_is_not_there_cannot_be_corrected():
    with pytest.raises(refusals.UnknownProduct):
        services.correct_product(product_id="f" * 32, title="x", actor="ada", now=NOW)


def test_a_description_may_be_emptied(make_product):
    assert correct(make_product(), description="").description == ""


@pytest.mark.django_db(databases=["inventory"], transaction=True)
def test_twenty_corrections_at_once_are_a_chain_without_a_gap(make_product):
    """Each row has the description that the correction before it left: none replaced a state that it had not seen."""
    product = make_product()

    def one(number):
        try:
            correct(product, title=f"Title {number}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    product.refresh_from_db()
    described = [*models.Correction.objects.order_by("id").values_list("title", flat=True), product.title]
    assert described[0] == "Brass sextant"
    assert sorted(described[1:]) == sorted(f"Title {number}" for number in range(20))


# --- lots that were listed before ----------------------------------------------------------------------------------


def test_a_listed_lot_keeps_its_text_and_its_picture_and_the_next_has_the_new_ones(client, make_product):
    product = make_product(CENTRAL=2)
    correct(product, image=picture(size=(100, 100)))
    list_lot(product, auction="a")

    correct(product, title="Brass octant", description="", image=picture(size=(200, 100)))
    list_lot(product, auction="b")

    before, after = [event for event in published() if type(event).__name__ == "LotAccepted"]
    assert published_names().count("LotAccepted") == 2
    assert (before.title, before.text) == ("Brass sextant", "London, about 1880.")
    assert (after.title, after.text) == ("Brass octant", "")
    assert before.thumbnail != after.thumbnail
    old, new = client.get(before.thumbnail), client.get(after.thumbnail)
    assert {answer.status_code for answer in (old, new)} == {200}
    assert {answer["Cache-Control"] for answer in (old, new)} == {"public, max-age=31536000, immutable"}
    assert old.content != new.content


@pytest.mark.parametrize("version", ["", "old", "0" * 12, "%00", "%25", "_" * 12])
def test_a_version_that_never_was_shows_the_present_picture(client, make_product, version):
    product = correct(make_product(), image=picture(size=(100, 100)))
    product = correct(product, image=picture(size=(200, 100)))

    shown = client.get(f"/api/v1/products/{product.id}/image?v={version}")

    assert (shown.content, shown["Cache-Control"]) == (
        client.get(product.image_url).content,
        "public, max-age=60",
    )


# --- REST ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def people():
    return {
        "nobody": {},
        "a bidder": bearer(SELLER, "bidder"),
        "another seller": bearer(OTHER, "bidder", "seller"),
        "the owner": bearer(SELLER, "bidder", "seller"),
        "an operator": bearer("0" * 32, "operator"),
    }


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("nobody", 401, "unauthenticated"),
        ("a bidder", 403, "forbidden"),
        ("another seller", 404, "product_not_found"),
    ],
)
def test_who_may_not_correct_changes_nothing(client, make_product, people, who, status, code):
    product = make_product(owner_id=SELLER)

    answers = [
        patch(client, product, {"title": "Mine"}, people[who]),
        patch_picture(client, product, picture(), people[who]),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(status, code)] * 2
    assert answers[0]["Content-Type"] == "application/problem+json"
    assert_unchanged(product)


@pytest.mark.parametrize(("who", "actor"), [("the owner", SELLER), ("an operator", "0" * 32)])
def test_the_owner_and_an_operator_correct_and_see_the_product(client, make_product, people, who, actor):
    product = make_product(owner_id=SELLER, CENTRAL=2)

    answer = patch(client, product, {"title": "Brass octant", "condition": "FAIR"}, people[who])

    assert answer.status_code == 200
    seen = client.get(f"/api/v1/products/{product.id}", headers=people[who]).json()
    assert answer.json() == seen
    assert (seen["title"], seen["condition"], seen["description"], seen["on_hand"]) == (
        "Brass octant",
        "FAIR",
        "London, about 1880.",
        2,
    )
    assert models.Correction.objects.get().actor == actor


def test_a_sellers_correction_of_a_product_of_the_house_is_not_found(client, make_product, people):
    product = make_product()

    assert patch(client, product, {"title": "Mine"}, people["the owner"]).status_code == 404
    assert_unchanged(product)


def test_the_owner_puts_another_picture_in_its_place(client, make_product, people):
    product = make_product(owner_id=SELLER)

    answer = patch_picture(
        client, product, picture(size=(300, 200)), people["the owner"], title="With a picture"
    )

    assert (answer.status_code, answer.json()["title"]) == (200, "With a picture")
    assert client.get(answer.json()["thumbnail"]).status_code == 200


def test_an_empty_title_beside_a_picture_is_refused_as_in_json(client, make_product, people):
    product = make_product(owner_id=SELLER)

    answer = patch_picture(client, product, picture(), people["the owner"], title="")

    assert (answer.status_code, answer.json()["field"]) == (400, "title")
    assert_unchanged(product)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"title": ["x"]}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"condition": "BROKEN"}, "condition"),
        ({"image": "not a file"}, "image"),
        ({"sku": "MINE"}, "sku"),
        ({"owner_id": SELLER}, "owner_id"),
        ({"title": "Fine", "low_threshold": 1}, "low_threshold"),
    ],
)
def test_a_bad_correction_names_its_field_and_changes_nothing(client, make_product, people, body, field):
    product = make_product(owner_id=SELLER)

    answer = patch(client, product, body, people["the owner"])

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["field"] == field
    assert_unchanged(product)


@pytest.mark.parametrize("product_id", ["f" * 32, "x", "%00", "F" * 32])
def test_an_id_that_is_none_is_not_there(client, people, product_id):
    answer = client.patch(
        f"/api/v1/products/{product_id}",
        {"title": "x"},
        content_type="application/json",
        headers=people["an operator"],
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


def test_a_file_that_is_no_picture_is_refused(client, make_product, people):
    product = make_product(owner_id=SELLER)

    answer = patch_picture(client, product, b"<script>", people["the owner"])

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        400,
        "unusable_image",
        "image",
    )
    assert_unchanged(product)


def test_a_form_without_a_field_that_can_be_read_is_refused(client, make_product, people):
    product = make_product(owner_id=SELLER)

    answer = client.generic(
        "PATCH",
        f"/api/v1/products/{product.id}",
        b"--b0undary\r\ntitle: Brass octant\r\n--b0undary--\r\n",
        "multipart/form-data; boundary=b0undary",
        headers=people["the owner"],
    )

    assert (answer.status_code, answer.json()["detail"]) == (400, "The form has no field that can be read.")
    assert_unchanged(product)


def test_a_correction_without_a_field_is_no_change(client, make_product, people):
    product = make_product(owner_id=SELLER)

    assert patch(client, product, {}, people["the owner"]).status_code == 200
    assert_unchanged(product)
