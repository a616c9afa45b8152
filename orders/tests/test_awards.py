"""Awards: lots won on terms to pay later are paid together, or lapse."""

from datetime import timedelta
from typing import Any

import pytest

from auction_project.kernel import errors, instants
from auction_project.kernel.contracts import events
from orders import exceptions, models, services
from orders.tests import sales
from orders.tests.awards import CLOCK, DUE, LOT, OTHER_LOT, VASE, awarded, start
from orders.tests.shop import (
    CHAIR,
    LAMP,
    NOW,
    OTHER,
    USER,
    cart,
    failed,
    fill,
    handle,
    offer,
    pay,
    published,
    settle,
    state,
    wanted,
)

pytestmark = pytest.mark.django_db(databases=["orders"])


def states() -> dict[str, str]:
    """The state of each award, by auction."""
    return dict(models.Award.objects.values_list("auction_id", "state"))


# --- together --------------------------------------------------------------------------------------------------------


def test_won_lots_and_the_cart_are_one_sale_whose_lines_name_their_lots(settings: Any) -> None:
    settings.SHIPPING = {"EUR": {"flat": "4.90", "each": "1.00"}}
    handle(awarded(), awarded(OTHER_LOT, CLOCK, 7000), offer())
    checkout = start(LOT, OTHER_LOT, lines=(wanted(),))
    handle(events.CheckoutReserved(checkout_id=checkout.id))

    pay(checkout)

    [sale] = published(events.SaleConfirmed)
    assert isinstance(sale, events.SaleConfirmed)
    assert [(line.product_id, line.price, line.owner_id, line.auction_id) for line in sale.lines] == [
        (LAMP, 2100, "house", ""),
        (VASE, 5000, OTHER, LOT),
        (CLOCK, 7000, OTHER, OTHER_LOT),
    ]
    assert (sale.shipping, sale.price) == (790, 14_890)
    assert [event.units for event in published(events.CheckoutStarted)] == [  # type: ignore[attr-defined]
        (events.Units(product_id=LAMP, quantity=2),)
    ]


def test_lots_alone_ask_inventory_nothing() -> None:
    handle(awarded())

    checkout = start(LOT)

    assert (checkout.state, checkout.total) == ("RESERVED", 5000)
    assert published(events.CheckoutStarted) == []


def test_a_paid_checkout_settles_each_of_its_lots_once() -> None:
    handle(awarded(), awarded(OTHER_LOT, CLOCK))
    sale = pay(start(LOT, OTHER_LOT))
    assert states() == {LOT: "PAYING", OTHER_LOT: "PAYING"}

    settle(sale)
    settle(sale)

    assert states() == {LOT: "PAID", OTHER_LOT: "PAID"}
    assert published(events.SaleSettled) == [
        events.SaleSettled(sale_id=f"{lot}-9", order_number=sale.order_number, user_id=USER, auction_id=lot)
        for lot in (LOT, OTHER_LOT)
    ]


def test_after_a_refused_payment_the_lots_can_be_paid_again() -> None:
    handle(awarded())
    checkout = start(LOT)
    handle(failed(pay(checkout)))
    assert (states(), state(checkout)) == ({LOT: "DUE"}, "RESERVED")

    services.set_card(user_id=USER, number=sales.ACCEPTS, now=NOW)
    settle(pay(checkout))

    assert (states(), state(checkout)) == ({LOT: "PAID"}, "PAID")


def test_a_paid_lot_leaves_units_of_its_product_in_the_cart() -> None:
    handle(awarded(product_id=LAMP), offer())
    fill(wanted())

    settle(pay(start(LOT)))

    assert cart() == {LAMP: 2}


