"""Who may correct the description of a product in the admin, and that it is recorded."""

import re

import pytest
from django.contrib.admin.models import LogEntry

from inventory import models
from inventory.tests.pictures import upload

pytestmark = pytest.mark.django_db(databases=["default", "inventory", "sagas"])
CORRECTED = {"title": "Brass octant", "description": "Liverpool, 1874.", "condition": "FAIR"}


def submit(client, product, **fields):
    """Open the product's page, and send it with what a browser sends anyway and these fields."""
    place = f"/admin/inventory/product/{product.id}/change/"
    page = client.get(place).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return client.post(place, hidden | fields)


@pytest.mark.parametrize("group", [None, "stock clerk"])
def test_a_clerk_corrects_text_and_picture_and_is_recorded(client, sign_in, make_product, group):
    product = make_product(CENTRAL=2)
    user = sign_in(group)
    others = {"sku": "MINE", "owner_id": "5" * 32, "low_threshold": 9}

    answer = submit(client, product, **CORRECTED, **others, **{"pictures-0-upload": upload()})

    now_said = models.Product.objects.get(id=product.id)
    assert answer.status_code == 302
    assert (now_said.title, now_said.description, now_said.condition) == tuple(CORRECTED.values())
    assert (now_said.sku, now_said.owner_id, now_said.low_threshold) == (product.sku, "house", 0)
    assert client.get(now_said.image_url).status_code == 200
    [correction] = product.corrections.all()
    assert (correction.title, correction.actor) == ("Brass sextant", user.pk)
    assert LogEntry.objects.get().user_id == user.pk
    assert submit(client, product, **CORRECTED).status_code == 302
    assert product.corrections.count() == 1
    page = client.get(f"/admin/inventory/product/{product.id}/change/").content.decode()
    assert "edit history" in page.lower()
    assert "Brass sextant" in page
    assert user.email in page.partition("dit history")[2]


@pytest.mark.parametrize("group", ["auction operator", "viewer", "finance"])
def test_a_role_that_only_looks_corrects_nothing(client, sign_in, make_product, group):
    product = make_product(CENTRAL=2)
    sign_in(group)

    answer = client.post(f"/admin/inventory/product/{product.id}/change/", CORRECTED)

    assert answer.status_code == 403
    product.refresh_from_db()
    assert (product.title, product.corrections.count()) == ("Brass sextant", 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"condition": "BROKEN"}, "condition"),
    ],
)
def test_a_bad_correction_is_refused_beside_its_field(client, sign_in, make_product, changes, field):
    product = make_product()
    sign_in()

    answer = submit(client, product, **CORRECTED | changes)

    assert field in answer.context["adminform"].form.errors
    product.refresh_from_db()
    assert (product.title, product.corrections.count()) == ("Brass sextant", 0)
