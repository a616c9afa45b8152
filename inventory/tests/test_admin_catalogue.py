"""The catalogue in the admin: offers, pictures, facts and categories, by role, all through the services."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile

from inventory import models, selectors, services
from inventory.tests.conftest import NOW, published, published_names
from inventory.tests.pictures import picture

pytestmark = pytest.mark.django_db(databases=["default", "inventory", "sagas"])
TERMS = {"price": "10.50", "currency": "EUR", "max_per_order": "5", "published": "on"}
MAY_SELL = (None, "stock clerk", "auction operator")


def place(product, page="change"):
    return f"/admin/inventory/product/{product.id}/{page}/"


def set_offer(client, product, **changes):
    return client.post(place(product, "offer"), {"_form_submitted": "on"} | TERMS | changes)


def filled(client, address):
    """What a browser sends from the form at this address: each field as it stands there."""
    page = client.get(address)
    form = page.context["adminform"].form
    sent = {name: form[name].value() for name in form.fields}
    for inline in page.context["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        sent |= {f"{prefix}-{name}": value for name, value in inline.formset.management_form.initial.items()}
        for one in inline.formset.forms:
            sent |= {f"{one.prefix}-{name}": one[name].value() for name in one.fields}
    return {name: value for name, value in sent.items() if value is not None and value is not False}


def submit(client, address, **changes):
    sent = filled(client, address) | changes
    return client.post(address, {name: value for name, value in sent.items() if value is not None})


def upload(color="navy"):
    return SimpleUploadedFile("x.png", picture(color=color), "image/png")


def shown(product):
    pictures = models.Picture.objects.filter(product=product, position__isnull=False)
    return [(one.alt, one.position) for one in pictures]


# --- offers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", MAY_SELL)
def test_who_may_sell_sets_an_offer_and_is_recorded(client, sign_in, make_product, group):
    product = make_product(CENTRAL=1)
    user = sign_in(group)

    answer = set_offer(client, product)

    assert answer["HX-Redirect"] == place(product)
    (event,) = published()
    assert (event.price, event.currency, event.max_per_order, event.published) == (1050, "EUR", 5, True)
    assert models.OfferPrice.objects.get().actor == user.pk
    entry = LogEntry.objects.get()
    assert entry.change_message == "Set the offer: 10.50 EUR each, at most 5 in one order, published."
    page = client.get(place(product)).content.decode()
    assert "€10.50 each, at most 5 in one order." in page
    assert f'href="/shop/p/brass-sextant-{product.id[:8]}"' in page


@pytest.mark.parametrize("group", ["viewer", "finance"])
def test_a_role_that_only_looks_sets_no_offer(client, sign_in, make_product, group):
    product = make_product(CENTRAL=1)
    sign_in(group)

    assert client.get(place(product, "offer")).status_code == 403
    assert set_offer(client, product).status_code == 403
    assert (models.Offer.objects.count(), published_names()) == (0, [])


def test_the_form_begins_with_the_present_offer_and_takes_it_off(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    sign_in("stock clerk")
    set_offer(client, product)

    form = client.get(place(product, "offer")).context["form"]

    assert {name: form.initial[name] for name in TERMS} == {
        "price": "10.50",
        "currency": "EUR",
        "max_per_order": 5,
        "published": True,
    }
    client.post(place(product, "offer"), {"_form_submitted": "on"} | TERMS | {"published": ""})
    assert not models.Offer.objects.get().published


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"price": "ten"}, "An amount is a positive decimal string"),
        ({"price": "10.555"}, "EUR has 2 decimals."),
        ({"price": "0.49"}, "A price is 0.50 to 1000000000.00 EUR."),
        ({"price": ""}, "required"),
        ({"currency": "XXX"}, "not one of the available choices"),
        ({"max_per_order": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_refused_offer_says_why_and_changes_nothing(client, sign_in, make_product, changes, text):
    product = make_product(CENTRAL=1)
    sign_in("stock clerk")

    answer = set_offer(client, product, **changes)

    assert (answer.status_code, text in answer.content.decode()) == (200, True)
    assert (models.Offer.objects.count(), published(), LogEntry.objects.count()) == (0, [], 0)


@pytest.mark.parametrize("product_id", ["f" * 32, "x"])
def test_no_product_has_no_offer(client, sign_in, product_id):
    sign_in("stock clerk")

    assert client.get(f"/admin/inventory/product/{product_id}/offer/").status_code == 404


@pytest.mark.parametrize("group", ["stock clerk", "auction operator", "viewer"])
def test_the_offers_and_their_former_prices_are_read_and_never_edited(client, sign_in, make_product, group):
    product = make_product(CENTRAL=1)
    for price in (1050, 990):
        services.set_offer(
            product_id=product.id,
            price=price,
            currency="EUR",
            max_per_order=5,
            published=True,
            actor="ada",
            now=NOW,
        )
    sign_in(group)

    listed = client.get("/admin/inventory/offer/?q=sextant&published__exact=1")
    page = client.get(f"/admin/inventory/offer/{product.id}/change/").content.decode()

    assert [row.pk for row in listed.context["cl"].result_list] == [product.id]
    assert page.index("€9.90") < page.index("€10.50")
    assert "ada" in page
    for address in (f"/admin/inventory/offer/{product.id}/change/", "/admin/inventory/offer/add/"):
        assert client.post(address, {"price": 1}).status_code == 403
    assert models.Offer.objects.get().price == 990


def test_products_are_found_by_category_and_offer(client, sign_in, make_product):
    services.add_category(name="Antiques")
    services.add_category(name="Clocks", parent="antiques")
    products = [make_product() for _ in range(3)]
    for product, category in zip(products, ("antiques", "clocks"), strict=False):
        services.correct_product(product_id=product.id, category=category, actor="x", now=NOW)
    sign_in("stock clerk")
    set_offer(client, products[1])

    def found(query):
        rows = client.get(f"/admin/inventory/product/?{query}").context["cl"].result_list
        return [products.index(row) for row in rows]

    assert found("category=antiques") == [0, 1]
    assert found("category=clocks") == [1]
    assert found("category=none") == []
    assert found("offered=yes") == [1]
    assert found("offered=no") == [0, 2]


# --- category and facts ----------------------------------------------------------------------------------------------


def test_a_clerk_adds_a_product_with_category_and_facts(client, sign_in):
    services.add_category(name="Clocks")
    sign_in("stock clerk")
    form = {"sku": "C-1", "title": "Clock", "condition": "GOOD", "owner_id": "house", "description": ""}

    answer = client.post(
        "/admin/inventory/product/add/",
        form | {"category_slug": "clocks", "facts": "Maker: Dent & Co.\r\n\r\nRatio:4:3 "},
    )

    product = models.Product.objects.get()
    assert (answer.status_code, product.category.slug) == (302, "clocks")
    assert product.attributes == [
        {"name": "Maker", "value": "Dent & Co."},
        {"name": "Ratio", "value": "4:3"},
    ]


def test_a_page_that_is_sent_as_it_was_changes_nothing(client, sign_in, make_product):
    services.add_category(name="Clocks")
    product = make_product(CENTRAL=1)
    facts = [{"name": "Odd: name", "value": "x"}]
    services.correct_product(product_id=product.id, category="clocks", attributes=facts, actor="x", now=NOW)
    services.add_picture(product_id=product.id, image=picture(), alt="Front", actor="x", now=NOW)
    sign_in("stock clerk")

    assert submit(client, place(product)).status_code == 302

    product.refresh_from_db()
    assert (product.category.slug, product.attributes, shown(product)) == ("clocks", facts, [("Front", 0)])
    assert models.Correction.objects.count() == 1


def test_a_clerk_corrects_category_and_facts(client, sign_in, make_product):
    services.add_category(name="Clocks")
    product = make_product(CENTRAL=1)
    sign_in("stock clerk")

    submit(client, place(product), category_slug="clocks", facts="Year: 1880")

    product.refresh_from_db()
    assert (product.category.slug, product.attributes) == ("clocks", [{"name": "Year", "value": "1880"}])
    submit(client, place(product), category_slug=None, facts=None)
    product.refresh_from_db()
    assert (product.category, product.attributes) == (None, [])


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ("Maker", "“Maker” is not a name, a colon and a value."),
        ("Maker:", "“Maker:” is not a name, a colon and a value."),
        (": Dent", "“: Dent” is not a name, a colon and a value."),
    ],
)
def test_a_line_that_is_no_fact_is_refused_beside_its_field(client, sign_in, make_product, facts, text):
    product = make_product(CENTRAL=1)
    sign_in("stock clerk")

    answer = submit(client, place(product), facts=facts)

    assert answer.context["adminform"].form.errors["facts"] == [text]
    assert models.Correction.objects.count() == 0


def test_a_rule_of_the_service_is_shown_and_nothing_changes(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    sign_in("stock clerk")

    answer = submit(client, place(product), title="Other", facts="Year: 1\nYEAR: 2")

    page = client.get(answer["Location"]).content.decode()
    assert "Each attribute needs a name of its own." in page
    product.refresh_from_db()
    assert (product.title, models.Correction.objects.count()) == ("Brass sextant", 0)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_clerk_adds_describes_and_orders_pictures_and_is_recorded(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    clerk = sign_in("stock clerk")
    submit(client, place(product), **{"pictures-0-upload": upload("red"), "pictures-0-alt": "Red"})

    answer = submit(
        client,
        place(product),
        **{
            "pictures-0-alt": "Rear",
            "pictures-0-order": "2",
            "pictures-1-upload": upload("blue"),
            "pictures-1-alt": "Front",
            "pictures-1-order": "1",
        },
    )

    assert answer.status_code == 302
    assert shown(product) == [("Front", 0), ("Rear", 1)]
    assert set(models.Picture.objects.values_list("added_by", flat=True)) == {clerk.pk}
    assert LogEntry.objects.filter(user_id=clerk.pk, object_id=product.id).count() == 2


def test_a_picture_is_taken_away_and_its_address_stays(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    red = services.add_picture(
        product_id=product.id, image=picture(color="red"), alt="Red", actor="x", now=NOW
    )
    services.add_picture(product_id=product.id, image=picture(color="blue"), alt="Blue", actor="x", now=NOW)
    sign_in("stock clerk")

    submit(client, place(product), **{"pictures-0-DELETE": "on"})

    assert shown(product) == [("Blue", 0)]
    assert models.Picture.objects.count() == 2
    assert client.get(red.url)["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_new_file_takes_the_place_of_a_picture(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    for color in ("red", "green", "blue"):
        services.add_picture(product_id=product.id, image=picture(color=color), alt=color, actor="x", now=NOW)
    sign_in("stock clerk")

    submit(client, place(product), **{"pictures-1-upload": upload("white"), "pictures-1-alt": "white"})

    assert shown(product) == [("red", 0), ("white", 1), ("blue", 2)]
    assert models.Picture.objects.get(alt="green").position is None


def test_a_file_that_is_no_picture_is_refused_beside_its_row(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    sign_in("stock clerk")

    answer = submit(
        client,
        place(product),
        **{"pictures-0-upload": SimpleUploadedFile("x.png", b"<svg>"), "pictures-0-alt": "x"},
    )

    (formset,) = [
        one.formset for one in answer.context["inline_admin_formsets"] if one.formset.prefix == "pictures"
    ]
    assert formset.errors == [{"upload": ["This is not a JPEG, PNG or WebP image."]}]
    assert models.Picture.objects.count() == 0


@pytest.mark.parametrize("group", ["auction operator", "viewer"])
def test_a_role_that_only_looks_sees_pictures_and_changes_none(client, sign_in, make_product, group):
    product = make_product(CENTRAL=1)
    services.add_picture(product_id=product.id, image=picture(), alt="Front", actor="x", now=NOW)
    sign_in(group)

    page = client.get(place(product)).content.decode()
    answer = client.post(place(product), {"pictures-0-DELETE": "on"})

    assert ('alt="Front"' in page, "-upload" in page) == (True, False)
    assert (answer.status_code, shown(product)) == (403, [("Front", 0)])


# --- categories ------------------------------------------------------------------------------------------------------


def tree():
    return [f"{'.' * branch.depth}{branch.name}" for branch in selectors.list_categories()]


@pytest.mark.parametrize("group", [None, "stock clerk"])
def test_a_clerk_adds_renames_and_moves_categories(client, sign_in, group):
    sign_in(group)
    add = "/admin/inventory/category/add/"

    for name, parent in (("Antiques", ""), ("Clocks", "antiques"), ("Maps", "antiques"), ("Books", "")):
        assert client.post(add, {"name": name, "parent_slug": parent}).status_code == 302
    assert tree() == ["Antiques", ".Clocks", ".Maps", "Books"]
    maps = models.Category.objects.get(slug="maps")
    submit(client, f"/admin/inventory/category/{maps.pk}/change/", name="Charts", parent_slug="books")
    assert tree() == ["Antiques", ".Clocks", "Books", ".Charts"]
    books = models.Category.objects.get(slug="books")
    submit(client, f"/admin/inventory/category/{books.pk}/change/", order="1")

    assert tree() == ["Books", ".Charts", "Antiques", ".Clocks"]
    assert LogEntry.objects.count() == 6
    rows = client.get("/admin/inventory/category/").context["cl"].result_list
    assert [row.slug for row in rows] == ["books", "maps", "antiques", "clocks"]


def test_a_category_is_not_moved_below_itself(client, sign_in):
    services.add_category(name="Antiques")
    clocks = services.add_category(name="Clocks", parent="antiques")
    sign_in("stock clerk")
    antiques = clocks.parent

    answer = submit(
        client, f"/admin/inventory/category/{antiques.pk}/change/", name="Old", parent_slug="clocks"
    )

    assert "A category cannot be below itself." in client.get(answer["Location"]).content.decode()
    assert tree() == ["Antiques", ".Clocks"]


@pytest.mark.parametrize("group", ["auction operator", "viewer"])
def test_a_role_that_only_looks_sees_the_tree_and_changes_nothing(client, sign_in, group):
    category = services.add_category(name="Antiques")
    sign_in(group)

    assert client.get("/admin/inventory/category/").status_code == 200
    assert client.get(f"/admin/inventory/category/{category.pk}/change/").status_code == 200
    for address in ("add", f"{category.pk}/change"):
        assert client.post(f"/admin/inventory/category/{address}/", {"name": "Mine"}).status_code == 403
    assert tree() == ["Antiques"]


def test_a_clerk_removes_an_empty_category_alone_and_reads_what_is_in_another(client, sign_in):
    antiques = services.add_category(name="Antiques")
    clocks = services.add_category(name="Clocks", parent="antiques")
    place_of = "/admin/inventory/category/{}/delete/".format
    sign_in("auction operator")
    assert client.post(place_of(clocks.pk), {"post": "yes"}).status_code == 403
    sign_in("stock clerk")

    full = client.post(place_of(antiques.pk), {"post": "yes"}, follow=True).content.decode()
    asked = client.get(place_of(clocks.pk))
    gone = client.post(place_of(clocks.pk), {"post": "yes"})

    assert "“Antiques” still has 1 category (Clocks). Move them first." in full
    assert (asked.status_code, gone.status_code) == (200, 302)
    assert list(models.Category.objects.values_list("slug", flat=True)) == ["antiques"]


def test_the_tree_shows_its_levels(client, sign_in):
    services.add_category(name="Antiques")
    services.add_category(name="Clocks", parent="antiques")
    sign_in("viewer")

    page = client.get("/admin/inventory/category/").content.decode()

    assert re.findall(r"change/[^>]*>\s*((?:— )*\w+)\s*</a>", page) == ["Antiques", "— Clocks"]
