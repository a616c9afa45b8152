"""Saved searches: whose they are, how many there can be, and that each new offer and each new lot is told of once."""

from datetime import timedelta

import pytest

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from inventory import models, services
from inventory.search import matching
from inventory.services import saved_searches
from inventory.tests.conftest import NOW, OTHER, SELLER, bearer, end_lot, list_lot, lot, published
from inventory.tests.search import shop
from inventory.tests.search.shop import offer

pytestmark = pytest.mark.django_db(databases=["inventory"])
BEFORE = NOW - timedelta(days=1)
EMPTY = {
    "q": "",
    "category": "",
    "condition": "",
    "currency": "",
    "min_price": "",
    "max_price": "",
    "in_stock": False,
}


OPEN = {"q": "", "format": "", "currency": "", "min_price": "", "max_price": ""}


def save(user=SELLER, *, now=BEFORE, **query):
    return services.save_search(search_id=ids.new_id(), user_id=user, query=EMPTY | query, now=now)


def save_among_lots(user=SELLER, *, now=BEFORE, **query):
    return services.save_search(
        search_id=ids.new_id(), user_id=user, among=models.Among.LOTS, query=OPEN | query, now=now
    )


def list_new(product, auction="a", **changes):
    list_lot(product, auction, **{"format": "english", "currency": "EUR", "start_price": 1000} | changes)


def told():
    """Who is told of what, after a sweep; the events are forgotten."""
    services.compare_with_searches(now=NOW)
    matched = [event for event in published() if isinstance(event, events.SavedSearchMatched)]
    models.Outbox.objects.all().delete()
    return sorted((event.user_id, event.title) for event in matched)


def post(client, body, headers):
    return client.post("/api/v1/searches", body, content_type="application/json", headers=headers)


# --- whose, and how many -------------------------------------------------------------------------------------------


def test_users_save_see_and_delete_their_own_searches(client):
    own, other = bearer(SELLER, "bidder"), bearer(OTHER, "bidder")

    made = post(client, {"q": "Brass", "currency": "EUR", "max_price": "5.00"}, own)
    again = post(client, {"q": " brass ", "currency": "EUR", "max_price": "5.00"}, own)

    assert (made.status_code, again.json()["id"]) == (201, made.json()["id"])
    assert made.json()["query"] == EMPTY | {"q": "Brass", "currency": "EUR", "max_price": "5.00"}
    assert client.get("/api/v1/searches", headers=own).json() == {"items": [made.json()]}
    assert client.get("/api/v1/searches", headers=other).json() == {"items": []}
    assert client.get("/api/v1/searches").status_code == 401
    address = f"/api/v1/searches/{made.json()['id']}"
    assert client.delete(address, headers=other).json()["code"] == "search_not_found"
    assert client.delete(address).status_code == 401
    assert models.SavedSearch.objects.count() == 1
    assert client.delete(address, headers=own).status_code == 204
    assert not models.SavedSearch.objects.exists()


def test_a_key_saves_one_search_and_no_other(client):
    own, other = (bearer(user, "bidder") | {"Idempotency-Key": "k1"} for user in (SELLER, OTHER))

    made = post(client, {"q": "Brass"}, own)
    again = post(client, {"q": "Brass"}, own)
    reused = post(client, {"q": "lamp"}, own)
    of_another = post(client, {"q": "lamp"}, other)

    assert (made.status_code, again.status_code, again.json()) == (201, 201, made.json())
    assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")
    assert of_another.status_code == 201
    assert sorted(models.SavedSearch.objects.values_list("user_id", "query__q")) == sorted(
        [(SELLER, "Brass"), (OTHER, "lamp")]
    )


