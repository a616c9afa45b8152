"""Test numbers, and what is kept of them."""

import threading
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.migrations import executor

from auction_project.kernel.messaging.tests import sessions
from orders import bank_client, card_numbers, exceptions, models, provider, selectors, services
from orders.bank import store
from orders.tests import bank_process, sales


@pytest.mark.parametrize(
    ("number", "behaviour"),
    [
        (sales.ACCEPTS, "accepts"),
        ("4000-0000-0000-0002", "refuses"),
        (sales.TIMEOUT_DONE, "timeout_done"),
        (sales.TIMEOUT_NOT_DONE, "timeout_not_done"),
        ("4000000000004301", "timeout_lands_late"),
    ],
)
def test_each_documented_number_has_its_behaviour(number: str, behaviour: str) -> None:
    card = card_numbers.recognise(number)

    assert (card.behaviour, card.last4) == (behaviour, number[-4:])


def test_the_provider_knows_every_behaviour() -> None:
    assert sorted(card_numbers.TEST_NUMBERS.values()) == sorted(store.BEHAVIOURS)


@pytest.mark.parametrize(
    "number",
    ["", "4111111111111111", "4242", "42424242424242420", "４２４２４２４２４２４２４２４２", "x" * 40],
)
def test_another_number_is_refused(number: str) -> None:
    with pytest.raises(exceptions.UnknownTestCard) as error:
        card_numbers.recognise(number)

    assert error.value.field == "number"


@pytest.mark.django_db(databases=["orders"])
def test_a_card_replaces_the_one_before_and_its_number_is_stored_nowhere() -> None:
    services.set_card(user_id="u" * 32, number=sales.REFUSES, now=sales.NOW)

    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    card = models.Card.objects.get()
    assert (card.brand, card.last4, card.behaviour) == ("Gavel Test", "4242", "accepts")
    assert card.token.startswith("tok_accepts_")
    assert not any("4242424242424242" in str(value) for value in vars(card).values())


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_of_two_first_cards_at_once_one_stays_and_neither_call_fails() -> None:
    buyer = "u" * 32
    second = threading.Thread(target=put_card, args=(buyer, sales.REFUSES, answers := []))

    with transaction.atomic(using=models.DATABASE):
        services.set_card(user_id=buyer, number=sales.ACCEPTS, now=sales.NOW)
        second.start()
        sessions.wait_for_blocked(models.DATABASE)
    second.join(30)

    assert answers == ["refuses"]
    assert [card.behaviour for card in models.Card.objects.all()] == ["refuses"]


def put_card(buyer: str, number: str, answers: list[object]) -> None:
    try:
        answers.append(services.set_card(user_id=buyer, number=number, now=sales.NOW).behaviour)
    except Exception as error:
        answers.append(error)
    finally:
        connections.close_all()


@pytest.mark.django_db(databases=["orders"])
def test_a_removed_card_is_gone_and_its_row_keeps_only_the_version() -> None:
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    services.remove_card(user_id="u" * 32, now=sales.NOW)

    with pytest.raises(exceptions.NoCard):
        selectors.get_card(user_id="u" * 32)
    with pytest.raises(exceptions.NoCard):
        services.remove_card(user_id="u" * 32, now=sales.NOW)
    card = models.Card.objects.get()
    assert (card.version, card.token, card.brand, card.last4, card.behaviour) == (2, "", "", "", "")


# --- the state that is published ------------------------------------------------------------------------------


@pytest.mark.django_db(databases=["orders"])
def test_each_change_of_a_card_is_published_and_the_version_survives_its_removal() -> None:
    user = "u" * 32

    services.set_card(user_id=user, number=sales.ACCEPTS, now=sales.NOW)
    services.set_card(user_id=user, number=sales.ACCEPTS, now=sales.NOW)
    services.remove_card(user_id=user, now=sales.NOW)
    services.set_card(user_id=user, number=sales.REFUSES, now=sales.NOW)

    assert sales.card_states() == [(user, 1, True), (user, 2, True), (user, 3, False), (user, 4, True)]
    assert list(models.Outbox.objects.values_list("key", flat=True)) == [user] * 4


