"""The REST views of bidding: each without a token, as another user and as the right one; refused input changes
nothing."""

import asyncio
import concurrent.futures
import json
import threading
import time

import msgspec
import pytest

from auction_project.kernel import ids, instants
from bidding import presentation, runtime
from bidding.rules import kinds, log
from bidding.store import auctions, bid_log
from bidding.tests import lots, web
from bidding.tests.lots import ANN, BEN, OPERATOR, SELLER
from bidding.tests.running import fill_catalogue, head, open_auction
from bidding.tests.web import GOOD, problem

AUCTION = "1" * 32
SELLERS = web.bearer(SELLER, "seller")
OPERATORS = web.bearer(OPERATOR, "operator")
ANNS, BENS = web.bearer(ANN), web.bearer(BEN)


@pytest.fixture
def auction(bid_log):
    return open_auction(AUCTION)


@pytest.fixture
def rest(client):
    """`rest(method, path, headers, body)` through Django."""

    def ask(method, path, headers=None, body=None):
        arguments = {} if body is None else {"data": body, "content_type": "application/json"}
        response = getattr(client, method)(f"/api/v1/{path}", headers=headers or {}, **arguments)
        response.headers.setdefault("content-type", "")
        return response

    return ask


def refused(response):
    """(status, code, field) of a problem."""
    assert response.headers["content-type"] == "application/problem+json", response.content
    body = response.json()
    return response.status_code, body["code"], body.get("field")


def terms(**changes):
    now = instants.now()
    plain = {
        "product_id": "p" * 32,
        "format": "english",
        "currency": "EUR",
        "start_price": "10.00",
        "starts_at": now,
        "ends_at": now + lots.HOUR,
    }
    return plain | changes


# --- time, list, read ------------------------------------------------------------------------------------------------


def test_the_servers_time_is_public(rest):
    assert abs(rest("get", "time").json()["now"] - time.time() * 1000) < 5_000


def test_an_auction_as_it_is_now_is_public(auction, rest):
    web.bid(auction, GOOD, **ANNS)

    body = rest("get", f"auctions/{auction}").json()
    assert (body["id"], body["seq"], body["status"], body["price"], body["minimum"]) == (
        auction,
        4,
        "OPEN",
        "10.00",
        "10.50",
    )
    assert (body["leader"], body["bids"], body["bidders"], body["title"]) == ("Bidder 1", 1, 1, "Sextant")
    assert body["hash"] == runtime.look(auction).hash


@pytest.mark.parametrize(("bidders", "outcome"), [((), "unsold"), ((ANN,), "sold")])
def test_an_auction_that_ended_says_whether_it_was_sold(auction, rest, bidders, outcome):
    for bidder in bidders:
        assert web.bid(auction, GOOD, **web.bearer(bidder)).status_code == 201
    before = rest("get", f"auctions/{auction}").json()
    close = kinds.Close(auction_id=auction, actor="clock", key="close", at=before["ends_at"], salt="s")

    runtime.submit(close)

    after = rest("get", f"auctions/{auction}").json()
    assert (before["status"], before["outcome"]) == ("OPEN", None)
    assert (after["status"], after["outcome"]) == ("CLOSED", outcome)


def test_what_is_hidden_is_in_no_body(bid_log, rest):
    auction = open_auction(AUCTION)
    web.bid(auction, {"amount": "47.31", "currency": "EUR"}, **ANNS)

    for path in (f"auctions/{auction}", "auctions", f"auctions/{auction}/history"):
        text = rest("get", path).content.decode()
        assert ANN not in text
        assert "47.31" not in text
        assert "7731" not in text


@pytest.mark.parametrize("path", ["", "/history", "/mine"])
@pytest.mark.parametrize("auction_id", ["9" * 32, "a%00b", "x" * 300])
def test_an_auction_that_does_not_exist_is_not_found(auction, rest, path, auction_id):
    assert refused(rest("get", f"auctions/{auction_id}{path}", ANNS))[0] == 404


@pytest.mark.parametrize("path", ["", "/history", "/mine"])
def test_an_id_without_entries_is_nothing(bid_log, rest, path):
    open_auction(AUCTION)
    document = runtime.call(runtime.current().store.auctions.get(AUCTION))
    runtime.call(runtime.current().store.auctions.insert(_renamed(document, "8" * 32)))

    assert refused(rest("get", f"auctions/{'8' * 32}{path}", ANNS)) == (404, "not_found", None)


def _renamed(document, auction_id):
    return msgspec.structs.replace(document, id=auction_id)