def test_a_repeat_that_comes_after_the_search_was_removed_saves_nothing(client):
    own = bearer(SELLER, "bidder") | {"Idempotency-Key": "k1"}
    made = post(client, {"q": "Brass"}, own)
    client.delete(f"/api/v1/searches/{made.json()['id']}", headers=own)

    late = post(client, {"q": "Brass"}, own)

    assert (late.status_code, late.json()["code"]) == (404, "search_not_found")
    assert not models.SavedSearch.objects.exists()
    assert post(client, {"q": "Brass"}, own | {"Idempotency-Key": "k2"}).status_code == 201


@pytest.mark.parametrize("key", [".", "a b", "x" * 129])
def test_a_key_that_is_none_is_refused(client, key):
    answer = post(client, {"q": "Brass"}, bearer(SELLER, "bidder") | {"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["code"]) == (400, "key_invalid")
    assert not models.SavedSearch.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "empty_search"),
        ({"q": " ★ "}, "empty_search"),
        ({"q": "x" * 101}, "invalid"),
        ({"min_price": "5.00"}, "currency_missing"),
        ({"currency": "EUR", "min_price": "5.00", "max_price": "4.00"}, "prices_crossed"),
        ({"currency": "EUR", "min_price": "-5"}, "amount_invalid"),
        ({"category": "nowhere"}, "unknown_category"),
        ({"page": 1}, "invalid"),
        ({"among": "lots"}, "empty_search"),
        ({"among": "lots", "q": "★"}, "empty_search"),
        ({"among": "lots", "format": "english"}, "empty_search"),
        ({"among": "lots", "max_price": "5.00"}, "currency_missing"),
        ({"among": "lots", "currency": "EUR", "max_price": "x"}, "amount_invalid"),
        ({"among": "lots", "currency": "EUR", "min_price": "5.00", "max_price": "4.00"}, "prices_crossed"),
        ({"among": "bids", "q": "brass"}, "invalid"),
    ],
)
def test_a_search_that_makes_no_sense_is_not_saved(client, body, code):
    answer = post(client, body, bearer(SELLER, "bidder"))

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not models.SavedSearch.objects.exists()


@pytest.mark.parametrize(
    ("among", "name", "value"),
    [
        ("lots", "category", "nowhere"),
        ("lots", "condition", "GOOD"),
        ("lots", "in_stock", True),
        ("lots", "format", "English auction"),
        ("lots", "status", "OPEN"),
        ("offers", "format", "english"),
    ],
)
def test_a_filter_that_the_list_does_not_have_is_refused_by_its_name(client, among, name, value):
    body = {"among": among, "q": "brass", name: value}

    answer = post(client, body, bearer(SELLER, "bidder"))

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "invalid", name)
    assert not models.SavedSearch.objects.exists()
    assert not models.Once.objects.exists()


def test_the_same_words_among_offers_and_among_lots_are_two_searches(client):
    own = bearer(SELLER, "bidder")

    of_offers = post(client, {"q": "Brass"}, own).json()
    of_lots = post(client, {"q": "Brass", "among": "lots", "in_stock": False}, own)
    again = post(client, {"q": "brass", "among": "lots"}, own)
    reused = post(client, {"q": "brass"}, own | {"Idempotency-Key": "k1"})
    other = post(client, {"q": "brass", "among": "lots"}, own | {"Idempotency-Key": "k1"})

    assert (of_lots.status_code, again.json()["id"]) == (201, of_lots.json()["id"])
    assert (of_lots.json()["among"], of_lots.json()["query"]) == ("lots", OPEN | {"q": "Brass"})
    assert (of_offers["among"], of_offers["query"]) == ("offers", EMPTY | {"q": "Brass"})
    assert (reused.json()["id"], other.json()["code"]) == (of_offers["id"], "key_reused")
    assert client.get("/api/v1/searches", headers=own).json()["items"] == [of_lots.json(), of_offers]


def test_the_digest_of_a_search_among_offers_is_that_of_the_rows_that_are_stored():
    digest = matching.digest_of(EMPTY | {"q": "Brass"})

    assert digest == "37f4705fbe2009c964871f700363fc64b87b4af50541b92867331f2aa3bb65f4"


