"""`manage.py consume`: gives events to the handlers of the apps."""

import argparse
import functools
import os
import socket
import sys
import uuid

from auction_project.kernel.messaging import consuming, metrics
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import figures, registry, roles, running


class Command(running.RoleCommand):
    help = "Give events to the handlers of one group of consumers, or of all groups. Any number of processes may run."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--app", choices=sorted(roles.GROUPS), help="the group: an app's name, or one of the others"
        )
        which.add_argument("--all", action="store_true", help="all groups, with a thread for each")
        parser.epilog = "Example: manage.py consume --app orders"

    def handle(self, *_args: object, **options: object) -> None:
        groups = list(roles.GROUPS) if options["all"] else [str(options["app"])]
        transport = transports.from_settings()
        member = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"

        def loop(group: str) -> consuming.ConsumerLoop:
            return consuming.ConsumerLoop(roles.subscription(group), transport, member=member)

        sys.exit(
            running.run(
                "consume",
                roles.BY_NAME["consume"].needs,
                [functools.partial(loop, group) for group in groups],
                running.stop_on_signals(),
                about=registry.About(
                    services=groups,
                    lag=figures.of(metrics.LAG, "messages"),
                    work=figures.of(metrics.CONSUMED, "messages"),
                ),
            )
        )
