"""The shop through the gateway: offers, a cart, a checkout, and an order of several lines; refusals, rivals, and a death on the way.

Every process is real. The tests use the API, and read the stores only for what it does not show.
"""

import concurrent.futures
from typing import Any

import pytest

from tests.house import ACCEPTS, House, Person

pytestmark = pytest.mark.everywhere

ADDRESS = {
    "name": "Ada Example",
    "line1": "Hauptstraße 1",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
}
LAMP, CHAIR = "10.50", "20.00"
DECLINES = "4000000000000002"
STEPS = ("reserve_stock", "assess_risk", "capture_payment", "place_order", "commit_stock", "confirm_order")


def offered(house: House, *, stock: int, price: str, title: str) -> str:
    """A product of the house with `stock` units, for sale in the shop."""
    product_id = house.new_product(stock=stock, title=title)
    offer = {"price": price, "currency": "EUR", "max_per_order": 5, "published": True}
    answer = house.operator.put(f"/api/v1/products/{product_id}/offer", offer)
    assert answer.status_code == 200, answer.text
    return product_id


def buyer_of(house: House, *lines: tuple[str, int, str], card: str = ACCEPTS) -> Person:
    """A bidder with an address, whose cart has these lines (product, quantity, price)."""
    buyer = house.new_account("bidder", card=card, password=None)
    assert buyer.post("/api/v1/addresses", ADDRESS).status_code == 201
    for product_id, quantity, price in lines:
        put(house, buyer, product_id, quantity, price)
    return buyer


def put(house: House, buyer: Person, product_id: str, quantity: int, price: str) -> None:
    """Put the line into the cart as soon as orders knows the offer."""
    line = {"quantity": quantity, "price": price, "currency": "EUR"}
    path = f"/api/v1/cart/lines/{product_id}"
    house.wait_until(lambda: buyer.put(path, line).status_code == 200, "the offer to be known")


def won_later(house: House, product_id: str) -> str:
    """A listing whose buyer has a day to pay."""
    terms = {"format": "buy_now", "allocate": "on_listing", "pay_within_minutes": 24 * 60}
    return house.new_auction(product_id, **terms)


def award_of(house: House, buyer: Person, auction_id: str, *states: str) -> dict[str, Any]:
    """What the buyer has won in the auction, once it has one of these states."""

    def found() -> list[dict[str, Any]]:
        items = buyer.get("/api/v1/awards", auction_id=auction_id).json()["items"]
        return [award for award in items if award["state"] in states]

    house.wait_until(found, f"an award that is {states}")
    return found()[0]


def order(buyer: Person, *lines: tuple[str, int, str], key: str | None = None) -> dict[str, Any]:
    """A checkout of these lines of the cart."""
    wanted = [{"product_id": one, "quantity": quantity, "price": price} for one, quantity, price in lines]
    answer = buyer.post("/api/v1/checkouts", {"lines": wanted, "currency": "EUR"}, key)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def checkout_of(buyer: Person, checkout: dict[str, Any]) -> dict[str, Any]:
    return dict(buyer.get(f"/api/v1/checkouts/{checkout['id']}").json())


def wait_for(house: House, buyer: Person, checkout: dict[str, Any], *statuses: str) -> dict[str, Any]:
    """Wait until the checkout has one of these statuses; the checkout then."""
    house.wait_until(
        lambda: checkout_of(buyer, checkout)["status"] in statuses, f"the checkout to be {statuses}"
    )
    return checkout_of(buyer, checkout)


def pay(house: House, buyer: Person, checkout: dict[str, Any]) -> dict[str, Any]:
    """Pay the checkout once its units are reserved; the checkout then."""
    wait_for(house, buyer, checkout, "RESERVED")
    answer = buyer.post(f"/api/v1/checkouts/{checkout['id']}/payment", {})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def stock_of(house: House, product_id: str) -> dict[str, int]:
    product = house.operator.get(f"/api/v1/products/{product_id}").json()
    return {name: product[name] for name in ("on_hand", "available", "reserved", "committed")}


def kinds_of(buyer: Person) -> list[str]:
    return sorted(item["kind"] for item in buyer.notifications() if not item["withdrawn"])