def test_lists_filter_and_page_and_never_mix_their_pages(bid_log, rest):
    log_store = runtime.current().store
    for i in range(5):
        runtime.call(
            log_store.auctions.insert(
                auctions.AuctionDocument(
                    id=f"{i}" * 32,
                    product_id="p",
                    requested_by=SELLER,
                    seller_id=SELLER,
                    format="english",
                    currency="EUR",
                    starts_at=1,
                    ends_at=i,
                    created_at=1,
                    due_at=None,
                    status="SCHEDULED",
                    title=f"Sextant {i}",
                )
            )
        )
    fill_catalogue()
    query = f"auctions?status=SCHEDULED&format=english&seller={SELLER}&q=Sextant&order=-ends_at&page_size=2"

    pages = [rest("get", f"{query}&page={page}").json() for page in (1, 2, 3)]

    assert [[item["title"][-1] for item in page["items"]] for page in pages] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
    ]
    assert {(page["pages"], page["total"]) for page in pages} == {(3, 5)}


def test_the_list_goes_on_after_its_last_lot_and_a_cursor_is_of_one_list(bid_log, rest):
    for i in range(3):
        runtime.call(runtime.current().store.auctions.insert(listed_lot(f"{i}" * 32, ends_at=i)))
    fill_catalogue()

    first = rest("get", "auctions?page_size=2").json()
    rest_of_it = rest("get", f"auctions?page_size=2&after={first['next']}").json()
    wrong = [
        rest("get", f"auctions?order=price&after={first['next']}"),
        rest("get", "auctions?after=x"),
        rest("get", f"auctions?page=2&after={first['next']}"),
    ]

    assert [[item["id"][0] for item in page["items"]] for page in (first, rest_of_it)] == [["0", "1"], ["2"]]
    assert rest_of_it["next"] is None
    assert [refused(answer)[::2] for answer in wrong] == [(400, "after"), (400, "after"), (400, "page")]


@pytest.mark.parametrize(
    ("query", "field"),
    [("page=0", "page"), ("page=x", "page"), ("page_size=101", "page_size"), ("status=SOLD", "status"),
     ("format=dutch", "format"), ("order=hidden", "order"), ("colour=red", "colour"), ("q=a%00b", "q"),
     ("q=" + "x" * 101, "q"), ("unlisted=perhaps", "unlisted")],
)  # fmt: skip
def test_an_invalid_query_is_refused(bid_log, rest, query, field):
    status, _, name = refused(rest("get", f"auctions?{query}"))

    assert (status, name) == (400, field)


def listed_lot(auction_id, **changes):
    plain = {
        "product_id": "p" * 32,
        "requested_by": SELLER,
        "seller_id": SELLER,
        "format": "english",
        "currency": "EUR",
        "starts_at": 1,
        "ends_at": 2,
        "created_at": 1,
        "due_at": None,
        "status": "OPEN",
        "title": "Octant",
    }
    return auctions.AuctionDocument(id=auction_id, **(plain | changes))


def test_lots_that_are_over_are_listed_with_the_latest_end_first(bid_log, rest):
    for i, status in enumerate(["OPEN", "OPEN", "CLOSED", "CLOSED"]):
        document = listed_lot(f"{i}" * 32, ends_at=i, status=status, title=f"Octant {i}")
        runtime.call(runtime.current().store.auctions.insert(document))
    fill_catalogue()

    def listed(query):
        return [item["title"] for item in rest("get", f"auctions?q=Octant&{query}").json()["items"]]

    assert listed("status=OPEN") == ["Octant 0", "Octant 1"]
    assert listed("status=CLOSED") == ["Octant 3", "Octant 2"]
    assert listed("status=CLOSED&order=ends_at") == ["Octant 2", "Octant 3"]


def test_suggestions_are_made_of_the_titles_of_open_lots(bid_log, rest):
    long = " ".join(f"lanterns{letter}" for letter in "abcdefghij")  # as long as a search may be
    titles = ["Brass sextant", "Brass clock", "Bracket clock", "Brass clock", f"Brass {'x' * 100}", long]
    lots = [listed_lot(f"{i}" * 32, title=title) for i, title in enumerate(titles)]
    over = listed_lot("a" * 32, title="Brass crown", status="CLOSED")
    later = listed_lot("b" * 32, title="Brandy", status="SCHEDULED")
    for document in (*lots, over, later):
        runtime.call(runtime.current().store.auctions.insert(document))
    fill_catalogue()

    def suggested(text):
        answer = rest("get", f"auctions/suggestions?q={text}")
        assert answer.status_code == 200
        return answer.json()["items"]

    assert suggested("BRA") == ["brass", "bracket", "Brass clock", "Bracket clock", "Brass sextant"]
    assert suggested("brass c") == suggested('"brass%20cl') == ["brass clock", "Brass clock"]
    assert suggested("brass") == suggested("brass brass") == ["brass", "Brass clock", "Brass sextant"]
    assert suggested("bra clock") == []
    assert (len(long), suggested(long[:-1]), suggested(long)) == (99, [long], [long])
    assert [suggested(text) for text in ("", "%20", "★", "b", "brandy", "crown")] == [[]] * 6


