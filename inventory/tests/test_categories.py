"""The tree of categories: it stays one tree, of bounded depth, whoever writes it."""

import threading

import pytest
from django.db import IntegrityError, connections, transaction

from auction_project.kernel import errors
from auction_project.kernel.messaging.tests import sessions
from inventory import models, refusals, selectors, services
from inventory.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["inventory"])


def add(*path):
    """The branch at the end of `path`, with all above it; each slug is the name."""
    for parent, name in zip(("", *path), path, strict=False):
        if not models.Category.objects.filter(slug=name).exists():
            services.add_category(name=name, parent=parent, slug=name)


def tree():
    """Each slug after its parent's, one dot for each level above it."""
    return [f"{'.' * branch.depth}{branch.slug}" for branch in selectors.list_categories()]


def test_a_category_comes_last_below_its_parent_and_its_name_gives_the_slug():
    services.add_category(name="Antiques")
    services.add_category(name="Books & prints")
    services.add_category(name="Clocks", parent="antiques")
    services.add_category(name=" Ship's\u202e instruments", parent="antiques")

    assert tree() == ["antiques", ".clocks", ".ships-instruments", "books-prints"]
    assert models.Category.objects.get(slug="ships-instruments").name == "Ship's instruments"


def test_a_slug_that_is_taken_gets_a_number():
    add("antiques", "clocks")

    slugs = [services.add_category(name=name).slug for name in ("Clocks", "時計")]

    assert slugs == ["clocks-2", "category"]


@pytest.mark.parametrize("name", ["", " ", "\u200b", "x" * 61, "a\x00b"])
def test_a_name_that_shows_nothing_is_refused_and_changes_nothing(name):
    add("antiques")

    with pytest.raises(refusals.InvalidText) as refused:
        services.add_category(name=name)
    with pytest.raises(refusals.InvalidText):
        services.rename_category(slug="antiques", name=name)

    assert (refused.value.field, tree()) == ("name", ["antiques"])
    assert models.Category.objects.get().name == "antiques"


def test_a_name_is_taken_once_below_one_parent():
    add("antiques", "Clocks")

    with pytest.raises(refusals.CategoryTaken):
        services.add_category(name="CLOCKS", parent="antiques")
    services.add_category(name="Clocks")

    assert tree() == ["antiques", ".Clocks", "clocks"]
    with pytest.raises(refusals.CategoryTaken):
        services.move_category(slug="clocks", parent="antiques", position=0)
    assert tree() == ["antiques", ".Clocks", "clocks"]


def test_another_name_keeps_the_slug():
    add("antiques")

    services.rename_category(slug="antiques", name="Old things")

    category = models.Category.objects.get()
    assert (category.slug, category.name) == ("antiques", "Old things")


def test_a_branch_moves_with_all_below_it_to_its_position():
    add("antiques", "clocks", "french")
    add("books")
    add("maps")

    services.move_category(slug="clocks", parent="books", position=0)
    services.move_category(slug="maps", parent="", position=0)
    services.move_category(slug="antiques", parent="", position=99)

    assert tree() == ["maps", "books", ".clocks", "..french", "antiques"]
    at_the_top = models.Category.objects.filter(parent=None).values_list("position", flat=True)
    assert sorted(at_the_top) == [0, 1, 2]


@pytest.mark.parametrize("parent", ["antiques", "clocks", "french"])
def test_a_category_does_not_move_below_itself(parent):
    add("antiques", "clocks", "french")

    with pytest.raises(refusals.CategoryCircle) as refused:
        services.move_category(slug="antiques", parent=parent, position=0)

    assert (refused.value.field, tree()) == ("parent", ["antiques", ".clocks", "..french"])


@pytest.mark.parametrize("parent", ["antiques", "clocks", "french"])
def test_the_database_refuses_a_circle_whoever_makes_it(parent):
    add("antiques", "clocks", "french")
    below = models.Category.objects.get(slug=parent)

    with pytest.raises(IntegrityError), transaction.atomic(using="inventory"):
        models.Category.objects.filter(slug="antiques").update(parent=below)

    assert tree() == ["antiques", ".clocks", "..french"]


@pytest.mark.django_db(databases=["inventory"], transaction=True)
def test_two_moves_at_once_make_no_circle_together():
    add("antiques")
    add("books")
    refused = []

    def move(slug, parent):
        try:
            services.move_category(slug=slug, parent=parent, position=0)
        except refusals.CategoryCircle as error:
            refused.append(error)
        finally:
            connections.close_all()

    second = threading.Thread(target=move, args=("books", "antiques"))
    with transaction.atomic(using=models.DATABASE):
        services.move_category(slug="antiques", parent="books", position=0)
        second.start()
        sessions.wait_for_blocked(models.DATABASE)
    second.join(30)

    assert (len(refused), tree()) == (1, ["books", ".antiques"])


