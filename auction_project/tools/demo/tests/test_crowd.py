"""The crowd and the market bid and list as a house that runs well needs it, against a house that answers by script."""

import io
import json
from collections import Counter

import httpx
import pytest

from auction_project.kernel import instants
from auction_project.tools.demo import (
    bidders,
    catalogue,
    client,
    market,
    parcels,
    people,
    seed,
    shop,
    storeroom,
)

NOW = 1_800_000_000_000
ENGLISH = {
    "id": "lot", "product_id": "p", "format": "english", "status": "OPEN", "currency": "EUR",
    "minimum": "100.00", "start_price": "100.00", "starts_at": NOW - 1000, "ends_at": NOW,
}  # fmt: skip
BUY_NOW = ENGLISH | {"id": "shelf", "format": "buy_now"}
(PRINT,) = [piece for piece in catalogue.PIECES if piece.scarce]


class House:
    """Keeps the requests that it gets; `answers` by (method, path), a list is used up one by one."""

    def __init__(self):
        self.requests = []
        self.keys = []
        self.answers = {}

    def __call__(self, request):
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.method, request.url.path, body))
        self.keys.append(request.headers.get("Idempotency-Key"))
        answer = self.answers.get((request.method, request.url.path), (404, {"code": "not_found"}))
        status, content = answer.pop(0) if isinstance(answer, list) else answer
        return httpx.Response(status, json=content)


@pytest.fixture(name="house")
def scripted_house(monkeypatch):
    house = House()
    real = client.Client
    for module in (bidders, market, parcels):
        monkeypatch.setattr(
            module,
            "Client",
            lambda url, account: real(url, account, transport=httpx.MockTransport(house)),
        )
    monkeypatch.setattr(instants, "now", lambda: NOW)
    return house


def account(role="bidder", **changes):
    person = people.Person(email=f"{role}@example.org", role=role, roles=(role,), note="", **changes)
    return seed.Account(person, role, 1_700_000_000)


def window_of(*lots):
    window = shop.Window(None, Counter())
    window.lots = list(lots)
    return window


@pytest.fixture(name="bidder")
def make_bidder(house, monkeypatch):
    def make(*lots, **changes):
        who = account(**changes)
        asking = client.Client("http://house", who, transport=httpx.MockTransport(house))
        return bidders.Bidder(asking, who, window_of(*lots), Counter(), record=io.BytesIO(), seed=1, pace=1.0)

    monkeypatch.setattr(bidders, "BUY_CHANCE", 0.0)
    return make


async def test_each_answer_is_kept_for_the_verification(house, bidder):
    given = [(201, {"seq": 7}), (409, {"code": "bid_too_low", "seq": 8})]
    house.answers["POST", "/api/v1/auctions/lot/bids"] = list(given)
    one = bidder(ENGLISH)

    for _ in given:
        one._maxima.clear()
        await one.take_turn()

    kept = [json.loads(line) for line in one._record.getvalue().splitlines()]
    assert [(line["status"], line["answer"]) for line in kept] == given
    assert [(line["auction_id"], line["actor"]) for line in kept] == [("lot", "bidder")] * 2
    assert [(line["key"], line["body"]) for line in kept] == [
        (key, body) for key, (_, _, body) in zip(house.keys, house.requests, strict=True)
    ]


async def test_a_bid_is_at_least_the_minimum_and_never_so_high_that_it_has_to_be_confirmed(house, bidder):
    house.answers["POST", "/api/v1/auctions/lot/bids"] = (201, {})
    for seed_ in range(20):
        one = bidder(ENGLISH)
        one._random.seed(seed_)
        await one.take_turn()

    amounts = [float(body["amount"]) for _, _, body in house.requests]
    assert len(amounts) == 20
    assert min(amounts) == 100.0
    assert max(amounts) <= 125.0


