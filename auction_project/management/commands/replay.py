"""`manage.py replay`: gives the messages of a topic to the handlers of one group again, as after a restore of its
database.

The consumers may go on meanwhile: `once` recognises what the app has handled, and nothing is acknowledged.
"""

import argparse

from django.core.management.base import BaseCommand, CommandError

from auction_project.kernel import contracts
from auction_project.kernel.messaging import consuming, dead_letters
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles


class Command(BaseCommand):
    help = (
        "Give every message that a topic still holds to the handlers of a group again, e.g. after a restore of its "
        "database. A message that the group has handled changes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        topics = (*contracts.events.TOPICS, *dead_letters.topics_of(contracts.events.TOPICS))
        parser.add_argument("topic", choices=topics, metavar="TOPIC", help="`manage.py topics` lists them")
        parser.add_argument(
            "group", choices=sorted(roles.GROUPS), metavar="GROUP", help="one that reads the topic"
        )
        parser.add_argument(
            "--after",
            metavar="PARTITION@POSITION",
            help="begin after this place (default: with the first message)",
        )
        parser.epilog = "Example: manage.py replay sale-confirmed sagas"

    def handle(self, *_args: object, **options: object) -> None:
        topic, group, after = str(options["topic"]), str(options["group"]), options["after"]
        subscription = roles.subscription(group)
        if topic not in subscription.topics:
            raise CommandError(f"{group} does not read {topic}, but {', '.join(subscription.topics)}")
        transport = transports.from_settings()
        count, undecodable, place = 0, 0, after
        try:
            for record in transport.read(topic, after=None if after is None else str(after)):
                try:
                    consuming.apply(subscription, [record])
                except contracts.Undecodable:
                    undecodable += 1
                count, place = count + 1, record.place
        except Exception as error:
            raise CommandError(
                f"stopped after {count} messages; go on with --after {place}: {error!r}"
            ) from error
        finally:
            transport.close()
        self.stdout.write(
            f"{count} messages of {topic} handed to {group} ({undecodable} undecodable); the last was {place}"
        )