def test_the_tree_has_no_sixth_level():
    add("1", "2", "3", "4", "5")
    add("a", "b")

    with pytest.raises(refusals.TooDeep):
        services.add_category(name="6", parent="5")
    with pytest.raises(refusals.TooDeep):
        services.move_category(slug="a", parent="4", position=0)

    assert tree() == ["1", ".2", "..3", "...4", "....5", "a", ".b"]


def test_a_full_tree_takes_no_more(monkeypatch):
    monkeypatch.setattr("inventory.services.categories.MAX_CATEGORIES", 1)
    add("antiques")

    with pytest.raises(refusals.TooManyCategories):
        services.add_category(name="Books")

    assert tree() == ["antiques"]


@pytest.mark.parametrize(
    "change",
    [
        lambda: services.add_category(name="Clocks", parent="none"),
        lambda: services.rename_category(slug="none", name="Clocks"),
        lambda: services.move_category(slug="none", parent="", position=0),
        lambda: services.move_category(slug="antiques", parent="none", position=0),
    ],
)
def test_a_category_that_is_not_there_is_refused(change):
    add("antiques")

    with pytest.raises(refusals.UnknownCategory):
        change()

    assert tree() == ["antiques"]


# --- removing --------------------------------------------------------------------------------------------------------


def put_into(product, category):
    return services.correct_product(product_id=product.id, category=category, actor="x", now=NOW)


def test_an_empty_category_is_removed_and_the_history_of_products_forgets_it(make_product):
    add("antiques", "clocks")
    product = make_product(CENTRAL=1)
    put_into(product, "clocks")
    put_into(product, "antiques")

    services.remove_category(slug="clocks")

    assert tree() == ["antiques"]
    product.refresh_from_db()
    assert product.category.slug == "antiques"
    former = models.Correction.objects.order_by("id").values_list("category__slug", flat=True)
    assert list(former) == [None, None]
    assert services.add_category(name="clocks").slug == "clocks"


def test_a_category_with_something_in_it_stays_and_the_refusal_names_that(make_product):
    add("antiques", "clocks", "french")
    add("antiques", "clocks", "swiss")
    for _ in range(4):
        put_into(make_product(CENTRAL=1), "clocks")

    with pytest.raises(refusals.CategoryInUse) as refused:
        services.remove_category(slug="clocks")

    assert refused.value.detail == (
        "“clocks” still has 2 categories (french, swiss) and 4 products (Brass sextant, Brass sextant, Brass sextant and "
        "1 more). Move them first."
    )
    assert refused.value.figures == {"categories": 2, "products": 4}
    assert tree() == ["antiques", ".clocks", "..french", "..swiss"]
    assert models.Product.objects.filter(category__slug="clocks").count() == 4


@pytest.mark.parametrize("slug", ["none", "", "a\x00b"])
def test_a_category_that_is_not_there_is_not_removed(slug):
    add("antiques")

    with pytest.raises(refusals.CategoryNotFound):
        services.remove_category(slug=slug)

    assert tree() == ["antiques"]


def outcome_of(second, first):
    """What `second` gives while the transaction of `first` is still open when it begins."""
    outcomes = []

    def run():
        try:
            outcomes.append(second())
        except errors.DomainError as refusal:
            outcomes.append(type(refusal))
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic(using=models.DATABASE):
        first()
        thread.start()
        sessions.wait_for_blocked(models.DATABASE)
    thread.join(30)
    return outcomes


@pytest.mark.django_db(databases=["inventory"], transaction=True)
@pytest.mark.parametrize("removal_is_first", [True, False])
def test_a_category_is_removed_or_gets_a_branch_and_never_both(removal_is_first):
    add("antiques")

    def remove():
        services.remove_category(slug="antiques")

    def branch():
        services.add_category(name="clocks", parent="antiques")

    if removal_is_first:
        assert outcome_of(branch, remove) == [refusals.UnknownCategory]
        assert tree() == []
    else:
        assert outcome_of(remove, branch) == [refusals.CategoryInUse]
        assert tree() == ["antiques", ".clocks"]


@pytest.mark.django_db(databases=["inventory"], transaction=True)
@pytest.mark.parametrize("removal_is_first", [True, False])
def test_a_category_is_removed_or_gets_a_product_and_never_both(removal_is_first, make_product):
    add("antiques")
    product = make_product(CENTRAL=1)

    def remove():
        services.remove_category(slug="antiques")

    def put():
        put_into(product, "antiques")

    if removal_is_first:
        assert outcome_of(put, remove) == [refusals.UnknownCategory]
    else:
        assert outcome_of(remove, put) == [refusals.CategoryInUse]
    product.refresh_from_db()
    assert (tree(), product.category_id is None) == (
        [] if removal_is_first else ["antiques"],
        removal_is_first,
    )


@pytest.mark.django_db(databases=["inventory"], transaction=True)
def test_two_categories_of_one_name_at_once_are_one():
    assert outcome_of(
        lambda: services.add_category(name="Clocks"), lambda: services.add_category(name="clocks")
    ) == [refusals.CategoryTaken]
    assert tree() == ["clocks"]
