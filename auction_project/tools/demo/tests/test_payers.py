"""The crowd of the demo pays what it has won as one order, and the visitor bids once on the lots that leave time to pay."""

import json
from collections import Counter

import httpx
import pytest

from auction_project.tools.demo import catalogue, client, payers, people, seed, shop

LATER = [piece for piece in catalogue.PIECES if piece.pay_minutes]
LINE = {"product_id": "p", "quantity": 1, "price": "36.00", "problem": None}
FORGOTTEN, KEPT = (
    next(f"lot-{n}" for n in range(99) if payers._is_forgotten(f"lot-{n}") is forgets)
    for forgets in (True, False)
)


class House:
    """Keeps the requests that change something; `answers` by (method, path)."""

    def __init__(self):
        self.sent = []
        self.answers = {
            ("GET", "/api/v1/bids/mine"): (200, {"total": 0}),
            ("POST", "/api/v1/auctions/lot/bids"): (201, {}),
            ("GET", "/api/v1/addresses"): (200, {"items": [{}]}),
            ("GET", "/api/v1/cart"): (
                200,
                {
                    "awards": [{"id": KEPT}, {"id": FORGOTTEN}],
                    "lines": [LINE, LINE | {"problem": "too_many"}],
                },
            ),
            ("POST", "/api/v1/checkouts"): (201, {"id": "c", "status": "RESERVED"}),
            ("POST", "/api/v1/checkouts/c/payment"): (202, {}),
        }

    def __call__(self, request):
        if request.method != "GET":
            self.sent.append((request.url.path, json.loads(request.content)))
        status, body = self.answers.get((request.method, request.url.path), (404, {"code": "not_found"}))
        return httpx.Response(status, json=body)


@pytest.fixture(name="house")
def scripted_house(monkeypatch):
    house = House()
    real = client.Client
    monkeypatch.setattr(
        payers, "Client", lambda url, account: real(url, account, transport=httpx.MockTransport(house))
    )
    return house


def buyers(*lots):
    you = people.Person(email="you@example.org", role="you", roles=("bidder",), note="")
    window = shop.Window(None, Counter())
    window.lots = list(lots)
    products = {piece.sku: f"product of {piece.sku}" for piece in catalogue.PIECES}
    everyone = seed.House((seed.Account(you, "you", 1_700_000_000),), products)
    return payers.Payers("http://house", everyone, window, Counter(), seed=1)


async def test_a_buyer_pays_what_was_not_forgotten_with_the_lines_that_can_be_ordered(house, monkeypatch):
    monkeypatch.setattr(payers, "ADDS_CHANCE", 0.0)
    one = buyers()

    await one._pay(one._visitor)

    assert house.sent == [
        (
            "/api/v1/checkouts",
            {
                "awards": [KEPT],
                "lines": [{"product_id": "p", "quantity": 1, "price": "36.00"}],
                "currency": "EUR",
            },
        ),
        ("/api/v1/checkouts/c/payment", {}),
    ]


async def test_the_visitor_bids_once_on_each_lot_that_leaves_a_day_or_more(house):
    waiting = [piece for piece in LATER if piece.pay_minutes >= 24 * 60]
    lots = [{"id": "lot", "product_id": f"product of {piece.sku}"} for piece in LATER]
    one = buyers(*lots)

    await one.bid_for_visitor()
    await one.bid_for_visitor()

    bids = [{"amount": f"{piece.start * 4.5 / 100:.2f}", "currency": "EUR"} for piece in waiting]
    assert [body for _, body in house.sent] == bids
    assert len(bids) == 2


async def test_a_visitor_who_has_bid_before_wins_nothing_more(house):
    house.answers["GET", "/api/v1/bids/mine"] = (200, {"total": 1})
    one = buyers({"id": "lot", "product_id": f"product of {LATER[-1].sku}"})

    await one.bid_for_visitor()

    assert house.sent == []
