"""The bid endpoint through the whole ASGI application: the answers to bids; invalid input changes nothing."""

import asyncio
import hashlib
import json
import time
import types

import httpx
import pytest
from django.core import signing
from django.db.backends.base import base

from auction_project import asgi
from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from auction_project.web import bounds
from bidding import reports, runtime, services
from bidding.rest import bid_endpoint, confirmations
from bidding.rules import kinds
from bidding.store import bid_log
from bidding.tests import lots, web
from bidding.tests.lots import ANN, BEN, DOT, OPERATOR, SELLER
from bidding.tests.running import head, open_auction
from bidding.tests.web import GOOD, problem
from bidding.writer import committer


@pytest.fixture
def auction(bid_log):
    return open_auction("1" * 32)


@pytest.fixture
def listing(bid_log):
    return open_auction("2" * 32, format="buy_now", quantity=2)


ANNS = web.bearer(ANN)


def test_a_bid_is_answered_with_its_place_in_the_log(auction):
    response = web.bid(auction, {"amount": "45.50", "currency": "EUR"}, **web.bearer(ANN))

    state = runtime.look(auction)
    body = response.json()
    assert (response.status_code, response.headers["content-type"]) == (201, "application/json")
    assert body == {
        "auction_id": auction,
        "seq": 4,
        "hash": state.hash,
        "at": state.at,
        "standing": "leading",
        "bidder": "Bidder 1",
        "currency": "EUR",
        "price": "10.00",
        "minimum": "10.50",
        "ends_at": state.ends_at,
        "reserve_met": True,
        "quantity_left": 1,
        "sale_id": None,
        "receipt": body["receipt"],
    }
    opening = body["receipt"]["opening"]
    assert (body["receipt"]["seq"], body["receipt"]["hash"]) == (4, state.hash)
    assert (opening["actor"], opening["maximum"]) == (ANN, 45_50)
    canonical = json.dumps(opening, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(canonical).hexdigest() == body["receipt"]["commitment"]


def test_an_unusual_bid_is_confirmed_with_the_token_of_the_refusal_and_with_no_other(auction):
    unusual = {"amount": "80", "currency": "EUR"}

    refused = web.bid(auction, unusual, **web.bearer(ANN))
    assert (refused.status_code, refused.json()["code"], refused.json()["because"]) == (
        409,
        "confirmation_required",
        "far_above_minimum",
    )
    token = refused.json()["confirmation"]
    for headers, amount, sent in ((BEN, "80", token), (ANN, "81", token), (ANN, "80", "forged")):
        body = {"amount": amount, "currency": "EUR", "confirmation": sent}
        assert web.bid(auction, body, **web.bearer(headers)).json()["code"] == "confirmation_required"
    assert head(auction) == 3

    placed = web.bid(auction, unusual | {"confirmation": token}, **web.bearer(ANN))
    assert (placed.status_code, placed.json()["standing"], head(auction)) == (201, "leading", 4)


def test_a_confirmation_holds_for_its_time_and_no_longer(auction, monkeypatch):
    unusual = {"amount": "80", "currency": "EUR"}
    token = web.bid(auction, unusual, **web.bearer(ANN)).json()["confirmation"]
    later = time.time() + confirmations.VALID_SECONDS + 1
    monkeypatch.setattr(signing, "time", types.SimpleNamespace(time=lambda: later))

    again = web.bid(auction, unusual | {"confirmation": token}, **web.bearer(ANN))

    assert (again.json()["code"], head(auction)) == ("confirmation_required", 3)


def test_an_operator_cannot_bid_on_a_lot_of_the_house(bid_log):
    houses = open_auction("3" * 32, seller_id=ids.HOUSE)

    assert problem(web.bid(houses, GOOD, **web.bearer(OPERATOR, "bidder", "operator"))) == (
        403,
        "house_lot",
        None,
    )
    assert web.bid(houses, GOOD, **web.bearer(ANN)).status_code == 201


def test_a_card_counts_as_soon_as_it_is_reported_and_a_removed_one_no_longer_after_a_while(
    auction, monkeypatch
):
    monkeypatch.setattr(reports, "CARD_SECONDS", 0.0)
    bid = {"amount": "20", "currency": "EUR"}

    refused = web.bid(auction, bid, **web.bearer(DOT))
    assert (refused.status_code, refused.json()["code"], head(auction)) == (403, "card_missing", 3)

    services.record_cards([events.CardChanged(user_id=DOT, usable=True, version=5)])
    assert web.bid(auction, bid, **web.bearer(DOT)).status_code == 201

    services.record_cards([events.CardChanged(user_id=DOT, usable=False, version=6)])
    services.record_cards([events.CardChanged(user_id=DOT, usable=True, version=5)])
    again = web.bid(auction, {"amount": "30", "currency": "EUR"}, Idempotency_Key="key-2", **web.bearer(DOT))
    assert (again.json()["code"], head(auction)) == ("card_missing", 4)


def test_a_plain_bid_reads_no_card_sends_no_statement_to_postgresql_and_calls_no_other_service(
    auction, monkeypatch
):
    """By the fast path: the bidder's second bid, like all that follow within CARD_SECONDS."""
    monkeypatch.setattr(reports, "CARD_SECONDS", 3_600.0)
    assert web.bid(auction, GOOD, Host="localhost", **web.bearer(ANN)).status_code == 201
    asked = []

    def noting(what):
        async def ask(*_arguments, **_named):
            asked.append(what)
            raise AssertionError(what)

        return ask

    def noting_alias(connection, *_arguments):
        asked.append(connection.alias)
        raise AssertionError(connection.alias)

    monkeypatch.setattr(type(runtime.current().store.reports), "usable_cards", noting("cards"))
    monkeypatch.setattr(base.BaseDatabaseWrapper, "cursor", noting_alias)
    monkeypatch.setattr(httpx.AsyncClient, "send", noting("another service"))
    head_of_bid = [
        (b"host", b"localhost"),
        (b"content-type", b"application/json"),
        (b"idempotency-key", b"key-2"),
        (b"authorization", web.bearer(ANN)["Authorization"].encode()),
    ]
    body = b'{"amount": "30.00", "currency": "EUR"}'

    coming = asgi.bids_fast_path.answer(f"/api/v1/auctions/{auction}/bids".encode(), head_of_bid, body, False)

    assert (runtime.call(coming)[0], head(auction), asked) == (201, 5, [])


def stock_changed(*, available, version, sale_id=None):
    return events.StockChanged(
        product_id="p" * 32,
        version=version,
        title="Sextant",
        on_hand=10,
        available=available,
        reserved=0,
        committed=10 - available,
        sale_id=sale_id,
    )


def test_units_that_inventory_reports_as_gone_are_not_sold(bid_log):
    listing = open_auction("3" * 32, format="buy_now", quantity=10, allocate="on_sale")
    services.record_stock([stock_changed(available=1, version=4)])

    assert web.request("GET", f"auctions/{listing}").json()["quantity_left"] == 1
    sold = web.bid(listing, {"quantity": 1}, **web.bearer(ANN))
    assert (sold.status_code, sold.json()["quantity_left"]) == (201, 0)
    refused = web.bid(listing, {"quantity": 1}, **web.bearer(BEN))
    assert (refused.status_code, refused.json()["code"], refused.json()["quantity_left"]) == (
        409,
        "sold_out",
        0,
    )

    services.record_stock([stock_changed(available=1, version=5, sale_id=sold.json()["sale_id"])])
    assert web.request("GET", f"auctions/{listing}").json()["quantity_left"] == 1


def test_a_purchase_is_answered_with_its_sale(listing):
    body = web.bid(listing, {"quantity": 2}, **web.bearer(ANN)).json()

    assert (body["standing"], body["sale_id"], body["price"], body["quantity_left"]) == (
        "bought",
        f"{listing}-4",
        "10.00",
        0,
    )


def test_a_repeat_is_answered_the_same_and_stored_once(auction):
    one, two = (web.bid(auction, {"amount": "20", "currency": "EUR"}, **web.bearer(ANN)) for _ in range(2))

    assert (one.status_code, two.status_code, one.json()) == (201, 201, two.json())
    assert head(auction) == 4


def test_the_answer_to_an_outbid_bidder_has_the_minimum_next_bid(auction):
    web.bid(auction, {"amount": "45", "currency": "EUR"}, **web.bearer(ANN))
    body = web.bid(auction, {"amount": "30.00", "currency": "EUR"}, **web.bearer(BEN)).json()

    assert (body["standing"], body["price"], body["minimum"]) == ("outbid", "31.00", "32.00")


def test_a_refusal_names_the_rule_the_figures_and_where_it_was_decided(auction):
    response = web.bid(auction, {"amount": "9.99", "currency": "EUR"}, **web.bearer(ANN))

    body = response.json()
    assert problem(response) == (409, "bid_too_low", "amount")
    assert (body["minimum"], body["amount"], body["currency"]) == ("10.00", "9.99", "EUR")
    assert (body["seq"], body["hash"]) == (3, runtime.look(auction).hash)


BAD_BODIES = {
    "malformed JSON": (b'{"amount": ', 400, "body_invalid", "body"),
    "no JSON at all": (b"amount=20", 400, "body_invalid", "body"),
    "empty": (b"", 400, "body_invalid", "body"),
    "a list": (b"[]", 400, "body_invalid", "body"),
    "null": (b"null", 400, "body_invalid", "body"),
    "two documents": (b'{"amount":"20.00","currency":"EUR"} {}', 400, "body_invalid", "body"),
    "not UTF-8": (b'{"amount":"20.00","currency":"\xff"}', 400, "body_invalid", "body"),
    "half a surrogate pair": (
        b'{"amount":"20.00","currency":"\\ud800"}',
        400,
        ("body_invalid", "currency_unknown"),
        None,
    ),
    "an amount that is a number": (b'{"amount":20.0,"currency":"EUR"}', 400, "body_invalid", "amount"),
    "an amount that is true": (b'{"amount":true,"currency":"EUR"}', 400, "body_invalid", "amount"),
    "a list as amount": (b'{"amount":["20.00"],"currency":"EUR"}', 400, "body_invalid", "amount"),
    "an unknown field": (
        b'{"amount":"20.00","currency":"EUR","maximum":"30"}',
        400,
        "body_invalid",
        "maximum",
    ),
    "NaN": (b'{"amount":NaN,"currency":"EUR"}', 400, "body_invalid", "body"),
    "Infinity": (b'{"amount":Infinity,"currency":"EUR"}', 400, "body_invalid", "body"),
    "NaN as text": (b'{"amount":"NaN","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "infinity as text": (b'{"amount":"inf","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "negative": (b'{"amount":"-20.00","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "zero": (b'{"amount":"0.00","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "10^30": (
        b'{"amount":"1000000000000000000000000000000","currency":"EUR"}',
        400,
        "amount_invalid",
        "amount",
    ),
    "10^30 in short": (b'{"amount":"1e30","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "more than the highest amount": (
        b'{"amount":"1000000000.01","currency":"EUR"}',
        400,
        "amount_invalid",
        "amount",
    ),
    "too many decimals": (b'{"amount":"20.001","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "a comma": (b'{"amount":"20,00","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "blanks": (b'{"amount":" 20.00","currency":"EUR"}', 400, "amount_invalid", "amount"),
    "Arabic digits": ('{"amount":"٢٠.٠٠","currency":"EUR"}'.encode(), 400, "amount_invalid", "amount"),
    "a NUL byte in the amount": (
        b'{"amount":"20.00\\u0000","currency":"EUR"}',
        400,
        "amount_invalid",
        "amount",
    ),
    "a raw NUL byte": (
        b'{"amount":"20.00\x00","currency":"EUR"}',
        400,
        ("body_invalid", "amount_invalid"),
        None,
    ),
    "another currency": (b'{"amount":"20.00","currency":"USD"}', 400, "currency_mismatch", "currency"),
    "an unknown currency": (b'{"amount":"20.00","currency":"XXX"}', 400, "currency_unknown", "currency"),
    "no currency": (b'{"amount":"20.00"}', 400, "currency_unknown", "currency"),
    "no amount": (b'{"currency":"EUR"}', 400, "amount_invalid", "amount"),
    "nothing": (b"{}", 400, "amount_missing", "amount"),
    "a quantity on an english lot": (
        b'{"amount":"20.00","currency":"EUR","quantity":2}',
        400,
        "quantity_not_allowed",
        "quantity",
    ),
    "a quantity of 0": (
        b'{"amount":"20.00","currency":"EUR","quantity":0}',
        400,
        "quantity_out_of_range",
        "quantity",
    ),
    "a quantity of 10^30": (
        b'{"quantity":1000000000000000000000000000000}',
        400,
        ("quantity_out_of_range", "body_invalid"),
        None,
    ),
    "a quantity of 1.5": (b'{"quantity":1.5}', 400, "body_invalid", "quantity"),
    "deep nesting": (b'{"amount":' + b"[" * 60 + b"]" * 60 + b"}", 400, "body_too_deep", None),
    "over 64 KiB": (b'{"amount":"' + b"1" * 65_600 + b'"}', 413, "body_too_large", None),
}


@pytest.mark.parametrize(("content", "status", "code", "field"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_bid_is_refused_and_changes_nothing(auction, content, status, code, field):
    response = web.bid(auction, content=content, **web.bearer(ANN))

    refusal = problem(response)
    assert refusal[0] == status
    assert refusal[1] in (code if isinstance(code, tuple) else (code,))
    assert field is None or refusal[2] == field
    assert head(auction) == 3
    assert web.bid(auction, GOOD, **web.bearer(ANN)).status_code == 201


HEADERS = {
    "no authorization": ({"Authorization": ""}, 401, "invalid_token", None),
    "no token": ({"Authorization": "Bearer "}, 401, "invalid_token", None),
    "another scheme": ({"Authorization": "Basic YTpi"}, 401, "invalid_token", None),
    "a forged token": ({"Authorization": "Bearer " + "e30.e30.e30"}, 401, "invalid_token", None),
    "a token of bytes": ({"Authorization": "Bearer \xff\xfe"}, 401, "invalid_token", None),
    "a token without signature": (
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        401,
        "invalid_token",
        None,
    ),
    "an expired token": (web.bearer(ANN, exp=int(time.time()) - 1), 401, "invalid_token", None),
    "a refresh token": (web.bearer(ANN, token_use="refresh"), 401, "invalid_token", None),
    "a sub that is no text": (web.bearer(7), 401, "invalid_token", None),
    "roles that are no list": (web.bearer(ANN, roles="bidder"), 401, "invalid_token", None),
    "no bidder": (web.bearer(ANN, "seller"), 403, "may_not_bid", None),
    "no roles": (web.bearer(ANN, roles=[]), 403, "may_not_bid", None),
    "an e-mail that is not verified": (web.bearer(ANN, email_verified=False), 403, "may_not_bid", None),
    "the seller": (web.bearer(SELLER), 403, "own_lot", None),
    "no key": ({"Idempotency_Key": ""}, 400, "key_missing", "Idempotency-Key"),
    "a key with a blank": ({"Idempotency_Key": "a b"}, 400, "key_invalid", "Idempotency-Key"),
    "a key that is too long": ({"Idempotency_Key": "k" * 129}, 400, "key_invalid", "Idempotency-Key"),
    "a key that is not ASCII": ({"Idempotency_Key": "schl\xfcssel"}, 400, "key_invalid", "Idempotency-Key"),
    "a key that no address can hold": ({"Idempotency_Key": ".."}, 400, "key_invalid", "Idempotency-Key"),
    "a key that an address drops": ({"Idempotency_Key": "."}, 400, "key_invalid", "Idempotency-Key"),
    "no content type": ({"Content_Type": ""}, 415, "wrong_content_type", "Content-Type"),
    "a form": (
        {"Content_Type": "application/x-www-form-urlencoded"},
        415,
        "wrong_content_type",
        "Content-Type",
    ),
    "text": ({"Content_Type": "text/plain"}, 415, "wrong_content_type", "Content-Type"),
    "nearly JSON": ({"Content_Type": "application/jsonp"}, 415, "wrong_content_type", "Content-Type"),
}


@pytest.mark.parametrize(("headers", "status", "code", "field"), HEADERS.values(), ids=HEADERS)
def test_headers_that_do_not_allow_a_bid_change_nothing(auction, headers, status, code, field):
    response = web.bid(auction, content=json.dumps(GOOD).encode(), **(web.bearer(ANN) | headers))

    assert problem(response) == (status, code, field)
    assert ("www-authenticate" in response.headers) is (status == 401)
    assert head(auction) == 3


def test_json_with_a_charset_is_json(auction):
    response = web.bid(auction, GOOD, **web.bearer(ANN), Content_Type="application/json; charset=utf-8")

    assert response.status_code == 201


@pytest.mark.parametrize(
    "auction_id", ["9" * 32, "x", "a%00b", "a%2Fb", "..", "%F0%9F%94%A8", "a" * 65, "a|b"]
)
def test_an_auction_that_does_not_exist_is_not_found(auction, auction_id):
    response = web.bid(auction_id, GOOD, **web.bearer(ANN))

    assert response.status_code in (404, 405) or "id" in problem(response)
    assert head(auction) == 3


def test_a_key_with_another_body_is_unprocessable_and_changes_nothing(auction):
    web.bid(auction, GOOD, **web.bearer(ANN))

    assert problem(web.bid(auction, {"amount": "30.00", "currency": "EUR"}, **web.bearer(ANN))) == (
        422,
        "key_reused",
        None,
    )
    assert head(auction) == 4


def test_a_cancelled_auction_takes_no_bid_and_says_why(bid_log):
    scheduled = open_auction("3" * 32, opened=False)
    runtime.submit(
        kinds.Cancel(
            auction_id=scheduled, actor="op", key="c", at=0, salt="s", reason="It broke.", by="operator"
        )
    )

    response = web.bid(scheduled, GOOD, **web.bearer(ANN))
    assert (problem(response), response.json()["reason"]) == ((409, "auction_cancelled", None), "It broke.")


def test_a_closed_auction_takes_no_bid(auction, monkeypatch):
    later = runtime.look(auction).ends_at + lots.HOUR
    monkeypatch.setattr(bid_endpoint, "instants", types.SimpleNamespace(now=lambda: later))

    assert problem(web.bid(auction, GOOD, **web.bearer(ANN))) == (409, "auction_closed", None)
    assert (runtime.look(auction).status, head(auction)) == ("CLOSED", 4)


def test_a_body_that_comes_too_slowly_is_refused(auction, monkeypatch):
    monkeypatch.setattr(bounds, "BODY_SECONDS", 0.3)
    sent = []

    async def receive():
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"idempotency-key", b"k")]
    headers += [
        (b"host", b"localhost"),
        (b"transfer-encoding", b"chunked"),
        (b"authorization", web.bearer(ANN)["Authorization"].encode()),
    ]
    scope = {"type": "http", "method": "POST", "path": f"/api/v1/auctions/{auction}/bids", "headers": headers}

    runtime.call(asgi.application(scope, receive, send))
    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (408, "body_too_slow")
    assert head(auction) == 3


def test_the_time_of_a_bid_counts_from_its_arrival_not_from_the_end_of_its_reads(auction, monkeypatch):
    running = runtime.current()
    cards, submit = running.store.reports.usable_cards, running.committer.submit
    read_at, counted_since = [], []

    async def noting_cards(user_ids):
        read_at.append(time.monotonic())
        return await cards(user_ids)

    def noting_submit(command, *, since):
        counted_since.append(since)
        return submit(command, since=since)

    running.cards._usable_until.clear()
    monkeypatch.setattr(running.store.reports, "usable_cards", noting_cards)
    monkeypatch.setattr(running.committer, "submit", noting_submit)
    began = time.monotonic()

    assert web.bid(auction, GOOD, **web.bearer(ANN)).status_code == 201
    assert began <= counted_since[0] < read_at[0]


def test_a_read_that_does_not_end_is_503_after_the_time_of_an_answer(auction, monkeypatch):
    async def never(_):
        await asyncio.Event().wait()

    running = runtime.current()
    monkeypatch.setattr(committer, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(running.committer, "peek", lambda _: None)
    monkeypatch.setattr(running.committer, "look", never)

    assert problem(web.bid(auction, GOOD, **web.bearer(ANN))) == (503, "store_unavailable", None)


def test_an_unavailable_store_is_503_with_retry_after(auction, monkeypatch):
    async def away(*_arguments, **_named):
        raise bid_log.OutcomeUnknown("away")

    monkeypatch.setattr(runtime.current().store.bids, "append", away)
    began = time.monotonic()
    response = web.bid(auction, GOOD, **web.bearer(ANN))

    assert problem(response) == (503, "store_unavailable", None)
    assert (response.headers["retry-after"], time.monotonic() - began < 3.0) == ("1", True)
    monkeypatch.undo()
    assert web.request("GET", f"auctions/{auction}").status_code in (200, 503)


def test_the_django_path_answers_the_same(auction, client):
    """In a process that serves Django alone, the view calls the same code."""
    response = client.post(
        f"/api/v1/auctions/{auction}/bids",
        json.dumps(GOOD),
        content_type="application/json",
        headers={**web.bearer(ANN), "Idempotency-Key": "k"},
    )

    assert (response.status_code, response.json()["seq"]) == (201, 4)