def test_a_repeated_award_changes_nothing() -> None:
    handle(awarded())
    pay(start(LOT))

    handle(awarded())

    assert states() == {LOT: "PAYING"}


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("award", "asked", "error"),
    [
        ({}, {"user_id": OTHER}, exceptions.NotAwarded),
        ({"currency": "USD"}, {}, exceptions.MixedCurrencies),
        ({}, {"now": DUE - models.PAY_MARGIN}, exceptions.NotAwarded),
        ({}, {"lines": (wanted(VASE),)}, exceptions.SameProduct),
    ],
    ids=["of another buyer", "in another currency", "too late", "of a product that is in the cart"],
)
def test_a_lot_that_cannot_be_paid_so_refuses_the_checkout(
    award: dict[str, Any], asked: dict[str, Any], error: type[errors.DomainError]
) -> None:
    handle(awarded(**award), offer(VASE, title="A vase"))

    with pytest.raises(error):
        start(LOT, **asked)

    assert not models.Checkout.objects.exists()
    assert states() == {LOT: "DUE"}


def test_two_lots_of_one_product_are_paid_one_after_the_other() -> None:
    handle(awarded(), awarded(OTHER_LOT))

    with pytest.raises(exceptions.SameProduct):
        start(LOT, OTHER_LOT)
    settle(pay(start(LOT)))
    settle(pay(start(OTHER_LOT, key="k2")))

    assert states() == {LOT: "PAID", OTHER_LOT: "PAID"}


def test_a_lot_that_is_being_paid_is_not_paid_by_a_second_checkout() -> None:
    handle(awarded())
    pay(start(LOT))

    with pytest.raises(exceptions.CheckoutUnderWay):
        start(LOT, key="k2")

    assert len(published(events.SaleConfirmed)) == 1


def test_another_choice_of_lots_under_the_same_key_is_refused() -> None:
    handle(awarded(), awarded(OTHER_LOT, CLOCK))
    first = start(LOT)

    assert start(LOT).id == first.id
    with pytest.raises(errors.KeyReused):
        start(LOT, OTHER_LOT)

    assert models.Checkout.objects.count() == 1


def test_the_checkout_ends_no_later_than_the_time_of_its_most_urgent_lot() -> None:
    handle(awarded(pay_by_at=instants.of(NOW + timedelta(minutes=2))))
    checkout = start(LOT)
    assert checkout.expires_at == NOW + timedelta(minutes=2)

    with pytest.raises(exceptions.CheckoutExpired):
        pay(checkout, now=NOW + timedelta(minutes=2) - models.PAY_MARGIN)

    assert states() == {LOT: "DUE"}


# --- the end of the time -----------------------------------------------------------------------------------------------


def test_a_lot_that_is_not_paid_in_time_lapses_and_bidding_is_told_once() -> None:
    handle(awarded())

    assert services.lapse_awards(now=DUE - timedelta(milliseconds=1)) == 0
    assert services.lapse_awards(now=DUE) == 1
    assert services.lapse_awards(now=DUE) == 0

    assert states() == {LOT: "LAPSED"}
    assert published(events.BidFailed) == [
        events.BidFailed(
            sale_id=f"{LOT}-9",
            order_number=f"GV-{LOT[:4]}",
            user_id=USER,
            auction_id=LOT,
            reason="unpaid",
            title="A vase",
        )
    ]


def test_a_payment_under_way_keeps_its_lots_and_they_lapse_when_it_fails_after_the_time() -> None:
    handle(awarded())
    sale = pay(start(LOT))
    assert services.lapse_awards(now=DUE) == 0

    handle(failed(sale))

    assert services.lapse_awards(now=DUE) == 1
    assert states() == {LOT: "LAPSED"}


def test_an_order_of_lots_sends_sellers_no_second_notice_of_them() -> None:
    handle(awarded(), offer(CHAIR, price=2000, owner_id=OTHER))
    checkout = start(LOT, lines=(wanted(CHAIR, 1, 2000),))
    handle(events.CheckoutReserved(checkout_id=checkout.id))
    pay(checkout)
    [confirmed] = published(events.SaleConfirmed)
    assert isinstance(confirmed, events.SaleConfirmed)

    order = sales.Sale(
        sale_id=confirmed.sale_id,
        order_number=confirmed.order_number,
        user_id=USER,
        auction_id="",
        amount=confirmed.price,
    )
    sales.pay(order)
    order.place(lines=confirmed.lines, shipping=confirmed.shipping)
    order.confirm()

    [sold] = published(events.LinesSold)
    assert isinstance(sold, events.LinesSold)
    assert (sold.user_id, sold.title, sold.amount) == (OTHER, "A chair", 2000)
