"""`manage.py consume`: hands events to the apps."""

import argparse
import functools
import os
import socket
import sys
import uuid

from auction_project.kernel.messaging import consuming
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles, running


class Command(running.RoleCommand):
    help = "Consume events for one app, or for all of them in one process."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--app", choices=sorted(roles.GROUPS), help="the app whose handlers to feed")
        which.add_argument("--all", action="store_true", help="all apps, a thread each")

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
            )
        )
