"""The events that the sagas handle: confirmed sales start sagas."""

from collections.abc import Sequence
from datetime import UTC, datetime

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import consuming
from sagas import models, services, traces


def on_sales_confirmed(run: Sequence[consuming.Received]) -> None:
    sales = [services.Sale(received.event, received.envelope.correlationid) for received in run]
    services.start_sagas(sales=sales, now=datetime.now(UTC))


SUBSCRIPTION = consuming.Subscription(
    group=traces.GROUP,
    inbox=models.Once,
    alarming=True,  # the buyer of a dead sale is neither charged nor notified
    handlers={events.SaleConfirmed: on_sales_confirmed},
)
