"""What a product says of itself: its category, its facts, its pictures. What the shop shows of it is published anew."""

import pytest

from inventory import models, refusals, selectors, services
from inventory.tests.conftest import NOW, list_lot, published
from inventory.tests.pictures import picture

pytestmark = pytest.mark.django_db(databases=["inventory"])
RED, GREEN, BLUE = (picture(color=color) for color in ("red", "green", "blue"))
FACTS = [{"name": "Maker", "value": "Dollond"}, {"name": "Year", "value": "1880"}]


def create(**changes):
    fields = {"sku": "CLOCK-1", "title": "Clock", "description": "", "condition": "GOOD", "owner_id": "house"}
    return services.create_product(product_id="c" * 32, actor="ada", now=NOW, **fields | changes)


def correct(product, **changes):
    return services.correct_product(product_id=product.id, actor="ada", now=NOW, **changes)


def add(product, image, alt=""):
    services.add_picture(product_id=product.id, image=image, alt=alt, actor="ada", now=NOW)
    return shown(product)[-1].public_id


def arrange(product, *pictures):
    placed = [
        services.Placed(id=one) if isinstance(one, str) else services.Placed(id=one[0], alt=one[1])
        for one in pictures
    ]
    services.arrange_pictures(product_id=product.id, pictures=placed, actor="ada", now=NOW)


def shown(product):
    return list(models.Picture.objects.filter(product_id=product.id, position__isnull=False))


def ids_and_alts(product):
    return [(one.public_id, one.alt) for one in shown(product)]


def offer(product):
    terms = {"price": 1050, "currency": "EUR", "max_per_order": 5, "published": True}
    services.set_offer(product_id=product.id, actor="ada", now=NOW, **terms)
    models.Outbox.objects.all().delete()


# --- categories and facts --------------------------------------------------------------------------------------------


def test_a_new_product_has_its_category_its_facts_and_its_first_picture(make_product):
    services.add_category(name="Clocks")

    create(category="clocks", attributes=FACTS, image=RED, alt="The clock from the front")

    product = models.Product.objects.get()
    assert (product.category.slug, product.attributes) == ("clocks", FACTS)
    (first,) = shown(product)
    assert (first.alt, first.digest, first.position) == ("The clock from the front", product.image_digest, 0)
    assert product.thumbnail_url == first.thumbnail_url


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "\u200b\u202e"}, "title"),
        ({"title": "\u3164"}, "title"),
        ({"sku": "\u200b"}, "sku"),
        ({"category": "none"}, "category"),
        ({"category": "\x00"}, "category"),
        ({"attributes": [{"name": " ", "value": "x"}]}, "attributes"),
        ({"attributes": [{"name": "x", "value": "\u200b"}]}, "attributes"),
        ({"attributes": [{"name": "x" * 41, "value": "x"}]}, "attributes"),
        ({"attributes": [{"name": "x", "value": "x" * 201}]}, "attributes"),
        ({"attributes": [{"name": "Year", "value": "1"}, {"name": "YEAR", "value": "2"}]}, "attributes"),
        ({"attributes": [{"name": str(n), "value": "x"} for n in range(31)]}, "attributes"),
        ({"alt": "x" * 201, "image": RED}, "alt"),
    ],
)
def test_a_product_that_breaks_a_rule_is_refused_by_its_field(changes, field):
    with pytest.raises((refusals.InvalidText, refusals.UnknownCategory)) as refused:
        create(**changes)

    assert refused.value.field == field
    assert (models.Product.objects.count(), models.Picture.objects.count()) == (0, 0)


def test_a_title_loses_what_turns_the_text_beside_it_around():
    assert create(title="\u202eBrass\u200b clock\u202c").title == "Brass clock"


@pytest.mark.parametrize("sku", ["clock-1", " CLOCK-1 ", "ＣＬＯＣＫ-1", "CLO\u200bCK-1"])
def test_a_sku_is_taken_in_each_of_its_forms(sku):
    create()

    with pytest.raises(refusals.SkuTaken):
        services.create_product(
            product_id="d" * 32,
            sku=sku,
            title="x",
            description="",
            condition="NEW",
            owner_id="house",
            actor="x",
            now=NOW,
        )

    assert models.Product.objects.count() == 1


def test_a_correction_keeps_the_former_category_and_facts(make_product):
    product = make_product()
    services.add_category(name="Clocks")
    correct(product, category="clocks", attributes=FACTS)

    corrected = correct(product, category="", attributes=FACTS[:1])

    assert (corrected.category, corrected.attributes) == (None, FACTS[:1])
    latest, first = models.Correction.objects.all()
    assert (latest.category.slug, latest.attributes) == ("clocks", FACTS)
    assert (first.category, first.attributes) == (None, [])


def test_the_same_category_and_facts_are_no_correction(make_product):
    product = make_product()
    services.add_category(name="Clocks")

    for _ in range(2):
        correct(product, category="clocks", attributes=FACTS)

    assert models.Correction.objects.count() == 1


# --- pictures --------------------------------------------------------------------------------------------------------


def test_the_first_picture_is_the_products_and_the_others_follow(make_product):
    product = make_product()

    red, green = add(product, RED, "Red"), add(product, GREEN)

    assert ids_and_alts(product) == [(red, "Red"), (green, "")]
    product.refresh_from_db()
    assert product.image_digest.startswith(red)


