"""What a search finds, in which order, page by page."""

import base64

import hypothesis
import msgspec
import pytest
from hypothesis import strategies
from hypothesis.extra import django as hypothesis_django

from auction_project.kernel import words
from inventory import models, services
from inventory.search import counting, cursors, finding, searches
from inventory.tests.conftest import NOW
from inventory.tests.search import shop
from inventory.tests.search.shop import find, offer, page

pytestmark = pytest.mark.django_db(databases=["inventory"])
SORTS = [sort.value for sort in searches.Sort]


# --- words ---------------------------------------------------------------------------------------------------------


def test_all_words_are_needed_in_any_order_and_the_last_may_be_a_beginning():
    offer("Brass sextant")
    offer("Brass clock")

    assert find("sextant brass") == find("BRASS sex") == ["Brass sextant"]
    assert find("bra sextant") == []
    assert find("xtant") == []
    assert find("brass") == ["Brass clock", "Brass sextant"]


def test_case_accents_and_wide_letters_make_no_difference():
    offer("Café Ærøskøbing ＮＯ．１")

    assert find("CAFE aeroskobing no 1") == ["Café Ærøskøbing ＮＯ．１"]


def test_words_in_quotes_follow_one_another_within_one_text():
    offer("Old brass sextant", description="lamp of copper")
    offer("Sextant, old, of brass")

    assert find('"brass sextant"') == ["Old brass sextant"]
    assert find('"sextant lamp"') == []
    assert find('old "lamp of"') == ["Old brass sextant"]


def test_the_description_and_the_facts_are_searched_too():
    offer("Mantel clock", description="Ticks loudly.", attributes=[{"name": "Maker", "value": "Dent & Co."}])

    assert find("ticks") == find("maker dent") == ["Mantel clock"]


def test_what_was_typed_in_signs_alone_finds_nothing():
    offer("Brass sextant")

    assert find("★ !!") == []
    assert counting.count(shop.search("★ !!"), shop.tree.Tree()) == counting.Counts()


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE inventory_searchentry; --",
        "brass' OR '1'='1",
        "lamp & | ! <-> :* ( ) \\ brass",
        "%s %(terms)s {conditions}",
        '"""""',
        "\u202e\ufdfa" * 40,
    ],
)
def test_hostile_texts_are_words_like_any_other(text):
    offer("Brass sextant")

    assert find(text) == []
    assert find("brass") == ["Brass sextant"]


class TestAnything(hypothesis_django.TestCase):
    databases = frozenset({"inventory"})
    titles = ("brass bras", "bra é rabbra", "東a xx", "bras brass")

    @classmethod
    def setUpTestData(cls):
        for title in cls.titles:
            offer(title)

    @hypothesis.settings(max_examples=60)
    @hypothesis.given(
        strategies.text(strategies.sampled_from("brasx \"'éÉ\u0301&|!:*()\\-<>%東★"), max_size=30),
        strategies.sampled_from(SORTS),
    )
    def test_postgresql_finds_what_the_words_say(self, text, sort):
        """One judge of what is found: `kernel.words`."""
        wanted = words.parse(text)

        found = [title for title in self.titles if wanted is None or wanted.matches(words.of(title))]
        assert sorted(find(text, sort=sort)) == sorted(found)


# --- what is searched ----------------------------------------------------------------------------------------------


def test_only_published_offers_are_found_and_a_correction_is_found_at_once():
    product = offer("Brass sextant")
    hidden = offer("Brass secret", published=False)

    assert find("brass") == ["Brass sextant"]

    services.correct_product(product_id=product.id, title="Copper lamp", actor="test", now=NOW)
    shop.set_offer(hidden)

    assert (find("sextant"), find("copper"), find("secret")) == ([], ["Copper lamp"], ["Brass secret"])

    shop.set_offer(product, published=False)

    assert find("copper") == []
    assert models.SearchEntry.objects.count() == 1


def test_the_table_of_words_counts_titles():
    first, second = offer("Brass, brass, BRASS sextant"), offer("Brass lamp")

    def counted():
        return dict(models.SearchWord.objects.filter(offers__gt=0).values_list("word", "offers"))

    assert counted() == {"brass": 2, "sextant": 1, "lamp": 1}

    services.correct_product(product_id=first.id, title="Copper sextant", actor="test", now=NOW)
    shop.set_offer(second, published=False)

    assert counted() == {"copper": 1, "sextant": 1}


def test_a_product_is_in_stock_while_a_unit_is_available():
    from inventory.tests import conftest

    product = offer("Brass sextant", stock=0)

    assert find(in_stock=True) == []
    conftest.receive(product, 2)
    assert find(in_stock=True) == ["Brass sextant"]
    conftest.reserve(product, quantity=2)
    assert find(in_stock=True) == []
    assert find() == ["Brass sextant"]
    conftest.release()
    assert find(in_stock=True) == ["Brass sextant"]


def test_filters_leave_what_passes_all_of_them():
    tools = services.add_category(name="Tools")
    services.add_category(name="Saws", parent="tools")
    offer("Saw", category="saws", price=500, condition="NEW")
    offer("Hammer", category="tools", price=1500, condition="FAIR")
    offer("Vase", price=1000, currency="USD")

    assert tools.slug == "tools"
    below = shop.tree.Tree().below("tools")
    assert find(categories=below) == ["Hammer", "Saw"]
    assert find(categories=shop.tree.Tree().below("saws")) == ["Saw"]
    assert find(condition="FAIR") == ["Hammer"]
    assert find(currency="USD") == ["Vase"]
    assert find(currency="EUR", min_price=500, max_price=1499) == ["Saw"]
    assert find("h", categories=below) == []
    assert find("ha", categories=below, condition="FAIR", currency="EUR") == ["Hammer"]


