"""`manage.py relay`: publishes every outbox and the bid log."""

import sys
import time
from collections.abc import Callable

from django.core.management.base import BaseCommand

from auction_project import contracts, roles, running
from auction_project.messaging import broker as brokers
from auction_project.messaging import relay
from bidding import log_relay

MAINTENANCE_SECONDS = 30.0


class Maintenance:
    """Trims topics below what all groups have acknowledged, and deletes outbox rows past their days."""

    name = "maintenance"

    def __init__(self, transport: brokers.Broker) -> None:
        self._transport = transport
        self._relays = [relay.OutboxRelay(table, transport) for table in roles.outboxes()]
        self._next = 0.0

    def step(self) -> bool:
        if time.monotonic() < self._next:
            return False
        for topic in contracts.events.TOPICS:
            if groups := roles.groups_of_topic(topic):
                self._transport.trim(topic, groups)
        for outbox_relay in self._relays:
            outbox_relay.prune()
        self._next = time.monotonic() + MAINTENANCE_SECONDS
        return False

    def close(self) -> None:
        self._transport.close()


class Command(BaseCommand):
    help = "Publish what the outboxes and the bid log hold. Any number may run: one at a time works per source."

    def handle(self, *_args: object, **_options: object) -> None:
        transport = brokers.from_settings()
        loops: list[Callable[[], running.Loop]] = [
            lambda t=table: relay.OutboxRelay(t, transport) for table in roles.outboxes()
        ]
        loops += [lambda: log_relay.LogRelay(transport), lambda: Maintenance(brokers.from_settings())]
        sys.exit(running.run("relay", roles.BY_NAME["relay"].needs, loops, running.stop_on_signals()))