def test_the_same_picture_again_changes_nothing(make_product):
    product = make_product()
    red, green = add(product, RED, "Red"), add(product, GREEN, "Green")

    add(product, RED, "Another")

    assert ids_and_alts(product) == [(red, "Red"), (green, "Green")]
    assert models.Picture.objects.count() == 2


def test_pictures_are_ordered_described_and_taken_away(make_product):
    product = make_product()
    red, green, blue = add(product, RED, "Red"), add(product, GREEN), add(product, BLUE)

    arrange(product, (blue, "Blue \u202esky"), red)

    assert ids_and_alts(product) == [(blue, "Blue sky"), (red, "Red")]
    product.refresh_from_db()
    assert product.image_digest.startswith(blue)
    assert models.Picture.objects.get(digest__startswith=green).position is None


def test_a_picture_that_was_taken_away_comes_back_with_its_file(make_product):
    product = make_product()
    red, green = add(product, RED), add(product, GREEN)
    arrange(product, green)

    add(product, RED, "Again")

    assert ids_and_alts(product) == [(green, ""), (red, "Again")]
    assert models.Picture.objects.count() == 2


@pytest.mark.parametrize("named", [["f" * 12], ["RED", "RED"], ["GREEN"]])
def test_only_pictures_that_are_shown_are_arranged_and_each_once(make_product, named):
    product, other = make_product(), make_product()
    known = {"RED": add(product, RED, "Red"), "GREEN": add(other, GREEN)}

    with pytest.raises(refusals.UnknownPicture) as refused:
        arrange(product, *((known.get(name, name), "Changed") for name in named))

    assert (refused.value.field, ids_and_alts(product)) == ("pictures", [(known["RED"], "Red")])


def test_all_pictures_can_be_taken_away(make_product):
    product = make_product()
    add(product, RED)

    arrange(product)

    product.refresh_from_db()
    assert (product.image_digest, product.thumbnail_url, shown(product)) == ("", "", [])


def test_a_product_shows_twelve_pictures_at_most(make_product, monkeypatch):
    monkeypatch.setattr("inventory.services.pictures.MAX_PICTURES", 2)
    product = make_product()
    kept = [(add(product, RED), ""), (add(product, GREEN), "")]

    with pytest.raises(refusals.TooManyPictures):
        add(product, BLUE)

    assert ids_and_alts(product) == kept
    assert services.MAX_PICTURES == 12


def test_a_product_keeps_two_hundred_pictures_at_most(make_product, monkeypatch):
    monkeypatch.setattr("inventory.services.pictures.MAX_FORMER_PICTURES", 2)
    product = make_product()
    add(product, RED)
    arrange(product, add(product, GREEN))
    before = ids_and_alts(product)

    for change in (lambda: add(product, BLUE), lambda: correct(product, title="Other", image=BLUE)):
        with pytest.raises(refusals.TooManyPictures) as refused:
            change()

    assert "are all kept" in refused.value.detail
    product.refresh_from_db()
    assert (ids_and_alts(product), product.title) == (before, "Brass sextant")


def test_a_picture_in_a_correction_takes_the_place_of_the_first(make_product):
    product = make_product()
    add(product, RED, "Red")
    green = add(product, GREEN, "Green")

    corrected = correct(product, image=BLUE)

    assert [alt for _, alt in ids_and_alts(product)] == ["", "Green"]
    assert (corrected.image_digest, ids_and_alts(product)[1][0]) == (shown(product)[0].digest, green)


def test_a_lot_shows_the_picture_that_it_was_listed_with_for_ever(client, make_product):
    product = make_product(CENTRAL=1)
    add(product, RED)
    list_lot(product)
    (address,) = [event.thumbnail for event in published() if type(event).__name__ == "LotAccepted"]
    before = client.get(address).content

    arrange(product)
    add(product, GREEN)

    answer = client.get(address)
    assert (answer.content, answer["Cache-Control"]) == (before, "public, max-age=31536000, immutable")


# --- what the shop shows of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda product: correct(product, title="Brass octant"), ("Brass octant", 1)),
        (lambda product: correct(product, image=BLUE), ("Brass sextant", 1)),
        (lambda product: add(product, BLUE), ("Brass sextant", 1)),
        (lambda product: correct(product, description="Other."), ("Brass sextant", 1)),
        (lambda product: arrange(product), ("Brass sextant", 1)),
    ],
    ids=["title", "picture in its place", "picture added", "description", "no pictures"],
)
def test_a_change_of_what_the_shop_shows_is_the_next_version_of_the_offer(make_product, change, seen):
    product = make_product(CENTRAL=1)
    add(product, RED)
    offer(product)

    for _ in range(2):  # a repeat publishes nothing
        change(product)

    product.refresh_from_db()
    events = published()
    assert [(event.title, event.version - 1) for event in events] == [seen]
    assert (events[0].thumbnail, events[0].price) == (product.thumbnail_url, 1050)
    assert selectors.get_offer_of(product.id).version == 2


def test_a_product_without_an_offer_publishes_no_offer(make_product):
    product = make_product(CENTRAL=1)

    correct(product, title="Brass octant", image=RED)

    assert published() == []