def test_a_user_saves_so_many_searches_and_no_more(client):
    for number in range(services.MAX_SAVED):
        save(q=f"brass {number}")

    answer = post(client, {"q": "lamp"}, bearer(SELLER, "bidder"))

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_searches")
    assert post(client, {"q": "brass 7"}, bearer(SELLER, "bidder")).status_code == 201
    assert post(client, {"q": "lamp"}, bearer(OTHER, "bidder")).status_code == 201
    assert models.SavedSearch.objects.count() == services.MAX_SAVED + 1


def test_a_closed_account_leaves_no_search(deliver):
    save_among_lots(q="brass"), save(OTHER, q="brass")
    account = {
        "user_id": SELLER,
        "version": 2,
        "email": "",
        "email_verified": False,
        "created_at": 1,
        "roles": (),
    }

    deliver(events.AccountChanged(**account, closed=False), "e1")
    assert models.SavedSearch.objects.count() == 2
    deliver(events.AccountChanged(**account, closed=True), "e2")

    assert [saved.user_id for saved in models.SavedSearch.objects.all()] == [OTHER]


# --- new offers ----------------------------------------------------------------------------------------------------


def test_a_new_offer_is_told_of_once_and_again_when_it_is_back():
    saved = save(q="brass sext")
    product = offer("Brass sextant, London", price=4200)

    services.compare_with_searches(now=NOW)

    assert published()[-1] == events.SavedSearchMatched(
        user_id=SELLER,
        search_id=saved.id,
        search="brass sext",
        product_id=product.id,
        title="Brass sextant, London",
        slug=product.offer.slug,
        price=4200,
        currency="EUR",
    )
    saved.refresh_from_db()
    assert saved.matched_at == NOW
    assert told() == [(SELLER, "Brass sextant, London")]
    assert told() == []

    shop.set_offer(product, price=4000)
    assert told() == []
    shop.set_offer(product, published=False)
    assert told() == []
    shop.set_offer(product, now=NOW + timedelta(days=1))
    assert told() == [(SELLER, "Brass sextant, London")]


def test_what_was_there_when_the_search_was_saved_is_not_new():
    offer("Brass sextant")
    save(q="brass", now=NOW + timedelta(days=1))

    assert told() == []


def test_sellers_are_not_told_of_their_own_offers():
    save(SELLER, q="brass"), save(OTHER, q="brass")

    offer("Brass sextant", owner_id=SELLER)

    assert told() == [(OTHER, "Brass sextant")]


@pytest.mark.parametrize(
    ("query", "is_told"),
    [
        ({"q": "sextant brass"}, True),
        ({"q": "SÉXT"}, True),
        ({"q": "b"}, False),
        ({"q": '"brass sextant"'}, True),
        ({"q": '"sextant ticks"'}, False),
        ({"q": "ticks"}, True),
        ({"q": "dent"}, True),
        ({"q": "lamp"}, False),
        ({"condition": "GOOD"}, True),
        ({"condition": "NEW"}, False),
        ({"category": "tools"}, True),
        ({"category": "saws"}, True),
        ({"category": "vases"}, False),
        ({"q": "brass", "category": "vases"}, False),
        ({"currency": "EUR"}, True),
        ({"currency": "USD"}, False),
        ({"currency": "EUR", "min_price": "10.00", "max_price": "10.00"}, True),
        ({"currency": "EUR", "max_price": "9.99"}, False),
        ({"currency": "EUR", "min_price": "10.01"}, False),
        ({"in_stock": True}, True),
    ],
)
def test_a_search_finds_the_new_offers_that_the_shop_finds_by_it(query, is_told):
    services.add_category(name="Tools")
    services.add_category(name="Saws", parent="tools")
    services.add_category(name="Vases")
    save(**query)

    offer(
        "Brass sextant",
        category="saws",
        description="Ticks.",
        attributes=[{"name": "Maker", "value": "Dent"}],
    )

    assert told() == ([(SELLER, "Brass sextant")] if is_told else [])


