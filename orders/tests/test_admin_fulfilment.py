"""The actions on the page of an order: shown while they are possible, to those who may, and done by the services."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from auction_project.kernel import ids
from orders import models, services
from orders.tests import sales, staff

pytestmark = pytest.mark.django_db(databases=["default", "orders", "sagas"])

PERMISSIONS = ("ship_order", "cancel_order", "refund_order", "return_order")
VIEWS = ("view_order", "view_orderfact", "view_shipment", "view_return", "view_returnrequest")


def page(sale: sales.Sale) -> str:
    return reverse("admin:orders_order_change", args=[sale.order_number])


def do(client: Client, sale: sales.Sale, action: str, **filled: Any) -> Any:
    path = reverse(f"admin:orders_order_{action}", args=[sale.order_number])
    return client.post(path, {"_form_submitted": "True", "key": ids.new_id(), **filled})


def shown(client: Client, sale: sales.Sale) -> list[str]:
    html = client.get(page(sale)).content.decode()
    names = ("ship", "deliver", "cancel", "refund", "decide_return", "take_back")
    return [n for n in names if reverse(f"admin:orders_order_{n}", args=[sale.order_number]) in html]


def test_the_page_offers_what_the_order_allows_to_those_who_may() -> None:
    sale = sales.confirmed_sale()
    everything = staff.client_with(*VIEWS, *PERMISSIONS)
    assert shown(everything, sale) == ["ship", "cancel", "refund"]
    clerk = staff.client_with(*VIEWS, "ship_order", email="clerk@example.org")
    assert shown(clerk, sale) == ["ship"]

    do(clerk, sale, "ship", carrier="Post", tracking_number="P1")

    assert shown(everything, sale) == ["deliver", "refund", "take_back"]


def test_a_clerk_ships_and_delivers() -> None:
    sale = sales.confirmed_sale()
    clerk = staff.client_with(*VIEWS, "ship_order")

    shipped = do(clerk, sale, "ship", carrier="Post", tracking_number="P1")
    do(clerk, sale, "deliver", sure="on")

    assert shipped.headers["HX-Redirect"] == page(sale)
    assert models.Order.objects.get().status == "DELIVERED"
    assert "Post" in clerk.get(page(sale)).content.decode()


@pytest.mark.parametrize("action", ["cancel", "refund"])
def test_what_gives_money_back_is_not_for_clerks(action: str) -> None:
    sale = sales.confirmed_sale()

    answer = do(staff.client_with(*VIEWS, "ship_order"), sale, action, reason="A crack.")

    assert (answer.status_code, models.Refund.objects.count()) == (403, 0)


def test_an_operator_cancels_with_a_reason() -> None:
    sale = sales.confirmed_sale()
    client = staff.client_with(*VIEWS, "cancel_order")

    assert "HX-Redirect" not in do(client, sale, "cancel", reason="").headers
    assert models.Order.objects.get().status == "CONFIRMED"
    do(client, sale, "cancel", reason="Sold twice.")

    assert models.Order.objects.get().status == "CANCELLED"
    assert models.Refund.objects.get().reason == "Sold twice."


def test_a_form_that_is_sent_twice_is_one_refund() -> None:
    sale = sales.confirmed_sale()
    client, key = staff.client_with(*VIEWS, "refund_order"), ids.new_id()

    for _ in range(2):
        do(client, sale, "refund", key=key, amount="25.50", reason="A crack.")

    assert list(models.Refund.objects.values_list("amount", "reason")) == [(2550, "A crack.")]


@pytest.mark.parametrize("amount", ["125.51", "1.234", "x", "-1"])
def test_a_refused_refund_shows_the_form_again(amount: str) -> None:
    sale = sales.confirmed_sale()

    answer = do(staff.client_with(*VIEWS, "refund_order"), sale, "refund", amount=amount, reason="A crack.")

    assert "HX-Redirect" not in answer.headers
    assert (answer.status_code, models.Refund.objects.count()) == (200, 0)


def test_units_come_back_line_by_line() -> None:
    sale = sales.confirmed_sale()
    client = staff.client_with(*VIEWS, "ship_order", "return_order")
    do(client, sale, "ship", carrier="Post")
    lamp = models.OrderLine.objects.get(product_id=sales.LAMP)

    assert "HX-Redirect" not in do(client, sale, "take_back", reason="A crack.").headers
    do(client, sale, "take_back", reason="A crack.", **{f"line_{lamp.pk}_damaged": "2"})

    assert list(models.ReturnLine.objects.values_list("line", "quantity", "damaged")) == [(lamp.pk, 2, True)]
    assert "(damaged)" in client.get(page(sale)).content.decode()


def asked(sale: sales.Sale) -> models.ReturnRequest:
    [request] = services.request_return(
        order_number=sale.order_number,
        key="k",
        lines=[services.Units(product_id=sales.LAMP, quantity=1)],
        reason="A crack.",
        actor=services.Actor(user_id=sale.user_id),
        now=sales.NOW,
    )
    return request


def test_a_clerk_answers_a_buyer_who_asks_for_a_return() -> None:
    sale = sales.confirmed_sale()
    client = staff.client_with(*VIEWS, "ship_order", "return_order")
    do(client, sale, "ship", carrier="Post")
    assert shown(client, sale) == ["deliver", "take_back"]
    request = asked(sale)
    assert shown(client, sale) == ["deliver", "decide_return", "take_back"]

    refused = do(client, sale, "decide_return", request=request.pk, decision="decline", reason=" ")
    assert "HX-Redirect" not in refused.headers
    assert models.ReturnRequest.objects.get().state == "ASKED"
    do(client, sale, "decide_return", request=request.pk, decision="decline", reason="It was sold as it is.")

    assert models.ReturnRequest.objects.get().state == "DECLINED"
    html = client.get(page(sale)).content.decode()
    assert "It was sold as it is." in html
    assert shown(client, sale) == ["deliver", "take_back"]


def test_what_its_buyer_has_withdrawn_is_shown_and_waits_for_no_answer() -> None:
    sale = sales.confirmed_sale()
    client = staff.client_with(*VIEWS, "ship_order", "return_order")
    do(client, sale, "ship", carrier="Post")
    request = asked(sale)
    services.withdraw_return(
        order_number=sale.order_number,
        request_id=request.pk,
        actor=services.Actor(user_id=sale.user_id),
        now=sales.NOW,
    )

    late = do(client, sale, "decide_return", request=request.pk, decision="accept", reason="")

    assert "HX-Redirect" not in late.headers
    assert models.ReturnRequest.objects.get().state == "WITHDRAWN"
    assert "Withdrawn" in client.get(page(sale)).content.decode()
    assert shown(client, sale) == ["deliver", "take_back"]


def test_who_takes_nothing_back_does_not_answer() -> None:
    sale = sales.confirmed_sale()
    clerk = staff.client_with(*VIEWS, "ship_order")
    do(clerk, sale, "ship", carrier="Post")
    request = asked(sale)

    answer = do(clerk, sale, "decide_return", request=request.pk, decision="accept", reason="")

    assert (answer.status_code, models.ReturnRequest.objects.get().state) == (403, "ASKED")