async def test_a_bidder_waits_while_the_own_maximum_still_holds(house, bidder):
    house.answers["POST", "/api/v1/auctions/lot/bids"] = (201, {})
    one = bidder(ENGLISH)
    await one.take_turn()
    highest = float(house.requests[0][2]["amount"])

    one._window.lots = [ENGLISH | {"minimum": f"{highest:.2f}"}]
    await one.take_turn()
    assert len(house.requests) == 1
    one._window.lots = [ENGLISH | {"minimum": f"{highest + 0.01:.2f}"}]
    await one.take_turn()
    assert len(house.requests) == 2


async def test_what_costs_more_than_it_is_worth_is_left(house, bidder):
    await bidder(ENGLISH | {"minimum": "300.01"}).take_turn()
    await bidder(
        ENGLISH | {"minimum": "106.00", "ends_at": NOW + 10**9}
    ).take_turn()  # it has only just begun

    assert house.requests == []


async def test_a_suspended_card_is_put_on_file_again(house, bidder):
    house.answers["POST", "/api/v1/auctions/shelf/bids"] = (403, {"code": "card_missing"})
    house.answers["PUT", "/api/v1/card"] = (200, {})
    one = bidder(BUY_NOW, card=people.REFUSES, buys_every=(1.0, 1.0))

    await one.take_turn()

    assert house.requests[1:] == [("PUT", "/api/v1/card", {"number": people.REFUSES})]


@pytest.fixture(name="stock")
def scripted_stock(monkeypatch):
    """Units by product; what the storeroom did is written down."""

    class Stock(dict):
        """Free units."""

    stock = Stock()
    stock.done = []
    monkeypatch.setattr(storeroom, "free_units", lambda product_id: stock.get(product_id, 0))
    monkeypatch.setattr(
        storeroom,
        "receive",
        lambda product_id, quantity, **_: stock.done.append(("receive", product_id, quantity)),
    )
    monkeypatch.setattr(
        storeroom, "lose_free_units", lambda product_id, **_: stock.done.append(("lose", product_id))
    )
    return stock


@pytest.fixture(name="opened")
def open_market(house, stock):
    accounts = (account("operator"), account("seller"), account("collector"))
    products = {piece.sku: f"p-{piece.sku}" for piece in catalogue.PIECES}
    return market.Market("http://house", seed.House(accounts, products), window_of(), Counter(), seed=1)


async def test_a_piece_is_listed_once_while_its_lot_is_open(house, stock, opened):
    product_id = f"p-{PRINT.sku}"
    stock[product_id] = 6
    house.answers["POST", "/api/v1/auctions"] = (201, {"id": "lot-1"})
    house.answers["GET", "/api/v1/auctions/lot-1"] = (200, {"status": "REQUESTED", "undecided_sales": 0})

    for _ in range(3):
        await opened.look_after(PRINT)
    opened._window.lots = [BUY_NOW | {"id": "lot-1", "product_id": product_id}]
    await opened.look_after(PRINT)

    assert [path for method, path, _ in house.requests if method == "POST"] == ["/api/v1/auctions"]


@pytest.mark.parametrize("status", ["CLOSED", "CANCELLED", "SOLD_OUT"])
async def test_a_sold_out_piece_is_listed_again_only_after_the_clerk_has_received_more(
    house, stock, opened, status
):
    opened._lots[PRINT.sku] = "lot-1"
    over = {"status": status, "undecided_sales": 1}
    house.answers["GET", "/api/v1/auctions/lot-1"] = (200, over)
    house.answers["POST", "/api/v1/auctions"] = (201, {"id": "lot-2"})

    await opened.look_after(PRINT)
    assert not opened._restock_at  # a sale is under way: it may come back
    over["undecided_sales"] = 0
    await opened.look_after(PRINT)
    await opened.look_after(PRINT)
    assert stock.done == []
    assert [method for method, _, _ in house.requests] == ["GET", "GET", "GET"]
    opened._restock_at[PRINT.sku] = 0.0
    await opened.look_after(PRINT)

    assert stock.done == [("receive", f"p-{PRINT.sku}", PRINT.stock)]
    assert opened._lots[PRINT.sku] == "lot-2"


