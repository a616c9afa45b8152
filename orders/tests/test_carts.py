"""The cart: accepted prices, what has changed since, its bounds, and a visitor's cart that is taken over."""

from typing import Any

import pytest

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from orders import exceptions, models, selectors, services
from orders.tests import sales
from orders.tests.shop import CHAIR, LAMP, OTHER, USER, cart, handle, offer, wanted

pytestmark = pytest.mark.django_db(databases=["orders"])

NOW = sales.NOW


def put(line: services.Wanted | None = None, currency: str = "EUR", user_id: str = USER) -> None:
    services.put_cart_line(user_id=user_id, line=line or wanted(), currency=currency, now=NOW)


def take_over(*lines: services.Wanted, currency: str = "EUR") -> None:
    services.take_over_cart(user_id=USER, lines=lines, currency=currency, now=NOW)


def line_of(product_id: str) -> selectors.CartLine:
    lines = selectors.get_cart(user_id=USER).lines
    return next(line for line in lines if line.product_id == product_id)


def test_a_cart_shows_its_lines_in_the_order_in_which_they_came_and_their_totals(settings: Any) -> None:
    settings.SHIPPING = {"EUR": {"flat": "4.90", "each": "0.50"}}
    handle(offer(), offer(CHAIR, price=2000))
    put()
    put(wanted(CHAIR, 1, 2000))
    put(wanted(quantity=3))

    seen = selectors.get_cart(user_id=USER)

    assert [(line.title, line.quantity, line.total, line.problem) for line in seen.lines] == [
        ("A lamp", 3, 3150, ""),
        ("A chair", 1, 2000, ""),
    ]
    assert (seen.currency, seen.totals.subtotal, seen.totals.shipping, seen.totals.total) == (
        *("EUR", 5150),
        *(640, 5790),
    )


def test_an_empty_cart_has_no_currency_and_ships_for_nothing(settings: Any) -> None:
    settings.SHIPPING = {"EUR": {"flat": "4.90"}}

    seen = selectors.get_cart(user_id=USER)

    assert (seen.lines, seen.currency, seen.totals.total) == ((), "", 0)


@pytest.mark.parametrize(
    ("changes", "problem", "total"),
    [
        ({}, "", 2100),
        ({"price": 1200}, "price_changed", 2400),
        ({"published": False}, "not_for_sale", 0),
        ({"currency": "USD"}, "not_for_sale", 0),
        ({"max_per_order": 1}, "too_many", 2100),
    ],
)
def test_a_cart_shows_what_has_changed_since_a_line_was_put(
    changes: dict[str, Any], problem: str, total: int
) -> None:
    handle(offer())
    put()

    handle(offer(version=2, **changes))

    assert line_of(LAMP).problem == problem
    assert selectors.get_cart(user_id=USER).totals.total == total
    assert (line_of(LAMP).quantity, line_of(LAMP).seen_price) == (2, 1050)


def test_a_changed_price_is_accepted_by_putting_the_line_at_the_new_one() -> None:
    handle(offer())
    put()
    handle(offer(version=2, price=1200))

    with pytest.raises(exceptions.PriceChanged) as refused:
        put(wanted(quantity=1))
    assert refused.value.figures == {
        "lines": [{"product_id": LAMP, "seen": "10.50", "price": "12.00"}],
        "currency": "EUR",
    }
    assert line_of(LAMP).problem == "price_changed"
    put(wanted(unit_price=1200))

    assert (line_of(LAMP).problem, line_of(LAMP).seen_price) == ("", 1200)


@pytest.mark.parametrize(
    ("line", "currency", "error"),
    [
        ({"product_id": "9" * 32}, "EUR", exceptions.NotForSale),
        ({"quantity": 6}, "EUR", exceptions.TooMany),
        ({}, "USD", exceptions.MixedCurrencies),
        ({"unit_price": 1}, "EUR", exceptions.PriceChanged),
    ],
)
def test_a_line_that_cannot_be_ordered_is_not_put(
    line: dict[str, Any], currency: str, error: type[errors.DomainError]
) -> None:
    handle(offer())

    with pytest.raises(error):
        put(wanted(**line), currency)

    assert cart() == {}


def test_a_cart_has_one_currency() -> None:
    handle(offer(), offer(CHAIR, currency="USD"))
    put()

    with pytest.raises(exceptions.MixedCurrencies) as refused:
        put(wanted(CHAIR), "USD")

    assert refused.value.figures == {"product_id": LAMP, "currency": "EUR"}
    assert cart() == {LAMP: 2}


def test_a_full_cart_takes_no_further_product_but_other_quantities() -> None:
    products = [f"{number:032x}" for number in range(models.MAX_LINES + 1)]
    handle(*(offer(product_id) for product_id in products))
    for product_id in products[:-1]:
        put(wanted(product_id, 1))

    with pytest.raises(exceptions.CartFull) as refused:
        put(wanted(products[-1], 1))
    put(wanted(products[0], 2))

    assert refused.value.figures == {"maximum": 50}
    assert (len(cart()), cart()[products[0]]) == (50, 2)


def test_a_barred_account_puts_nothing_into_its_cart() -> None:
    barred = events.AccountChanged(
        user_id=USER, version=1, email="", email_verified=True, created_at=0, roles=(), closed=False
    )
    handle(offer(), barred)

    with pytest.raises(exceptions.MayNotBuy):
        put()
    with pytest.raises(exceptions.MayNotBuy):
        take_over(wanted())

    assert cart() == {}


def test_a_closed_account_has_no_cart() -> None:
    handle(offer())
    put()
    put(user_id=OTHER)

    handle(
        events.AccountChanged(
            user_id=USER, version=1, email="", email_verified=True, created_at=0, roles=(), closed=True
        )
    )

    assert (cart(), cart(OTHER)) == ({}, {LAMP: 2})


def test_a_removed_line_is_gone_and_a_repeat_changes_nothing() -> None:
    handle(offer(), offer(CHAIR, price=2000))
    put()
    put(wanted(CHAIR, 1, 2000))

    for _ in range(2):
        services.remove_cart_line(user_id=USER, product_id=LAMP)

    assert cart() == {CHAIR: 1}


# --- a visitor's cart ------------------------------------------------------------------------------------------------


def test_a_visitors_cart_is_added_once_and_shows_the_prices_that_the_visitor_saw() -> None:
    handle(offer(), offer(CHAIR, price=2000))
    put(wanted(quantity=1))
    brought = (wanted(quantity=3), wanted(CHAIR, 1, 1900), wanted("9" * 32, 1))

    take_over(*brought)
    take_over(*brought)

    assert cart() == {LAMP: 3, CHAIR: 1}
    assert (line_of(CHAIR).seen_price, line_of(CHAIR).problem) == (1900, "price_changed")


def test_the_greater_quantity_counts_when_a_product_is_in_both_carts() -> None:
    handle(offer())
    put(wanted(quantity=4))

    take_over(wanted(quantity=2))

    assert cart() == {LAMP: 4}


def test_a_visitors_cart_in_another_currency_is_refused_whole() -> None:
    handle(offer(), offer(CHAIR, currency="USD"))
    put()

    with pytest.raises(exceptions.MixedCurrencies):
        take_over(wanted(CHAIR, 1), currency="USD")

    assert cart() == {LAMP: 2}
