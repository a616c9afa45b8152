"""The catalogue: its lists are those of the store, also after a loss, a late message or a repeat."""

import itertools
import random
from io import StringIO

import msgspec
import pytest
import redis
from django.core.management import call_command

from auction_project.kernel import errors, instants
from auction_project.kernel.contracts import events
from bidding import runtime, selectors, services
from bidding.catalogue import catalogue, index, scripts
from bidding.publishing import relay as log_relay
from bidding.publishing.pace import Pace
from bidding.store import auctions, bid_log
from bidding.tests import web
from bidding.tests.lots import ANN, BEN
from bidding.tests.relaying import step_until
from bidding.tests.running import fill_catalogue, open_auction
from bidding.tests.stored import bids_on

_ORDERS = ("ends_at", "-ends_at", "starts_at", "-starts_at", "price", "-price", "-bids")


def a_lot(lot_id, **changes):
    plain = {
        "product_id": "p",
        "requested_by": "s1",
        "seller_id": "s1",
        "format": "english",
        "currency": "EUR",
        "starts_at": 1,
        "ends_at": 2,
        "created_at": 1,
        "due_at": None,
        "status": "OPEN",
        "title": "Brass sextant",
        "mark": 3,
    }
    return auctions.AuctionDocument(id=lot_id, **(plain | changes))


@pytest.fixture
def lists(log):
    """`lists(**query)`: the ids of a page, and how many match."""

    def ask(**query):
        page = log.call(runtime.current().catalogue.find(auctions.Query(**query)))
        return [item["id"] for item in page.items], page.total

    return ask


def put(*documents):
    return runtime.call(runtime.current().catalogue.put([index.lot_of(document) for document in documents]))


def find(**query):
    return runtime.call(runtime.current().catalogue.find(auctions.Query(**query)))


def all_keys():
    async def read():
        found = runtime.current().catalogue
        prefix = found._prefix
        return {key.decode().removeprefix(prefix) async for key in found._redis.scan_iter(match=f"{prefix}*")}

    return runtime.call(read())


def keys():
    return {key for key in all_keys() if not key.startswith(("found:", "union:"))}


def found_keys():
    return {key for key in all_keys() if key.startswith("found:")}


def empty_redis():
    runtime.call(runtime.current().catalogue.empty())


# --- what a list shows ---------------------------------------------------------------------------------------------


def _any_lot(chance, number):
    titled = chance.random() < 0.8
    status = chance.choice(("OPEN", "OPEN", "CLOSED", "CANCELLED") if titled else ("REQUESTED", "CANCELLED"))
    ask = chance.choice((10_00, 20_00, 30_00))
    return a_lot(
        f"{chance.randrange(16**8):08x}",
        seller_id=chance.choice(("s1", "s2")) if titled else "",
        requested_by=chance.choice(("s1", "s2")),
        format=chance.choice(("english", "buy_now")),
        currency=chance.choice(("EUR", "JPY", "USD")),
        starts_at=chance.randrange(4),
        ends_at=chance.randrange(4),
        status=status,
        title=f"{chance.choice(('Brass', 'Old'))} sextant, No. {number}" if titled else "",
        ask=ask,
        price=chance.choice((0, ask)),
        start_price=ask,
        bids=chance.randrange(3),
        quantity_left=chance.randrange(9),
        allocate=chance.choice(("on_listing", "on_sale")),
        product_id=chance.choice(("p", "q", "r")),
    )


