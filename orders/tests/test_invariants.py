"""Each check of an invariant of money passes on good data, and finds the invariant broken in the raw data."""

from collections.abc import Collection

import pytest
from django.db import connections

from auction_project.kernel.contracts import events
from orders import bank_client, invariants, models, provider, reconciliation, services
from orders.tests import bank_process, sales, shop

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)


def spoil(sql: str) -> None:
    """Change rows that no service and no user of the database can change."""
    table = sql.replace("DELETE FROM", "UPDATE").replace("INSERT INTO", "UPDATE").split()[1]
    with connections["orders"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def confirmed_sale() -> sales.Sale:
    sale = sales.new_sale()
    sale.pay_with(sales.ACCEPTS)
    sale.capture()
    sale.place()
    sale.confirm()
    return sale


def refunded_sale() -> sales.Sale:
    sale = sales.new_sale()
    sale.pay_with(sales.ACCEPTS)
    sale.capture()
    sale.place()
    sale.cancel()
    sale.refund()
    return sale


def refused_sale() -> sales.Sale:
    sale = sales.new_sale()
    sale.pay_with(sales.REFUSES)
    with pytest.raises(Exception, match="declined"):
        sale.capture()
    return sale


def test_all_hold_after_sales_that_were_confirmed_refunded_and_refused(
    own_bank: bank_process.BankProcess,
) -> None:
    confirmed_sale()
    refunded_sale()
    refused_sale()

    findings = invariants.check()

    assert [(finding.invariant, finding.violations) for finding in findings] == [
        ("M1", ()),
        ("M2", ()),
        ("M3", ()),
        ("M4", ()),
        ("C1", ()),
        ("R1", ()),
    ]
    assert [finding.checked for finding in findings] == [1, 7, 2, 3, 0, 0]


def settled_sale() -> sales.Sale:
    """A confirmed sale, without any provider."""
    sale = sales.sale_with_order()
    sale.confirm()
    return sale


def test_m1_finds_money_without_a_confirmed_order() -> None:
    sale = settled_sale()
    spoil("DELETE FROM orders_orderfact WHERE kind = 'CONFIRMED'")

    finding = invariants.check_money_of_orders()

    assert finding.violations == (f"{sale.order_number}: 12550 EUR held, 0 EUR in confirmed orders",)


def test_m1_finds_a_confirmed_order_whose_money_is_gone() -> None:
    sale = settled_sale()
    spoil("UPDATE orders_posting SET debit = 1 WHERE account = 'PROVIDER'")

    finding = invariants.check_money_of_orders()

    assert finding.violations == (f"{sale.order_number}: 1 EUR held, 12550 EUR in confirmed orders",)


def test_m1_sets_an_unfinished_sale_aside() -> None:
    unfinished, lost = sales.sale_with_order(), sales.sale_with_order()

    finding = invariants.check_money_of_orders(lambda numbers: {unfinished.order_number} & set(numbers))

    assert finding.violations == (f"{lost.order_number}: 12550 EUR held, 0 EUR in confirmed orders",)


def test_m1_judges_a_sale_that_ends_while_it_looks_by_its_end() -> None:
    sale = sales.sale_with_order()

    def finish(_numbers: Collection[str]) -> Collection[str]:
        sale.confirm()
        return ()

    assert invariants.check_money_of_orders(finish).violations == ()


def test_m2_finds_debits_that_differ_from_credits() -> None:
    sale = settled_sale()
    entry = models.JournalEntry.objects.get(kind="SALE")
    spoil("UPDATE orders_posting SET credit = credit - 1 WHERE account = 'SALES'")

    finding = invariants.check_ledger()

    assert finding.violations == (f"{sale.order_number}: entry {entry.pk} has debits 12550, credits 12549",)


def test_m2_finds_an_entry_without_postings_and_a_state_without_its_entry() -> None:
    hollow, without = settled_sale(), settled_sale()
    entry = models.JournalEntry.objects.get(payment=hollow.order_number, kind="SALE")
    capture = models.JournalEntry.objects.get(payment=without.order_number, kind="CAPTURE")
    spoil(f"DELETE FROM orders_posting WHERE entry_id IN ({entry.pk}, {capture.pk})")  # noqa: S608
    spoil(f"DELETE FROM orders_journalentry WHERE id = {capture.pk}")  # noqa: S608

    finding = invariants.check_ledger()

    assert finding.violations == (
        f"{hollow.order_number}: entry {entry.pk} has debits None, credits None",
        f"{without.order_number}: a payment that is CAPTURED has the entries ['SALE']",
    )


def test_m3_finds_an_order_that_was_charged_twice(own_bank: bank_process.BankProcess) -> None:
    sale = confirmed_sale()
    bank = provider.current()
    bank.capture(key="another", token="tok_accepts_1", amount=1, currency="EUR", reference=sale.order_number)

    assert invariants.check_one_capture_per_order(provider.current()).violations == (
        f"{sale.order_number}: 1 captures in the ledger, 2 at the provider",
    )


def test_m4_finds_what_the_provider_did_without_us(own_bank: bank_process.BankProcess) -> None:
    refunded, unknown = confirmed_sale(), sales.new_sale()
    bank = provider.current()
    bank.refund(key=refunded.key("capture_payment"))
    bank.capture(
        key="another", token="tok_accepts_1", amount=1, currency="EUR", reference=unknown.order_number
    )

    assert invariants.check_provider(provider.current()).violations == (
        f"{refunded.order_number}: ours is CAPTURED, 12550 EUR; theirs captured, 12550 refunded, 12550 EUR",
        f"{unknown.order_number}: the provider has a payment that we never began",
    )


def test_m4_finds_a_payment_that_the_provider_lost(own_bank: bank_process.BankProcess) -> None:
    sale = confirmed_sale()
    own_bank.kill()
    for path in own_bank.data.parent.glob("bank.sqlite3*"):
        path.unlink()
    own_bank.start()

    assert invariants.check_provider(provider.current()).violations == (
        f"{sale.order_number}: ours is CAPTURED, the provider knows nothing",
    )


def test_m4_finds_another_amount(own_bank: bank_process.BankProcess) -> None:
    sale = confirmed_sale()
    spoil("UPDATE orders_payment SET amount = 1")

    assert invariants.check_provider(provider.current()).violations == (
        f"{sale.order_number}: ours is CAPTURED, 1 EUR; theirs captured, 12550 EUR",
    )


def test_a_payment_in_motion_is_set_aside_and_counted(own_bank: bank_process.BankProcess) -> None:
    sale = sales.new_sale()
    sale.pay_with(sales.TIMEOUT_DONE)
    with pytest.raises(Exception, match="did not answer"):
        sale.capture()

    report = reconciliation.reconcile(provider.current())

    assert (report.checked, report.in_motion, report.differences) == (1, 1, ())


def test_a_payment_that_is_decided_while_it_looks_is_no_difference(
    own_bank: bank_process.BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = sales.new_sale()
    sale.pay_with(sales.ACCEPTS)
    bank = provider.current()
    before = list(bank.list_payments())
    sale.capture()
    monkeypatch.setattr(bank, "list_payments", lambda: iter(before))

    report = reconciliation.reconcile(bank)

    assert (report.checked, report.differences) == (1, ())


def test_reconciling_reads_all_pages_of_the_provider(
    own_bank: bank_process.BankProcess, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(bank_client, "PAGE_ROWS", 2)
    for _ in range(5):
        sale = sales.new_sale()
        sale.pay_with(sales.ACCEPTS)
        sale.capture()

    report = reconciliation.reconcile(provider.current())

    assert (report.checked, report.differences) == (5, ())


# --- checkouts -------------------------------------------------------------------------------------------------------


def paid_checkout() -> models.Checkout:
    """A paid checkout of two lines, with its confirmed order, as the saga makes it."""
    checkout = shop.reserved(shop.wanted(), shop.wanted(shop.CHAIR, 1, 2000))
    paid = shop.pay(checkout)
    (confirmed,) = shop.published(events.SaleConfirmed)
    assert isinstance(confirmed, events.SaleConfirmed)
    sale = sales.new_sale(
        sale_id=paid.sale_id,
        order_number=paid.order_number,
        user_id=checkout.user_id,
        auction_id="",
        amount=paid.price,
    )
    sales.pay(sale)
    sale.place(lines=confirmed.lines)
    sale.confirm()
    services.record_settled(sale_id=paid.sale_id, now=sales.NOW)
    return checkout


def c1_finds() -> list[str]:
    return list(invariants.check_checkouts().violations)


def test_c1_holds_of_a_paid_checkout_and_of_one_whose_payment_is_confirmed_first() -> None:
    checkout = paid_checkout()
    assert c1_finds() == []

    spoil("UPDATE orders_checkout SET state = 'PAYING'")

    assert c1_finds() == []
    assert invariants.check_checkouts().checked == models.Checkout.objects.filter(pk=checkout.pk).count()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            "DELETE FROM orders_orderfact WHERE kind = 'CONFIRMED'",
            "PAID, and its confirmed orders are []",
        ),
        ("UPDATE orders_checkout SET state = 'ABANDONED'", "ABANDONED, and its confirmed orders are ['GV-"),
        ("UPDATE orders_orderline SET quantity = 7 WHERE amount = 2100", "the lines of its order GV-"),
        ("UPDATE orders_order SET amount = amount + 1", "is not for its buyer, total, shipping"),
    ],
)
def test_c1_finds_a_checkout_that_is_not_as_its_order(sql: str, found: str) -> None:
    checkout = paid_checkout()

    spoil(sql)

    (finding,) = c1_finds()
    assert finding.startswith(f"checkout {checkout.pk}: ")
    assert found in finding


