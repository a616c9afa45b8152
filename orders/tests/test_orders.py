"""Orders: each is placed once, then cancelled or confirmed and never both; an undoing that comes first wins."""

from collections.abc import Callable

import pytest

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import once, steps
from auction_project.kernel.messaging.tests import sessions
from orders import exceptions, models, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"])


def test_an_order_is_placed_once_however_often_the_step_comes(sale: sales.Sale) -> None:
    first = sale.place()

    again = sale.place()

    assert first == again == services.OrderResult(order_number=sale.order_number, status="PLACED")
    order = models.Order.objects.get()
    assert (order.sale_id, order.user_id, order.amount, order.currency) == (
        sale.sale_id,
        sale.user_id,
        12550,
        "EUR",
    )
    assert (order.status, sale.order_facts()) == ("PLACED", ["PLACED"])


def test_a_second_order_for_the_number_or_the_sale_is_refused(sale: sales.Sale) -> None:
    sale.place()

    for changes in ({"sale_id": "other-1"}, {"order_number": "GV-OTHER"}):
        with pytest.raises(exceptions.OrderNumberTaken):
            sale.place(key="another key", **changes)

    assert models.Order.objects.count() == 1
    assert not models.Once.objects.filter(key="another key").exists()


def test_a_paid_order_is_confirmed_once_and_its_money_becomes_ours() -> None:
    sale = sales.sale_with_order()

    assert (
        sale.confirm()
        == sale.confirm()
        == services.OrderResult(order_number=sale.order_number, status="CONFIRMED")
    )

    assert sale.order_facts() == ["PLACED", "CONFIRMED"]
    assert models.Order.objects.get().status == "CONFIRMED"
    assert sale.journal() == [
        ("CAPTURE", "PROVIDER", 12550),
        ("CAPTURE", "BUYERS", -12550),
        ("SALE", "BUYERS", 12550),
        ("SALE", "SALES", -12550),
    ]
    assert sales.published() == [
        (
            f"{sale.order_number}:OrderConfirmed",
            events.OrderConfirmed(
                order_number=sale.order_number,
                sale_id=sale.sale_id,
                auction_id=sale.auction_id,
                user_id=sale.user_id,
                amount=12550,
                currency="EUR",
                title="A brass sextant",
            ),
        )
    ]


@pytest.mark.parametrize("pay", [lambda _sale: None, lambda sale: sales.pay(sales.new_sale())])
def test_an_order_that_is_not_paid_is_not_confirmed(
    sale: sales.Sale, pay: Callable[[sales.Sale], None]
) -> None:
    sale.place()
    pay(sale)

    with pytest.raises(exceptions.OrderNotPaid):
        sale.confirm()

    assert sale.order_facts() == ["PLACED"]
    assert sales.published() == []
    assert not models.Once.objects.filter(key=sale.key("confirm_order")).exists()


def test_a_payment_of_another_amount_does_not_pay_an_order(sale: sales.Sale) -> None:
    sales.pay(sale)
    sale.place(amount=sale.amount + 1)

    with pytest.raises(exceptions.OrderNotPaid):
        sale.confirm()


def test_an_order_that_does_not_exist_is_not_confirmed(sale: sales.Sale) -> None:
    with pytest.raises(exceptions.OrderNotFound):
        sale.confirm()


def test_cancelling_adds_a_fact_and_an_event_once(sale: sales.Sale) -> None:
    sale.place()

    assert (
        sale.cancel()
        == sale.cancel()
        == services.CancellationResult(order_number=sale.order_number, cancelled=True)
    )

    facts = list(models.OrderFact.objects.values_list("kind", "detail"))
    assert facts == [("PLACED", ""), ("CANCELLED", "stock_refused")]
    assert models.Order.objects.get().status == "CANCELLED"
    [(event_id, event)] = sales.published()
    assert event_id == f"{sale.order_number}:OrderCancelled"
    assert isinstance(event, events.OrderCancelled)
    assert event.reason == "stock_refused"


def test_a_step_that_comes_after_its_undoing_is_refused_for_ever(sale: sales.Sale) -> None:
    assert sale.cancel() == services.CancellationResult(order_number=sale.order_number, cancelled=False)

    for _ in range(2):
        with pytest.raises(steps.Voided) as refusal:
            sale.place()
        assert refusal.value.code == "voided"

    assert models.Order.objects.count() == 0
    assert sales.published() == []
    assert models.Once.objects.get().state == once.State.VOID


def test_a_late_repeat_of_an_undone_step_is_refused(sale: sales.Sale) -> None:
    sale.place()
    sale.cancel()

    with pytest.raises(steps.Voided):
        sale.place()

    assert sale.order_facts() == ["PLACED", "CANCELLED"]


def test_a_confirmed_order_is_neither_cancelled_nor_refunded() -> None:
    sale = sales.sale_with_order()
    models.Once.objects.create(
        key=sale.key("capture_payment"), state=once.State.DONE, outcome={}, created_at=sales.NOW
    )
    sale.confirm()

    with pytest.raises(exceptions.OrderIsConfirmed):
        sale.cancel()
    with pytest.raises(exceptions.OrderIsConfirmed):
        sale.refund()

    assert sale.order_facts() == ["PLACED", "CONFIRMED"]
    assert sale.payment().state == "CAPTURED"
    assert sales.published_types() == ["OrderConfirmed"]


def test_a_cancelled_order_is_not_confirmed() -> None:
    sale = sales.sale_with_order()
    sale.cancel()

    with pytest.raises(exceptions.OrderIsCancelled):
        sale.confirm()

    assert sale.order_facts() == ["PLACED", "CANCELLED"]


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_sixteen_workers_with_one_key_place_one_order(sale: sales.Sale) -> None:
    results = sessions.at_once("orders", *[sale.place] * 16)

    assert results == [services.OrderResult(order_number=sale.order_number, status="PLACED")] * 16
    assert sale.order_facts() == ["PLACED"]


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_step_and_its_undoing_at_once_leave_nothing_half_done() -> None:
    for _ in range(10):
        sale = sales.new_sale()

        results = sessions.at_once("orders", sale.place, sale.cancel)

        placed = models.Order.objects.filter(number=sale.order_number).exists()
        if placed:
            assert sale.order_facts() == ["PLACED", "CANCELLED"]
        else:
            assert isinstance(results[0], steps.Voided)
        assert results[1] == services.CancellationResult(order_number=sale.order_number, cancelled=placed)


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_confirming_and_cancelling_at_once_end_in_one_of_them() -> None:
    for _ in range(10):
        sale = sales.sale_with_order()

        sessions.at_once("orders", sale.confirm, sale.cancel)

        assert sale.order_facts() in (["PLACED", "CONFIRMED"], ["PLACED", "CANCELLED"])
