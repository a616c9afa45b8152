"""What orders keeps of accounts: what the risk score needs."""

from datetime import datetime

from django.db import transaction

from orders import models
from orders.services import cards


def record_account(
    *, user_id: str, version: int, email_verified: bool, closed: bool, created_at: datetime, now: datetime
) -> None:
    """Store the account's state unless `version` or a newer one is stored. The card of a closed account is removed,
    because a closed account never opens again."""
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
            cards.remove_card(user_id=user_id, now=now)
