"""The card that each user has on file: every change of it, with its state event `CardChanged` in the same transaction.

A card is usable from the moment it is put on file until it is removed or the provider declines a payment with it. Only
another card ends that suspension. A payment that failed because the provider did not answer says nothing about the
card, and changes nothing.
"""

import uuid
from datetime import datetime

from django.db import transaction

from auction_project.kernel import contracts
from auction_project.kernel.messaging import outbox
from orders import card_numbers, exceptions, models


def set_card(*, user_id: str, number: str, now: datetime) -> models.Card:
    """Put the simulated card of a test number on file, in place of another; it has a new token each time.

    The number is not kept. Raises UnknownTestCard.
    """
    test_card = card_numbers.recognise(number)
    with transaction.atomic(using=models.DATABASE):
        card = models.Card.locked_or_new(user_id, now=now)
        card.put_on_file(test_card, token=f"tok_{test_card.behaviour}_{uuid.uuid4().hex}", now=now)
        _publish(card, now=now)
        return card


def remove_card(*, user_id: str, now: datetime) -> None:
    """Remove the card from file. Raises NoCard."""
    with transaction.atomic(using=models.DATABASE):
        card = models.Card.locked(user_id)
        if card is None or not card.is_on_file:
            raise exceptions.NoCard
        card.remove(now=now)
        _publish(card, now=now)


def suspend(user_id: str, *, token: str, now: datetime) -> None:
    """Suspend the card `token`, which the provider declined, if it is still on file. Needs an open transaction."""
    card = models.Card.locked(user_id)
    if card is not None and card.token == token and card.is_usable:
        card.suspend(now=now)
        _publish(card, now=now)


def _publish(card: models.Card, *, now: datetime) -> None:
    event = contracts.events.CardChanged(user_id=card.user_id, version=card.version, usable=card.is_usable)
    event_id = f"{card.user_id}:card:{card.version}"
    outbox.publish(models.Outbox, event, now=now, version=card.version, event_id=event_id)