# --- requests for returns ----------------------------------------------------------------------------------------------


def asked_for() -> str:
    """A running request for one of the two lamps of the house that the buyer has; its id."""
    sale = sales.confirmed_sale()
    services.ship_order(
        order_number=sale.order_number,
        actor=sales.operator(),
        carrier="Post",
        tracking_number="",
        now=sales.NOW,
    )
    [request] = services.request_return(
        order_number=sale.order_number,
        key="k",
        lines=[services.Units(product_id=sales.LAMP, quantity=1)],
        reason="A crack.",
        actor=services.Actor(user_id=sale.user_id),
        now=sales.NOW,
    )
    return str(request.pk)


def r1_finds() -> list[str]:
    return list(invariants.check_return_requests().violations)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE orders_returnrequestline SET quantity = 3", "names 3 of 2"),
        (
            "UPDATE orders_returnrequest SET owner_id = '{seller}'",
            "the line is not of its part",
        ),
        ("DELETE FROM orders_shipment WHERE owner_id = 'house'", "it was not shipped"),
    ],
)
def test_r1_finds_a_request_for_what_its_buyer_does_not_have(sql: str, found: str) -> None:
    request_id = asked_for()
    assert (r1_finds(), invariants.check_return_requests().checked) == ([], 1)

    spoil(sql.format(seller=sales.SELLER))

    (violation,) = r1_finds()
    assert f"request {request_id} is ASKED" in violation
    assert found in violation


def test_r1_finds_a_declined_request_for_more_than_was_sold() -> None:
    asked_for()
    spoil("UPDATE orders_returnrequest SET state = 'DECLINED'")
    spoil("UPDATE orders_returnrequestline SET quantity = 3")

    (violation,) = r1_finds()

    assert "is DECLINED and names 3 of 2" in violation


def test_r1_finds_a_running_request_for_what_has_come_back() -> None:
    request_id = asked_for()
    services.return_units(
        order_number=models.Order.objects.get().number,
        key="k",
        lines=[services.ReturnedLine(product_id=sales.LAMP, quantity=2)],
        reason="A crack.",
        actor=sales.operator(),
        now=sales.NOW,
    )
    assert r1_finds() == []

    spoil("UPDATE orders_returnrequest SET state = 'ACCEPTED', returned_id = NULL")

    (violation,) = r1_finds()
    assert violation.endswith("of which 2 have come back")
    assert request_id in violation