def test_its_lists_are_those_of_the_store_in_every_order_and_with_every_filter(log):
    """Few values a field, so that most lots share theirs with others, and pages begin and end within a tie."""
    chance = random.Random(33)
    for number in range(60):
        log.call(log.store.auctions.insert(_any_lot(chance, number)))
    services.record_stock([_stock("p", version=1, available=3), _stock("q", version=1, available=5)])
    fill_catalogue()
    queries = [
        auctions.Query(
            status=status,
            format=chance.choice((None, "english")),
            seller_id=chance.choice((None, "s2")),
            search=chance.choice((None, None, "Brass", "SEXTANT, No", '"brass sextant"')),
            currency=(currency := chance.choice((None, None, "EUR"))),
            min_price=chance.choice((None, 10_00, 20_00)) if currency else None,
            max_price=chance.choice((None, 20_00)) if currency else None,
            ends_within=chance.choice((None, None, (1, 2))),
            unlisted=unlisted,
            order=order,
            skip=chance.choice((0, 3, 7, 100)),
            limit=chance.choice((1, 4, 24)),
        )
        for status, order, unlisted in itertools.product(
            (None, "OPEN", "CLOSED", "CANCELLED", "REQUESTED"), _ORDERS, (False, True)
        )
    ]

    for query in queries:
        page = find(**msgspec.structs.asdict(query))
        assert msgspec.structs.replace(page, last=None) == selectors._list_from_store(query), query
    assert sum(bool(find(**msgspec.structs.asdict(query)).items) for query in queries) > 20


def test_a_search_finds_all_words_in_any_order_the_last_as_a_beginning_without_case_and_accents(lists):
    put(
        *(a_lot(f"a{i}", ends_at=i, title=f"Sextant (No. {i}) 100%") for i in range(4)),
        a_lot("b", title="Théodolite in brass"),
    )

    assert lists(search="(no. 3)") == lists(search="3 NO. sext") == (["a3"], 1)
    assert lists(search="sextant .*")[1] == 4
    assert lists(search="theodolite bRAs") == lists(search="THÉOD") == (["b"], 1)
    assert lists(search="odolite") == lists(search="theod brass") == ([], 0)
    assert lists(search="100%")[1] == 4
    assert lists(search="sextant brass") == lists(search="%") == ([], 0)


def test_by_relevance_titles_with_little_beside_the_words_come_first_and_then_the_newer(lists):
    titles = ["An old brass sextant", "Brass sextant", "Sextant"]
    put(*(a_lot(f"a{i}", title=title, starts_at=i) for i, title in enumerate(titles)))
    put(a_lot("newer", title="Small sextant", starts_at=9))

    assert lists(search="sextant", order="relevance") == (["a2", "newer", "a1", "a0"], 4)


@pytest.mark.parametrize("order", [*_ORDERS, "relevance"])
@pytest.mark.parametrize("search", [None, "sextant"])
def test_a_walk_by_cursors_meets_each_lot_once_also_within_a_tie(log, order, search):
    chance = random.Random(34)
    put(*(_any_lot(chance, number) for number in range(40)))
    whole = [item["id"] for item in find(order=order, search=search, limit=100).items]
    met, page = [], find(order=order, search=search, limit=7)
    while page.last is not None:
        met += [item["id"] for item in page.items]
        page = find(order=order, search=search, limit=7, after=(page.last.score, page.last.auction_id))
    met += [item["id"] for item in page.items]

    assert met == whole
    assert len(whole) > 20


def test_a_walk_misses_no_lot_when_others_come_and_its_own_last_one_leaves(lists):
    put(*(a_lot(f"a{i}", ends_at=i) for i in range(6)))
    first = find(limit=3)
    put(a_lot("before", ends_at=0), a_lot("a2", ends_at=9, mark=4))

    rest = find(limit=9, after=(first.last.score, first.last.auction_id))

    assert [item["id"] for item in first.items] == ["a0", "a1", "a2"]
    assert [item["id"] for item in rest.items] == ["a3", "a4", "a5", "a2"]
    assert keys() >= {"order:listed:ends_at"}
    assert lists(limit=9)[1] == 7  # the mark that finds the place is gone


