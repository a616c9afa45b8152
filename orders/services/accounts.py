"""What orders keeps of accounts: what the risk score needs."""

import contextlib
from datetime import datetime

from django.db import transaction

from orders import exceptions, models
from orders.services import addresses, cards, carts


def record_account(
    *,
    user_id: str,
    version: int,
    email_verified: bool,
    closed: bool,
    barred: bool,
    created_at: datetime,
    now: datetime,
) -> None:
    """Store the account's state unless `version` or a newer one is stored. If it is closed or barred by what is stored then, its
    card is removed, so that its tokens, which live some minutes longer, place no bid. Of a closed account no address, cart or
    device is kept."""
    with transaction.atomic(using=models.DATABASE):
        models.Account.keep_newest(
            models.Account(
                user_id=user_id,
                version=version,
                email_verified=email_verified,
                closed=closed,
                barred=barred,
                created_at=created_at,
            )
        )
        if not models.Account.may_buy(user_id):
            with contextlib.suppress(exceptions.NoCard):
                cards.remove_card(user_id=user_id, now=now)
        if models.Account.is_closed(user_id):
            addresses.forget(user_id=user_id)
            carts.forget(user_id=user_id)
            models.OrderAddress.forget(user_id)
            models.Device.objects.filter(user_id=user_id).delete()
