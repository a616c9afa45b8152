"""Payments whose worker dies, and payments that several workers make at once: the bank charges once, or not at all."""

import pytest

from auction_project.kernel.messaging import steps
from auction_project.kernel.messaging.tests import sessions
from orders import exceptions, services
from orders.tests import bank_process, dying, sales

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)


@pytest.mark.parametrize(
    ("failpoint", "left_at_bank"),
    [("capture_payment.before_call", None), ("capture_payment.after_effect", ("captured", False))],
)
def test_a_worker_killed_in_mid_capture_leaves_an_intent_that_the_next_one_finishes(
    bank: bank_process.BankProcess, sale: sales.Sale, failpoint: str, left_at_bank: tuple[str, bool] | None
) -> None:
    sale.pay_with(sales.ACCEPTS)
    dying.run_and_die(sale, "capture", failpoint)
    assert (sale.payment().state, sales.at_bank(bank, sale)) == ("STARTED", left_at_bank)

    assert sale.capture().state == "CAPTURED"

    assert (sales.at_bank(bank, sale), sale.journal()) == (("captured", False), sales.CAPTURED)


@pytest.mark.parametrize(
    ("failpoint", "refunded"),
    [("capture_payment.before_call", False), ("capture_payment.after_effect", True)],
)
def test_what_a_killed_worker_left_is_undone(
    bank: bank_process.BankProcess, sale: sales.Sale, failpoint: str, refunded: bool
) -> None:
    sale.pay_with(sales.ACCEPTS)
    dying.run_and_die(sale, "capture", failpoint)

    assert sale.refund() == services.RefundResult(order_number=sale.order_number, refunded=refunded)

    assert sales.at_bank(bank, sale) == (("captured", True) if refunded else ("cancelled", False))
    with pytest.raises(steps.Voided):
        sale.capture()


def test_a_worker_killed_in_mid_refund_leaves_the_refund_to_the_next_one(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.ACCEPTS)
    sale.capture()
    dying.run_and_die(sale, "refund", "refund_payment.after_effect")
    assert (sale.payment().state, sales.at_bank(bank, sale)) == ("REFUNDING", ("captured", True))

    assert sale.refund() == services.RefundResult(order_number=sale.order_number, refunded=True)

    assert (sale.payment().state, sale.journal()) == ("REFUNDED", sales.REFUNDED)


def test_sixteen_workers_with_one_key_charge_once(bank: bank_process.BankProcess, sale: sales.Sale) -> None:
    sale.pay_with(sales.ACCEPTS)

    results = sessions.at_once("orders", *[sale.capture_patiently] * 16)

    assert results == [services.PaymentResult(order_number=sale.order_number, state="CAPTURED")] * 16
    assert (sale.journal(), sales.published_types()) == (sales.CAPTURED, ["PaymentCaptured"])


def test_capturing_and_undoing_at_once_leave_no_money_behind(bank: bank_process.BankProcess) -> None:
    for _ in range(10):
        sale = sales.new_sale()
        sale.pay_with(sales.ACCEPTS)

        sessions.at_once("orders", sale.capture, sale.refund, sale.refund)

        assert sale.refund().refunded == (sale.journal() == sales.REFUNDED)
        assert sale.journal() in ([], sales.REFUNDED)
        assert sales.at_bank(bank, sale) in (None, ("cancelled", False), ("captured", True))


def test_another_key_for_the_order_never_charges_again(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.ACCEPTS)
    sale.capture()

    with pytest.raises(exceptions.OrderNumberTaken):
        sale.capture(key="another key")

    assert bank.ask("GET", "/payments/another%20key").status_code == 404
    assert sale.journal() == sales.CAPTURED
