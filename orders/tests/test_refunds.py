"""Refunds and cancellations: never more than was paid, once, whatever dies, and the money and the books agree."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auction_project.kernel import errors
from auction_project.kernel.contracts import events
from orders import exceptions, invariants, models, provider, services
from orders.tests import bank_process, dying, sales

pytestmark = pytest.mark.django_db(databases=["orders"])

OPERATOR = sales.operator()
LATER = sales.NOW + timedelta(minutes=5)


def refund(
    sale: sales.Sale,
    amount: int | None = None,
    *,
    key: str = "k",
    actor: services.Actor = OPERATOR,
    reason: str = "A crack.",
) -> models.Refund:
    return services.refund_order(
        order_number=sale.order_number, key=key, amount=amount, reason=reason, actor=actor, now=sales.NOW
    )


def cancel(sale: sales.Sale, actor: services.Actor = OPERATOR, reason: str = "Sold twice.") -> models.Order:
    return services.cancel_paid_order(
        order_number=sale.order_number, reason=reason, actor=actor, now=sales.NOW
    )


def buyer(sale: sales.Sale) -> services.Actor:
    return services.Actor(user_id=sale.user_id)


def paid_sale() -> sales.Sale:
    """A sale of the shop that the bank has captured, and whose order is confirmed."""
    sale = sales.new_sale(auction_id="")
    sale.pay_with(sales.ACCEPTS)
    sale.capture()
    sale.place(lines=(sales.line(), sales.line(sales.CHAIR, 1, 8550, sales.SELLER)))
    sale.confirm()
    return sale


def order_of(sale: sales.Sale) -> models.Order:
    return models.Order.objects.get(pk=sale.order_number)


def refunds() -> list[tuple[int, str]]:
    return list(models.Refund.objects.order_by("created_at", "amount").values_list("amount", "state"))


def given_back(bank: bank_process.BankProcess, sale: sales.Sale) -> int:
    """What the bank has given back of the sale's payment."""
    answer = bank.ask("GET", f"/payments/{sale.key('capture_payment')}").json()
    return int(answer["refunded_amount"])


def published(*kinds: type[events.Event]) -> list[events.Event]:
    return [event for _, event in sales.published() if isinstance(event, kinds)]


def assert_books_agree() -> None:
    assert [invariants.check_money_of_orders().violations, invariants.check_ledger().violations] == [(), ()]


# --- refunds ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_part_and_then_the_rest_is_given_back(bank: bank_process.BankProcess) -> None:
    sale = paid_sale()

    part = refund(sale, 2550)
    assert (refunds(), given_back(bank, sale)) == ([(2550, "PENDING")], 0)
    assert_books_agree()
    assert sale.send_refunds() == 1
    assert (refunds(), given_back(bank, sale), order_of(sale).status) == ([(2550, "DONE")], 2550, "CONFIRMED")
    assert_books_agree()
    rest = refund(sale, key="l", reason="Another crack.")
    sale.send_refunds()

    assert (given_back(bank, sale), sale.payment().state) == (12550, "REFUNDED")
    assert order_of(sale).status == "REFUNDED"
    assert sale.journal() == [
        *sales.CAPTURED,
        ("SALE", "BUYERS", 12550),
        ("SALE", "SALES", -12550),
        ("SALE_REFUND", "SALES", 2550),
        ("SALE_REFUND", "PROVIDER", -2550),
        ("SALE_REFUND", "SALES", 10000),
        ("SALE_REFUND", "PROVIDER", -10000),
    ]
    assert [
        (event.refund_id, event.refunded, event.refunded_total, event.reason)
        for event in published(events.OrderRefunded)
        if isinstance(event, events.OrderRefunded)
    ] == [(part.id, 2550, 2550, "A crack."), (rest.id, 10000, 12550, "Another crack.")]
    assert_books_agree()
    assert f"{sale.order_number}:" not in " ".join(invariants.check_provider(provider.current()).violations)


def test_a_repeated_refund_is_the_same_and_another_one_under_its_key_is_refused() -> None:
    sale = sales.confirmed_sale()
    first = refund(sale, 100)

    assert refund(sale, 100).id == first.id
    for changed in ({"amount": 101}, {"amount": None}, {"amount": 100, "reason": "Another."}):
        with pytest.raises(errors.KeyReused):
            refund(sale, **changed)  # type: ignore[arg-type]

    assert refunds() == [(100, "PENDING")]


