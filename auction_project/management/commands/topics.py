"""`manage.py topics`: what travels where, and how far each group of consumers has come."""

import argparse

from django.core.management.base import BaseCommand

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import dead_letters
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles


class Command(BaseCommand):
    help = (
        "List every topic with its events, its readers and how many messages each has still to acknowledge."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--create", action="store_true", help="first make those that do not exist yet")

    def handle(self, *_args: object, **options: object) -> None:
        transport = transports.from_settings()
        topics = (*contracts.events.TOPICS, *dead_letters.topics_of(contracts.events.TOPICS))
        try:
            if options["create"]:
                transport.prepare(topics)
            for topic in topics:
                self._show(transport, topic)
        finally:
            transport.close()

    def _show(self, transport: brokers.Broker, topic: str) -> None:
        names = sorted(
            name for name, event_type in contracts.events.BY_NAME.items() if topic == event_type.TOPIC
        )
        self.stdout.write(f"{topic}  {', '.join(names)}".rstrip())
        for group in roles.groups_of_topic(topic):
            self.stdout.write(f"    {group:20} {transport.lag(group, [topic]):8} to go")