def test_a_search_finds_phrases_in_quotes(lists):
    put(
        a_lot("a", ends_at=1, title="Old brass sextant"),
        a_lot("b", ends_at=2, title="Sextant of brass, old brass"),
        a_lot("c", ends_at=3, title="listed every"),
    )

    assert lists(search='"brass sextant"') == (["a"], 1)
    assert lists(search='"old brass"') == lists(search='"OLD bráss" sext') == (["a", "b"], 2)
    assert lists(search='"sextant brass"') == lists(search='"listed open"') == ([], 0)
    assert lists(search='"listed every"') == (["c"], 1)


def test_of_lots_with_the_words_of_a_phrase_the_first_ones_of_the_order_are_looked_at(lists, monkeypatch):
    monkeypatch.setattr(scripts, "MAX_PHRASES_LOOKED_AT", 2)
    put(*(a_lot(f"a{i}", ends_at=i, title="brass sextant") for i in range(4)))

    assert lists(search='"brass sextant"') == (["a0", "a1"], 2)
    assert lists(search='"brass sextant"', order="-ends_at") == (["a3", "a2"], 2)


def test_ranges_of_prices_and_ends_are_filters_like_any_other(lists):
    put(
        a_lot("a", ask=500, ends_at=10),
        a_lot("b", ask=900, ends_at=20),
        a_lot("c", ask=900, ends_at=30, currency="USD"),
    )

    assert lists(currency="EUR") == (["a", "b"], 2)
    assert lists(currency="EUR", min_price=501, max_price=900) == (["b"], 1)
    assert lists(currency="USD", max_price=899) == ([], 0)
    assert lists(ends_within=(15, 30), order="-ends_at") == (["c", "b"], 2)
    assert lists(ends_within=(15, 30), currency="EUR", search="brass", format="english") == (["b"], 1)


def test_the_counts_of_a_filter_leave_out_the_filter_itself(log, client):
    now = instants.now()
    soon, later = now + 3_600_000, now + 10 * 24 * 3_600_000
    put(
        a_lot("a", ask=500, start_price=500, ends_at=soon),
        a_lot("b", ask=900, start_price=900, ends_at=later, format="buy_now"),
        a_lot("c", ask=700, start_price=300, price=700, ends_at=soon, title="Lamp"),
        a_lot("d", ask=100, start_price=100, ends_at=soon, currency="USD"),
    )

    def ask(**query):
        body = client.get("/api/v1/auctions", {"facets": "true"} | query).json()
        return [item["id"] for item in body["items"]], body["facets"]

    assert ask(currency="EUR") == (
        ["a", "c", "b"],
        {
            "formats": [{"value": "english", "count": 2}, {"value": "buy_now", "count": 1}],
            "ending_soon": 2,
            "prices": {"min": "5.00", "max": "9.00", "currency": "EUR"},
        },
    )
    assert ask(q="brass", format="buy_now", currency="EUR", min_price="8.00", ending_soon="true") == (
        [],
        {"formats": [], "ending_soon": 0, "prices": None},
    )
    assert ask(ending_soon="true", min_price="6.00", currency="EUR")[0] == ["c"]
    assert ask()[1]["prices"] is None
    assert "facets" not in client.get("/api/v1/auctions").json()
    refused = client.get("/api/v1/auctions", {"min_price": "5.00"})
    assert (refused.status_code, refused.json()["code"]) == (400, "currency_missing")


def test_a_count_alone_is_that_of_the_list_and_makes_no_set(lists, monkeypatch):
    put(*(a_lot(f"a{i}", ends_at=i, format="buy_now" if i == 5 else "english") for i in range(6)))
    put(a_lot("b", title="Lamp"))
    before = keys()

    assert lists(format="english", search="brass", limit=0) == ([], 5)
    assert lists(search="nothing", limit=0) == ([], 0)
    assert keys() == before
    monkeypatch.setattr(scripts, "MAX_LOTS_SEARCHED", 3)
    assert lists(format="english", limit=0) == ([], 3)


def test_the_words_of_a_title_are_bounded():
    many = " ".join(f"x{number}" for number in range(60))

    assert '"x23"' in index.lot_of(a_lot("a", title=many)).places
    assert '"x24"' not in index.lot_of(a_lot("a", title=many)).places