async def test_a_listing_without_an_answer_is_asked_for_again_under_its_key(house, stock, opened):
    stock[f"p-{PRINT.sku}"] = 6
    house.answers["POST", "/api/v1/auctions"] = [(503, {}), (201, {"id": "lot-1"})]

    with pytest.raises(client.NoAnswer):
        await opened.look_after(PRINT)
    await opened.look_after(PRINT)

    assert house.requests[0] == house.requests[1]
    assert house.keys[0] == house.keys[1]
    assert opened._lots[PRINT.sku] == "lot-1"


async def test_the_last_prints_break_and_a_collector_buys_one_at_that_moment(house, stock, opened):
    await opened.break_last_units(PRINT)
    assert (stock.done, house.requests) == ([], [])

    stock[f"p-{PRINT.sku}"] = 2
    opened._window.lots = [BUY_NOW | {"product_id": f"p-{PRINT.sku}"}]
    house.answers["POST", "/api/v1/auctions/shelf/bids"] = (201, {})
    await opened.break_last_units(PRINT)

    assert stock.done == [("lose", f"p-{PRINT.sku}")]
    assert house.requests == [("POST", "/api/v1/auctions/shelf/bids", {"quantity": 1})]


def test_everyone_who_bids_has_a_card_and_only_a_few_have_one_that_fails():
    crowd = people.crowd("20260101")
    troubled = [person for person in crowd if person.buys_every]

    assert {person.card for person in (*people.VISITORS, *crowd) if not person.buys_every} == {people.ACCEPTS}
    assert len(troubled) * 10 <= len(crowd)
    assert all(person.email.endswith(f"@{people.CROWD_DOMAIN}") for person in crowd)


# --- parcels ---------------------------------------------------------------------------------------------------------


def order(number, status="CONFIRMED", *, placed_at=NOW, seller_id="house"):
    return {"number": number, "status": status, "placed_at": placed_at, "lines": [{"seller_id": seller_id}]}


@pytest.fixture(name="shipping")
def make_shipping(house):
    products = seed.House((account("operator"), account("seller")), {})
    return parcels.Parcels("http://house", products, Counter(), seed=1)


def listed(house, *confirmed, shipped=()):
    """The list of orders, first the confirmed ones, then those that are shipped."""
    pages = ({"items": list(confirmed)}, {"items": list(shipped)})
    house.answers["GET", "/api/v1/orders"] = [(200, page) for page in pages]


async def test_an_order_is_shipped_once_its_time_has_come_and_delivered_later(house, shipping):
    new, waits = order("GV-1"), order("GV-2")
    planned = parcels.plan(new, "seller", 1.0)
    old = new | {"placed_at": NOW - (planned.ships_at - NOW)}
    on_its_way = order("GV-3", "SHIPPED", placed_at=NOW - 600_000)
    listed(house, old, waits, shipped=[on_its_way, order("GV-4", "SHIPPED", placed_at=NOW - 80_000)])
    house.answers["POST", "/api/v1/orders/GV-1/shipments"] = (201, {})
    house.answers["POST", "/api/v1/orders/GV-3/deliveries"] = (409, {"code": "order_not_shipped"})

    await shipping.look()

    parcel = {"carrier": planned.carrier, "tracking_number": planned.tracking_number}
    assert [request for request in house.requests if request[0] == "POST"] == [
        ("POST", "/api/v1/orders/GV-1/shipments", parcel),
        ("POST", "/api/v1/orders/GV-3/deliveries", {}),
    ]


async def test_a_parcel_that_nobody_took_is_an_answer_that_counts_as_none(house, shipping):
    listed(house, order("GV-1", placed_at=0))

    with pytest.raises(client.NoAnswer):
        await shipping.look()


def test_sellers_ship_most_of_what_is_theirs_and_nothing_else():
    def by_seller(seller_id):
        plans = [parcels.plan(order(f"GV-{n}", seller_id=seller_id), "seller", 1.0) for n in range(100)]
        return sum(planned.by_seller for planned in plans)

    assert (60 < by_seller("seller") < 95, by_seller("house")) == (True, 0)
