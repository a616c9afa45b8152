"""What is written once stays, because the database itself refuses the change."""

from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from orders import models, services
from orders.tests import sales

pytestmark = pytest.mark.django_db(databases=["orders"])

WRITTEN_ONCE = [
    models.Order,
    models.OrderFact,
    models.PaymentFact,
    models.JournalEntry,
    models.Posting,
    models.RiskAssessment,
    models.RiskOverride,
]


def execute(sql: str) -> None:
    with transaction.atomic(using="orders"), connections["orders"].cursor() as cursor:
        cursor.execute(sql)


def rows(model: Any) -> list[tuple[Any, ...]]:
    return list(model.objects.order_by("pk").values_list())


@pytest.mark.parametrize("model", WRITTEN_ONCE)
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
def test_a_row_is_neither_changed_nor_deleted(model: Any, change: str) -> None:
    sale = sales.sale_with_order()
    sale.assess()
    services.accept_buyer(user_id=sale.user_id, hours=1, reason="Known.", actor="c" * 32, now=sales.NOW)
    before = rows(model)
    table, column = model._meta.db_table, model._meta.pk.column

    with pytest.raises(IntegrityError, match="is written once"):
        execute(change.format(table, column))

    assert before
    assert rows(model) == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", "1"),
        ("currency", "'USD'"),
        ("token", "'tok_accepts_2'"),
        ("key", "'k'"),
        ("user_id", "'u'"),
        ("order_number", "'GV-1'"),
    ],
)
def test_a_payment_keeps_its_figures(column: str, value: str) -> None:
    sales.sale_with_order()
    before = rows(models.Payment)

    with pytest.raises(IntegrityError, match="keeps its figures"):
        execute(f"UPDATE orders_payment SET {column} = {value}")  # noqa: S608

    assert rows(models.Payment) == before


@pytest.mark.parametrize("end", ["DECLINED", "CANCELLED"])
def test_a_final_payment_stays_what_it_is(sale: sales.Sale, end: str) -> None:
    sales.pay(sale)
    other = sales.new_sale()
    intent = models.Payment(
        order_number=other.order_number,
        key="k",
        user_id="u",
        sale_id="s",
        auction_id="a",
        title="t",
        amount=1,
        currency="EUR",
        started_at=sales.NOW,
    )
    models.Payment.start([intent])
    models.PaymentFact.store([intent.become(end, now=sales.NOW)])

    with pytest.raises(IntegrityError, match="stays so"):
        execute("UPDATE orders_payment SET state = 'CAPTURED'")

    assert (sale.payment().state, other.payment().state) == ("CAPTURED", end)


def test_a_payment_is_never_deleted(sale: sales.Sale) -> None:
    sales.pay(sale)

    with pytest.raises(IntegrityError, match="never deleted"):
        execute("DELETE FROM orders_payment")

    assert sale.payment().state == "CAPTURED"


@pytest.mark.parametrize("state", sorted(models.TRANSITIONS))
def test_a_payment_moves_only_as_its_table_says(sale: sales.Sale, state: str) -> None:
    sales.pay(sale)
    payment = sale.payment()
    payment.state = state

    for target in models.TRANSITIONS:
        if target not in models.TRANSITIONS[state]:
            with pytest.raises(ValueError, match="cannot become"):
                payment.become(target, now=sales.NOW)

    assert sale.payment().state == "CAPTURED"


def test_a_payment_has_each_fact_once(sale: sales.Sale) -> None:
    sales.pay(sale)

    with pytest.raises(IntegrityError), transaction.atomic(using="orders"):
        sale.payment().fact("CAPTURED", now=sales.NOW).save()

    assert sale.payment_facts() == ["STARTED", "CAPTURED"]


def test_an_order_has_one_end() -> None:
    sale = sales.sale_with_order()
    order = models.Order.objects.get()
    order.fact("CANCELLED", now=sales.NOW).save()

    with pytest.raises(IntegrityError, match="it cannot be confirmed"), transaction.atomic(using="orders"):
        order.fact("CONFIRMED", now=sales.NOW).save()

    assert sale.order_facts() == ["PLACED", "CANCELLED"]


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_an_entry_out_of_balance_is_not_committed(sale: sales.Sale) -> None:
    sales.pay(sale)
    before = sale.journal()

    def post_lopsided() -> None:
        with transaction.atomic(using="orders"):
            entry = models.JournalEntry.objects.create(payment=sale.payment(), kind="REFUND", at=sales.NOW)
            models.Posting.objects.create(
                entry=entry, account="BUYERS", currency="EUR", debit=12550, credit=0
            )
            models.Posting.objects.create(
                entry=entry, account="PROVIDER", currency="EUR", debit=0, credit=12549
            )

    with pytest.raises(IntegrityError, match="out of balance by 1"):
        post_lopsided()

    assert sale.journal() == before


@pytest.mark.parametrize(("debit", "credit"), [(0, 0), (1, 1), (-1, 0), (0, -1)])
def test_a_posting_has_one_side(sale: sales.Sale, debit: int, credit: int) -> None:
    sales.pay(sale)
    entry = models.JournalEntry.objects.get()

    with pytest.raises(IntegrityError, match="has_one_side"), transaction.atomic(using="orders"):
        models.Posting.objects.create(
            entry=entry, account="SALES", currency="EUR", debit=debit, credit=credit
        )