def test_a_cart_becomes_one_order_of_two_lines(house: House) -> None:
    lamp = offered(house, stock=3, price=LAMP, title="A lamp")
    chair = offered(house, stock=2, price=CHAIR, title="A chair")
    lines = ((lamp, 2, LAMP), (chair, 1, CHAIR))
    buyer = buyer_of(house, *lines)
    cart = buyer.get("/api/v1/cart").json()

    checkout = order(buyer, *lines, key="click")
    again = order(buyer, *lines, key="click")
    pay(house, buyer, checkout)
    paid = wait_for(house, buyer, checkout, "PAID")

    assert (cart["subtotal"], cart["total"], [line["problem"] for line in cart["lines"]]) == (
        *("41.00", "41.00"),
        [None, None],
    )
    assert again["id"] == checkout["id"]
    (bought,) = buyer.orders()
    assert (bought["number"], bought["status"], bought["amount"], bought["payment"]) == (
        *(paid["order_number"], "CONFIRMED"),
        *("41.00", "CAPTURED"),
    )
    assert [(line["product_id"], line["quantity"], line["amount"]) for line in bought["lines"]] == [
        (lamp, 2, "21.00"),
        (chair, 1, "20.00"),
    ]
    assert stock_of(house, lamp) == {"on_hand": 3, "available": 1, "reserved": 0, "committed": 2}
    assert stock_of(house, chair) == {"on_hand": 2, "available": 1, "reserved": 0, "committed": 1}
    assert buyer.get("/api/v1/cart").json()["lines"] == []
    house.wait_until(lambda: kinds_of(buyer) == ["order_confirmed"], "the buyer's notice")
    house.assert_verified()


def test_a_declined_buyer_pays_with_another_card_and_nothing_is_free_in_between(house: House) -> None:
    lamp = offered(house, stock=1, price=LAMP, title="A lamp")
    buyer = buyer_of(house, (lamp, 1, LAMP), card=DECLINES)
    checkout = order(buyer, (lamp, 1, LAMP))

    first = pay(house, buyer, checkout)
    declined = wait_for(house, buyer, checkout, "RESERVED")
    house.wait_until(lambda: kinds_of(buyer) == ["checkout_unpaid"], "the buyer's notice")
    (notice,) = [item for item in buyer.notifications() if item["kind"] == "checkout_unpaid"]
    between = stock_of(house, lamp)
    buyer.set_card(ACCEPTS)
    second = pay(house, buyer, checkout)
    wait_for(house, buyer, checkout, "PAID")

    assert declined["failure"]
    assert "pay again with another card until " in notice["text"]
    assert notice["link"] == f"/checkout/{checkout['id']}"
    assert between == {"on_hand": 1, "available": 0, "reserved": 1, "committed": 0}
    assert first["order_number"] != second["order_number"]
    assert [one["number"] for one in buyer.orders()] == [second["order_number"]]
    house.wait_until(lambda: kinds_of(buyer) == ["order_confirmed"], "the notice of the order alone")
    house.assert_verified()


def test_won_lots_and_a_cart_are_paid_and_shipped_as_one_order(house: House) -> None:
    lamp = offered(house, stock=1, price=LAMP, title="A lamp")
    products = [house.new_product(stock=1, title=title) for title in ("A vase", "A clock")]
    auctions = [won_later(house, product_id) for product_id in products]
    buyer = buyer_of(house, (lamp, 1, LAMP))
    for auction in auctions:
        assert buyer.bid(auction, "10.00").status_code == 201
    house.wait_until(lambda: len(buyer.get("/api/v1/cart").json()["awards"]) == 2, "the lots to be due")
    awards = buyer.get("/api/v1/cart").json()["awards"]

    body = {
        "lines": [{"product_id": lamp, "quantity": 1, "price": LAMP}],
        "awards": [award["id"] for award in awards],
        "currency": "EUR",
    }
    checkout = buyer.post("/api/v1/checkouts", body).json()
    pay(house, buyer, checkout)
    paid = wait_for(house, buyer, checkout, "PAID")

    (bought,) = buyer.orders()
    assert (bought["number"], bought["amount"], bought["auction_id"]) == (paid["order_number"], "30.50", "")
    assert {line["product_id"]: line["auction_id"] for line in bought["lines"]} == {
        lamp: None,
        **dict(zip(products, auctions, strict=True)),
    }
    for auction, product_id in zip(auctions, products, strict=True):
        house.wait_until(lambda auction=auction: house.auction(auction)["sold"] == 1, "the lot to be settled")
        assert stock_of(house, product_id) == {"on_hand": 1, "available": 0, "reserved": 0, "committed": 1}
        (award,) = buyer.get("/api/v1/awards", auction_id=auction).json()["items"]
        assert (award["state"], award["order_number"]) == ("PAID", paid["order_number"])
    house.wait_until(
        lambda: kinds_of(buyer) == ["lot_paid", "lot_paid", "order_confirmed"], "the buyer's notices"
    )
    house.assert_verified()


