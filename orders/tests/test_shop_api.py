"""REST of the shop: what each kind of user gets, and how a cart and a checkout travel."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from auction_project.kernel import ids, instants, tokens
from auction_project.kernel.contracts import events
from orders import models, services
from orders.tests import sales
from orders.tests.shop import (
    ADDRESS,
    CHAIR,
    LAMP,
    OTHER,
    USER,
    address_of,
    cart,
    handle,
    offer,
    published,
)

pytestmark = pytest.mark.django_db(databases=["orders"])

ClientOf = Callable[..., Client]
CART, CHECKOUTS = "/api/v1/cart", "/api/v1/checkouts"
LOT = "c" * 32
LINE = {"product_id": LAMP, "quantity": 2, "price": "10.50"}
ORDER = {"lines": [LINE], "currency": "EUR"}


@pytest.fixture
def buyer(client_of: ClientOf) -> Client:
    """A bidder with a card, an address and a lamp in the cart."""
    services.set_card(user_id=USER, number=sales.ACCEPTS, now=sales.NOW)
    address_of()
    handle(offer(), offer(CHAIR, price=2000))
    client = client_of(USER)
    assert put(client).status_code == 200
    return client


def put(client: Client, product_id: str = LAMP, **changes: Any) -> Any:
    body = {"quantity": 2, "price": "10.50", "currency": "EUR"} | changes
    return client.put(f"{CART}/lines/{product_id}", body, content_type="application/json")


def post(client: Client, path: str, body: Any = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(path, body or {}, content_type="application/json", headers=headers)


def started(client: Client, key: str = "k", **changes: Any) -> dict[str, Any]:
    answer = post(client, CHECKOUTS, ORDER | changes, key)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


# --- who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", CART),
        ("put", f"{CART}/lines/{LAMP}"),
        ("delete", f"{CART}/lines/{LAMP}"),
        ("post", f"{CART}/takeover"),
        ("get", CHECKOUTS),
        ("post", CHECKOUTS),
        ("get", f"{CHECKOUTS}/{LAMP}"),
        ("delete", f"{CHECKOUTS}/{LAMP}"),
        ("post", f"{CHECKOUTS}/{LAMP}/payment"),
    ],
)
def test_an_anonymous_client_gets_nothing(method: str, path: str) -> None:
    answer = getattr(Client(), method)(path)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("roles", [("bidder",), ("operator", "bidder")])
def test_the_cart_and_the_checkout_of_another_look_like_none(
    buyer: Client, client_of: ClientOf, roles: tuple[str, ...]
) -> None:
    checkout = started(buyer)
    other = client_of(OTHER, *roles)

    address = f"{CHECKOUTS}/{checkout['id']}"
    answers = [
        other.get(address),
        other.delete(address),
        post(other, f"{address}/payment"),
        other.get(f"{CHECKOUTS}/x"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "checkout_not_found")] * 4
    assert other.get(CART).json()["lines"] == []
    assert other.get(CHECKOUTS).json() == {"items": []}
    assert models.Checkout.objects.get().state == "RESERVING"


def test_only_bidders_with_a_verified_address_order(client_of: ClientOf, buyer: Client) -> None:
    now = int(time.time())
    token = tokens.sign(
        sub=USER,
        roles=("bidder",),
        created_at=now,
        now=now,
        seconds=300,
        changed={"email_verified": False},
    )
    unverified = Client(headers={"Authorization": f"Bearer {token}"})

    for client in (unverified, client_of(USER, "operator")):
        answer = post(client, CHECKOUTS, ORDER, "k")
        assert (answer.status_code, answer.json()["code"]) == (403, "may_not_order")

    assert not models.Checkout.objects.exists()


# --- the cart --------------------------------------------------------------------------------------------------------


def test_an_empty_cart_has_no_currency(client_of: ClientOf) -> None:
    assert client_of(USER).get(CART).json() == {
        "lines": [],
        "awards": [],
        "subtotal": "0.00",
        "shipping": "0.00",
        "total": "0.00",
        "currency": None,
    }


def test_a_cart_shows_its_lines_and_totals(buyer: Client, settings: Any) -> None:
    settings.SHIPPING = {"EUR": {"flat": "4.90"}}
    handle(offer(version=2, price=1200))

    assert buyer.get(CART).json() == {
        "lines": [
            {
                "product_id": LAMP,
                "title": "A lamp",
                "slug": "a-lamp",
                "thumbnail": "",
                "quantity": 2,
                "seen_price": "10.50",
                "price": "12.00",
                "currency": "EUR",
                "total": "24.00",
                "max_per_order": 5,
                "problem": "price_changed",
            }
        ],
        "awards": [],
        "subtotal": "24.00",
        "shipping": "4.90",
        "total": "28.90",
        "currency": "EUR",
    }


def test_an_old_price_is_answered_with_both_and_the_new_one_accepts_it(buyer: Client) -> None:
    handle(offer(version=2, price=1200))

    answers = [put(buyer), post(buyer, CHECKOUTS, ORDER, "k")]
    accepted = put(buyer, price="12.00").json()

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
        assert answer.json()["lines"] == [{"product_id": LAMP, "seen": "10.50", "price": "12.00"}]
    assert accepted["lines"][0]["problem"] is None
    assert started(buyer, lines=[LINE | {"price": "12.00"}])["total"] == "24.00"


def test_a_line_is_deleted_as_often_as_one_likes(buyer: Client) -> None:
    for _ in range(2):
        answer = buyer.delete(f"{CART}/lines/{LAMP}")
        assert (answer.status_code, answer.json()["lines"]) == (200, [])


@pytest.mark.parametrize("product_id", ["x", "%00", "F" * 32])
def test_an_id_that_is_none_is_in_no_cart(buyer: Client, product_id: str) -> None:
    put_it, deleted = put(buyer, product_id), buyer.delete(f"{CART}/lines/{product_id}")

    assert (put_it.status_code, put_it.json()["code"], deleted.status_code) == (409, "not_for_sale", 200)
    assert cart() == {LAMP: 2}


def test_a_visitors_cart_is_taken_over_once(buyer: Client) -> None:
    body = {
        "lines": [LINE | {"quantity": 3}, {"product_id": CHAIR, "quantity": 1, "price": "20.00"}],
        "currency": "EUR",
    }

    for _ in range(2):
        assert post(buyer, f"{CART}/takeover", body).status_code == 200

    assert cart() == {LAMP: 3, CHAIR: 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [LINE, LINE]}, "lines"),
        ({"lines": [LINE | {"quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [LINE | {"price": "1.234"}]}, "lines.0.price"),
        ({"lines": [LINE | {"product_id": "x"}]}, "lines.0.product_id"),
        ({"lines": [{**LINE, "product_id": f"{at:032x}"} for at in range(51)]}, "lines"),
        ({"currency": "XYZ"}, "currency"),
        ({"address_id": "x"}, "address_id"),
        ({"total": "1.00"}, "total"),
    ],
)
def test_a_body_that_cannot_be_read_names_the_field(
    buyer: Client, changes: dict[str, Any], field: str
) -> None:
    answer = post(buyer, CHECKOUTS, ORDER | changes, "k")

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not models.Checkout.objects.exists()


# --- the checkout ----------------------------------------------------------------------------------------------------


def test_a_checkout_shows_what_is_ordered_until_when_it_is_paid_and_the_time_of_the_server(
    buyer: Client, settings: Any
) -> None:
    settings.SHIPPING = {"EUR": {"flat": "4.90"}}
    before = instants.now()

    checkout = started(buyer, address_id=address_of().id)

    row = models.Checkout.objects.get()
    assert checkout == {
        "id": row.id,
        "status": "RESERVING",
        "lines": [
            {
                "product_id": LAMP,
                "title": "A lamp",
                "quantity": 2,
                "unit_price": "10.50",
                "price": "21.00",
                "auction_id": None,
                "award_id": None,
            }
        ],
        "shipping": "4.90",
        "total": "25.90",
        "currency": "EUR",
        "address": ADDRESS,
        "started_at": instants.of(row.started_at),
        "pay_by": instants.of(row.started_at) + 890_000,
        "expires_at": instants.of(row.started_at) + 900_000,
        "shortages": [],
        "failure": "",
        "order_number": None,
        "server_time": instants.of(row.started_at),
    }
    assert before <= checkout["server_time"] <= instants.now()
    later = buyer.get(f"{CHECKOUTS}/{row.id}").json()
    assert later | {"server_time": 0} == checkout | {"server_time": 0}
    assert [one["id"] for one in buyer.get(f"{CHECKOUTS}?state=open").json()["items"]] == [row.id]


def test_a_checkout_needs_a_key_and_a_repeat_under_it_is_the_same(buyer: Client) -> None:
    missing = post(buyer, CHECKOUTS, ORDER)
    first, second = started(buyer), started(buyer)
    other = post(buyer, CHECKOUTS, ORDER | {"lines": [LINE | {"quantity": 1}]}, "k")

    assert (missing.status_code, missing.json()["code"], missing.json()["field"]) == (
        *(400, "key_missing"),
        "Idempotency-Key",
    )
    assert first["id"] == second["id"]
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert len(published(events.CheckoutStarted)) == 1


def test_a_payment_is_accepted_once_and_names_its_order(buyer: Client) -> None:
    checkout = started(buyer)
    too_early = post(buyer, f"{CHECKOUTS}/{checkout['id']}/payment")
    handle(events.CheckoutReserved(checkout_id=checkout["id"]))

    paying = [post(buyer, f"{CHECKOUTS}/{checkout['id']}/payment") for _ in range(2)]

    assert (too_early.status_code, too_early.json()["code"], too_early.json()["state"]) == (
        *(409, "wrong_checkout_state"),
        "RESERVING",
    )
    number = ids.order_number(f"{checkout['id']}-1")
    assert [(one.status_code, one.json()["status"], one.json()["order_number"]) for one in paying] == [
        (202, "PAYING", number)
    ] * 2
    assert len(published(events.SaleConfirmed)) == 1


def test_a_refused_checkout_names_what_is_missing(buyer: Client) -> None:
    checkout = started(buyer)
    shortage = events.Shortage(product_id=LAMP, asked=2, available=1)

    handle(events.CheckoutRefused(checkout_id=checkout["id"], shortages=(shortage,)))

    seen = buyer.get(f"{CHECKOUTS}/{checkout['id']}").json()
    assert (seen["status"], seen["shortages"]) == (
        "REFUSED",
        [{"product_id": LAMP, "asked": 2, "available": 1}],
    )
    assert buyer.get(CHECKOUTS).json() == {"items": []}


def test_an_abandoned_checkout_is_over_and_a_repeat_changes_nothing(buyer: Client) -> None:
    checkout = started(buyer)

    assert [buyer.delete(f"{CHECKOUTS}/{checkout['id']}").status_code for _ in range(2)] == [204, 204]

    assert buyer.get(f"{CHECKOUTS}/{checkout['id']}").json()["status"] == "ABANDONED"
    assert cart() == {LAMP: 2}


def test_a_cart_that_another_tab_has_changed_is_answered_with_what_is_in_it(buyer: Client) -> None:
    put(buyer, quantity=3)

    answer = post(buyer, CHECKOUTS, ORDER, "k")

    assert (answer.status_code, answer.json()["code"], answer.json()["lines"]) == (
        *(409, "cart_changed"),
        [{"product_id": LAMP, "asked": 2, "in_cart": 3}],
    )


# --- lots that were won ----------------------------------------------------------------------------------------------


def awarded(user_id: str = USER) -> events.SaleAwarded:
    return events.SaleAwarded(
        sale_id=f"{LOT}-9",
        order_number="GV-1",
        user_id=user_id,
        auction_id=LOT,
        currency="EUR",
        line=events.SaleLine(product_id=CHAIR, quantity=1, price=5000, title="A vase", owner_id="house"),
        pay_by_at=instants.of(timezone.now() + timedelta(days=1)),
    )


def test_the_cart_and_the_list_of_its_auction_show_what_a_buyer_has_won_and_nobody_elses(
    client_of: ClientOf,
) -> None:
    handle(awarded())
    (award,) = client_of(USER).get(CART).json()["awards"]

    assert award == {
        "id": f"{LOT}-9",
        "auction_id": LOT,
        "product_id": CHAIR,
        "title": "A vase",
        "quantity": 1,
        "price": "50.00",
        "currency": "EUR",
        "state": "DUE",
        "pay_by": instants.of(models.Award.objects.get().pay_by),
        "order_number": None,
    }
    path = f"/api/v1/awards?auction_id={LOT}"
    assert client_of(USER).get(path).json() == {"items": [award]}
    assert client_of(OTHER).get(path).json() == {"items": []}
    assert client_of(OTHER).get(CART).json()["awards"] == []


@pytest.mark.parametrize("body", [{"awards": []}, {"awards": ["no sale"]}, {"lines": [], "awards": []}])
def test_a_checkout_has_a_line_or_a_lot(client_of: ClientOf, body: dict[str, Any]) -> None:
    answer = post(client_of(USER), CHECKOUTS, body | {"currency": "EUR"}, "k")

    assert answer.status_code == 400
    assert not models.Checkout.objects.exists()
