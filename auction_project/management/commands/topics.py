"""`manage.py topics`: the topics, their events and readers, and how many messages each reader still has to handle."""

import argparse

from django.core.management.base import BaseCommand

from auction_project.kernel import contracts
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import dead_letters
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles


class Command(BaseCommand):
    help = (
        "List every topic with its events, the groups that read it, and how many messages each group still has to "
        "handle."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--create", action="store_true", help="create the topics that do not exist, then list all"
        )

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