def test_a_lot_that_its_winner_does_not_pay_in_time_is_paid_by_the_runner_up(house: House) -> None:
    product_id = house.new_product(stock=1, title="A globe")
    winner, runner_up = house.new_accounts(2)
    for buyer in (winner, runner_up):
        assert buyer.post("/api/v1/addresses", ADDRESS).status_code == 201
    auction_id = house.new_auction(
        product_id, seconds=4, allocate="on_listing", pay_within_minutes=60, relistings_left=0
    )
    assert runner_up.bid(auction_id, "30.00").status_code == 201
    assert winner.bid(auction_id, "50.00").status_code == 201
    first = award_of(house, winner, auction_id, "DUE")

    house.rows(
        "orders",
        "UPDATE orders_award SET due_at = now() WHERE sale_id = %s RETURNING sale_id",
        first["id"],
    )
    award_of(house, winner, auction_id, "LAPSED")
    second = award_of(house, runner_up, auction_id, "DUE")
    late = winner.post("/api/v1/checkouts", {"awards": [first["id"]], "lines": [], "currency": "EUR"})
    body = {"awards": [second["id"]], "lines": [], "currency": "EUR"}
    checkout = runner_up.post("/api/v1/checkouts", body).json()
    paying = runner_up.post(f"/api/v1/checkouts/{checkout['id']}/payment", {})
    paid = wait_for(house, runner_up, checkout, "PAID")

    assert (first["price"], second["price"]) == ("31.00", "10.00")
    assert (late.status_code, late.json()["code"]) == (409, "not_awarded")
    assert (checkout["status"], paying.status_code) == ("RESERVED", 202)
    award = award_of(house, runner_up, auction_id, "PAID")
    assert award["order_number"] == paid["order_number"]
    [order] = runner_up.orders()
    assert (order["amount"], order["status"], winner.orders()) == ("10.00", "CONFIRMED", [])
    house.wait_until(lambda: house.auction(auction_id)["ended"], "the lot to be settled")
    lot = house.auction(auction_id)
    assert (lot["outcome"], lot["price"], lot["sold"]) == ("sold", "10.00", 1)
    assert stock_of(house, product_id) == {"on_hand": 1, "available": 0, "reserved": 0, "committed": 1}
    assert winner.get("/api/v1/auctions/" + auction_id + "/mine").json()["standing"] == "failed"
    house.wait_until(lambda: "order_cancelled" in kinds_of(winner), "the winner's notice")
    house.wait_until(
        lambda: kinds_of(runner_up) == ["lot_paid", "order_confirmed"], "the runner-up's notices"
    )
    house.assert_verified()


def test_of_two_buyers_of_the_last_unit_one_has_an_order(house: House) -> None:
    lamp = offered(house, stock=1, price=LAMP, title="A lamp")
    buyers = [buyer_of(house, (lamp, 1, LAMP)) for _ in range(2)]

    with concurrent.futures.ThreadPoolExecutor(2) as clients:
        checkouts = list(clients.map(lambda one: order(one, (lamp, 1, LAMP)), buyers))
    ends = [
        wait_for(house, buyer, checkout, "RESERVED", "REFUSED")
        for buyer, checkout in zip(buyers, checkouts, strict=True)
    ]
    assert sorted(one["status"] for one in ends) == ["REFUSED", "RESERVED"]
    loser = next(one for one in ends if one["status"] == "REFUSED")
    winner = next(buyer for buyer, one in zip(buyers, ends, strict=True) if one["status"] == "RESERVED")
    held = next(one for one in ends if one["status"] == "RESERVED")
    pay(house, winner, held)
    wait_for(house, winner, held, "PAID")

    assert loser["shortages"] == [{"product_id": lamp, "asked": 1, "available": 0}]
    assert [len(buyer.orders()) for buyer in buyers if buyer is not winner] == [0]
    assert len(winner.orders()) == 1
    house.assert_verified()