# --- order and pages -----------------------------------------------------------------------------------------------


def test_relevance_puts_titles_first_and_among_them_those_that_say_little_else():
    offer("Lamp", description="with a sextant")
    offer("Sextant of brass, London")
    offer("Sextant")
    offer("Old sextant")
    offer("Big sextant")

    assert find("sextant") == ["Sextant", "Big sextant", "Old sextant", "Sextant of brass, London", "Lamp"]


def test_prices_are_compared_within_their_currency():
    offer("a", price=300), offer("b", price=100), offer("c", price=200, currency="USD")

    assert find(sort="price") == ["b", "a", "c"]
    assert find(sort="-price") == ["c", "a", "b"]
    assert find(sort="newest") == find() == ["c", "b", "a"]


def _all_pages(text, sort, **filters):
    titles, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        found, cursor = page(text, sort=sort, cursor=cursor, limit=3, **filters)
        titles += found
        pages += 1
    return titles, pages


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("text", ["", "brass"])
@pytest.mark.parametrize("most", [0, counting.MAX_COUNTED])
def test_the_pages_of_a_list_are_the_list(monkeypatch, sort, text, most):
    """Whether the offers are sorted or walked to."""
    for number in range(10):
        offer(f"brass {'x ' * (number % 3)}{number}", price=100 + number % 4)
        offer(f"lamp {number}", description="brass", price=100 + number % 4)
    whole = find(text, sort=sort)
    monkeypatch.setattr(counting, "MAX_COUNTED", most)

    titles, pages = _all_pages(text, sort)

    assert len(whole) == 20
    assert (titles, pages) == (whole, 7)


@pytest.mark.parametrize("sort", SORTS)
def test_a_phrase_of_more_offers_than_are_sorted_has_the_same_pages(monkeypatch, sort):
    for number in range(4):
        offer(f"old lamp {number}", price=100 + number)
        offer(f"vase {number}", description="an old lamp", price=100 + number)
        offer(f"lamp, old {number}")
        offer(f"lamp {number}", description="old, and not a lamp", price=50)
    whole = find('"old lamp"', sort=sort, currency="EUR")
    monkeypatch.setattr(counting, "MAX_COUNTED", 1)

    titles, pages = _all_pages('"old lamp"', sort, currency="EUR")

    assert len(whole) == 8
    assert (titles, pages) == (whole, 3)


def test_a_phrase_of_frequent_words_is_looked_for_in_a_bounded_number_of_offers(monkeypatch):
    """As many with the words in the title, and as many others; filters pass before."""
    for number in range(3):
        offer(f"old lamp {number}")
        offer(f"vase {number}", description="an old lamp")
    offer("dear vase", description="an old lamp", price=9_000)
    monkeypatch.setattr(counting, "MAX_LOOKED_AT", 2)
    monkeypatch.setattr(finding, "MAX_OFFERS_OF_A_PHRASE", 2)

    found = find('"old lamp"')

    assert [title[:4] for title in found] == ["old ", "old ", "vase", "vase"]
    assert find('"old lamp"', currency="EUR", min_price=5_000) == ["dear vase"]


@pytest.mark.parametrize("sort", SORTS)
def test_offers_that_come_and_go_move_no_other_one_between_pages(sort):
    products = [offer(f"brass {number}", price=100 + number) for number in range(9)]
    by_title = {product.title: product for product in products}
    first, cursor = page("brass", sort=sort, limit=3)
    rest = find("brass", sort=sort)[3:]

    shop.set_offer(by_title[first[0]], published=False)
    shop.set_offer(by_title[first[2]], published=False)  # the very one that the cursor names

    assert find("brass", sort=sort, cursor=cursor) == rest


def _tampered(cursor, **changes):
    place = msgspec.json.decode(
        base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=cursors.Place
    )
    return cursors.encode(msgspec.structs.replace(place, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"search": "0" * 15},
        {"product_id": "x"},
        {"product_id": "' OR 1=1"},
        {"currency": "EU'"},
        {"price": -1},
        {"price": 10**30},
        {"title_share": 1001},
        {"published_us": 10**18},
        {"published_us": -1},
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(changes):
    for number in range(3):
        offer(f"brass {number}")
    _, cursor = page("brass", limit=1)

    with pytest.raises(cursors.InvalidCursor):
        page("brass", cursor=_tampered(cursor, **changes))


@pytest.mark.parametrize("cursor", ["x", "é", "====", "bnVsbA", "W10", "A" * 300, "%00"])
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(cursors.InvalidCursor):
        page("brass", cursor=cursor)


def test_a_cursor_of_another_search_or_order_is_refused():
    for number in range(3):
        offer(f"brass {number}")
    _, cursor = page("brass", limit=1)

    for other in ({"text": "bras"}, {"text": "brass", "sort": "price"}, {"text": "brass", "in_stock": True}):
        with pytest.raises(cursors.InvalidCursor):
            page(cursor=cursor, **other)
    assert len(page("  BRASS ", cursor=cursor)[0]) == 2


@hypothesis.given(
    strategies.text(max_size=50) | strategies.text(strategies.sampled_from("AQgw_-="), max_size=80)
)
def test_reading_a_cursor_raises_nothing_but_its_error(text):
    with pytest.raises(cursors.InvalidCursor):
        cursors.decode(text, search=shop.search("brass"), sort=searches.Sort.NEWEST)
