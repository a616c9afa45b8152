"""The program of a group member in a process of its own: applies StockChanged events, by the real consumer loop.

`python -m auction_project.kernel.messaging.tests.member TRANSPORT NAMESPACE GROUP NAME`
"""

import os
import sys
import time

import django

APPLY_SECONDS = 0.004  # the handler takes a little time, so that kills and pauses meet it at work


def main(transport: str, namespace: str, group: str, name: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.test")
    django.setup()
    from auction_project.kernel import contracts, errors
    from auction_project.kernel.messaging import consuming
    from auction_project.kernel.messaging.tests import tables, transports

    def on_stock_changed(_envelope: contracts.Envelope, event: contracts.events.StockChanged) -> None:
        tables.Applied.objects.create(key=event.product_id, number=event.version, member=name)
        time.sleep(APPLY_SECONDS)

    subscription = consuming.Subscription(
        group=group,
        inbox=tables.Once,
        handlers={contracts.events.StockChanged: consuming.each(on_stock_changed)},
    )
    loop = consuming.ConsumerLoop(subscription, transports.connect(transport, namespace), member=name)
    while True:
        try:
            loop.step()
        except errors.Unavailable:
            time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