def test_an_abandoned_checkout_gives_back_and_its_cart_stays(house: House) -> None:
    lamp = offered(house, stock=2, price=LAMP, title="A lamp")
    buyer = buyer_of(house, (lamp, 2, LAMP))
    checkout = order(buyer, (lamp, 2, LAMP))
    wait_for(house, buyer, checkout, "RESERVED")
    assert stock_of(house, lamp)["reserved"] == 2

    assert buyer.delete(f"/api/v1/checkouts/{checkout['id']}").status_code == 204

    house.wait_until(lambda: stock_of(house, lamp)["available"] == 2, "the units to be free")
    assert [line["quantity"] for line in buyer.get("/api/v1/cart").json()["lines"]] == [2]
    house.assert_verified()


def test_two_tabs_make_one_order(house: House) -> None:
    lamp = offered(house, stock=1, price=LAMP, title="A lamp")
    buyer = buyer_of(house, (lamp, 1, LAMP))

    first = order(buyer, (lamp, 1, LAMP))
    second = order(buyer, (lamp, 1, LAMP))
    pay(house, buyer, second)
    wait_for(house, buyer, second, "PAID")
    late = buyer.post(
        "/api/v1/checkouts",
        {"lines": [{"product_id": lamp, "quantity": 1, "price": LAMP}], "currency": "EUR"},
    )

    assert checkout_of(buyer, first)["status"] == "ABANDONED"
    assert (late.status_code, late.json()["code"]) == (409, "cart_changed")
    assert len(buyer.orders()) == 1
    house.assert_verified()


def test_a_price_that_changes_is_shown_in_the_cart_and_accepted_there(house: House) -> None:
    lamp = offered(house, stock=1, price=LAMP, title="A lamp")
    buyer = buyer_of(house, (lamp, 1, LAMP))
    dearer = {"price": "12.00", "currency": "EUR", "max_per_order": 5, "published": True}
    house.operator.put(f"/api/v1/products/{lamp}/offer", dearer).raise_for_status()
    house.wait_until(
        lambda: buyer.get("/api/v1/cart").json()["lines"][0]["problem"] == "price_changed", "the new price"
    )
    old = {"lines": [{"product_id": lamp, "quantity": 1, "price": LAMP}], "currency": "EUR"}

    refused = buyer.post("/api/v1/checkouts", old)
    put(house, buyer, lamp, 1, "12.00")
    checkout = order(buyer, (lamp, 1, "12.00"))

    assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
    assert refused.json()["lines"] == [{"product_id": lamp, "seen": LAMP, "price": "12.00"}]
    assert checkout["total"] == "12.00"
    buyer.delete(f"/api/v1/checkouts/{checkout['id']}")


def test_a_sale_of_a_checkout_outlives_a_death_between_any_two_of_its_steps(house: House) -> None:
    lamp = offered(house, stock=len(STEPS), price=LAMP, title="A lamp")
    worker = house.stack["worker"]
    buyers = [buyer_of(house, (lamp, 1, LAMP)) for _ in STEPS]
    checkouts = [order(buyer, (lamp, 1, LAMP)) for buyer in buyers]
    deaths = [f"saga.{step}.after_effect=kill" for step in STEPS]

    worker.kill()
    worker.start(GAVEL_FAILPOINTS=deaths[0])
    for number, (buyer, checkout) in enumerate(zip(buyers, checkouts, strict=True)):
        restarts = worker.restarts
        worker.environment["GAVEL_FAILPOINTS"] = (*deaths, "")[number + 1]
        pay(house, buyer, checkout)
        house.wait_until(
            lambda before=restarts: worker.restarts > before, "the worker to die at its failpoint", seconds=90
        )
    del worker.environment["GAVEL_FAILPOINTS"]

    for buyer, checkout in zip(buyers, checkouts, strict=True):
        wait_for(house, buyer, checkout, "PAID")
        assert [one["amount"] for one in buyer.orders()] == [LAMP]
    assert stock_of(house, lamp) == {"on_hand": 6, "available": 0, "reserved": 0, "committed": 6}
    house.assert_verified()