def test_a_filter_that_passes_too_many_lots_is_applied_to_the_first_ones_of_the_order(lists, monkeypatch):
    monkeypatch.setattr(scripts, "MAX_LOTS_SEARCHED", 3)
    put(*(a_lot(f"a{i}", ends_at=i, seller_id="s2" if i == 5 else "s1") for i in range(6)))

    assert lists(format="english") == (["a0", "a1", "a2"], 3)
    assert lists(format="english", order="-ends_at") == (["a5", "a4", "a3"], 3)
    assert lists(format="english", seller_id="s2") == (["a5"], 1)
    assert lists(limit=2) == (["a0", "a1"], 6)


def test_a_listing_shows_no_more_units_than_inventory_has(log):
    put(a_lot("a", allocate="on_sale", quantity_left=5), a_lot("b", quantity_left=5))

    for version, available, shown in ((2, 3, 3), (1, 1, 3), (3, 9, 5)):
        services.record_stock([_stock("p", version=version, available=available)])
        assert {item["id"]: item["quantity_left"] for item in find().items} == {"a": shown, "b": 5}


def _stock(product_id, *, version, available):
    return events.StockChanged(
        product_id=product_id,
        version=version,
        title="",
        on_hand=available,
        available=available,
        reserved=0,
        committed=0,
    )


# --- puts ------------------------------------------------------------------------------------------------------------


def test_an_older_state_never_replaces_a_newer_one(lists):
    newer = a_lot("a", mark=5, status="CLOSED", bids=2)

    assert [put(newer), put(a_lot("a", mark=4)), put(newer)] == [1, 0, 0]

    assert (lists(status="OPEN"), lists(status="CLOSED")) == (([], 0), (["a"], 1))
    assert find().items[0]["bids"] == 2


def test_a_lot_that_moves_leaves_nothing_behind(lists):
    put(a_lot("a", status="REQUESTED", title="", seller_id="", mark=1))
    assert lists(status="REQUESTED", unlisted=True) == lists(unlisted=True) == (["a"], 1)
    put(a_lot("a", title="Old lamp", seller_id="s2", mark=2))
    put(a_lot("a", title="Brass sextant", seller_id="s3", format="buy_now", status="CLOSED", mark=3))
    put(a_lot("b", title="Brass sextant", seller_id="s3", format="buy_now", status="CLOSED", mark=3))

    runtime.call(runtime.current().catalogue.put([]))
    moved = keys()
    empty_redis()
    put(a_lot("a", title="Brass sextant", seller_id="s3", format="buy_now", status="CLOSED", mark=3))
    put(a_lot("b", title="Brass sextant", seller_id="s3", format="buy_now", status="CLOSED", mark=3))

    assert moved == keys()
    assert lists(search="lam") == lists(search="lamp") == ([], 0)


# --- the relay keeps it ------------------------------------------------------------------------------------------------


def is_complete():
    return find().complete


def test_what_is_published_is_listed(log, relay, lists):
    log.register()
    lot = bids_on("x", 2)
    log.append(lot.entries)

    step_until(relay, lambda: lists(status="OPEN") == (["x"], 1))
    item = find().items[0]
    assert (item["seq"], item["bids"], item["price"]) == (lot.state.seq, 2, "20.50")
    assert item["outcome"] is None

    log.append([lot.bid(ANN, 500_00), lot.close()], batch="w:2")
    step_until(relay, lambda: lists(status="CLOSED") == (["x"], 1))
    assert (find().items[0]["bids"], find().items[0]["outcome"]) == (3, "sold")