def test_a_repeat_after_all_is_back_is_still_the_same(bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    first = refund(sale)
    sale.send_refunds()

    assert refund(sale).id == first.id

    assert refunds() == [(12550, "DONE")]


@pytest.mark.parametrize("sent", [False, True])
def test_never_more_is_given_back_than_was_paid(bank: bank_process.BankProcess, sent: bool) -> None:
    sale = paid_sale()
    refund(sale, 12000)
    if sent:
        sale.send_refunds()

    with pytest.raises(exceptions.RefundTooLarge) as refused:
        refund(sale, 551, key="l")
    refund(sale, 550, key="m")
    with pytest.raises(exceptions.NothingToRefund):
        refund(sale, key="n")

    assert refused.value.figures == {"refundable": 550, "currency": "EUR"}
    assert sorted(amount for amount, _ in refunds()) == [550, 12000]


def test_the_database_itself_refuses_more_than_was_paid() -> None:
    sale = sales.confirmed_sale()
    first = refund(sale, 12000)

    first.pk, first.key, first.amount = "f" * 32, "l", 551
    with pytest.raises(IntegrityError, match="no more to give back"), transaction.atomic(using="orders"):
        first.save(force_insert=True)


@pytest.mark.parametrize("change", ["amount = 1", "reason = 'x'", "actor = 'x'"])
def test_a_refund_keeps_its_figures(change: str) -> None:
    refund(sales.confirmed_sale(), 100)

    with pytest.raises(IntegrityError, match="keeps its figures"), transaction.atomic(using="orders"):
        models.Refund.objects.update(**dict([change.split(" = ")]))


def test_only_operators_refund() -> None:
    sale = sales.confirmed_sale()

    for actor in (buyer(sale), services.Actor(user_id=sales.SELLER)):
        with pytest.raises(exceptions.NotForYou):
            refund(sale, actor=actor)
    with pytest.raises(exceptions.OrderNotFound):
        refund(sale, actor=services.Actor(user_id="c" * 32))

    assert refunds() == []


def test_an_order_that_is_not_confirmed_has_nothing_to_refund() -> None:
    placed, undone = sales.sale_with_order(), sales.sale_with_order()
    undone.cancel()

    with pytest.raises(exceptions.OrderUnderWay):
        refund(placed)
    with pytest.raises(exceptions.OrderIsCancelled):
        refund(undone)

    assert refunds() == []


def test_a_refund_needs_a_reason() -> None:
    with pytest.raises(exceptions.InvalidText):
        refund(sales.confirmed_sale(), reason=" ")

    assert refunds() == []


# --- the provider ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_refund_waits_while_the_provider_is_away_and_is_made_when_it_is_back(
    own_bank: bank_process.BankProcess,
) -> None:
    sale = paid_sale()
    refund(sale, 100)
    own_bank.kill()

    assert sale.send_refunds() == 1
    stored = models.Refund.objects.get()
    assert (stored.state, stored.tries) == ("PENDING", 1)
    assert "cannot be reached" in stored.detail
    assert sale.send_refunds() == 0

    own_bank.start()
    assert sale.send_refunds(now=LATER) == 1
    assert (refunds(), given_back(own_bank, sale)) == ([(100, "DONE")], 100)
    assert_books_agree()