def test_an_offer_is_compared_in_bounded_steps_that_go_on_where_the_last_one_ended(monkeypatch):
    monkeypatch.setattr(saved_searches, "COMPARED_AT_ONCE", 2)
    users = [f"{number:032x}" for number in range(5)]
    for user in users:
        save(user, q="brass")
    offer("Brass sextant")
    monkeypatch.setattr(saved_searches, "STEPS", 1)

    assert [len(told()) for _ in range(4)] == [2, 2, 1, 0]
    assert models.SearchEntry.objects.filter(is_compared=True).count() == 1


def test_a_sweep_ends_after_so_many_matches_and_the_next_one_goes_on(monkeypatch):
    monkeypatch.setattr(saved_searches, "COMPARED_AT_ONCE", 2)
    monkeypatch.setattr(saved_searches, "MATCHES", 3)
    for number in range(5):
        save(f"{number:032x}", q="brass")
    offer("Brass sextant")

    assert [len(told()) for _ in range(3)] == [4, 1, 0]


def test_only_searches_with_the_beginning_of_a_word_of_the_offer_are_compared_with_it():
    for number in range(100):
        save(f"{number:032x}", q=f"lamp {number}")
    save(q="sextants of brass")
    offer("Brass sextant")

    compared = saved_searches._next_searches(saved_searches._next_offer())

    assert [saved.query["q"] for saved in compared] == ["sextants of brass"]


# --- new lots ------------------------------------------------------------------------------------------------------


def test_a_new_lot_is_told_of_once_and_a_relisted_one_again(make_product):
    product = make_product(CENTRAL=1)
    saved = save_among_lots(q="brass sext")
    list_new(product)
    list_new(product)

    services.compare_with_searches(now=NOW)

    assert published()[-1] == events.SavedSearchMatched(
        user_id=SELLER,
        search_id=saved.id,
        search="brass sext, among the lots",
        product_id=product.id,
        title="Brass sextant",
        slug="",
        price=1000,
        currency="EUR",
        auction_id="a",
    )
    saved.refresh_from_db()
    assert saved.matched_at == NOW
    assert not models.NewLot.objects.exists()
    assert told() == [(SELLER, "Brass sextant")]
    list_new(product)
    assert told() == []

    list_new(product, "b", relists="a")
    assert told() == [(SELLER, "Brass sextant")]


def test_an_offer_is_no_lot_and_a_lot_no_offer(make_product):
    save(SELLER, q="brass"), save_among_lots(OTHER, q="brass")

    offer("Brass offer")
    list_new(make_product(CENTRAL=1))

    assert told() == [(SELLER, "Brass offer"), (OTHER, "Brass sextant")]


def test_sellers_are_not_told_of_their_own_lots_nor_users_of_what_was_there_before(make_product):
    save_among_lots(SELLER, q="brass"), save_among_lots(OTHER, q="brass")
    save_among_lots("7" * 32, q="brass", now=NOW)

    list_new(make_product(owner_id=SELLER, CENTRAL=1))

    assert told() == [(OTHER, "Brass sextant")]


@pytest.mark.parametrize(
    ("query", "is_told"),
    [
        ({"q": "sextant brass"}, True),
        ({"q": "SÉXT"}, True),
        ({"q": '"brass sextant"'}, True),
        ({"q": '"sextant brass"'}, False),
        ({"q": "London"}, False),  # is in the description alone
        ({"q": "lamp"}, False),
        ({"q": "brass", "format": "english"}, True),
        ({"q": "brass", "format": "buy_now"}, False),
        ({"currency": "EUR"}, True),
        ({"currency": "USD"}, False),
        ({"currency": "EUR", "min_price": "10.00", "max_price": "10.00"}, True),
        ({"currency": "EUR", "max_price": "9.99"}, False),
        ({"currency": "EUR", "min_price": "10.01"}, False),
    ],
)
def test_a_search_among_lots_finds_a_new_lot_by_its_title_format_and_start_price(
    make_product, query, is_told
):
    save_among_lots(**query)

    list_new(make_product(CENTRAL=1))

    assert told() == ([(SELLER, "Brass sextant")] if is_told else [])


