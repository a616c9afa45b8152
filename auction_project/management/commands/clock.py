"""`manage.py clock`: opens and closes due auctions."""

import sys

from auction_project.processes import roles, running
from bidding import clock


class Command(running.RoleCommand):
    help = (
        "Open and close auctions on time: wake up this process's writer when one is due. Any number may run."
    )

    def handle(self, *_args: object, **_options: object) -> None:
        sys.exit(running.run("clock", roles.BY_NAME["clock"].needs, [clock.Clock], running.stop_on_signals()))