def test_each_state_is_listed_before_its_document_says_so(log, make_relay, monkeypatch):
    """So a relay that dies between the two leaves no document that is ahead of the list."""
    relay, listed = make_relay(save_seconds=0.0, put_seconds=3600.0), {}
    save = log.store.auctions.save_progress

    async def look_first(document, pieces):
        page = await runtime.current().catalogue.find(auctions.Query())
        listed[document.mark] = page.items[0]["seq"]
        return await save(document, pieces)

    monkeypatch.setattr(log.store.auctions, "save_progress", look_first)
    log.register()
    lot = bids_on("x", 1)
    log.append(lot.entries)
    step_until(relay, lambda: log.document("x").mark == 4)
    log.append([lot.bid(BEN, 900_00)], batch="w:2")
    step_until(relay, lambda: log.document("x").mark == 5)

    assert listed == {4: 4, 5: 5}


def test_an_emptied_redis_is_filled_again_and_lists_say_so_meanwhile(log, make_relay, lists, client):
    relay = make_relay(catalogue_check_seconds=0.0)
    log.register()
    for auction_id in "xyz":
        log.append(bids_on(auction_id, 1).entries)
    step_until(relay, lambda: lists()[1] == 3 and is_complete())

    empty_redis()
    lost = client.get("/api/v1/auctions")
    step_until(relay, lambda: lists()[1] == 3 and is_complete())
    found = client.get("/api/v1/auctions")

    assert (lost.status_code, lost.json()["total"], lost.headers["X-Catalogue"]) == (200, 0, "filling")
    assert (found.json()["total"], found.headers.get("X-Catalogue")) == (3, None)


def test_what_is_published_while_it_is_filled_stays(log, make_relay, lists):
    relay = make_relay(catalogue_check_seconds=0.0)
    log.register()
    lot = bids_on("x", 1)
    log.append(lot.entries)
    step_until(relay, lambda: lists()[1] == 1 and is_complete())
    stale = log.document("x")

    empty_redis()
    log.append([lot.bid(BEN, 900_00)], batch="w:2")
    step_until(relay, lambda: is_complete() and log.document("x").mark == 5)
    put(stale)

    assert find().items[0]["seq"] == 5


def test_a_put_that_redis_did_not_take_is_filled_in(log, make_relay, lists, monkeypatch):
    relay = make_relay(catalogue_check_seconds=0.0, save_seconds=0.0)
    log.register()
    lot = bids_on("x", 1)
    log.append(lot.entries)
    step_until(relay, lambda: lists()[1] == 1 and is_complete())

    async def away(*_what):
        raise errors.Unavailable("Redis does not answer.")

    monkeypatch.setattr(runtime.current().catalogue, "put", away)
    log.append([lot.bid(BEN, 900_00), lot.close()], batch="w:2")
    step_until(relay, lambda: log.document("x").mark == 6)
    assert find().items[0]["seq"] == 4
    monkeypatch.undo()

    step_until(relay, lambda: find().items[0]["seq"] == 6)


def _epoch():
    return runtime.call(runtime.current().catalogue.marker()).epoch


def _took_over(log, transport):
    """The epoch that another relay keeps."""
    after = log_relay.LogRelay(transport, readers={}, pace=Pace(lease_ms=0, follower_seconds=0.0))
    step_until(after, lambda: after._catalogue._epoch)
    return after._catalogue._epoch


def test_a_relay_goes_on_with_what_another_has_handed_over(log, make_relay, transport):
    first = make_relay(lease_ms=0)
    step_until(first, lambda: _epoch() and is_complete())
    epoch = _epoch()
    first.close()

    assert _took_over(log, transport) == epoch


def test_after_a_relay_that_died_it_is_filled_again_and_stays_complete(log, make_relay, transport):
    first = make_relay(lease_ms=0)
    step_until(first, lambda: _epoch() and is_complete())
    epoch = _epoch()

    assert _took_over(log, transport) != epoch
    assert is_complete()


def test_another_run_of_redis_is_not_trusted(log, make_relay):
    relay = make_relay(catalogue_check_seconds=0.0)
    step_until(relay, is_complete)
    epoch = _epoch()
    for _ in range(3):
        relay.step()
    assert _epoch() == epoch

    relay._catalogue._server = "the run before"
    step_until(relay, lambda: _epoch() != epoch)