@pytest.mark.parametrize("query", ["", "?q=" + "x" * 101, "?q=a&page=1"])
def test_what_is_no_query_of_suggestions_is_refused(bid_log, rest, query):
    assert refused(rest("get", f"auctions/suggestions{query}"))[0] == 400


# --- create ------------------------------------------------------------------------------------------------------------


def test_a_seller_requests_an_auction_and_a_repeat_gets_the_same(bid_log, rest):
    headers, body = {**SELLERS, "Idempotency-Key": "mine"}, terms(reserve_price="25.00")

    one, two = (rest("post", "auctions", headers, body) for _ in range(2))

    assert (one.status_code, two.status_code, one.json()["id"]) == (
        201,
        201,
        ids.auction_id(SELLER, "mine"),
    )
    assert one.json() == two.json()
    created = one.json()
    assert (created["status"], created["seq"], created["has_reserve"], created["reserve_met"]) == (
        "REQUESTED",
        1,
        True,
        False,
    )
    assert runtime.look(created["id"]).reserve == 25_00
    other = rest("post", "auctions", headers, body | {"start_price": "11.00"})
    assert refused(other) == (422, "key_reused", None)


@pytest.mark.parametrize(("headers", "status"), [(None, 401), (ANNS, 403)])
def test_neither_an_anonymous_user_nor_a_bidder_may_request_an_auction(bid_log, rest, headers, status):
    assert refused(rest("post", "auctions", headers, terms()))[0] == status
    assert runtime.call(runtime.current().store.auctions.all_ids()) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_price": "0"}, "start_price"),
        ({"start_price": "-1"}, "start_price"),
        ({"start_price": "1e30"}, "start_price"),
        ({"start_price": " 5"}, "start_price"),
        ({"start_price": "5\n"}, "start_price"),
        ({"start_price": "NaN"}, "start_price"),
        ({"start_price": "10.001"}, "start_price"),
        ({"start_price": None}, "start_price"),
        ({"start_price": 10}, "start_price"),
        ({"start_price": 10.0}, "start_price"),
        ({"reserve_price": 20}, "reserve_price"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "JPY", "start_price": "10.5"}, "start_price"),
        ({"format": "dutch"}, "format"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 2}, "quantity"),
        ({"quantity": 10**30}, "quantity"),
        ({"reserve_price": "9.99"}, "reserve_price"),
        ({"reserve_price": "20.00", "format": "buy_now"}, "reserve_price"),
        ({"ends_at": 1}, "ends_at"),
        ({"ends_at": 10**30}, "ends_at"),
        ({"ends_at": "soon"}, "ends_at"),
        ({"starts_at": -1}, "starts_at"),
        ({"product_id": "a\u0000b"}, "product_id"),
        ({"product_id": "x" * 65}, "product_id"),
        ({"soft_close": {"window_ms": -1}}, "soft_close.window_ms"),
        ({"soft_close": {"mode": "add"}}, "soft_close.mode"),
        ({"soft_close": 7}, "soft_close"),
        ({"colour": "red"}, "colour"),
        ({"relistings_left": 6}, "relistings_left"),
    ],
)
def test_invalid_terms_are_refused_with_their_field(bid_log, rest, changes, field):
    status, _, name = refused(rest("post", "auctions", SELLERS, terms(**changes)))

    assert status == 400
    assert name is not None
    assert name.startswith(field)
    assert runtime.call(runtime.current().store.auctions.all_ids()) == []


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [(b"{", "application/json", 400), (b"[]", "application/json", 400), (b"a=b", "application/x-www-form-urlencoded", 415),
     (b'{"start_price": "\\ud800"}', "application/json", 400)],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(bid_log, client, content, content_type, status):
    response = client.post("/api/v1/auctions", content, content_type=content_type, headers=SELLERS)

    assert refused(response)[0] == status


# --- open and cancel -----------------------------------------------------------------------------------------------------