def test_a_lot_is_found_by_the_title_and_by_as_many_of_its_words_as_its_list_finds(make_product):
    product = make_product(CENTRAL=1)
    title = " ".join(f"w{number:02}" for number in range(1, 26))
    models.Product.objects.filter(id=product.id).update(title=title)
    save_among_lots(SELLER, q="w24"), save_among_lots(OTHER, q="w25")
    list_new(product)
    models.Product.objects.filter(id=product.id).update(title="Brass lamp")

    assert told() == [(SELLER, title)]


@pytest.mark.parametrize(
    "listed",
    [{"currency": ""}, {"quantity": 2}, {"as_operator": False}],
    ids=["an event without terms", "sold out", "not the owner"],
)
def test_what_is_not_accepted_or_has_no_price_is_no_news(make_product, listed):
    list_new(make_product(CENTRAL=1), **listed)

    assert not models.NewLot.objects.exists()


@pytest.mark.parametrize("state", ["RELEASED", "LOST"])
def test_a_lot_that_is_over_before_it_was_compared_is_forgotten(make_product, state):
    save_among_lots(q="brass")
    product = make_product(CENTRAL=2)
    list_new(product), list_new(product, "b")
    end_lot() if state == "RELEASED" else models.Reservation.objects.filter(holder="a").update(state=state)

    services.compare_with_searches(now=NOW)

    assert lot().state == state
    assert [event.auction_id for event in published() if isinstance(event, events.SavedSearchMatched)] == [
        "b"
    ]
    assert not models.NewLot.objects.exists()


def test_a_sweep_that_dies_tells_no_one_twice_and_the_next_one_goes_on(make_product, monkeypatch):
    monkeypatch.setattr(saved_searches, "COMPARED_AT_ONCE", 2)
    for number in range(5):
        save_among_lots(f"{number:032x}", q="brass")
    list_new(make_product(CENTRAL=1))
    note_compared, steps = models.NewLot.note_compared, []

    def die_in_the_second_step(self, **progress):
        note_compared(self, **progress)
        steps.append(progress)
        if len(steps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(models.NewLot, "note_compared", die_in_the_second_step)
    with pytest.raises(KeyboardInterrupt):
        services.compare_with_searches(now=NOW)
    first = [event.user_id for event in published() if isinstance(event, events.SavedSearchMatched)]
    models.Outbox.objects.all().delete()
    rest = [user for user, _ in told()]

    assert (len(first), len(rest)) == (2, 3)
    assert sorted(first + rest) == [f"{number:032x}" for number in range(5)]
    assert not models.NewLot.objects.exists()


def test_many_new_offers_do_not_hold_up_a_lot(make_product, monkeypatch):
    monkeypatch.setattr(saved_searches, "STEPS", 1)
    save_among_lots(q="sextant"), save(q="lamp")
    for number in range(3):
        offer(f"Lamp {number}")
    list_new(make_product(CENTRAL=1))

    assert (SELLER, "Brass sextant") in told()


def test_an_offer_that_cannot_be_compared_does_not_hold_up_a_lot(make_product):
    save_among_lots(q="sextant"), save(q="lamp")
    models.SavedSearch.objects.filter(among="offers").update(query={"q": "lamp"})
    offer("Lamp")
    list_new(make_product(CENTRAL=1))

    with pytest.raises(KeyError):
        services.compare_with_searches(now=NOW)

    [matched] = [event for event in published() if isinstance(event, events.SavedSearchMatched)]
    assert matched.title == "Brass sextant"