# --- my bids -----------------------------------------------------------------------------------------------------------


def _own(user_id, **page):
    states, total = selectors.list_own(user_id, **({"skip": 0, "limit": 50} | page))
    return [state.auction_id for state in states], total


def test_my_bids_ask_the_log_once_and_are_kept_from_then_on(log, make_relay, monkeypatch):
    relay = make_relay(catalogue_check_seconds=0.0)
    step_until(relay, is_complete)
    one, two = open_auction("1" * 32), open_auction("2" * 32)
    web.bid(one, web.GOOD, **web.bearer(ANN))
    reads, read = [], bid_log.BidLog.last_acts_of

    async def count(self, actor, limit):
        reads.append(actor)
        return await read(self, actor, limit)

    monkeypatch.setattr(bid_log.BidLog, "last_acts_of", count)
    assert [_own(ANN), _own(ANN), _own(BEN)] == [([one], 1), ([one], 1), ([], 0)]

    web.bid(two, web.GOOD, **web.bearer(ANN))
    step_until(relay, lambda: _own(ANN) == ([two, one], 2))
    assert _own(ANN, skip=1, limit=1) == ([one], 2)
    assert _own(ANN, skip=2, limit=1) == ([], 2)
    assert reads == [ANN, BEN]

    empty_redis()
    step_until(relay, is_complete)
    assert _own(ANN) == ([two, one], 2)
    assert reads == [ANN, BEN, ANN]


def test_a_bid_that_comes_while_my_bids_are_read_is_not_lost(log):
    found = runtime.current().catalogue
    log.call(found.begin_epoch("e", server="s"))

    assert log.call(found.find_own(ANN, skip=0, limit=9)) == catalogue.OwnPage("e")
    log.call(found.note("e", [(ANN, 9, "new"), (ANN, 5, "old"), (BEN, 7, "other")]))
    log.call(found.fill_own("e", ANN, {"old": 3, "older": 1}))

    assert log.call(found.find_own(ANN, skip=0, limit=9)) == catalogue.OwnPage(
        "e", 3, ["new", "old", "older"]
    )
    assert log.call(found.find_own(BEN, skip=0, limit=9)) == catalogue.OwnPage("e")


def test_what_is_noted_goes_to_redis_in_bounded_pieces(log, monkeypatch):
    found, sizes = runtime.current().catalogue, []
    script = found._scripts[scripts.NOTE]

    async def count(*, keys, args):
        sizes.append(len(args))
        return await script(keys=keys, args=args)

    log.call(found.begin_epoch("e", server="s"))
    log.call(found.find_own(ANN, skip=0, limit=9))
    monkeypatch.setitem(found._scripts, scripts.NOTE, count)
    acts = [(ANN, number, f"{number}") for number in range(1201)]
    log.call(found.note("e", acts))
    log.call(found.fill_own("e", ANN, {}))

    assert sizes == [1501, 1501, 604]  # the epoch, and three values of each act
    assert log.call(found.find_own(ANN, skip=0, limit=2)) == catalogue.OwnPage("e", 1201, ["1200", "1199"])


