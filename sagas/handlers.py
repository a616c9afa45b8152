"""The events that the sagas handle: a confirmed sale starts one."""

from datetime import UTC, datetime

from auction_project.kernel import contracts
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from sagas import models, services


def on_sale_confirmed(envelope: contracts.Envelope, event: events.SaleConfirmed) -> None:
    services.start_saga(sale=event, correlation_id=envelope.correlationid, now=datetime.now(UTC))


SUBSCRIPTION = consuming.Subscription(
    group="sagas",
    inbox=models.Once,
    alarming=True,  # the buyer of a dead sale is neither charged nor notified
    handlers={events.SaleConfirmed: on_sale_confirmed},
)
