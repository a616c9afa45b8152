"""Many tabs at once, with real threads and real commits: one checkout is under way, one sale is paid, and a cart keeps its bound."""

from typing import Any

import pytest

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging.tests import sessions
from orders import exceptions, models, services
from orders.tests import sales
from orders.tests.shop import (
    LAMP,
    USER,
    address_of,
    cart,
    fill,
    handle,
    offer,
    published,
    reserved,
    settle,
    start,
    wanted,
)

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

TABS = 12
ROUNDS = 8
NOW = sales.NOW


def at_once(*calls: Any) -> list[Any]:
    return sessions.at_once("orders", *calls)


def order(key: str) -> models.Checkout:
    return services.start_checkout(user_id=USER, key=key, lines=[wanted()], currency="EUR", now=NOW)


def codes(outcomes: list[Any]) -> list[str]:
    return sorted(one.code for one in outcomes if isinstance(one, errors.DomainError))


def test_a_click_that_comes_many_times_at_once_starts_one_checkout() -> None:
    handle(offer())
    fill(wanted())
    address_of()

    outcomes = at_once(*(lambda: order("k") for _ in range(TABS)))

    assert len({checkout.id for checkout in outcomes}) == 1
    assert len(published(events.CheckoutStarted)) == 1


def test_of_many_tabs_at_once_the_last_has_the_checkout_that_is_under_way() -> None:
    handle(offer())
    fill(wanted())
    address_of()

    at_once(*(lambda n=n: order(f"tab {n}") for n in range(TABS)))

    assert models.Checkout.objects.filter(state__in=models.RUNNING).count() == 1
    assert models.Checkout.objects.filter(state="ABANDONED").count() == TABS - 1
    started = published(events.CheckoutStarted)
    assert [event.replaces for event in started] == ["", *(event.checkout_id for event in started[:-1])]


def test_a_payment_that_comes_many_times_at_once_is_one_sale() -> None:
    checkout = reserved()

    outcomes = at_once(
        *(lambda: services.pay_checkout(checkout_id=checkout.id, user_id=USER, now=NOW) for _ in range(TABS))
    )

    assert {sale.sale_id for sale in outcomes} == {f"{checkout.id}-1"}
    assert len(published(events.SaleConfirmed)) == 1


def test_a_tab_that_pays_and_a_tab_that_orders_anew_leave_one_order_at_most() -> None:
    for number in range(ROUNDS):
        checkout = reserved() if not number else start(key=f"round {number}")
        handle(events.CheckoutReserved(checkout_id=checkout.id))

        outcomes = at_once(
            lambda one=checkout: services.pay_checkout(checkout_id=one.id, user_id=USER, now=NOW),
            lambda n=number: order(f"other {n}"),
        )

        checkout.refresh_from_db()
        expected = {"PAYING": ["checkout_under_way"], "ABANDONED": ["wrong_checkout_state"]}
        assert codes(outcomes) == expected[checkout.state]
        assert models.Checkout.objects.filter(state__in=models.RUNNING).count() == 1
        finish_running()


def finish_running() -> None:
    """End what is under way: a payment fails, anything else is abandoned."""
    running = models.Checkout.objects.get(state__in=models.RUNNING)
    if running.state == "PAYING":
        services.record_failed(sale_id=f"{running.id}-1", reason="payment_refused", detail="", now=NOW)
    services.abandon_checkout(checkout_id=running.id, user_id=USER, now=NOW)


def test_the_end_of_a_payment_and_a_tab_that_orders_the_same_cart_at_once_leave_one_order() -> None:
    for number in range(ROUNDS):
        checkout = reserved() if not number else start(key=f"round {number}")
        handle(events.CheckoutReserved(checkout_id=checkout.id))
        sale = services.pay_checkout(checkout_id=checkout.id, user_id=USER, now=NOW)

        outcomes = at_once(lambda one=sale: settle(one), lambda n=number: order(f"other {n}"))

        assert codes(outcomes) in (["checkout_under_way"], ["cart_changed"])
        checkout.refresh_from_db()
        assert (checkout.state, cart()) == ("PAID", {})
        assert not models.Checkout.objects.filter(state__in=models.RUNNING).exists()


def test_a_cart_keeps_its_bound_when_many_lines_come_at_once() -> None:
    products = [f"{number:032x}" for number in range(models.MAX_LINES + 4)]
    handle(*(offer(product_id) for product_id in products))
    fill(*(wanted(product_id, 1) for product_id in products[: models.MAX_LINES - 2]))

    outcomes = at_once(
        *(
            lambda one=product_id: services.put_cart_line(
                user_id=USER, line=wanted(one, 1), currency="EUR", now=NOW
            )
            for product_id in products[models.MAX_LINES - 2 :]
        )
    )

    assert codes(outcomes) == [exceptions.CartFull.code] * 4
    assert len(cart()) == models.MAX_LINES


def test_a_line_that_comes_many_times_at_once_is_one_line() -> None:
    handle(offer())

    at_once(
        *(
            lambda n=n: services.put_cart_line(
                user_id=USER, line=wanted(quantity=n % 5 + 1), currency="EUR", now=NOW
            )
            for n in range(TABS)
        )
    )

    assert list(cart()) == [LAMP]