# --- without Redis -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_redis(settings):
    """Before the runtime is made."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


def test_without_redis_lists_come_from_the_store_one_at_a_time(no_redis, bid_log, client, monkeypatch):
    monkeypatch.setattr(selectors, "STORE_WAIT_SECONDS", 0.01)
    auction = open_auction("1" * 32)
    web.bid(auction, web.GOOD, **web.bearer(ANN))
    document = runtime.call(runtime.current().store.auctions.get(auction))
    listed = msgspec.structs.replace(document, id="2" * 32, status="OPEN", title="Sextant")
    runtime.call(runtime.current().store.auctions.insert(listed))

    assert client.get("/api/v1/auctions").json()["total"] == 1
    assert client.get("/api/v1/bids/mine", headers=web.bearer(ANN)).json()["total"] == 1
    with selectors._store_lists:
        busy = client.get("/api/v1/auctions")
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")


def test_while_redis_cannot_write_lists_come_from_the_store(log, client, monkeypatch):
    log.call(log.store.auctions.insert(a_lot("a")))

    async def refuse(**_arguments):
        raise redis.ResponseError("MISCONF Redis is configured to save RDB snapshots")

    monkeypatch.setitem(runtime.current().catalogue._scripts, scripts.FIND, refuse)
    listed = client.get("/api/v1/auctions")

    assert (listed.status_code, listed.json()["total"]) == (200, 1)


def test_searches_take_turns_and_those_that_wait_too_long_do_not_ask_the_store(log, client, monkeypatch):
    monkeypatch.setattr(catalogue, "SEARCH_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(selectors, "_list_from_store", None)
    turn = runtime.current().catalogue._turn
    log.call(turn.acquire())

    busy = client.get("/api/v1/auctions?q=sextant")
    plain = client.get("/api/v1/auctions")
    turn.release()
    after = client.get("/api/v1/auctions?q=sextant")

    assert (busy.status_code, busy.json()["code"]) == (503, "too_many_searches")
    assert (plain.status_code, after.status_code) == (200, 200)


def test_suggestions_take_their_turn_too_and_never_ask_the_store(log, client, monkeypatch):
    monkeypatch.setattr(selectors, "SUGGESTION_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(selectors, "_list_from_store", None)
    log.call(log.store.auctions.insert(a_lot("a")))
    fill_catalogue()
    turn = runtime.current().catalogue._turn
    log.call(turn.acquire())
    busy = client.get("/api/v1/auctions/suggestions?q=sex")
    turn.release()
    monkeypatch.setattr(runtime.current().catalogue, "_paused_until", float("inf"))
    away = client.get("/api/v1/auctions/suggestions?q=sex")
    monkeypatch.undo()
    after = client.get("/api/v1/auctions/suggestions?q=sex")

    assert [(answer.status_code, answer.json().get("code")) for answer in (busy, away)] == [
        (503, "too_many_searches"),
        (503, "unavailable"),
    ]
    assert after.json() == {"items": ["sextant", "Brass sextant"]}


def test_suggestions_and_the_list_of_the_same_words_are_one_search(log, client, monkeypatch):
    monkeypatch.setattr(scripts, "RESULT_MS", 60_000)
    put(a_lot("a"))

    suggested = client.get("/api/v1/auctions/suggestions?q=brass+sex").json()["items"]
    once = found_keys()
    listed = client.get("/api/v1/auctions?status=OPEN&q=Brass+sex").json()["total"]

    assert (suggested, listed) == (["brass sextant", "Brass sextant"], 1)
    assert found_keys() == once
    assert len(once) == 1


def test_searches_pause_for_three_times_their_time_and_half_a_second_at_most():
    assert [catalogue.pause_after(seconds) for seconds in (0.01, 0.1, 60)] == [0.03, pytest.approx(0.3), 0.5]


# --- the command -------------------------------------------------------------------------------------------------------


def test_the_command_fills_it_and_empties_it_first_if_that_is_meant(log, lists):
    for auction_id in ("a", "b"):
        log.call(log.store.auctions.insert(a_lot(auction_id)))
    put(a_lot("gone"), a_lot("a"))

    def rebuild(*arguments):
        out = StringIO()
        call_command("rebuild_catalogue", *arguments, stdout=out)
        return out.getvalue()

    assert rebuild().startswith("2 lots are in the catalogue, 1 of them were missing")
    assert (lists()[0], is_complete()) == (["a", "b", "gone"], True)
    assert rebuild("--empty").startswith("2 lots are in the catalogue, 2 of them")
    assert (lists()[0], is_complete()) == (["a", "b"], True)
