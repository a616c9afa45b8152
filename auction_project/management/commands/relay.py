"""`manage.py relay`: publishes every outbox and the bid log, and keeps the stores of events small."""

import functools
import sys
from collections.abc import Callable

from auction_project.accounts import retention as accounts
from auction_project.kernel.messaging import maintenance, relay
from auction_project.kernel.messaging import retention as dead_letters
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles, running
from bidding.publishing import relay as log_relay
from notifications import retention as emails


def _maintenance() -> maintenance.Maintenance:
    subscriptions = [roles.subscription(group) for group in roles.GROUPS]
    return maintenance.Maintenance(
        transports.from_settings(),
        groups={topic: roles.groups_of_topic(topic) for each in subscriptions for topic in each.topics},
        outboxes=roles.outboxes(),
        inboxes=[each.inbox for each in subscriptions if each.inbox is not None],
        prunes=[
            dead_letters.prune,
            emails.prune,
            accounts.prune_sessions,
            accounts.prune_personal_data_views,
        ],
    )


def _readers() -> dict[str, tuple[str, ...]]:
    """By group, the topics that it reads; that of the dead letters is one of them."""
    return {group: roles.subscription(group).topics for group in roles.GROUPS}


class Command(running.RoleCommand):
    help = (
        "Publish the outboxes and the bid log, and delete what is past its days. Any number may run; one at a time "
        "publishes each source."
    )

    def handle(self, *_args: object, **_options: object) -> None:
        transport = transports.from_settings()
        loops: list[Callable[[], running.Loop]] = [
            functools.partial(relay.OutboxRelay, table, transport) for table in roles.outboxes()
        ]
        loops += [lambda: log_relay.LogRelay(transport, readers=_readers()), _maintenance]
        sys.exit(running.run("relay", roles.BY_NAME["relay"].needs, loops, running.stop_on_signals()))