@pytest.fixture
def scheduled(bid_log):
    return open_auction(AUCTION, opened=False, starts_in=lots.HOUR)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [(None, 401, None), (ANNS, 403, None), (web.bearer(ANN, "seller"), 403, "not_your_auction")],
)
@pytest.mark.parametrize("action", ["open", "cancel"])
def test_only_the_seller_and_operators_open_and_cancel(scheduled, rest, headers, status, code, action):
    response = rest(
        "post",
        f"auctions/{scheduled}/{action}",
        headers,
        {"reason": "It broke."} if action == "cancel" else {},
    )

    refusal = refused(response)
    assert refusal[0] == status
    assert code in (None, refusal[1])
    assert (runtime.look(scheduled).status, head(scheduled)) == ("SCHEDULED", 2)


def test_the_seller_opens_early(scheduled, rest):
    response = rest("post", f"auctions/{scheduled}/open", SELLERS)

    assert (response.status_code, response.json()["status"], head(scheduled)) == (200, "OPEN", 3)


@pytest.mark.parametrize("headers", [SELLERS, OPERATORS])
def test_the_seller_and_an_operator_cancel_with_a_reason(auction, rest, headers):
    response = rest("post", f"auctions/{auction}/cancel", headers, {"reason": "It broke."})

    assert (response.status_code, response.json()["status"], response.json()["reason"]) == (
        200,
        "CANCELLED",
        "It broke.",
    )


def test_the_seller_cannot_cancel_once_there_is_a_bid_an_operator_can(auction, rest):
    web.bid(auction, GOOD, **ANNS)

    assert refused(rest("post", f"auctions/{auction}/cancel", SELLERS, {"reason": "It broke."})) == (
        409,
        "has_bids",
        None,
    )
    assert head(auction) == 4
    assert rest("post", f"auctions/{auction}/cancel", OPERATORS, {"reason": "It broke."}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "no"},
        {"reason": "x" * 501},
        {"reason": "a\u0000bc"},
        {"reason": 7, "by": "me"},
    ],
)
def test_a_cancellation_needs_a_reason(auction, rest, body):
    assert refused(rest("post", f"auctions/{auction}/cancel", OPERATORS, body))[0] == 400
    assert head(auction) == 3


def test_opening_what_is_open_is_a_conflict(auction, rest):
    assert refused(rest("post", f"auctions/{auction}/open", OPERATORS)) == (409, "wrong_status", None)


# --- your own ---------------------------------------------------------------------------------------------------------------


def test_the_outcome_of_a_key_is_for_its_owner_alone(auction, rest):
    placed = web.bid(auction, GOOD, **ANNS).json()
    path = f"auctions/{auction}/bids/by-key/key-1"

    assert rest("get", path, ANNS).json() == placed
    assert refused(rest("get", path, BENS)) == (404, "not_found", None)
    assert refused(rest("get", path))[0] == 401
    assert refused(rest("get", f"auctions/{auction}/bids/by-key/other", ANNS))[0] == 404


def test_a_key_whose_bid_is_still_being_decided_is_503_and_never_404(auction, rest, monkeypatch):
    log_store = runtime.current().store
    released, append = threading.Event(), log_store.bids.append

    async def append_late(entries, *, batch):
        await asyncio.to_thread(released.wait, 10)
        return await append(entries, batch=batch)

    monkeypatch.setattr(log_store.bids, "append", append_late)
    path = f"auctions/{auction}/bids/by-key/key-1"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        placed = pool.submit(web.bid, auction, GOOD, **ANNS)
        deadline = time.monotonic() + 5
        while (early := refused(rest("get", path, ANNS))[0]) != 503 and time.monotonic() < deadline:
            assert early == 404  # the bid has not arrived yet
        released.set()
        answer = placed.result(10)

    assert (early, answer.status_code) == (503, 201)
    assert rest("get", path, ANNS).json() == answer.json()


@pytest.mark.parametrize("undecided_before", [True, False])
def test_a_key_that_is_undecided_before_or_after_the_look_into_the_store_is_503(
    auction, rest, monkeypatch, undecided_before
):
    """The bid comes to its end, or arrives, while the store is asked."""
    running, looked = runtime.current(), []
    find = running.store.bids.find

    async def noting(keys):
        looked.append(keys)
        return await find(keys)

    monkeypatch.setattr(running.store.bids, "find", noting)
    monkeypatch.setattr(running.committer, "is_undecided", lambda _: bool(looked) != undecided_before)

    assert refused(rest("get", f"auctions/{auction}/bids/by-key/key-1", ANNS))[0] == 503