def test_a_refund_that_the_provider_did_not_answer_is_made_once(own_bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    refund(sale, 100)
    own_bank.pause()

    sale.send_refunds()
    own_bank.resume()
    sale.send_refunds(now=LATER)

    assert (refunds(), given_back(own_bank, sale)) == ([(100, "DONE")], 100)


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_worker_killed_after_the_refund_leaves_it_to_the_next_one(bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    refund(sale, 100)

    dying.run_and_die(sale, "send_refunds", "refund_order.after_effect")
    assert (refunds(), given_back(bank, sale)) == ([(100, "PENDING")], 100)
    assert sale.send_refunds() == 0
    assert sale.send_refunds(now=LATER) == 1

    assert (refunds(), given_back(bank, sale)) == ([(100, "DONE")], 100)
    assert len(published(events.OrderRefunded)) == 1


def test_what_the_provider_refuses_is_told_to_operators_and_tried_again(
    bank: bank_process.BankProcess,
) -> None:
    sale = sales.confirmed_sale()  # the bank has never heard of it
    refund(sale, 100)

    sale.send_refunds()

    stored = models.Refund.objects.get()
    assert (stored.state, stored.due_at is not None and stored.due_at > sales.NOW) == ("PENDING", True)
    assert "404" in stored.detail


def test_the_bank_gives_back_a_part_once_and_never_more_than_it_took(bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    path = f"/payments/{sale.key('capture_payment')}/refunds"

    def ask(key: str, body: Any) -> tuple[int, Any]:
        answer = bank.ask("POST", path, json=body, headers={"Idempotency-Key": key})
        return answer.status_code, answer.json().get("refunded_amount", answer.json().get("code"))

    assert ask("r1", {"amount": 12000}) == (200, 12000)
    assert ask("r1", {"amount": 12000}) == (200, 12000)
    assert ask("r1", {"amount": 1}) == (422, "key_reused")
    assert ask("r2", {"amount": 551}) == (409, "too_much")
    assert ask("r2", {"amount": 0}) == (400, "malformed")
    assert ask("r2", {"amount": True}) == (400, "malformed")
    assert bank.ask("POST", path.removesuffix("s")).json()["code"] == "refunded_in_part"
    assert ask("r2", {"amount": 550}) == (200, 12550)


def test_m4_finds_a_refund_that_is_not_ours(own_bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    refund(sale, 100)
    sale.send_refunds()
    assert invariants.check_provider(provider.current()).violations == ()

    provider.current().refund_part(key=sale.key("capture_payment"), refund_key="another", amount=7)

    assert invariants.check_provider(provider.current()).violations == (
        f"{sale.order_number}: ours is CAPTURED, 100 refunded, 12550 EUR; theirs captured, 107 refunded, 12550 EUR",
    )


def test_a_payment_with_a_pending_refund_is_not_compared(own_bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    sent = refund(sale, 100)
    provider.current().refund_part(
        key=sale.key("capture_payment"), refund_key=sent.provider_key, amount=sent.amount
    )

    assert invariants.check_provider(provider.current()).violations == ()


# --- cancellations ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(databases=["orders"], transaction=True)
@pytest.mark.parametrize("by_buyer", [True, False])
def test_a_cancelled_order_gives_all_money_back_and_its_units_are_free(
    bank: bank_process.BankProcess, by_buyer: bool
) -> None:
    sale = paid_sale()

    cancel(sale, buyer(sale) if by_buyer else OPERATOR)
    assert (order_of(sale).status, refunds()) == ("CANCELLED", [(12550, "PENDING")])
    sale.send_refunds()

    assert (order_of(sale).status, sale.payment().state) == ("CANCELLED", "REFUNDED")
    assert given_back(bank, sale) == 12550
    [cancelled] = published(events.OrderCancelled)
    assert isinstance(cancelled, events.OrderCancelled)
    assert (cancelled.reason, cancelled.was_confirmed) == ("Sold twice.", True)
    assert [(event.user_id, event.amount) for event in published(events.LinesCancelled)] == [  # type: ignore[attr-defined]
        (sales.SELLER, 8550)
    ]
    assert_books_agree()


def test_a_cancellation_gives_back_what_is_left(bank: bank_process.BankProcess) -> None:
    sale = paid_sale()
    refund(sale, 550)
    sale.send_refunds()

    cancel(sale)
    sale.send_refunds()

    assert sorted(refunds()) == [(550, "DONE"), (12000, "DONE")]
    assert given_back(bank, sale) == 12550


def test_a_repeated_cancellation_changes_nothing() -> None:
    sale = sales.confirmed_sale()

    for _ in range(2):
        cancel(sale)

    assert (refunds(), len(published(events.OrderCancelled))) == ([(12550, "PENDING")], 1)


def test_a_shipped_order_is_not_cancelled() -> None:
    sale = sales.confirmed_sale()
    services.ship_order(
        order_number=sale.order_number,
        actor=services.Actor(user_id=sales.SELLER),
        carrier="Post",
        tracking_number="",
        now=sales.NOW,
    )

    for actor in (OPERATOR, buyer(sale)):
        with pytest.raises(exceptions.OrderIsShipped):
            cancel(sale, actor)

    assert (order_of(sale).status, refunds()) == ("CONFIRMED", [])


def test_a_cancelled_order_is_not_shipped() -> None:
    sale = sales.confirmed_sale()
    cancel(sale)

    with pytest.raises(exceptions.OrderIsCancelled):
        services.ship_order(
            order_number=sale.order_number, actor=OPERATOR, carrier="P", tracking_number="", now=sales.NOW
        )

    assert not models.Shipment.objects.exists()


def test_an_order_that_is_not_confirmed_is_left_to_its_saga() -> None:
    sale = sales.sale_with_order()

    with pytest.raises(exceptions.OrderUnderWay):
        cancel(sale, buyer(sale))

    assert sale.order_facts() == ["PLACED"]


def test_sellers_and_strangers_do_not_cancel() -> None:
    sale = sales.confirmed_sale()

    with pytest.raises(exceptions.NotForYou):
        cancel(sale, services.Actor(user_id=sales.SELLER))
    with pytest.raises(exceptions.OrderNotFound):
        cancel(sale, services.Actor(user_id="c" * 32))

    assert order_of(sale).status == "CONFIRMED"


def test_the_saga_does_not_undo_an_order_that_was_confirmed() -> None:
    sale = sales.confirmed_sale()
    cancel(sale)

    for undo in (sale.cancel, sale.refund):
        with pytest.raises(exceptions.OrderIsConfirmed):
            undo()

    assert refunds() == [(12550, "PENDING")]


def test_the_database_itself_refuses_a_cancellation_without_its_refund() -> None:
    sale = sales.confirmed_sale()

    with (
        pytest.raises(IntegrityError, match="cancelled with a refund of all"),
        transaction.atomic(using="orders"),
    ):
        order_of(sale).fact("CANCELLED", now=sales.NOW).save()


@pytest.mark.parametrize("kind", ["SHIPPED", "DELIVERED", "RETURNED", "REFUNDED"])
def test_the_database_itself_refuses_what_only_follows_a_confirmed_order(kind: str) -> None:
    sale = sales.sale_with_order()

    with pytest.raises(IntegrityError, match="is not confirmed"), transaction.atomic(using="orders"):
        order_of(sale).fact(kind, now=sales.NOW).save()
