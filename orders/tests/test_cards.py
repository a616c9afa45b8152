"""Test numbers, and what is kept of them."""

import threading
import time

import pytest
from django.db import connections, transaction

from orders import cards, exceptions, models, selectors, services
from orders.bank import store
from orders.tests import sales


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
    card = cards.recognise(number)

    assert (card.behaviour, card.last4) == (behaviour, number[-4:])


def test_the_provider_knows_every_behaviour() -> None:
    assert sorted(cards.TEST_NUMBERS.values()) == sorted(store.BEHAVIOURS)


@pytest.mark.parametrize(
    "number",
    ["", "4111111111111111", "4242", "42424242424242420", "４２４２４２４２４２４２４２４２", "x" * 40],
)
def test_another_number_is_refused(number: str) -> None:
    with pytest.raises(exceptions.UnknownTestCard) as error:
        cards.recognise(number)

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
def test_of_two_first_cards_at_once_one_stays_and_nobody_hears_an_error() -> None:
    buyer = "u" * 32
    second = threading.Thread(target=put_card, args=(buyer, sales.REFUSES, answers := []))

    with transaction.atomic(using=models.DATABASE):
        services.set_card(user_id=buyer, number=sales.ACCEPTS, now=sales.NOW)
        second.start()
        wait_until_somebody_waits()
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


def wait_until_somebody_waits() -> None:
    """Until a session of this database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 10
    with connections[models.DATABASE].cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.django_db(databases=["orders"])
def test_a_forgotten_card_is_gone() -> None:
    services.set_card(user_id="u" * 32, number=sales.ACCEPTS, now=sales.NOW)

    services.remove_card(user_id="u" * 32)

    with pytest.raises(exceptions.NoCard):
        selectors.get_card(user_id="u" * 32)
    with pytest.raises(exceptions.NoCard):
        services.remove_card(user_id="u" * 32)
