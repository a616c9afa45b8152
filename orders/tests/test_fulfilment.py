"""Shipments, deliveries and returns: who may, what follows, once, and what the database itself refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from orders import exceptions, models, services
from orders.tests import sales
from orders.tests.parcels import (
    CHAIR,
    LAMP,
    OPERATOR,
    SELLER,
    STRANGER,
    back,
    bring_back,
    buyer,
    deliver,
    of_order,
    parts,
    published,
    ship,
    status,
    to_seller,
)

pytestmark = pytest.mark.django_db(databases=["orders"])

# --- the sale --------------------------------------------------------------------------------------------------------


def test_the_seller_of_a_line_of_the_shop_learns_to_pack_it_and_the_house_does_not() -> None:
    sale = sales.confirmed_sale()

    assert published(events.LinesSold) == [events.LinesSold(**to_seller(sale), quantity=1, amount=8550)]


def test_the_seller_of_a_lot_learns_it_from_the_auction() -> None:
    sales.confirmed_sale(sales.line(owner_id=sales.SELLER), auction_id="a" * 32)

    assert published(events.LinesSold) == []


# --- shipments -------------------------------------------------------------------------------------------------------


def test_each_seller_ships_their_part_and_the_order_is_shipped_with_the_last_one() -> None:
    sale = sales.confirmed_sale()

    ship(sale, SELLER, "Courier", "C7")
    assert (status(sale), parts(sale)) == ("CONFIRMED", [(sales.SELLER, False)])
    ship(sale)

    assert (status(sale), len(parts(sale))) == ("SHIPPED", 2)
    assert published(events.OrderShipped) == [
        events.OrderShipped(
            **of_order(sale),
            seller_id=sales.SELLER,
            carrier="Courier",
            tracking_number="C7",
            lines=(events.Units(product_id=CHAIR, quantity=1),),
        ),
        events.OrderShipped(
            **of_order(sale),
            seller_id="house",
            carrier="Post",
            tracking_number="P1",
            lines=(events.Units(product_id=LAMP, quantity=2),),
        ),
    ]


def test_a_seller_learns_once_what_an_operator_did_with_their_lines() -> None:
    sale = sales.confirmed_sale()

    for _ in range(2):
        ship(sale)
        deliver(sale)

    assert published(events.LinesShipped, events.LinesDelivered) == [
        events.LinesShipped(**to_seller(sale), quantity=1, amount=8550, carrier="Post", tracking_number="P1"),
        events.LinesDelivered(**to_seller(sale), quantity=1, amount=8550),
    ]


@pytest.mark.parametrize("is_operator", [False, True])
def test_a_seller_is_not_told_of_their_own_act(is_operator: bool) -> None:
    sale = sales.confirmed_sale()
    seller = services.Actor(user_id=sales.SELLER, is_operator=is_operator)

    ship(sale, seller)
    deliver(sale, seller)

    assert published(events.OrderDelivered) != []
    assert published(events.LinesShipped, events.LinesDelivered) == []


def test_an_operator_ships_all_parts_together() -> None:
    sale = sales.confirmed_sale()

    ship(sale)

    assert (status(sale), len(published(events.OrderShipped))) == ("SHIPPED", 2)


def test_a_repeated_shipment_is_the_same_and_another_one_is_refused() -> None:
    sale = sales.confirmed_sale()
    ship(sale)

    ship(sale)
    for actor in (OPERATOR, SELLER):
        with pytest.raises(exceptions.AlreadyShipped):
            ship(sale, actor, number="P2")

    assert (len(parts(sale)), len(published(events.OrderShipped))) == (2, 2)


@pytest.mark.parametrize(
    ("carrier", "number"),
    [("", "P1"), ("x" * 61, "P1"), ("Post", "1" * 61), ("\x07", ""), ("\u200d", ""), ("Post", "\u200d")],
)
def test_a_shipment_names_its_carrier(carrier: str, number: str) -> None:
    sale = sales.confirmed_sale()

    with pytest.raises(exceptions.InvalidText):
        ship(sale, carrier=carrier, number=number)

    assert (parts(sale), status(sale)) == ([], "CONFIRMED")


def test_a_carrier_is_kept_as_all_texts_are() -> None:
    sale = sales.confirmed_sale()

    ship(sale, carrier=" Pa\u200brcel\tPost\u202e ", number="P\u00ad1")

    shipment = models.Shipment.objects.filter(order=sale.order_number).first()
    assert shipment is not None
    assert (shipment.carrier, shipment.tracking_number) == ("Parcel Post", "P1")


@pytest.mark.parametrize("act", [ship, deliver, lambda sale, actor: bring_back(sale, back(), actor=actor)])
def test_who_has_nothing_to_do_with_an_order_finds_none_and_its_buyer_is_refused(
    act: Callable[[sales.Sale, services.Actor], Any],
) -> None:
    sale = sales.confirmed_sale()
    ship(sale)

    with pytest.raises(exceptions.OrderNotFound):
        act(sale, STRANGER)
    with pytest.raises(exceptions.NotForYou):
        act(sale, buyer(sale))

    assert (status(sale), models.Delivery.objects.count(), models.Return.objects.count()) == ("SHIPPED", 0, 0)


def test_an_order_that_is_not_confirmed_is_not_shipped() -> None:
    placed, cancelled = sales.sale_with_order(), sales.sale_with_order()
    cancelled.cancel()

    with pytest.raises(exceptions.OrderUnderWay):
        ship(placed)
    with pytest.raises(exceptions.OrderIsCancelled):
        ship(cancelled)

    assert not models.Shipment.objects.exists()


def test_the_database_itself_refuses_to_ship_what_is_not_confirmed() -> None:
    sale = sales.sale_with_order()

    with pytest.raises(IntegrityError, match="is not to be shipped"), transaction.atomic(using="orders"):
        models.Shipment.objects.create(
            order_id=sale.order_number, owner_id="", carrier="Post", actor="a", at=sales.NOW
        )


# --- deliveries ------------------------------------------------------------------------------------------------------


def test_an_order_is_delivered_with_its_last_part() -> None:
    sale = sales.confirmed_sale()
    ship(sale, SELLER)
    deliver(sale, SELLER)
    ship(sale)
    assert status(sale) == "SHIPPED"

    deliver(sale)

    assert (status(sale), parts(sale)) == ("DELIVERED", [(sales.SELLER, True), ("house", True)])
    assert published(events.OrderDelivered) == [
        events.OrderDelivered(**of_order(sale), seller_id=sales.SELLER),
        events.OrderDelivered(**of_order(sale), seller_id="house"),
    ]


def test_a_repeated_delivery_changes_nothing() -> None:
    sale = sales.confirmed_sale()
    ship(sale)

    for _ in range(2):
        deliver(sale)

    assert len(published(events.OrderDelivered)) == 2


def test_what_is_not_shipped_is_not_delivered() -> None:
    sale = sales.confirmed_sale()
    ship(sale, SELLER)
    house = sales.confirmed_sale()

    with pytest.raises(exceptions.OrderNotShipped):
        deliver(house)

    assert not models.Delivery.objects.exists()


# --- returns ---------------------------------------------------------------------------------------------------------


def test_units_come_back_line_by_line_until_all_are_back() -> None:
    sale = sales.confirmed_sale()
    ship(sale)

    first = bring_back(sale, back(LAMP, 1, damaged=True), back(CHAIR, 1))
    assert status(sale) == "SHIPPED"
    bring_back(sale, back(LAMP, 1), key="l", reason="Not as\u202e described.")

    assert status(sale) == "RETURNED"
    assert published(events.OrderReturned)[0] == events.OrderReturned(
        **of_order(sale),
        return_id=first.id,
        lines=(
            events.ReturnedUnits(product_id=LAMP, quantity=1, damaged=True),
            events.ReturnedUnits(product_id=CHAIR, quantity=1),
        ),
        reason="It is scratched.",
    )
    assert published(events.LinesReturned) == [
        events.LinesReturned(**to_seller(sale), quantity=1, amount=8550, reason="It is scratched.")
    ]
    assert models.OrderFact.objects.get(kind="RETURNED").detail == "Not as described."


def test_a_repeated_return_is_the_same_and_another_one_under_its_key_is_refused() -> None:
    sale = sales.confirmed_sale()
    ship(sale)
    first = bring_back(sale, back())

    assert bring_back(sale, back()).id == first.id
    with pytest.raises(errors.KeyReused):
        bring_back(sale, back(), reason="Another reason.")

    assert models.ReturnLine.objects.count() == 1


@pytest.mark.parametrize(
    ("lines", "figures"),
    [
        ([back(LAMP, 2)], {"product_id": LAMP, "asked": 2, "possible": 1}),
        ([back(LAMP, 1), back(LAMP, 1, damaged=True)], {"product_id": LAMP, "asked": 2, "possible": 1}),
        ([back("f" * 32, 1)], {"product_id": "f" * 32, "asked": 1, "possible": 0}),
    ],
)
def test_never_more_comes_back_than_the_buyer_has(
    lines: list[services.ReturnedLine], figures: dict[str, Any]
) -> None:
    sale = sales.confirmed_sale()
    ship(sale)
    bring_back(sale, back())

    with pytest.raises(exceptions.TooManyReturned) as refused:
        bring_back(sale, *lines, key="l")

    assert refused.value.figures == figures
    assert (models.Return.objects.count(), len(published(events.OrderReturned))) == (1, 1)


def test_what_is_not_shipped_does_not_come_back() -> None:
    sale = sales.confirmed_sale()
    ship(sale, SELLER)

    with pytest.raises(exceptions.OrderNotShipped):
        bring_back(sale, back(LAMP))

    assert bring_back(sale, back(CHAIR)).reason == "It is scratched."


def test_the_database_itself_refuses_more_units_than_were_sold() -> None:
    sale = sales.confirmed_sale()
    ship(sale)
    returned = bring_back(sale, back(LAMP, 2))
    line = models.OrderLine.objects.get(product_id=LAMP)

    with pytest.raises(IntegrityError, match="no more units to return"), transaction.atomic(using="orders"):
        models.ReturnLine.objects.create(returned=returned, line=line, quantity=1, damaged=True)


@pytest.mark.parametrize("model", [models.Shipment, models.Delivery, models.Return, models.ReturnLine])
def test_what_happened_to_a_parcel_is_written_once(model: Any) -> None:
    sale = sales.confirmed_sale()
    ship(sale)
    deliver(sale)
    bring_back(sale, back())

    with pytest.raises(IntegrityError, match="is written once"), transaction.atomic(using="orders"):
        model.objects.all()._raw_delete("orders")


# --- the address -----------------------------------------------------------------------------------------------------


def keep_address(user_id: str, city: str = "Berlin") -> None:
    fields = {"name": "Ada", "line1": "Weg 1", "city": city, "country": "DE", "postal_code": "1"}
    services.add_address(user_id=user_id, key=city, fields=fields, is_default=True, now=sales.NOW)


def close(user_id: str) -> None:
    services.record_account(
        user_id=user_id,
        version=9,
        email_verified=True,
        closed=True,
        barred=False,
        created_at=sales.NOW,
        now=sales.NOW,
    )


def test_a_shipped_order_keeps_the_address_that_it_went_to() -> None:
    sale = sales.confirmed_sale()
    keep_address(sale.user_id)
    ship(sale)

    keep_address(sale.user_id, "Potsdam")

    order = models.Order.objects.get()
    assert (models.OrderAddress.of(order) or {})["city"] == "Berlin"


def test_a_closed_account_leaves_no_address_behind() -> None:
    sale = sales.confirmed_sale()
    keep_address(sale.user_id)
    ship(sale)

    close(sale.user_id)

    assert models.OrderAddress.of(models.Order.objects.get()) is None
    assert not models.Address.objects.exists()