@pytest.mark.django_db(databases=["orders"])
def test_what_is_refused_publishes_nothing() -> None:
    with pytest.raises(exceptions.UnknownTestCard):
        services.set_card(user_id="u" * 32, number="4111111111111111", now=sales.NOW)
    with pytest.raises(exceptions.NoCard):
        services.remove_card(user_id="u" * 32, now=sales.NOW)

    assert (models.Card.objects.count(), sales.card_states()) == (0, [])


@pytest.mark.django_db(databases=["orders"])
def test_a_card_and_its_event_are_stored_together_or_not_at_all() -> None:
    with transaction.atomic(using=models.DATABASE):
        services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)
        transaction.set_rollback(True, using=models.DATABASE)

    assert (models.Card.objects.count(), sales.card_states()) == (0, [])


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_declined_payment_suspends_its_card_once_until_another_is_on_file(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    user = sale.user_id
    sale.pay_with(sales.REFUSES)
    another = sales.new_sale(user_id=user)

    for attempt in (sale, sale, another):
        with pytest.raises(exceptions.PaymentRefused):
            attempt.capture()

    assert selectors.get_card(user_id=user).is_usable is False
    assert sales.card_states() == [(user, 1, True), (user, 2, False)]
    sale.pay_with(sales.REFUSES)
    assert selectors.get_card(user_id=user).is_usable is True
    assert sales.card_states()[2:] == [(user, 3, True)]


@pytest.mark.django_db(databases=["orders"], transaction=True)
@pytest.mark.parametrize("meanwhile", ["another card", "no card"])
def test_a_late_decline_of_a_card_that_was_replaced_suspends_nothing(
    bank: bank_process.BankProcess, sale: sales.Sale, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    sale.pay_with(sales.REFUSES)
    capture = bank_client.BankClient.capture

    def decline_late(client: bank_client.BankClient, **payment: Any) -> provider.Result:
        answer = capture(client, **payment)
        try:
            services.remove_card(user_id=sale.user_id, now=sales.NOW)
            if meanwhile == "another card":
                sale.pay_with(sales.ACCEPTS)
        finally:
            connections.close_all()  # the thread of the call goes on to the next
        return answer

    monkeypatch.setattr(bank_client.BankClient, "capture", decline_late)
    with pytest.raises(exceptions.PaymentRefused):
        sale.capture()

    assert sale.payment().state == "DECLINED"
    assert models.Card.objects.get().declined_at is None
    usable = [True, False, True] if meanwhile == "another card" else [True, False]
    assert [state for _, _, state in sales.card_states()] == usable


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_a_payment_cancelled_because_the_provider_never_answered_suspends_nothing(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.TIMEOUT_NOT_DONE)

    with pytest.raises(exceptions.PaymentRefused):
        sale.capture_patiently()

    assert sale.payment().state == "CANCELLED"
    assert selectors.get_card(user_id=sale.user_id).is_usable is True
    assert sales.card_states() == [(sale.user_id, 1, True)]


@pytest.mark.django_db(databases=["orders"], transaction=True)
def test_the_state_of_cards_from_before_is_published_once() -> None:
    migrations = executor.MigrationExecutor(connections[models.DATABASE])
    migrations.migrate([("orders", "0002_immutable")])
    try:
        old = migrations.loader.project_state([("orders", "0002_immutable")]).apps.get_model("orders", "Card")
        old.objects.using(models.DATABASE).create(
            user_id="u" * 32,
            token="tok_accepts_1",
            brand="Gavel Test",
            last4="4242",
            behaviour="accepts",
            changed_at=sales.NOW,
        )
    finally:
        latest = executor.MigrationExecutor(connections[models.DATABASE])
        latest.migrate([node for node in latest.loader.graph.leaf_nodes() if node[0] == "orders"])

    assert sales.card_states() == [("u" * 32, 1, True)]
    sales.new_sale(user_id="u" * 32).pay_with(sales.ACCEPTS)
    assert sales.card_states()[1:] == [("u" * 32, 2, True)]
