"""What orders does when another app publishes an event."""

from django.utils import timezone

from auction_project.kernel import contracts, instants
from auction_project.kernel.messaging import consuming
from orders import models, services


def on_account_changed(_envelope: contracts.Envelope, event: contracts.events.AccountChanged) -> None:
    """Store what the risk score needs of the account. One without roles is closed or barred."""
    services.record_account(
        user_id=event.user_id,
        version=event.version,
        email_verified=event.email_verified,
        closed=event.closed,
        barred=not (event.roles or event.closed),
        created_at=instants.moment(event.created_at),
        now=timezone.now(),
    )


SUBSCRIPTION = consuming.Subscription(
    group="orders",
    inbox=models.Once,
    handlers={contracts.events.AccountChanged: consuming.each(on_account_changed)},
)
