"""Checkouts: accepted prices, one live payment, another card after a refusal, and an end by the clock."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, transaction

from auction_project.kernel import contracts, errors, ids, instants
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import consuming
from orders import exceptions, handlers, models, services
from orders.tests import sales
from orders.tests.shop import (
    ADDRESS,
    CHAIR,
    LAMP,
    NOW,
    OTHER,
    USER,
    address_of,
    cart,
    failed,
    fill,
    handle,
    offer,
    pay,
    published,
    reserved,
    settle,
    start,
    state,
    wanted,
)

pytestmark = pytest.mark.django_db(databases=["orders"])

# --- the start -------------------------------------------------------------------------------------------------------


def test_a_checkout_keeps_the_accepted_prices_and_asks_for_its_units() -> None:
    handle(offer(), offer(CHAIR, price=2000))

    checkout = start(wanted(), wanted(CHAIR, 1, 2000))

    assert (checkout.state, checkout.total, checkout.title) == ("RESERVING", 4100, "A lamp and 1 more")
    assert published(events.CheckoutStarted) == [
        events.CheckoutStarted(
            checkout_id=checkout.id,
            user_id=USER,
            units=(
                events.Units(product_id=LAMP, quantity=2),
                events.Units(product_id=CHAIR, quantity=1),
            ),
            expires_at=instants.of(NOW + timedelta(minutes=15)),
        )
    ]


def test_a_repeated_start_is_the_same_checkout_and_another_one_under_its_key_is_refused() -> None:
    handle(offer())
    first = start()

    assert start().id == first.id
    with pytest.raises(errors.KeyReused):
        start(wanted(quantity=3))
    assert start(user_id=OTHER).id != first.id

    assert len(published(events.CheckoutStarted)) == 2


@pytest.mark.parametrize(
    ("changes", "line", "error", "figures"),
    [
        ({"published": False}, {}, exceptions.NotForSale, {"product_id": LAMP}),
        ({}, {"product_id": CHAIR}, exceptions.NotForSale, {"product_id": CHAIR}),
        ({"currency": "USD"}, {}, exceptions.MixedCurrencies, {"product_id": LAMP, "currency": "USD"}),
        ({}, {"quantity": 6}, exceptions.TooMany, {"product_id": LAMP, "maximum": 5}),
        (
            {"price": 1200},
            {},
            exceptions.PriceChanged,
            {"lines": [{"product_id": LAMP, "seen": "10.50", "price": "12.00"}], "currency": "EUR"},
        ),
    ],
)
def test_a_line_that_cannot_be_bought_refuses_the_checkout(
    changes: dict[str, Any], line: dict[str, Any], error: type[errors.DomainError], figures: dict[str, Any]
) -> None:
    handle(offer(**changes))

    with pytest.raises(error) as refused:
        start(wanted(**line))

    assert refused.value.figures == figures
    assert not models.Checkout.objects.exists()
    assert published(events.CheckoutStarted) == []


def test_a_barred_account_starts_no_checkout() -> None:
    handle(
        offer(),
        events.AccountChanged(
            user_id=USER, version=1, email="", email_verified=True, created_at=0, roles=(), closed=False
        ),
    )

    with pytest.raises(exceptions.MayNotBuy):
        start()

    assert not models.Checkout.objects.exists()


def test_the_newest_offer_is_kept_whatever_the_order_of_its_events() -> None:
    handle(offer(version=3, price=3000), offer(version=2, price=2000))

    assert models.Offer.objects.get().price == 3000


def test_the_total_of_a_checkout_has_shipping_by_the_rule_of_its_currency(settings: Any) -> None:
    settings.SHIPPING = {"EUR": {"flat": "4.90", "each": "1.00"}}
    handle(offer(), offer(CHAIR, price=2000))

    checkout = start(wanted(), wanted(CHAIR, 1, 2000))

    assert (checkout.shipping, checkout.total) == (690, 4790)


@pytest.mark.parametrize(("price", "is_enough"), [(49, False), (50, True)])
def test_a_checkout_comes_to_what_can_be_charged_at_least(price: int, is_enough: bool) -> None:
    handle(offer(price=price))

    if is_enough:
        assert start(wanted(quantity=1, unit_price=price)).total == 50
        return
    with pytest.raises(exceptions.BelowMinimum) as refused:
        start(wanted(quantity=1, unit_price=price))

    assert refused.value.figures == {"total": "0.49", "minimum": "0.50", "currency": "EUR"}
    assert not models.Checkout.objects.exists()


def test_the_minutes_of_a_reservation_are_a_setting(settings: Any) -> None:
    settings.CHECKOUT_MINUTES = 3
    handle(offer())

    assert start().expires_at == NOW + timedelta(minutes=3)


# --- the address -----------------------------------------------------------------------------------------------------


def test_a_checkout_and_its_order_keep_the_address_as_it_was() -> None:
    checkout = reserved()
    paid = pay(checkout)
    services.change_address(
        user_id=USER,
        address_id=address_of().id,
        fields=ADDRESS | {"line1": "Elsewhere 2"},
        is_default=True,
        now=NOW,
    )

    from_shop = sales.new_sale(sale_id=paid.sale_id, order_number=paid.order_number, auction_id="")
    from_shop.place()

    assert checkout.address == ADDRESS
    assert models.OrderAddress.of(models.Order.objects.get(pk=paid.order_number)) == ADDRESS


def test_a_checkout_needs_an_address_of_the_buyers_own_book() -> None:
    handle(offer())
    fill(wanted())
    foreign = address_of(OTHER)

    with pytest.raises(exceptions.AddressMissing) as missing:
        order_to(None)
    with pytest.raises(exceptions.AddressNotFound):
        order_to(foreign.id)

    assert missing.value.field == "address_id"
    assert not models.Checkout.objects.exists()
    assert order_to(address_of().id).address == ADDRESS


def order_to(address_id: str | None) -> models.Checkout:
    return services.start_checkout(
        user_id=USER, key="k", lines=[wanted()], currency="EUR", address_id=address_id, now=NOW
    )


def test_a_closed_account_leaves_its_address_with_what_it_has_paid_alone() -> None:
    paid = reserved()
    settle(pay(paid))
    given_up = start(key="another")

    handle(
        events.AccountChanged(
            user_id=USER, version=1, email="", email_verified=True, created_at=0, roles=(), closed=True
        )
    )

    addresses = dict(models.Checkout.objects.values_list("id", "address"))
    assert addresses == {paid.id: ADDRESS, given_up.id: None}


# --- one checkout at a time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_reserved", [False, True])
def test_a_second_checkout_takes_the_place_of_the_first_and_its_units(is_reserved: bool) -> None:
    handle(offer())
    first = start(key="tab 1")
    if is_reserved:
        handle(events.CheckoutReserved(checkout_id=first.id))

    second = start(key="tab 2")

    assert (state(first), state(second)) == ("ABANDONED", "RESERVING")
    assert published(events.CheckoutAbandoned) == [events.CheckoutAbandoned(checkout_id=first.id)]
    assert [event.replaces for event in published(events.CheckoutStarted)] == ["", first.id]
    assert start(key="tab 1").id == first.id


def test_a_second_checkout_waits_while_the_first_is_being_paid() -> None:
    first = reserved()
    pay(first)

    with pytest.raises(exceptions.CheckoutUnderWay) as refused:
        start(key="tab 2")

    assert refused.value.figures == {"checkout_id": first.id}
    assert (state(first), models.Checkout.objects.count()) == ("PAYING", 1)


def test_what_was_ordered_in_another_tab_is_not_in_the_cart_any_more() -> None:
    checkout = reserved()
    settle(pay(checkout))

    with pytest.raises(exceptions.CartChanged) as refused:
        services.start_checkout(user_id=USER, key="tab 2", lines=[wanted()], currency="EUR", now=NOW)

    assert refused.value.figures == {"lines": [{"product_id": LAMP, "asked": 2, "in_cart": 0}]}
    assert models.Checkout.objects.count() == 1


def test_an_expired_checkout_stays_expired_when_another_follows_it() -> None:
    handle(offer())
    first = start(key="first")

    start(key="second", now=first.expires_at)

    first.refresh_from_db()
    assert (first.state, first.status(first.expires_at)) == ("ABANDONED", "EXPIRED")


def test_the_database_itself_refuses_a_second_checkout_under_way() -> None:
    handle(offer())
    first = start()

    first.id, first.key = ids.new_id(), "another"
    with (
        pytest.raises(IntegrityError, match="orders_checkout_one_running"),
        transaction.atomic(using="orders"),
    ):
        first.save(force_insert=True)


# --- the cart --------------------------------------------------------------------------------------------------------


def test_a_paid_checkout_takes_its_units_out_of_the_cart_and_what_was_added_meanwhile_stays() -> None:
    checkout = reserved(wanted(), wanted(CHAIR, 1, 2000))
    fill(wanted(quantity=5))
    sale = pay(checkout)
    assert cart() == {LAMP: 5, CHAIR: 1}

    settle(sale)
    settle(sale)

    assert cart() == {LAMP: 3}


def test_the_cart_stays_when_a_payment_fails_and_when_a_checkout_is_abandoned() -> None:
    checkout = reserved()
    handle(failed(pay(checkout)))
    assert cart() == {LAMP: 2}

    services.abandon_checkout(checkout_id=checkout.id, user_id=USER, now=NOW)

    assert cart() == {LAMP: 2}


# --- inventory's answer ----------------------------------------------------------------------------------------------


def test_a_refusal_names_the_lines_and_ends_the_checkout() -> None:
    handle(offer())
    checkout = start()

    handle(
        events.CheckoutRefused(
            checkout_id=checkout.id,
            shortages=(events.Shortage(product_id=LAMP, asked=2, available=1),),
        )
    )

    checkout.refresh_from_db()
    assert (checkout.state, checkout.shortages) == (
        "REFUSED",
        [{"product_id": LAMP, "asked": 2, "available": 1}],
    )
    with pytest.raises(exceptions.WrongCheckoutState):
        pay_with_card(checkout)


def pay_with_card(checkout: models.Checkout) -> models.CheckoutSale:
    services.set_card(user_id=USER, number=sales.ACCEPTS, now=NOW)
    return pay(checkout)


# --- the payment -----------------------------------------------------------------------------------------------------


def test_a_payment_is_one_sale_of_all_lines() -> None:
    checkout = reserved(wanted(), wanted(CHAIR, 1, 2000))

    sale = pay(checkout)

    assert state(checkout) == "PAYING"
    assert published(events.SaleConfirmed) == [
        events.SaleConfirmed(
            sale_id=f"{checkout.id}-1",
            order_number=ids.order_number(f"{checkout.id}-1"),
            user_id=USER,
            checkout_id=checkout.id,
            price=4100,
            currency="EUR",
            title="A lamp and 1 more",
            lines=(
                events.SaleLine(product_id=LAMP, quantity=2, price=2100, title="A lamp", owner_id="house"),
                events.SaleLine(product_id=CHAIR, quantity=1, price=2000, title="A chair", owner_id="house"),
            ),
        )
    ]
    assert sale.sale_id == f"{checkout.id}-1"


def test_a_double_click_pays_once() -> None:
    checkout = reserved()

    assert pay(checkout).sale_id == pay(checkout).sale_id

    assert len(published(events.SaleConfirmed)) == 1


def test_the_database_itself_refuses_a_second_live_sale_of_a_checkout() -> None:
    checkout = reserved()
    pay(checkout)

    with pytest.raises(IntegrityError, match="orders_checkout_pays_once"), transaction.atomic(using="orders"):
        models.CheckoutSale.next_of(checkout, now=NOW)


def test_a_settled_sale_pays_the_checkout_and_a_repeat_of_the_payment_is_the_same_sale() -> None:
    checkout = reserved()
    sale = pay(checkout)
    settle(sale)
    settle(sale)

    assert state(checkout) == "PAID"
    assert pay(checkout).sale_id == sale.sale_id


def test_a_declined_buyer_pays_again_with_another_card_while_the_units_are_reserved() -> None:
    checkout = reserved()
    first = pay(checkout)
    services.record_failed(
        sale_id=first.sale_id, reason="payment_refused", detail="The card was declined.", now=NOW
    )
    checkout.refresh_from_db()
    assert (checkout.state, checkout.failure) == ("RESERVED", "The card was declined.")
    second = pay(checkout)
    handle(failed(first))

    assert (second.sale_id, state(checkout)) == (f"{checkout.id}-2", "PAYING")
    assert published(events.CheckoutUnpaid) == [
        events.CheckoutUnpaid(
            checkout_id=checkout.id,
            user_id=USER,
            sale_id=first.sale_id,
            order_number=first.order_number,
            title="A lamp",
            reason="payment_refused",
            detail="The card was declined.",
            pay_by_at=instants.of(checkout.pay_by),
        )
    ]
    assert [sale.outcome for sale in checkout.sales.all()] == ["FAILED", ""]


@pytest.mark.parametrize("early", [0, 1])
def test_a_payment_begins_before_the_last_ten_seconds_of_the_reservation(early: int) -> None:
    checkout = reserved()
    moment = checkout.expires_at - timedelta(seconds=10) - timedelta(milliseconds=early)

    if early:
        assert pay(checkout, moment).sale_id
    else:
        with pytest.raises(exceptions.CheckoutExpired):
            pay(checkout, moment)
    assert len(published(events.SaleConfirmed)) == early
    assert checkout.status(moment) == ("RESERVING" if early else "EXPIRED")


def test_a_payment_that_fails_when_the_time_is_over_cannot_be_made_again() -> None:
    checkout = reserved()
    sale = pay(checkout)

    services.record_failed(sale_id=sale.sale_id, reason="stock_refused", detail="", now=checkout.expires_at)

    checkout.refresh_from_db()
    assert (checkout.status(checkout.expires_at), checkout.failure) == (
        "EXPIRED",
        "the item is no longer in stock",
    )
    assert [event.pay_by_at for event in published(events.CheckoutUnpaid)] == [0]
    with pytest.raises(exceptions.CheckoutExpired):
        pay(checkout, checkout.expires_at)


def test_a_payment_needs_a_usable_card() -> None:
    checkout = reserved()
    services.remove_card(user_id=USER, now=NOW)

    with pytest.raises(exceptions.NoUsableCard):
        pay(checkout)

    assert (state(checkout), published(events.SaleConfirmed)) == ("RESERVED", [])


def test_the_checkout_of_another_looks_like_none() -> None:
    checkout = reserved()

    for act in (services.pay_checkout, services.abandon_checkout):
        with pytest.raises(exceptions.CheckoutNotFound):
            act(checkout_id=checkout.id, user_id=OTHER, now=NOW)

    assert state(checkout) == "RESERVED"


def test_a_checkout_is_abandoned_once_and_never_while_it_is_being_paid() -> None:
    checkout = reserved()
    pay(checkout)
    with pytest.raises(exceptions.WrongCheckoutState):
        services.abandon_checkout(checkout_id=checkout.id, user_id=USER, now=NOW)
    assert published(events.CheckoutAbandoned) == []

    other = start(user_id=OTHER)
    for _ in range(2):
        services.abandon_checkout(checkout_id=other.id, user_id=OTHER, now=NOW)

    assert state(other) == "ABANDONED"
    assert published(events.CheckoutAbandoned) == [events.CheckoutAbandoned(checkout_id=other.id)]


def test_the_end_of_an_auctions_sale_is_dropped_before_it_is_stored(
    django_assert_num_queries: Any,
) -> None:
    ends = [
        events.SaleSettled(sale_id="a-1", order_number="GV-1", user_id=USER, auction_id="a"),
        events.BidFailed(
            sale_id="a-2", order_number="GV-2", user_id=USER, auction_id="a", reason="payment_refused"
        ),
    ]

    with django_assert_num_queries(0, using="orders"):
        consuming.apply(handlers.SUBSCRIPTION, [record(end) for end in ends])

    assert not models.Once.objects.exists()


def test_the_end_of_a_checkouts_sale_is_stored_once() -> None:
    sale = pay(reserved())
    end = events.SaleSettled(
        sale_id=sale.sale_id, order_number=sale.order_number, user_id=USER, checkout_id=sale.checkout_id
    )

    for _ in range(2):
        consuming.apply(handlers.SUBSCRIPTION, [record(end)])

    assert models.Once.objects.filter(key__startswith="event:").count() == 1
    assert models.CheckoutSale.objects.get().outcome == "SETTLED"


def record(event: events.Event) -> brokers.Record:
    """The event as it comes from the broker."""
    value = contracts.encode(
        event, event_id=event.key(), source="sagas", time=NOW, version=0, correlation_id="c"
    )
    return brokers.Record(topic=event.TOPIC, partition=0, position="1", key=event.key(), value=value)


def test_a_message_from_before_sales_had_lines_is_a_sale_of_one_line() -> None:
    old = {
        "sale_id": "a-1", "order_number": "GV-1", "product_id": LAMP, "quantity": 2, "user_id": USER,
        "price": 2100, "currency": "EUR", "auction_id": "a", "title": "A lamp",
    }  # fmt: skip

    sale = msgspec.json.decode(msgspec.json.encode(old), type=events.SaleConfirmed)

    assert sale.lines == (events.SaleLine(product_id=LAMP, quantity=2, price=2100, title="A lamp"),)
