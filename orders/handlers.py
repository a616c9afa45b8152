"""What orders does when another app publishes an event."""

from collections.abc import Sequence
from typing import Any

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


def on_device_seen(_envelope: contracts.Envelope, event: contracts.events.DeviceSeen) -> None:
    """Keep since when the account signs in from the device."""
    services.record_device(
        user_id=event.user_id,
        device=event.device,
        first_seen_at=instants.moment(event.first_seen_at),
        last_seen_at=instants.moment(event.last_seen_at),
    )


def on_offers_changed(run: Sequence[consuming.Received]) -> None:
    """Keep the prices of the shop."""
    services.record_offers([_offer(received.event) for received in run])


def on_checkout_reserved(_envelope: contracts.Envelope, event: contracts.events.CheckoutReserved) -> None:
    """The buyer may pay."""
    services.record_reserved(checkout_id=event.checkout_id, now=timezone.now())


def on_checkout_refused(_envelope: contracts.Envelope, event: contracts.events.CheckoutRefused) -> None:
    """The buyer reads what is missing."""
    services.record_refused(checkout_id=event.checkout_id, shortages=event.shortages, now=timezone.now())


def on_sales_awarded(run: Sequence[consuming.Received]) -> None:
    """Buyers are to pay what they have won."""
    services.record_awards([received.event for received in run], now=timezone.now())


def on_sale_settled(_envelope: contracts.Envelope, event: contracts.events.SaleSettled) -> None:
    """A checkout is paid."""
    services.record_settled(sale_id=event.sale_id, now=timezone.now())


def on_sale_failed(_envelope: contracts.Envelope, event: contracts.events.BidFailed) -> None:
    """A checkout is not paid; the buyer may pay again while its units are reserved."""
    services.record_failed(
        sale_id=event.sale_id, reason=event.reason, detail=event.detail, now=timezone.now()
    )


def _offer(event: contracts.events.OfferChanged) -> models.Offer:
    return models.Offer(**{name: getattr(event, name) for name in event.__struct_fields__})


def _concerns(event: Any) -> bool:
    """Of the ends of sales only those of checkouts: that of an auction's sale changes nothing here."""
    is_end = isinstance(event, contracts.events.SaleSettled | contracts.events.BidFailed)
    return not is_end or bool(event.checkout_id)


SUBSCRIPTION = consuming.Subscription(
    group="orders",
    inbox=models.Once,
    concerns=_concerns,
    handlers={
        contracts.events.AccountChanged: consuming.each(on_account_changed),
        contracts.events.DeviceSeen: consuming.each(on_device_seen),
        contracts.events.OfferChanged: on_offers_changed,
        contracts.events.CheckoutReserved: consuming.each(on_checkout_reserved),
        contracts.events.CheckoutRefused: consuming.each(on_checkout_refused),
        contracts.events.SaleAwarded: on_sales_awarded,
        contracts.events.SaleSettled: consuming.each(on_sale_settled),
        contracts.events.BidFailed: consuming.each(on_sale_failed),
    },
)