def test_a_standing_is_for_its_bidder_alone(auction, rest):
    web.bid(auction, {"amount": "47.31", "currency": "EUR"}, **ANNS)
    web.bid(auction, {"amount": "30.00", "currency": "EUR"}, **BENS)

    anns, bens, others = (
        rest("get", f"auctions/{auction}/mine", headers).json()
        for headers in (ANNS, BENS, web.bearer("9" * 32))
    )
    assert (anns["standing"], anns["maximum"], anns["alias"]) == ("leading", "47.31", "Bidder 1")
    assert (bens["standing"], bens["maximum"], bens["alias"]) == ("outbid", "30.00", "Bidder 2")
    assert (others["standing"], others["maximum"], others["alias"]) == ("none", None, None)
    assert refused(rest("get", f"auctions/{auction}/mine"))[0] == 401


def test_my_bids_are_the_auctions_that_i_bid_in(auction, rest):
    open_auction("2" * 32)
    web.bid(auction, GOOD, **ANNS)

    assert [item["auction"]["id"] for item in rest("get", "bids/mine", ANNS).json()["items"]] == [auction]
    web.bid("2" * 32, GOOD, **ANNS)
    pages = [rest("get", f"bids/mine?page_size=1&page={page}", ANNS).json() for page in (1, 2, 3)]
    assert [[item["auction"]["id"] for item in page["items"]] for page in pages] == [
        ["2" * 32],
        [auction],
        [],
    ]
    assert {(page["pages"], page["total"]) for page in pages} == {(2, 2)}
    assert refused(rest("get", "bids/mine?page_size=51", ANNS))[0] == 400
    assert rest("get", "bids/mine", BENS).json()["items"] == []
    assert rest("get", "bids/mine", SELLERS).json()["items"] == []
    assert refused(rest("get", "bids/mine"))[0] == 401


# --- history and documents -----------------------------------------------------------------------------------------------------


def test_the_log_is_public_by_cursor_and_can_be_verified(auction, rest):
    for i in range(4):
        web.bid(
            auction,
            {"amount": f"{20 + i * 10}.00", "currency": "EUR"},
            **(ANNS, BENS)[i % 2],
            Idempotency_Key=f"{i}",
        )

    first = rest("get", f"auctions/{auction}/history?limit=5").json()
    rest_of_it = rest("get", f"auctions/{auction}/history?after={first['next']}").json()

    entries = [*first["entries"], *rest_of_it["entries"]]
    assert ([entry["seq"] for entry in entries], first["next"], rest_of_it["next"]) == (
        [1, 2, 3, 4, 5, 6, 7],
        5,
        None,
    )
    stored = runtime.call(runtime.current().store.bids.read_from(auction, 0, 10))
    assert entries == [presentation.history_entry(entry) for entry in stored]
    assert log.verify_chain(stored) is None


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=501", "after=x", "before=3"])
def test_a_cursor_that_makes_no_sense_is_refused(auction, rest, query):
    status, _, field = refused(rest("get", f"auctions/{auction}/history?{query}"))

    assert (status, field) == (400, query.partition("=")[0])


def test_the_openapi_document_contains_the_bid_endpoint(client):
    document = json.loads(client.get("/api/openapi.json").content)

    bid = document["paths"]["/api/v1/auctions/{auction_id}/bids"]["post"]
    statuses = {"201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503"}
    assert statuses <= set(bid["responses"])
    assert bid["security"] == [{"accessToken": []}]
    assert document["paths"]["/api/v1/auctions"]["get"]["security"] == []
    assert [(p["name"], p["required"]) for p in bid["parameters"] if p["in"] == "header"] == [
        ("Idempotency-Key", True)
    ]
    schema = bid["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert set(document["components"]["schemas"][schema]["properties"]) == {
        *("amount", "currency", "quantity", "confirmation")
    }


def test_while_the_store_is_unavailable_reads_are_503_with_retry_after(auction, rest, monkeypatch):
    async def away(*_arguments, **_named):
        raise bid_log.OutcomeUnknown("away")

    monkeypatch.setattr(runtime.current().store.bids, "read", away)

    response = rest("get", f"auctions/{auction}")
    assert (refused(response), response.headers["retry-after"]) == ((503, "store_unavailable", None), "1")


def test_problem_is_the_same_shape_everywhere(auction, rest):
    bare = web.bid("9" * 32, GOOD, **ANNS)
    django = rest("get", f"auctions/{'9' * 32}")

    assert problem(bare)[0] == refused(django)[0] == 404
    assert set(bare.json()) == set(django.json())
