"""The card that each user has on file: every change of it, with its state event `CardChanged` in the same transaction.

A card is usable from the moment it is put on file until it is removed or the provider declines a payment with it. Only
another card ends that suspension. A payment that failed because the provider did not answer says nothing about the
card, and changes nothing.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from auction_project.kernel import contracts
from auction_project.kernel.messaging import outbox, steps
from orders import card_numbers, exceptions, models


def set_card(*, user_id: str, number: str, now: datetime) -> models.Card:
    """Put the simulated card of a test number on file, in place of another; it has a new token each time.

    The number is not kept. Raises UnknownTestCard, MayNotBuy.
    """
    test_card = card_numbers.recognise(number)
    with transaction.atomic(using=models.DATABASE):
        card = models.Card.locked_or_new(user_id, now=now)
        if not models.Account.may_buy(user_id):  # after the lock, which what bars the account waits for
            raise exceptions.MayNotBuy
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


def suspend(declined: Sequence[tuple[steps.Request, models.Payment]], *, now: datetime) -> None:
    """Suspend the cards of these payments, which the provider declined for these requests, where they are still on file.
    Needs an open transaction."""
    on_file = models.Card.all_locked(payment.user_id for _, payment in declined)
    suspended: dict[str, tuple[steps.Request, models.Card]] = {}
    for request, payment in declined:
        card = on_file.get(payment.user_id)
        if card is not None and card.token == payment.token and card.is_usable:
            suspended.setdefault(card.user_id, (request, card))
    if suspended:
        models.Card.suspend([card for _, card in suspended.values()], now=now)
    for request, card in suspended.values():
        with request.bound():
            _publish(card, now=now)


def _publish(card: models.Card, *, now: datetime) -> None:
    event = contracts.events.CardChanged(user_id=card.user_id, version=card.version, usable=card.is_usable)
    event_id = f"{card.user_id}:card:{card.version}"
    outbox.publish(models.Outbox, event, now=now, version=card.version, event_id=event_id)
