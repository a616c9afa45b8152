"""What orders keeps of accounts."""

from datetime import datetime

from django.db import transaction

from orders import models
from orders.services import cards


def record_account(
    *, user_id: str, version: int, email_verified: bool, closed: bool, created_at: datetime, now: datetime
) -> None:
    """Keep what risk needs of an account, unless something as new is known. A closed account, which never opens again,
    keeps no card."""
    with transaction.atomic(using=models.DATABASE):
        models.Account.keep_newest(
            models.Account(
                user_id=user_id,
                version=version,
                email_verified=email_verified,
                closed=closed,
                created_at=created_at,
            )
        )
        card = models.Card.locked(user_id) if closed else None
        if card is not None and card.is_on_file:
            cards.remove(user_id, now=now)
